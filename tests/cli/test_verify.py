import json

import pytest

from fortydays.base import files
from fortydays.cli.main import execute
from fortydays.study import evidence as documents
from fortydays.study import identity
from fortydays.study.evidence import Published
from fortydays.study.seal import sealed

TRIAL = {
    "variant": "network",
    "seed": 0,
    "status": "finished",
    "error": "",
    "metrics": {"test_accuracy": 0.5},
    "train_seconds": 1.0,
    "epochs": 1,
    "weights_digest": "ab",
    "history": {},
}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Published evidence of day 1 that is current, in a folder of the test's own; gives a way to change it."""
    from fortydays.data.library import pinned
    from fortydays.days.loading import find_study, load_study

    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path))
    monkeypatch.setattr(identity, "changes", lambda *_, **__: [])
    dataset, study = pinned("mnist"), load_study(find_study("1"), threads=1).study
    current = {
        "schema_version": 1,
        "title": "First neural network",
        "request": {"settings": []},
        "created": "2026-11-22T10:00:00Z",
        "dataset": {
            "name": "mnist",
            "digest": dataset.digest,
            "split_version": dataset.split_version,
            "test": 10_000,
            "classes": list("0123456789"),
        },
        "day": 1,
        "seeds": list(study.seeds),
        "backend": "tensorflow",
        "details": {name: {"recipe": {}, "search": None} for name in study.names},
        "code": {"study": "0" * 64, "engine": "0" * 64},  # of other source text: it does not count
        "trials": [TRIAL],
        "exhibits": [],
        "variants": documents.summarize([TRIAL]),
        "results_digest": documents.results_digest([TRIAL]),
    }
    current = sealed(current | documents.judgements_of(study, current))

    def ship(*, sealing=True, **changes):
        document = current | changes
        files.write_json(tmp_path / "day01.json", sealed(document) if sealing else document)

    ship()
    return ship, current


def verify(capsys):
    code = execute(["verify", "--json"])
    return code, json.loads(capsys.readouterr().out)["days"]


def test_current_evidence_is_current(shipped, capsys):
    code, (day,) = verify(capsys)
    assert (code, day["day"], day["state"], day["reasons"]) == (0, 1, "current", [])


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        ("dataset", {"digest": "00"}, "the dataset mnist has changed"),
        ("dataset", {"split_version": 0}, "the splits of mnist have changed"),
    ],
)
def test_what_has_changed_since_is_said(shipped, capsys, part, changes, reason):
    ship, current = shipped
    ship(**{part: {**current[part], **changes}})
    code, (day,) = verify(capsys)
    assert (code, day["state"], day["reasons"]) == (3, "stale", [reason])


def test_an_edited_trial_is_found(shipped, capsys):
    ship, _ = shipped
    edited = {**TRIAL, "metrics": {"test_accuracy": 0.99}}
    ship(trials=[edited])
    code, (day,) = verify(capsys)
    assert code == 3
    assert day["reasons"] == [
        "its trials were edited: their digest is not the recorded one",
        "its table is not what its trials give",
        "its verdicts are not what its trials give",
    ]


def test_what_was_edited_after_it_was_sealed_is_found_wherever_it_is(shipped, capsys):
    ship, current = shipped
    ship(sealing=False, created="2026-11-23T10:00:00Z", threads=4)
    code, (day,) = verify(capsys)
    assert (code, day["reasons"]) == (3, ["it was edited: the seal does not fit its created, threads"])
    assert execute(["verify", "1", "--judge"]) == 3  # an edit is not sealed
    assert "Get the edited file again: git restore evidence." in capsys.readouterr().out
    assert documents.published().read(1)["seal"] == current["seal"]


def test_evidence_without_a_seal_is_current_and_gets_one(shipped, capsys):
    ship, current = shipped
    old = [{name: value for name, value in claim.items() if name != "tested"} for claim in current["claims"]]
    ship(sealing=False, seal={}, claims=old)
    code, (day,) = verify(capsys)
    assert (code, day["state"]) == (0, "current")
    assert day["reasons"] == [
        "it is not sealed: an edited number would not be noticed",
        "its claims do not say what was tested as values",
        "forty verify 1 --judge adds it",
    ]
    assert execute(["verify", "1", "--judge"]) == 0
    assert documents.published().read(1) == current


def test_answers_that_do_not_give_the_accuracy_are_named_with_the_file(shipped, capsys, tmp_path):
    ship, _ = shipped
    ship(trials=[{**TRIAL, "right": "AA=="}])
    code, (day,) = verify(capsys)
    assert (code, day["state"]) == (1, "damaged")
    said = "The evidence is damaged: the answers of 'network', seed 0, do not give its test accuracy."
    assert day["reasons"] == [f"{tmp_path / 'day01.json'}: {said}"]
    assert execute(["verify", "1", "--judge"]) == 1


def test_damaged_evidence_is_named(shipped, capsys, tmp_path):
    (tmp_path / "day01.json").write_text("{")
    code, (day,) = verify(capsys)
    assert (code, day["state"]) == (1, "damaged")
    assert day["reasons"][0].startswith(f"{tmp_path / 'day01.json'} is damaged: it is not JSON")


def test_a_document_with_a_part_missing_is_damaged(shipped, capsys):
    ship, _ = shipped
    ship(dataset={})
    code, (day,) = verify(capsys)
    assert (code, day["state"]) == (1, "damaged")


def test_a_verdict_typed_by_hand_is_found(shipped, capsys):
    ship, current = shipped
    ship(claims=[{**current["claims"][0], "verdict": "supported"}, *current["claims"][1:]])
    code, (day,) = verify(capsys)
    assert (code, day["reasons"]) == (3, ["its verdicts are not what its trials give"])


def test_a_day_without_evidence_is_said(shipped, capsys):
    assert execute(["verify", "5"]) == 3
    assert "no evidence is published" in capsys.readouterr().out


def test_where_nothing_is_published_it_says_so(shipped, capsys, tmp_path):
    (tmp_path / "day01.json").unlink()
    assert execute(["verify"]) == 0
    assert "No evidence is published yet." in capsys.readouterr().out


@pytest.fixture
def rerun(shipped, monkeypatch):
    """A fresh run of the day that gives what the test says; how it was asked for is noted."""
    from fortydays.study import runner

    _, current = shipped
    asked = []

    def with_trials(*trials):
        found = {
            **current,
            "trials": list(trials),
            "variants": documents.summarize(trials),
            "results_digest": documents.results_digest(trials),
        }

        def run_study(source, request, settings, *, progress, fresh, executor):
            assert executor is None  # this process
            asked.append((source.day, request, fresh))
            return None, found

        monkeypatch.setattr(runner, "run_study", run_study)
        return asked

    return with_trials


def test_a_rerun_is_of_the_whole_study_and_from_the_beginning(rerun, capsys):
    from fortydays.study.runner import Request

    asked = rerun(TRIAL)
    assert execute(["verify", "1", "--rerun", "--json"]) == 0
    (day,) = json.loads(capsys.readouterr().out)["days"]
    assert asked == [(1, Request(), True)]
    assert (day["agrees"], day["same_bits"]) == (True, True)
    assert day["agreement"] == "a fresh run gave the same bits"


def test_a_rerun_that_does_not_agree_is_told_apart_from_stale_evidence(rerun, capsys):
    rerun({**TRIAL, "metrics": {"test_accuracy": 0.4}})
    assert execute(["verify", "1", "--rerun"]) == 3
    printed = capsys.readouterr().out
    assert "current" in printed
    assert "a fresh run does not agree" in printed


def test_what_is_computed_otherwise_is_said_and_no_claim_is_judged_for_it(shipped, monkeypatch, capsys):
    _, current = shipped
    monkeypatch.setattr(identity, "changes", lambda *_, **__: ["the learning rates changed: network"])
    code, (day,) = verify(capsys)
    assert (code, day["state"], day["reasons"]) == (3, "stale", ["the learning rates changed: network"])
    assert execute(["verify", "1", "--judge"]) == 3
    assert "forty run DAY --publish" in capsys.readouterr().out
    assert documents.published().read(1) == current


def test_what_cannot_be_compared_here_is_neither_current_nor_stale(shipped, monkeypatch, capsys):
    def other_versions(*_, **__):
        raise identity.NotComparableError("it is known for keras 1", hint="Compare by training.")

    monkeypatch.setattr(identity, "changes", other_versions)
    code, (day,) = verify(capsys)
    assert (code, day["state"], day["reasons"]) == (3, "unknown", ["it is known for keras 1 Compare by training."])


def test_checks_that_are_not_what_the_trials_give_are_stale(shipped, capsys):
    ship, _ = shipped
    ship(checks=[{"check": "no spread", "said": "x", "variant": "linear", "claim": "", "expected": ""}])
    code, (day,) = verify(capsys)
    assert (code, day["state"], day["reasons"]) == (3, "stale", ["its checks are not what its trials give"])


def test_claims_are_judged_anew_from_the_trials_and_nothing_is_trained(shipped, capsys):
    ship, current = shipped
    wrong = [{**current["claims"][0], "verdict": "supported"}, *current["claims"][1:]]
    ship(claims=wrong, withdrawn=[{"claim": "no longer made", "reason": "none"}])
    assert execute(["verify", "1"]) == 3
    assert "Judge and draw anew, without training: forty verify 1 --judge" in capsys.readouterr().out
    assert execute(["verify", "1", "--judge"]) == 0
    found = documents.published().read(1)
    assert (found["claims"], found["withdrawn"]) == (current["claims"], [])
    assert found["trials"] == current["trials"]
