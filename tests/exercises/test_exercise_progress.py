"""What is kept of a reader's way through the exercises."""

import json
from pathlib import Path

import pytest

from fortydays.base.errors import StorageError
from fortydays.exercises import progress
from fortydays.exercises.finding import find_exercises
from fortydays.exercises.judge import Finding, State, Verdict

(PLACE,) = find_exercises("1", 2)


def verdict(*states: State) -> Verdict:
    return Verdict(findings=tuple(Finding(name="f", state=state, says="") for state in states))


def test_what_was_tried_and_what_passed_is_kept(tmp_path: Path) -> None:
    with progress.changed(tmp_path) as kept:
        kept.note_verdict(PLACE, verdict(State.UNWRITTEN))
        assert (kept.tries(PLACE), kept.passed(PLACE)) == (0, False)
        kept.note_verdict(PLACE, verdict(State.UNWRITTEN, State.WRONG))
    assert (progress.read(tmp_path).tries(PLACE), progress.read(tmp_path).passed(PLACE)) == (1, False)
    with progress.changed(tmp_path) as kept:
        kept.note_verdict(PLACE, verdict(State.PASSED))
        kept.note_verdict(PLACE, verdict(State.WRONG))  # what has passed stays so
    assert (progress.read(tmp_path).tries(PLACE), progress.read(tmp_path).passed(PLACE)) == (3, True)


def test_hints_come_one_after_the_other_and_the_last_one_again(tmp_path: Path) -> None:
    told = []
    for _ in range(4):
        with progress.changed(tmp_path) as kept:
            told.append(kept.next_hint(PLACE))
    assert told == [0, 1, 1, 1]


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), progress.changed(tmp_path) as kept:
        kept.note_verdict(PLACE, verdict(State.PASSED))
        raise ZeroDivisionError
    assert not progress.read(tmp_path).passed(PLACE)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"folders": [], "exercises": {}}', '{"folders": {}, "exercises": {"1.2": 3}}',
             '{"folders": {}, "exercises": {"1.2": {"tries": "many"}}}']
)  # fmt: skip
def test_a_damaged_file_is_set_aside_and_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "exercises" / "progress.json"
    path.parent.mkdir()
    path.write_text(text)
    found = progress.read(tmp_path)
    (aside,) = path.parent.glob("progress.json.damaged-*")
    assert found == progress.Progress(
        warning=f"{path} was damaged. It is kept as {aside.name}; no exercise counts as passed."
    )
    assert aside.read_text() == text
    assert progress.read(tmp_path) == progress.Progress()


def test_a_file_that_cannot_be_read_is_told_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "exercises" / "progress.json"
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match="Could not read"):
        progress.read(tmp_path)
    assert path.is_dir()


def test_the_file_is_private_and_says_its_version(tmp_path: Path) -> None:
    with progress.changed(tmp_path) as kept:
        kept.folders["1"] = "/there"
    path = tmp_path / "exercises" / "progress.json"
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text()) == {"schema_version": 1, "folders": {"1": "/there"}, "exercises": {}}
