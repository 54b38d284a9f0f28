"""``forty site build`` and what the page of commands is made from."""

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up_runs import made_up

from fortydays.base.errors import UsageError
from fortydays.cli import site
from fortydays.cli.main import execute
from fortydays.days import loading
from fortydays.days.journey import JOURNEY
from fortydays.site import finished
from fortydays.site.serving import SiteServer
from fortydays.study import evidence
from fortydays.study.evidence import Published


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_site_is_written_where_it_is_asked_for(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "_made", lambda **_: {"index.html": b"home"})
    assert execute(["site", "build", "-o", str(workspace / "out")]) == 0
    assert capsys.readouterr().out == f"{workspace / 'out' / 'index.html'}\n"
    assert (workspace / "out" / "index.html").read_bytes() == b"home"
    assert execute(["site", "build"]) == 0
    assert (workspace / "home" / "site" / "index.html").stat().st_mode & 0o077 == 0


def test_a_folder_of_other_things_is_refused_before_anything_is_made(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "mine.txt").touch()
    assert execute(["site", "build", "-o", str(workspace)]) == 2
    assert "has files that are not of a site, such as mine.txt." in capsys.readouterr().err


def test_without_what_the_pages_are_made_with_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jupyterlab_katex" else found(name))
    assert execute(["site", "build"]) == 1
    said = capsys.readouterr().err
    assert "The formulas of the pages need jupyterlab-katex, not installed here." in said
    assert "run `make setup` in the repository, or install fortydays with pip again" in said


def test_evidence_that_is_not_current_is_refused_with_its_place(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Published(folder=workspace)
    monkeypatch.setattr(evidence, "published", lambda: place)
    monkeypatch.setattr(finished, "JOURNEY", JOURNEY[:1])
    monkeypatch.setattr(finished, "load_study", lambda *_, threads: loading.StudySource)
    monkeypatch.setattr(loading.StudySource, "study", SimpleNamespace(all_exhibits=()), raising=False)
    assert execute(["site", "build"]) == 1
    assert f"there is no {place.path(1)}." in capsys.readouterr().err
    document = made_up.short(made_up.evidence(day=1, exhibits=[]))
    place.path(1).write_text(json.dumps(document))
    monkeypatch.setattr(finished, "stale_parts", lambda *_: ["its trials were edited", "its table is another"])
    assert execute(["site", "build"]) == 3
    said = capsys.readouterr().err
    assert f"{place.path(1)}: its trials were edited; its table is another" in said
    assert "forty verify 1" in said
    monkeypatch.setattr(finished, "stale_parts", lambda document, _: document["trial"])
    assert execute(["site", "build"]) == 1
    assert f"{place.path(1)} is damaged: it has no 'trial'." in capsys.readouterr().err


def test_every_command_describes_itself() -> None:
    found = {each.name: each for each in site.described()}
    assert {"list", "read", "data add", "models show", "site build"} <= set(found)
    read = found["read"]
    assert read.heading == "The days"
    assert read.usage.startswith("read ")
    assert read.help[0].startswith("Read a day's notes.")
    assert any(each.name.startswith("--answers") for each in read.parameters)
    assert all(each.help and each.heading for each in found.values())
    assert not any(str(Path.home()) in parameter.help for each in found.values() for parameter in each.parameters)


def test_serve_says_where_it_is_and_ends_with_the_code_of_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(server: SiteServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(site, "_made", lambda **_: {"index.html": b"home"})
    monkeypatch.setattr(SiteServer, "serve_forever", interrupted)
    assert execute(["site", "serve", "--port", "0"]) == 130
    assert re.fullmatch(r"The site is at http://127\.0\.0\.1:\d+/ Ctrl-C ends it\.\n", capsys.readouterr().out)
    assert execute(["site", "serve", "--port", "70000"]) == 2


def test_serve_says_first_how_long_the_pages_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(**_named: object) -> None:
        raise UsageError("Far enough.")

    monkeypatch.setattr(finished, "finished_days", stopped)
    assert execute(["site", "serve", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said == "All pages are made first, which takes up to a minute.\nError: Far enough.\n"
