"""``forty clean``: what the workspace takes, and removing parts of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_runs import BEEF, CAFE, made_up, make_run

from fortydays.base import files
from fortydays.cli.main import execute


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("FORTYDAYS_HOME", str(home))
    monkeypatch.delenv("FORTYDAYS_DATASETS", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, size in (("features/a.bin", 2_000), ("datasets/mnist/x.npy", 30_000), ("datasets/mine.txt", 5)):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"x" * size)
    for name in ("mlflow.db", "own/cats/index.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"mine")
    make_run(home, BEEF, evidence=made_up.evidence())
    make_run(home, CAFE, evidence=made_up.evidence())
    return home


def contents(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.name != "run.lock")


def of_model(home: Path, run_id: str) -> None:
    path = home / "mlartifacts" / "1" / "abc" / "artifacts" / "model" / "lineage.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"run": {"id": run_id}}))


def test_without_a_part_all_is_shown_and_nothing_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(home)
    assert execute(["clean", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    parts = {part["name"]: part for part in document["parts"]}
    assert document["workspace"] == str(home)
    assert (parts["features"]["bytes"], parts["features"]["removable"]) == (2_000, True)
    assert parts["datasets"]["bytes"] == 30_000
    assert parts["datasets"]["lost"] == "they are fetched again, which needs the network"
    assert [parts[name]["removable"] for name in ("models", "data", "runs")] == [False, False, True]
    assert execute(["clean"]) == 0
    shown = capsys.readouterr().out
    assert "2,000 bytes" in shown
    assert "Remove a part with: forty clean PART" in shown
    assert contents(home) == before


def test_named_parts_go_and_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["clean", "features", "datasets", "--yes"]) == 0
    assert capsys.readouterr().out == "Removed: features, datasets (32 kB).\n"
    assert not (home / "features").exists()
    assert not (home / "datasets" / "mnist").exists()
    assert (home / "datasets" / "mine.txt").exists()
    assert (home / "runs" / BEEF / "evidence.json").exists()
    assert (home / "own" / "cats" / "index.json").exists()


def test_nothing_goes_without_a_question(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["clean", "features"]) == 2
    assert "Nothing is removed without a question" in capsys.readouterr().err
    assert (home / "features" / "a.bin").exists()


@pytest.mark.parametrize(("typed", "code", "gone"), [("y\n", 0, True), ("\n", 130, False)])
def test_on_a_terminal_it_asks_and_only_a_yes_removes(home: Path, typed: str, code: int, gone: bool) -> None:
    terminal, other_end = os.openpty()
    try:
        asked = subprocess.Popen(
            [sys.executable, "-m", "fortydays", "clean", "features"],
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
        )
        said = b""
        while b"Remove?" not in said:
            said += os.read(terminal, 1024)
        assert (home / "features" / "a.bin").exists()
        os.write(terminal, typed.encode())
        assert asked.wait(60) == code
        assert b"features: 2,000 bytes. Lost with it: minutes; they are computed again." in said
        assert (home / "features").exists() is not gone
    finally:
        os.close(terminal)
        os.close(other_end)


@pytest.mark.parametrize("part", ["models", "data"])
def test_models_and_own_data_never_go(home: Path, capsys: pytest.CaptureFixture[str], part: str) -> None:
    assert execute(["clean", "features", part, "--yes"]) == 1
    assert f"{part} cannot be removed: " in capsys.readouterr().err
    assert (home / "features" / "a.bin").exists()
    assert (home / "mlflow.db").exists()


def test_searches_go_but_for_one_that_is_worked_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.write_text(home / "searches" / "tiny-beef" / "tries.json", "{}")
    files.write_text(home / "searches" / "a file.txt", "")
    with files.locked(home / "searches" / "tiny-beef" / "search.lock", timeout=0):
        for part in ("searches", "features"):
            assert execute(["clean", part, "--yes"]) == 1
            assert f"{part} cannot be removed: in use by the search tiny-beef." in capsys.readouterr().err
    assert execute(["clean", "searches", "--yes"]) == 0
    assert not (home / "searches").exists()
    assert (home / "features" / "a.bin").exists()


def test_what_a_living_run_uses_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files.locked(home / "runs" / CAFE / "run.lock", timeout=0):
        assert execute(["clean", "datasets", "--yes"]) == 1
        assert f"datasets cannot be removed: in use by the run {CAFE}." in capsys.readouterr().err
        assert execute(["clean", "runs", "--yes"]) == 0
    assert [path.name for path in (home / "runs").iterdir()] == [CAFE]
    assert (home / "datasets" / "mnist" / "x.npy").exists()


def test_a_run_that_a_model_is_made_of_stays(home: Path) -> None:
    of_model(home, BEEF)
    assert execute(["clean", "runs", "--yes"]) == 0
    assert [path.name for path in (home / "runs").iterdir()] == [BEEF]


def test_a_part_that_is_none_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["clean", "feature", "--yes"]) == 2
    assert "There is no part of the workspace 'feature'. Did you mean 'features'?" in capsys.readouterr().err
