import json

import pytest

from fortydays.base import files
from fortydays.cli.main import execute
from fortydays.days.journey import find_day, folder
from fortydays.study import evidence as documents
from fortydays.study.evidence import Published

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
    from fortydays.data.catalog import find
    from fortydays.days.loading import find_study, load_study

    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path))
    dataset = find("mnist")
    current = {
        "schema_version": 1,
        "title": "First neural network",
        "created": "2026-11-22T10:00:00Z",
        "dataset": {"name": "mnist", "digest": dataset.digest, "split_version": dataset.split_version},
        "seeds": [0],
        "backend": "tensorflow",
        "code": {
            "study": documents.code_digest([folder(find_day("1")) / "study.py"]),
            "engine": documents.code_digest(documents.engine_files(folder(find_day("1")) / "study.py", "tensorflow")),
        },
        "trials": [TRIAL],
        "variants": documents.summarize([TRIAL]),
        **documents.judgements(load_study(find_study("1"), threads=1).study, [TRIAL]),
        "results_digest": documents.results_digest([TRIAL]),
    }

    def ship(**changes):
        files.write_json(tmp_path / "day01.json", current | changes)

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
        ("code", {"study": "00"}, "the day's study has changed"),
        ("code", {"engine": "00"}, "the training engine has changed"),
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


def test_damaged_evidence_is_named(shipped, capsys, tmp_path):
    (tmp_path / "day01.json").write_text("{")
    code, (day,) = verify(capsys)
    assert (code, day["state"]) == (1, "damaged")
    assert day["reasons"][0].startswith(f"{tmp_path / 'day01.json'} is damaged: it is not JSON")


def test_a_document_with_a_part_missing_is_damaged(shipped, capsys):
    ship, _ = shipped
    ship(code={})
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

        def run_study(source, request, settings, *, progress, fresh):
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


def test_renewing_writes_what_the_same_bits_allow(shipped, monkeypatch, capsys):
    ship, current = shipped
    ship(day=1, code=current["code"] | {"engine": "0" * 64})
    monkeypatch.setattr(
        "fortydays.study.renewal.renewed", lambda evidence, *_, **__: evidence | {"code": current["code"]}
    )
    assert execute(["verify", "1", "--renew", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["days"]
    assert found["state"] == "current"
    assert documents.published().read(1)["code"] == current["code"]


def test_claims_are_judged_anew_from_the_trials_and_nothing_is_trained(shipped, monkeypatch, capsys):
    ship, current = shipped
    wrong = [{**current["claims"][0], "verdict": "supported"}, *current["claims"][1:]]
    ship(day=1, claims=wrong, withdrawn=[{"claim": "no longer made", "reason": "none"}])
    monkeypatch.setattr("fortydays.study.renewal.renewed", lambda *_, **__: pytest.fail("trained"))
    assert execute(["verify", "1"]) == 3
    assert "Judge the claims anew, without training: forty verify 1 --renew" in capsys.readouterr().out
    assert execute(["verify", "1", "--renew"]) == 0
    found = documents.published().read(1)
    assert (found["claims"], found["withdrawn"]) == (current["claims"], [])
    assert found["trials"] == current["trials"]


def test_what_is_stale_for_another_reason_is_not_renewed(shipped, monkeypatch, capsys):
    ship, current = shipped
    ship(day=1, code=current["code"] | {"engine": "0" * 64, "study": "0" * 64})
    monkeypatch.setattr("fortydays.study.renewal.renewed", lambda *_, **__: pytest.fail("trained"))
    assert execute(["verify", "1", "--renew", "--json"]) == 3
    (found,) = json.loads(capsys.readouterr().out)["days"]
    assert found["reasons"] == ["the day's study has changed", "the training engine has changed"]


COMMIT = "c" * 40


@pytest.fixture
def compared(shipped, monkeypatch):
    """A comparison of two engines that finds them alike; how it was asked for is noted."""
    _, current = shipped
    asked = []

    def renewed_against(evidence, source, settings, *, commit, epochs, examples, progress):
        asked.append((evidence["day"], commit, epochs, examples))
        return evidence | {"code": current["code"]}

    monkeypatch.setattr("fortydays.study.renewal.renewed_against", renewed_against)
    monkeypatch.setattr("fortydays.study.renewal.renewed", lambda *_, **__: pytest.fail("trained to the end"))
    monkeypatch.setattr("fortydays.base.revision.find_commit", lambda name: COMMIT)
    return asked


@pytest.mark.parametrize(
    ("options", "epochs", "examples"),
    [([], 1, None), (["--epochs", "3"], 3, None), (["--examples", "5000"], 1, 5000)],
)
def test_renewing_against_a_revision_compares_the_first_epochs(shipped, compared, capsys, options, epochs, examples):
    ship, current = shipped
    ship(day=1, code=current["code"] | {"engine": "0" * 64})
    assert execute(["verify", "1", "--renew", "--against", "HEAD", *options, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["days"][0]["state"] == "current"
    assert compared == [(1, COMMIT, epochs, examples)]
    said = "the first epoch" if epochs == 1 else "3 epochs"
    few = ", 5,000 images each" if examples else ""
    assert f"Day 1: training {said} of one seed of each variant{few}, with both engines" in printed.err
    assert documents.published().read(1)["code"] == current["code"]


def test_current_and_missing_evidence_and_what_is_stale_for_more_is_not_compared(shipped, compared, capsys):
    ship, current = shipped
    assert execute(["verify", "1", "--renew", "--against", "HEAD"]) == 0
    assert execute(["verify", "5", "--renew", "--against", "HEAD"]) == 3
    assert "no evidence is published" in capsys.readouterr().out
    ship(day=1, code=current["code"] | {"engine": "0" * 64, "study": "0" * 64})
    assert execute(["verify", "1", "--renew", "--against", "HEAD"]) == 3
    assert "the day's study has changed" in capsys.readouterr().out
    assert compared == []


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--against", "HEAD"], "--against 'HEAD' is for --renew only.", "forty verify --renew --against HEAD"),
        (["--renew", "--epochs", "2"], "--epochs 2 is for --against only.", "--against REVISION --epochs 2"),
        (["--renew", "--examples", "5000"], "--examples 5000 is for --against only.", "REVISION --examples 5000"),
        (["--renew", "--against", "no such name"], "There is no commit 'no such name' in this checkout.", "git log"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_trained(shipped, capsys, arguments, message, hint):
    ship, current = shipped
    ship(day=1, code=current["code"] | {"engine": "0" * 64})
    assert execute(["verify", *arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert hint in printed


def test_epochs_have_to_be_some(shipped, capsys):
    assert execute(["verify", "--renew", "--against", "HEAD", "--epochs", "0"]) == 2
    assert "'--epochs'" in capsys.readouterr().err
