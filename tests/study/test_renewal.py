"""Evidence outlives a change of the engine where trials trained again give the same bits, and not otherwise."""

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiny_study import Watch

from fortydays.base.errors import UsageError
from fortydays.study import renewal
from fortydays.study.evidence import code_digest, engine_files
from fortydays.study.renewal import NotRenewedError, renewed, renewed_against
from fortydays.study.side_by_side import PACKAGE, Digests, Engine, EngineFailedError, Request, Steps, Trained


def before_the_change(finished: Any) -> dict[str, Any]:
    evidence: dict[str, Any] = copy.deepcopy(finished.evidence)
    evidence["code"]["engine"] = "0" * 64
    return evidence


def test_the_same_bits_make_it_the_evidence_of_todays_engine(finished_pair: Any) -> None:
    evidence = before_the_change(finished_pair)
    progress = Watch()
    found = renewed(evidence, finished_pair.source, finished_pair.settings, progress=progress)
    assert found["code"]["engine"] == code_digest(engine_files(finished_pair.source.path, evidence["backend"]))
    (entry,) = found["code"].pop("renewed")
    assert entry["engine"] == "0" * 64
    assert entry["checked"] == [{"variant": "one hidden", "seed": 0}]
    assert {**found, "code": None} == {**evidence, "code": None}
    assert progress.notes == {"one hidden, seed 0, again": "the same bits"}


def test_other_bits_leave_it_stale(finished_pair: Any) -> None:
    evidence = before_the_change(finished_pair)
    evidence["trials"][0]["weights_digest"] = "f" * 64
    with pytest.raises(
        NotRenewedError, match="one hidden with seed 0 gives other bits than the evidence has"
    ) as raised:
        renewed(evidence, finished_pair.source, finished_pair.settings, progress=Watch())
    assert "--publish" in raised.value.hint
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threads": 64}, "because threads is not what"),
        ({"packages": {"keras": "3.0.0"}, "backend": "jax"}, "because packages and backend are not what"),
        ({"machine": {"cpu_model": "another", "flags": [], "system": "Linux x86_64"}}, "because machine is not what"),
    ],
)
def test_bits_of_another_machine_cannot_be_compared(finished_pair: Any, changes: dict[str, Any], said: str) -> None:
    evidence = before_the_change(finished_pair) | changes
    with pytest.raises(NotRenewedError, match=said):
        renewed(evidence, finished_pair.source, finished_pair.settings, progress=Watch())


OLD, NEW, COMMIT, OTHER = "0" * 64, "1" * 64, "a" * 40, "b" * 40


class Engines:
    """Two engines that train nothing: what each would tell is made up."""

    def __init__(self, study: str) -> None:
        self.study = study
        self.then = self.now = Trained(epochs=1, parts={"precision": "float32", "variables": "x", "history": "h"})
        self.of_commits = {COMMIT: OLD}
        self.asked: list[tuple[str, Request]] = []

    def digests(self, engine: Engine) -> Digests:
        return Digests(engine=self.of_commits.get(engine.commit, NEW), study=self.study)

    def loaded(self, engine: Engine, request: Request, settings: Any) -> Digests:
        return self.digests(engine)

    @contextlib.contextmanager
    def told(self, engine: Engine, request: Request, settings: Any) -> Iterator[Iterator[Any]]:
        self.asked.append((engine.name, request))
        ends = self.then if engine.commit else self.now
        yield iter([self.digests(engine), Steps(done=0, total=20), Steps(done=20, total=20), ends])


Compare = Callable[..., dict[str, Any]]


@pytest.fixture
def engines(finished_pair: Any, monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines(finished_pair.evidence["code"]["study"])
    monkeypatch.setattr(renewal, "asked", found.told)
    monkeypatch.setattr(renewal, "loaded", found.loaded)
    monkeypatch.setattr(renewal, "engine_of", lambda commit, place: Engine(sources=place / commit, commit=commit))
    monkeypatch.setattr(renewal, "engine_of_today", lambda place: Engine(sources=place / "today"))
    monkeypatch.setattr(renewal, "commits_before_changes", lambda paths, most: list(found.of_commits))
    return found


@pytest.fixture
def compare(engines: Engines, finished_pair: Any) -> Compare:
    """Compares the engines for evidence of day 3."""
    source = dataclasses.replace(finished_pair.source, path=PACKAGE / "days/day03_optimizers/study.py")

    def run(*, progress: Watch | None = None, **changes: Any) -> dict[str, Any]:
        evidence = before_the_change(finished_pair) | {"day": 3} | changes
        return renewed_against(
            evidence, source, finished_pair.settings, commit=COMMIT, epochs=1, progress=progress or Watch()
        )

    return run


def test_engines_that_train_alike_make_it_the_evidence_of_the_new_one(
    compare: Compare, engines: Engines, finished_pair: Any
) -> None:
    progress = Watch()
    found = compare(progress=progress)
    assert found["code"]["engine"] == NEW
    (entry,) = found["code"].pop("renewed")
    assert entry.pop("at").endswith("Z")
    machine = finished_pair.evidence["machine"]
    assert entry == {
        "engine": OLD,
        "against": COMMIT,
        "checked": [{"variant": "one hidden", "seed": 0, "epochs": 1, "precision": "float32"}],
        "machine": {name: machine[name] for name in ("cpu_model", "flags", "system")},
        "packages": finished_pair.evidence["packages"],
    }
    assert {**found, "code": None} == {**before_the_change(finished_pair), "day": 3, "code": None}
    assert progress.notes == {
        "one hidden, seed 0, the engine of aaaaaaaaaaaa": "1 epoch in float32",
        "one hidden, seed 0, today's engine": "the same bits",
        "day 3, both engines": "the same bits",
    }


def test_both_are_asked_for_the_same_with_the_recipe_and_threads_of_the_evidence(
    compare: Compare, engines: Engines, finished_pair: Any
) -> None:
    details = copy.deepcopy(finished_pair.evidence["details"])
    del details["one hidden"]["recipe"]["test_views"]  # as in evidence that is older than this field
    compare(details=details, threads=7, machine={"cpu_model": "another", "flags": [], "system": "another"})
    (then, first), (now, second) = engines.asked
    assert (then, now) == ("the engine of aaaaaaaaaaaa", "today's engine")
    assert first == second == Request(
        study="days/day03_optimizers/study.py",
        backend=finished_pair.evidence["backend"],
        threads=7,
        seed=0,
        epochs=1,
        variants={"one hidden": details["one hidden"]["recipe"]},
    )  # fmt: skip


def test_it_is_said_where_this_machine_computes_in_another_precision(
    compare: Compare, engines: Engines, finished_pair: Any
) -> None:
    details = copy.deepcopy(finished_pair.evidence["details"])
    details["one hidden"]["precision"] = "bfloat16"
    progress = Watch()
    (entry,) = compare(progress=progress, details=details)["code"]["renewed"]
    assert entry["checked"][0]["precision"] == "float32"
    assert progress.notes["one hidden, seed 0, the engine of aaaaaaaaaaaa"] == (
        "1 epoch in float32, where the evidence is of bfloat16"
    )


def test_engines_that_do_not_train_alike_are_told_by_the_first_difference(compare: Compare, engines: Engines) -> None:
    engines.now = Trained(epochs=1, parts={"precision": "float32", "variables": "y", "history": "h"})
    progress = Watch()
    with pytest.raises(NotRenewedError) as raised:
        compare(progress=progress)
    assert raised.value.exit_code == 3
    assert raised.value.message == (
        "Day 3: one hidden with seed 0 gives other bits with today's engine than with the evidence's. "
        "What differs first: the variables."
    )
    assert "Run the study again: forty run 3 --publish" in raised.value.hint
    assert progress.notes["one hidden, seed 0, today's engine"] == "other bits"


def test_a_commit_with_another_engine_is_refused_and_the_right_one_named(compare: Compare, engines: Engines) -> None:
    engines.of_commits = {COMMIT: "2" * 64, OTHER: OLD}
    with pytest.raises(UsageError) as raised:
        compare()
    assert raised.value.message == (
        "Day 3: the engine at the commit aaaaaaaaaaaa has the digest 222222222222, "
        "but the evidence names 000000000000."
    )
    assert raised.value.hint == "That one is at: forty verify 3 --renew --against bbbbbbbbbbbb"
    assert engines.asked == []

    del engines.of_commits[OTHER]
    with pytest.raises(UsageError) as raised:
        compare()
    assert raised.value.hint == "It is at none of the last commits. Run the study again: forty run 3 --publish"


def test_a_commit_with_another_study_is_refused(compare: Compare, engines: Engines, finished_pair: Any) -> None:
    engines.study = "3" * 64
    with pytest.raises(
        UsageError, match="Day 3: the study at the commit aaaaaaaaaaaa has the digest 333333333333, but"
    ):
        compare()
    assert engines.asked == []


def test_evidence_of_another_backend_is_refused(compare: Compare, engines: Engines) -> None:
    with pytest.raises(NotRenewedError, match=r"made on the backend 'abacus', and '.*' is asked for") as raised:
        compare(backend="abacus")
    assert "Set KERAS_BACKEND=abacus" in raised.value.hint
    assert engines.asked == []


def test_a_process_that_ends_too_early_is_said(
    compare: Compare, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def silent(engine: Engine, request: Request, settings: Any) -> Iterator[Iterator[Any]]:
        yield iter([engines.digests(engine)])

    monkeypatch.setattr(renewal, "asked", silent)
    with pytest.raises(EngineFailedError, match=r"one hidden, seed 0, .*: its process ended before the trial did"):
        compare()
