import shutil
import subprocess
from pathlib import Path

import pytest

from fortydays.base.revision import first_version, revision


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A Reader", "-c", "user.email=reader@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("there is no Git here")
    folder = tmp_path / "a checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "code.py").write_text("x = 1\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


@pytest.fixture(autouse=True)
def ask_anew() -> None:
    revision.cache_clear()


def test_a_checkout_without_changes_is_clean(checkout: Path) -> None:
    found = revision(checkout)

    assert found is not None
    assert (found.commit, found.clean) == (git(checkout, "rev-parse", "HEAD"), True)


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_a_changed_or_new_file_makes_it_unclean(checkout: Path, name: str) -> None:
    (checkout / name).write_text("x = 2\n")

    found = revision(checkout)

    assert found is not None
    assert (found.commit, found.clean) == (git(checkout, "rev-parse", "HEAD"), False)


def test_a_folder_that_a_checkout_ignores_is_no_part_of_it(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("packages/\n")
    (checkout / "packages").mkdir()
    (checkout / "packages" / "library.py").write_text("")

    assert revision(checkout / "packages") is None


def test_a_hook_of_another_repository_changes_nothing(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    found = revision(checkout)

    assert found is not None
    assert found.commit == commit


def test_outside_a_checkout_and_without_git_there_is_none(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert revision(tmp_path) is None

    revision.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(checkout) is None


def test_the_first_version_of_a_file_is_the_one_that_was_first_committed(checkout: Path) -> None:
    (checkout / "code.py").write_text("x = 2\n")
    git(checkout, "commit", "--quiet", "--all", "-m", "Change")

    assert first_version(checkout / "code.py") == "x = 1"
    assert first_version(checkout / "new.py") is None
    assert first_version(checkout / "no folder" / "code.py") is None
    assert first_version(checkout.parent / "code.py") is None


def test_of_a_file_that_was_removed_and_came_back_the_oldest_version_counts(checkout: Path) -> None:
    git(checkout, "rm", "--quiet", "code.py")
    git(checkout, "commit", "--quiet", "-m", "Remove")
    (checkout / "code.py").write_text("x = 3\n")
    git(checkout, "add", "code.py")
    git(checkout, "commit", "--quiet", "-m", "Bring back")

    assert first_version(checkout / "code.py") == "x = 1"


def test_a_clone_without_its_whole_history_does_not_know_the_first_version(checkout: Path, tmp_path: Path) -> None:
    (checkout / "code.py").write_text("x = 2\n")
    git(checkout, "commit", "--quiet", "--all", "-m", "Change")
    git(tmp_path, "clone", "--quiet", "--depth", "1", checkout.as_uri(), "shallow")

    assert first_version(tmp_path / "shallow" / "code.py") is None
