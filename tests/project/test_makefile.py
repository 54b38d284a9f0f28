"""The commands that README and CONTRIBUTING promise exist, and a wrong Python is told kindly."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"bench", "check", "clean", "demo", "format", "help", "lock", "readme", "setup", "setup-dev", "site"}
TARGETS |= {
    "pages",
    "pictures",
    "setup-jax",
    "setup-data",
    "setup-ray",
    "setup-encoder",
    "test",
    "test-jax",
    "test-slow",
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds nothing but the Makefile and empty locks."""
    folder = tmp_path / "a folder"
    (folder / "locks").mkdir(parents=True)
    for name in ("pyproject.toml", "locks/run.txt", "locks/build.txt"):
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # `make test` tells the makes below it its own options; this one is to be as in a fresh shell.
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def python_that_says(version: str, folder: Path) -> str:
    path = folder / "some python"
    path.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
    path.chmod(0o755)
    return "./some python"


def test_help_lists_every_target_with_what_it_does(folder: Path) -> None:
    done = make(folder)
    assert done.returncode == 0, done.stderr
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", done.stdout, re.MULTILINE))
    assert set(listed) == TARGETS


def test_no_target_is_mistaken_for_a_file_of_its_name() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14", "2.7"])
def test_setup_refuses_a_python_that_is_not_supported(folder: Path, version: str) -> None:
    done = make(folder, "setup", f"PYTHON={python_that_says(version, folder)}")
    assert done.returncode != 0
    assert f"needs Python 3.11, 3.12 or 3.13, but './some python' is Python {version}." in done.stderr
    assert "make setup PYTHON=python3.12" in done.stderr
    assert not (folder / ".venv").exists()


def test_setup_without_any_python_says_what_to_install(folder: Path) -> None:
    done = make(folder, "setup", "PYTHON=python-that-is-nowhere")
    assert done.returncode != 0
    assert "There is no 'python-that-is-nowhere' here. Install Python 3.11, 3.12 or 3.13" in done.stderr


def test_lock_without_uv_says_what_to_install(folder: Path) -> None:
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("bash", "sh"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    done = make(folder, "lock", f"PATH={tools}")
    assert done.returncode != 0
    assert "make lock needs uv" in done.stderr


def test_ci_runs_the_commands_of_contributing() -> None:
    (stages,) = re.findall(r"^for stage in (.*); do$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    setup, *commands = stages.split()
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = contributing.split("## Four commands")[1].split("\n## ")[0]
    assert setup == "setup-dev"  # on its own, so that its time is told apart
    assert commands == ["test", "check", "test-jax", "test-slow"]
    assert re.findall(r"^    make (\S+)", section, re.MULTILINE) == commands
