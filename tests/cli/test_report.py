"""What `forty report` writes."""

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from made_up_runs import BEEF, made_up, make_run, publish

from fortydays.cli.main import execute
from fortydays.days import journey
from fortydays.study import evidence
from fortydays.study.evidence import Published


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one run of day 4, and notes of that day."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setattr(evidence, "published", lambda: Published(folder=tmp_path / "published"))
    notes = tmp_path / "day04_regularization" / "notes.md"
    notes.parent.mkdir()
    notes.write_text('# The lesson\n\nIt reaches {{ mean("network", "test_accuracy") }}.\n')
    monkeypatch.setattr(journey, "folder", lambda day: notes.parent)
    make_run(tmp_path, BEEF, evidence=made_up.short(made_up.evidence(exhibits=[])))
    return tmp_path


def test_the_page_is_written_into_the_workspace_and_its_path_printed(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["report", "4"]) == 0
    path = workspace / "reports" / "day04.html"
    assert capsys.readouterr().out == f"{path}\n"
    page = path.read_text("utf-8")
    assert f"your run {BEEF}" in page
    assert "<h2>The lesson</h2>" in page
    assert "<p>It reaches 97.2%.</p>" in page


def test_the_page_goes_where_it_is_asked_to_and_nothing_is_left_beside_it(workspace: Path) -> None:
    target = workspace / "elsewhere" / "page.html"
    assert execute(["report", "4", "-o", str(target)]) == 0
    assert [p.name for p in target.parent.iterdir()] == ["page.html"]


def test_published_evidence_can_be_asked_for(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journey, "is_ready", lambda day: True)
    assert execute(["report", "4", "--published"]) == 2
    assert "has no published evidence." in capsys.readouterr().err
    publish(workspace / "published", made_up.short(made_up.evidence(exhibits=[])))
    assert execute(["report", "4", "--published"]) == 0
    assert "Evidence: published" in (workspace / "reports" / "day04.html").read_text("utf-8")


def test_a_run_without_the_numbers_of_the_notes_gives_a_page_without_them(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "day04_regularization" / "notes.md").write_text('{{ mean("gone", "test_accuracy") }}')
    assert execute(["report", "4"]) == 0
    printed = capsys.readouterr()
    assert "Warning: the page is made without the day's notes. day04_regularization/notes.md, line 1" in printed.err
    assert 'id="notes"' not in (workspace / "reports" / "day04.html").read_text("utf-8")


def test_open_shows_the_page_in_a_browser(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert execute(["report", "4", "--open"]) == 0
    assert opened == [(workspace / "reports" / "day04.html").as_uri()]


def test_without_a_browser_the_page_is_there_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert execute(["report", "4", "--open"]) == 0
    assert "no browser could be opened" in capsys.readouterr().err


def test_an_output_that_is_refused_is_told_with_a_way_out(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "a folder").mkdir()
    (workspace / "file").write_text("")
    for place, said_first in (
        (workspace / "a folder", "Could not write"),
        (workspace / "file" / "page.html", "Could not create the folder"),
        (Path("/proc/nowhere/page.html"), "Could not"),
    ):
        assert execute(["report", "4", "-o", str(place)]) == 1
        said = capsys.readouterr().err
        assert said_first in said
        assert f"leave -o out: the page then goes to {workspace / 'reports' / 'day04.html'}." in said
        assert "FORTYDAYS_HOME" not in said


def test_nothing_is_written_into_the_home(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    unset = ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {k: v for k, v in os.environ.items() if k not in unset} | {"HOME": str(home)}
    command = [sys.executable, "-m", "fortydays", "report", "4"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []
    assert (workspace / "cache" / "matplotlib").is_dir()
