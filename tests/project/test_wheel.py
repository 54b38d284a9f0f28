"""What `pip install` of the built package gives in a fresh environment: the command, and all that is published."""

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from fortydays.site.writing import MARK

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An environment of its own into which the wheel was installed."""

    environment: Path

    @property
    def package(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages/fortydays")
        return found

    def run(self, folder: Path, *command: object, code: int = 0) -> str:
        """What a program of the environment prints, in a folder that is empty at first."""
        # Nothing of the caller's but how a process is started: no path to the sources, and no workspace.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        program, *arguments = map(str, command)
        done = subprocess.run(
            [str(self.environment / "bin" / program), *arguments],
            cwd=folder,
            env={**kept, "FORTYDAYS_HOME": str(folder / "home"), "FORTYDAYS_OFFLINE": "1", "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a new environment. To install 2.4 GB of locked packages takes minutes: it borrows this one's."""
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "-w", place, ROOT)
    (wheel,) = place.glob("fortydays-*.whl")
    environment = place / "environment"
    venv.create(environment)
    pip("--python", environment / "bin" / "python", "install", wheel)
    (packages,) = environment.glob("lib/python*/site-packages")
    # The files below this folder that add further paths are not read, so the sources are not among them.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return Installed(environment=environment)


def pip(*arguments: object) -> None:
    at = arguments.index("install" if "install" in arguments else "wheel") + 1
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-index", "--no-deps")
    command = [sys.executable, "-m", "pip", *arguments[:at], *quiet, *arguments[at:]]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_has_every_days_evidence_and_notes_and_the_pages_of_the_site(installed: Installed) -> None:
    def content(folder: Path, pattern: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob(pattern)}

    evidence = content(ROOT / "evidence", "*.json")
    assert evidence
    assert content(installed.package / "evidence", "*.json") == evidence
    assert content(installed.package / "pages" / "docs", "*.md") == content(ROOT / "docs", "*.md")
    notes = {path.parent.name: path.read_bytes() for path in (ROOT / "src/fortydays/lessons").glob("*/notes.md")}
    found = {path.parent.name: path.read_bytes() for path in (installed.package / "lessons").glob("*/notes.md")}
    assert found == notes


def test_python_shows_what_is_published(installed: Installed, tmp_path: Path) -> None:
    code = "import fortydays as fd; print(fd.__file__); result = fd.show(1); print(result.source, len(result.trials))"
    place, shown = installed.run(tmp_path, "python", "-c", code).splitlines()
    assert Path(place).is_relative_to(installed.package)
    assert shown.startswith("published ")


def test_the_command_lists_shows_and_writes_notebooks(installed: Installed, tmp_path: Path) -> None:
    listed = installed.run(tmp_path, "forty", "list")
    assert "First neural network" in listed
    assert installed.run(tmp_path, "forty", "show", "1").startswith("Day 1 · First neural network")
    installed.run(tmp_path, "forty", "notebook", "1")
    assert (tmp_path / "day01.ipynb").exists()


def test_exercises_are_judged(installed: Installed, tmp_path: Path) -> None:
    installed.run(tmp_path, "forty", "exercise", "2")
    said = installed.run(tmp_path, "forty", "check", "2", "5", code=3)
    assert "Its first claim is to be a Comparison" in " ".join(said.split())


def test_the_site_is_built_with_every_page(installed: Installed, tmp_path: Path) -> None:
    installed.run(tmp_path, "forty", "site", "build", "-o", "site")
    built = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "days/01-first-network.html", "results.html", "commands.html"} <= built
    assert (tmp_path / "site" / MARK).is_file()
