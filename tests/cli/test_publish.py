"""``forty run DAY --publish``: a day's whole study becomes the published evidence, or nothing does."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.cli.main import execute
from fortydays.days import loading
from fortydays.study import evidence as documents
from fortydays.study import identity, joining, runner
from fortydays.study.evidence import Published
from fortydays.study.seal import sealed

IDENTITY = {"backend": "tensorflow", "packages": {}, "seed": 0, "variants": {}}


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A run of day 1 that gives the evidence which is returned, to be changed; and a place to publish it."""
    evidence = documents.published().read(1)
    assert evidence is not None
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path / "evidence"))
    monkeypatch.setattr(loading, "load_study", lambda file, threads: SimpleNamespace(study=None))
    monkeypatch.setattr(identity, "identity_of_study", lambda *_, **__: IDENTITY)
    monkeypatch.setattr(runner, "run_study", lambda *_, **__: (SimpleNamespace(run_id="day01-now"), evidence))
    return evidence


def test_a_whole_study_is_published_as_it_came_out(ran: dict[str, Any], tmp_path: Path) -> None:
    assert execute(["run", "1", "--publish", "--no-track", "--json"]) == 0
    text = (tmp_path / "evidence" / "day01.json").read_text("utf-8")
    assert json.loads(text) == sealed(ran | {"identity": IDENTITY})  # what it computes is found then
    assert text.count("\n") == 1


def test_failed_trials_are_not_published(
    ran: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran["trials"][0] |= {"status": "failed", "error": "The loss became nan."}
    assert execute(["run", "1", "--publish", "--no-track"]) == 1
    assert "Evidence with failed trials is not published." in capsys.readouterr().err
    assert not (tmp_path / "evidence").exists()


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """What is said where publishing is refused; nothing may have been run before."""
    assert execute(["run", "1", "--publish", "--no-track"]) == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture
def untrained(ran: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(runner, "run_study", lambda *_, **__: pytest.fail("trained"))
    return ran


@pytest.mark.parametrize("evidence", ["site-packages/fortydays/evidence", "evidence"], ids=["shipped", "not shipped"])
def test_an_installed_program_does_not_overwrite_what_it_ships(
    untrained: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    evidence: str,
) -> None:
    package = tmp_path / "site-packages" / "fortydays"
    monkeypatch.setattr(documents, "_PACKAGE", package)
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path / evidence))
    assert f"This program is installed in {package}, and what it ships is not changed." in refused(capsys)
    with pytest.raises(UsageError):  # whoever asks, --renew too
        documents.publish(untrained)
    assert not (tmp_path / evidence).exists()


def test_evidence_is_not_published_through_a_link(
    untrained: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "evidence").symlink_to(tmp_path / "elsewhere")
    assert f"{tmp_path / 'evidence'} is a symbolic link." in refused(capsys)
    (tmp_path / "evidence").unlink()
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "day01.json").symlink_to(tmp_path / "elsewhere" / "other.json")
    assert f"{tmp_path / 'evidence' / 'day01.json'} is a symbolic link." in refused(capsys)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_before_anything_is_trained(
    untrained: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evidence").mkdir()
    # Root may write into every folder; only a disk that is mounted read-only stops it.
    monkeypatch.setattr(files, "is_writable", lambda path: path != tmp_path / "evidence")
    assert f"{tmp_path / 'evidence'} cannot be written, so no evidence can be published there." in refused(capsys)


def test_some_variants_are_published_beside_the_others_if_these_can_stay(
    ran: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = SimpleNamespace(name="network")
    study = SimpleNamespace(
        select=lambda only: ((network,), ()) if only == ("network",) else pytest.fail(str(only)),
        standing=(),  # no claim, so no control whose probe would be missing
    )
    monkeypatch.setattr(loading, "load_study", lambda file, threads: SimpleNamespace(study=study))
    documents.publish(ran)
    before = (tmp_path / "evidence" / "day01.json").read_text("utf-8")
    asked: list[Any] = []

    def check(of: Any, published: Any, trained: list[str], *_: Any, **__: Any) -> None:
        asked.append((of, published["run_id"], trained))
        if len(asked) == 1:
            raise UsageError("The others cannot stay.")

    monkeypatch.setattr(joining, "check_joinable", check)
    monkeypatch.setattr(joining, "joined", lambda study, published, run: {**run, "kept": {"linear": "run"}})
    command = ["run", "1", "--only", "network", "--publish", "--no-track"]
    assert execute(command) == 2
    assert "The others cannot stay." in capsys.readouterr().err
    ran["request"] = {**ran["request"], "only": ["network"]}
    assert (tmp_path / "evidence" / "day01.json").read_text("utf-8") == before
    assert execute(command) == 0
    assert asked == [(study, ran["run_id"], ["network"])] * 2
    assert json.loads((tmp_path / "evidence" / "day01.json").read_text("utf-8"))["kept"] == {"linear": "run"}
