"""The folder of a run: found again, told apart, and never believed when it is damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fortydays.base import clock, files
from fortydays.base.errors import StorageError, UsageError
from fortydays.study import runs as folders
from fortydays.study.runs import RunFolder, RunState, create_run, find_run, latest_evidence, list_runs, unfinished_run

REQUEST: dict[str, Any] = {"seeds": [0, 1], "only": [], "settings": [], "engine": "compiled"}


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunFolder]:
    """Makes runs that were begun one second after another."""
    began = iter(range(60))
    now = clock.utc_now()

    def begin(name: str = "tiny", *, day: int | None = None, request: dict[str, Any] = REQUEST) -> RunFolder:
        moment = now.replace(second=next(began))
        monkeypatch.setattr(clock, "utc_now", lambda: moment)
        return create_run(tmp_path, day=day, name=name, request=request, identity={"study": "s"})

    return begin


def test_a_new_run_says_what_was_asked_for(begin: Callable[..., RunFolder], tmp_path: Path) -> None:
    run = begin("activations", day=2)
    document = run.read()
    assert run.path.parent == tmp_path
    assert run.run_id.startswith("day02-")
    assert (document["run_id"], document["day"], document["name"]) == (run.run_id, 2, "activations")
    assert document["request"] == REQUEST
    assert document["identity"] == {"study": "s"}
    assert document["state"] == "running"
    assert run.trials() == []
    assert begin("tiny").run_id.startswith("tiny-")


def test_a_run_is_changed_as_a_whole(begin: Callable[..., RunFolder]) -> None:
    run = begin()
    before = run.read()
    after = run.update(state="finished")
    assert after == run.read()
    assert {name for name in after if after[name] != before[name]} <= {"state", "updated"}


def test_a_run_that_no_process_works_on_is_interrupted(begin: Callable[..., RunFolder]) -> None:
    run = begin()
    assert run.state() is RunState.INTERRUPTED
    with files.locked(run.lock):
        assert run.is_held()
        assert run.state() is RunState.RUNNING
    assert not run.is_held()
    run.update(state="failed")
    assert run.state() is RunState.FAILED


def test_the_trials_are_those_with_a_folder_of_their_own(begin: Callable[..., RunFolder]) -> None:
    run = begin()
    for name in ("b-seed0", "a-seed1", "a-seed0"):
        files.write_json(run.trial(name).result, {})
    aside = files.set_aside(run.trial("a-seed1").path)
    assert aside.is_dir()
    (run.path / "trials" / "notes.txt").write_text("not a trial")
    assert [t.path.name for t in run.trials()] == ["a-seed0", "b-seed0"]


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "cut": lambda d: json.dumps(d)[:-20],
    "empty": lambda d: "",
    "a list": lambda d: "[]",
    "another version": lambda d: json.dumps({**d, "schema_version": 2}),
    "no state": lambda d: json.dumps({k: v for k, v in d.items() if k != "state"}),
    "another state": lambda d: json.dumps({**d, "state": "sleeping"}),
    "no time": lambda d: json.dumps({k: v for k, v in d.items() if k != "created"}),
    "no request": lambda d: json.dumps({k: v for k, v in d.items() if k != "request"}),
    "no identity": lambda d: json.dumps({k: v for k, v in d.items() if k != "identity"}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_named_and_left_out(
    damage: Callable[[dict[str, Any]], str], begin: Callable[..., RunFolder], tmp_path: Path
) -> None:
    whole, broken = begin(), begin()
    (broken.path / "run.json").write_text(damage(broken.read()), "utf-8")
    with pytest.raises(StorageError, match="is damaged"):
        broken.read()
    assert [r.run_id for r in list_runs(tmp_path)] == [whole.run_id]
    assert [r.run_id for r in folders.damaged_runs(tmp_path)] == [broken.run_id]
    assert unfinished_run(tmp_path, name="tiny", day=None, request=REQUEST) == whole
    with pytest.raises(UsageError):
        find_run(tmp_path, broken.run_id)


def test_runs_are_listed_from_the_oldest(begin: Callable[..., RunFolder], tmp_path: Path) -> None:
    begun = [begin("z"), begin("a"), begin("m", day=3)]
    (tmp_path / "something else").mkdir()
    (tmp_path / "a file").touch()
    assert list_runs(tmp_path) == begun
    assert list_runs(tmp_path / "none") == []
    assert folders.damaged_runs(tmp_path / "none") == []


def test_a_run_is_found_by_its_id_or_its_beginning(begin: Callable[..., RunFolder], tmp_path: Path) -> None:
    one, two = begin("one"), begin("two")
    assert find_run(tmp_path, one.run_id) == one
    assert find_run(tmp_path, "tw") == two
    with pytest.raises(UsageError, match="There is no run 'three'") as raised:
        find_run(tmp_path, "three")
    assert raised.value.hint == f"Known: {one.run_id}, {two.run_id}."
    begin("two")
    with pytest.raises(UsageError, match="Several runs begin with 'two'"):
        find_run(tmp_path, "two")
    for nothing in ("", "..", "../" + one.run_id, "/"):
        with pytest.raises(UsageError, match="There is no run"):
            find_run(tmp_path, nothing)


def test_only_the_newest_run_with_the_same_request_goes_on(begin: Callable[..., RunFolder], tmp_path: Path) -> None:
    other = {**REQUEST, "seeds": [0]}
    assert unfinished_run(tmp_path, name="tiny", day=None, request=REQUEST) is None
    first, _, _ = begin(), begin(request=other), begin("another")
    assert unfinished_run(tmp_path, name="tiny", day=None, request=REQUEST) == first
    first.update(state="interrupted")
    assert unfinished_run(tmp_path, name="tiny", day=None, request=REQUEST) == first
    begin().update(state="finished")
    assert unfinished_run(tmp_path, name="tiny", day=None, request=REQUEST) is None


def test_the_latest_evidence_is_that_of_the_newest_run_that_has_some(
    begin: Callable[..., RunFolder], tmp_path: Path
) -> None:
    first, second, _ = begin(), begin(), begin()
    assert latest_evidence(tmp_path, "tiny", day=None) is None
    for run in (first, second):
        files.write_json(run.evidence, {})
    assert latest_evidence(tmp_path, "tiny", day=None) == second
    assert latest_evidence(tmp_path, "other", day=None) is None


def test_a_study_of_ones_own_is_not_taken_for_the_day_of_the_same_name(
    begin: Callable[..., RunFolder], tmp_path: Path
) -> None:
    day = begin("activations", day=2)
    files.write_json(day.evidence, {})
    assert unfinished_run(tmp_path, name="activations", day=2, request=REQUEST) == day
    assert unfinished_run(tmp_path, name="activations", day=None, request=REQUEST) is None
    assert latest_evidence(tmp_path, "activations", day=2) == day
    assert latest_evidence(tmp_path, "activations", day=None) is None


def test_a_workspace_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder was expected")
    with pytest.raises(StorageError, match="Could not create the folder"):
        create_run(tmp_path / "runs", day=None, name="tiny", request=REQUEST, identity={})
