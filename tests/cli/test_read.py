"""What `forty read` prints."""

import os
from pathlib import Path

import pytest
from made_up_runs import BEEF, longest_line, made_up, make_run, publish

from fortydays.cli.main import execute
from fortydays.days import journey
from fortydays.study import evidence
from fortydays.study.evidence import Published

NOTES = '# The lesson\n\nIt reaches {{ mean("network", "test_accuracy") }} with {{ seeds() }} seeds.\n'


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and notes of day 4."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(evidence, "published", lambda: Published(folder=tmp_path / "published"))
    folder = tmp_path / "day04_regularization"
    folder.mkdir()
    (folder / "notes.md").write_text(NOTES)
    monkeypatch.setattr(journey, "folder", lambda day: folder)
    return tmp_path


def test_notes_have_the_numbers_of_your_own_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(workspace / "published", made_up.evidence(seeds=(0, 1)))
    make_run(workspace, BEEF, evidence=made_up.evidence(seeds=(0, 1, 2)))
    assert execute(["read", "4"]) == 0
    text = capsys.readouterr().out
    assert "The lesson" in text
    assert "with 3 seeds." in text
    assert text.rstrip().endswith(f"Numbers: your run {BEEF}")
    assert longest_line(text) <= 80


@pytest.mark.parametrize("asked", [False, True])
def test_answers_are_printed_when_they_are_asked_for(
    workspace: Path, capsys: pytest.CaptureFixture[str], *, asked: bool
) -> None:
    (workspace / "day04_regularization" / "notes.md").write_text("# The lesson\n\n- Why?\n\n  > Because.\n")
    assert execute(["read", "4", *(["--answers"] if asked else [])]) == 0
    text = capsys.readouterr().out
    assert "Why?" in text
    assert ("Because." in text) == asked
    assert ("the same command with --answers" in text) != asked


def test_without_any_evidence_the_numbers_are_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["read", "4"]) == 0
    text = capsys.readouterr().out
    assert "This day has no evidence yet" in text
    assert "It reaches — with — seeds." in text
    assert "Numbers:" not in text


@pytest.mark.parametrize(
    ("seeds", "request_"),
    [
        ((0, 1), {}),
        ((0, 1, 2, 3, 4), {"only": ["network"]}),
        ((0, 1, 2, 3, 4), {"settings": ["epochs=1"]}),
        ((0, 1, 2, 3, 4), {"engine": "plain"}),
    ],
)
def test_a_smaller_or_another_run_of_your_own_does_not_change_the_lesson(
    workspace: Path, capsys: pytest.CaptureFixture[str], seeds: tuple[int, ...], request_: dict[str, object]
) -> None:
    own = made_up.evidence(seeds=seeds)
    own["request"] |= request_
    make_run(workspace, BEEF, evidence=own)
    assert execute(["read", "4"]) == 0  # nothing is published: better than no number, and said
    assert f"Numbers: your run {BEEF}" in capsys.readouterr().out
    publish(workspace / "published", made_up.evidence(seeds=(0, 1, 2, 3)))
    assert execute(["read", "4"]) == 0
    text = capsys.readouterr().out
    assert "with 4 seeds." in text
    assert text.rstrip().endswith("Numbers: published evidence")


def test_a_run_without_the_numbers_falls_back_to_the_published_ones(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace / "published", made_up.evidence())
    partial = made_up.evidence()
    for part in ("details", "variants"):
        partial[part] = {"sgd fair": partial[part]["sgd fair"]}
    partial["trials"] = [t for t in partial["trials"] if t["variant"] == "sgd fair"]
    make_run(workspace, BEEF, evidence=partial)
    assert execute(["read", "4"]) == 0
    printed = capsys.readouterr()
    assert "It reaches 97.2% with 5 seeds." in printed.out
    assert f"Warning: your run {BEEF} lacks numbers that the notes speak of" in printed.err
    assert "the published ones are shown" in printed.err
    assert "Numbers: published evidence" in printed.out


def test_a_mistake_in_the_notes_is_an_error_with_its_place(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace / "published", made_up.evidence())
    (workspace / "day04_regularization" / "notes.md").write_text("one\n\n{{ verdict(99) }}")
    assert execute(["read", "4"]) == 2
    assert "day04_regularization/notes.md, line 3: {{ verdict(99) }}: There is no claim 99" in capsys.readouterr().err


def test_a_day_without_notes(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "day04_regularization" / "notes.md").unlink()
    assert execute(["read", "4"]) == 2
    assert "has no notes yet." in capsys.readouterr().err
    assert execute(["read", "study.py"]) == 2
    assert "has no notes yet." in capsys.readouterr().err


def test_on_a_terminal_notes_are_paged_unless_asked_not_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paged: list[str] = []
    monkeypatch.setattr("pydoc.pager", paged.append)
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("LESS", "")  # so that what the command sets is undone
    monkeypatch.delenv("LESS")
    assert execute(["read", "4"]) == 0
    assert "The lesson" in paged[0]
    assert os.environ["LESS"] == "-RFX"
    capsys.readouterr()
    assert execute(["read", "4", "--no-pager"]) == 0
    assert len(paged) == 1
    assert "The lesson" in capsys.readouterr().out
