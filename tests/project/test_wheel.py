"""What `pip install` of the built package gives: the command, and the published evidence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pip(*arguments: object) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-index", "--no-deps")
    command = [sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as its wheel has it. What it depends on is this environment's."""
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "-w", place, ROOT)
    (wheel,) = place.glob("fortydays-*.whl")
    pip("install", "--target", place / "installed", wheel)
    return place / "installed"


def out_of(installed: Path, folder: Path, *command: object) -> str:
    env = {**os.environ, "PYTHONPATH": str(installed), "FORTYDAYS_HOME": str(folder / "home"), "COLUMNS": "80"}
    done = subprocess.run([*map(str, command)], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_has_every_days_evidence_and_notes(installed: Path) -> None:
    def content(folder: Path, pattern: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob(pattern)}

    evidence = content(ROOT / "evidence", "*.json")
    assert evidence
    assert content(installed / "fortydays" / "evidence", "*.json") == evidence
    notes = {path.parent.name: path.read_bytes() for path in (ROOT / "src/fortydays/lessons").glob("*/notes.md")}
    found = {path.parent.name: path.read_bytes() for path in (installed / "fortydays/lessons").glob("*/notes.md")}
    assert found == notes


@pytest.mark.slow
def test_the_installed_package_shows_what_is_published(installed: Path, tmp_path: Path) -> None:
    code = "import fortydays as fd; print(fd.__file__); result = fd.show(1); print(result.source, len(result.trials))"
    place, shown = out_of(installed, tmp_path, sys.executable, "-c", code).splitlines()
    assert Path(place).is_relative_to(installed)
    assert shown.startswith("published ")


@pytest.mark.slow
def test_the_installed_command_works(installed: Path, tmp_path: Path) -> None:
    forty = installed / "bin" / "forty"
    assert out_of(installed, tmp_path, sys.executable, forty, "show", "1").startswith("Day 1 · First neural network")
    out_of(installed, tmp_path, sys.executable, forty, "notebook", "1")
    assert (tmp_path / "day01.ipynb").exists()
