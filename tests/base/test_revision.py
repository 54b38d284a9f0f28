import shutil
import subprocess
from pathlib import Path

import pytest

from fortydays.base.errors import UsageError
from fortydays.base.revision import commits_before_changes, find_commit, revision, write_files_of


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


def change(checkout: Path, name: str, text: str) -> str:
    """Write a file, commit it, and give the commit."""
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text(text)
    git(checkout, "add", name)
    git(checkout, "commit", "--quiet", "-m", f"Change {name}")
    return git(checkout, "rev-parse", "HEAD")


def test_a_commit_has_many_names(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    second = change(checkout, "code.py", "x = 2\n")

    for name in (first, first[:10], "HEAD~1"):
        assert find_commit(name, checkout) == first
    assert find_commit("HEAD", checkout) == second


@pytest.mark.parametrize("name", ["nowhere", "", "--all", "HEAD\nHEAD", "HEAD:code.py", "f" * 40])
def test_what_names_no_commit_is_said(checkout: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"There is no commit '.*' in this checkout") as raised:
        find_commit(name, checkout)
    assert "git log" in raised.value.hint


def test_there_are_no_commits_outside_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="is not part of a Git checkout, so there is no revision 'HEAD' of it"
    ) as raised:
        find_commit("HEAD", tmp_path)
    assert "from a clone" in raised.value.hint
    assert commits_before_changes([tmp_path / "code.py"], most=3, folder=tmp_path) == []


def test_commits_before_changes_are_those_at_which_the_files_were_as_they_had_been_for_a_while(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    change(checkout, "code.py", "x = 2\n")
    before_third = change(checkout, "other.py", "")
    change(checkout, "code.py", "x = 3\n")
    newest = change(checkout, "other.py", "y = 1\n")

    assert commits_before_changes([checkout / "code.py"], most=9, folder=checkout) == [newest, before_third, first]
    assert commits_before_changes([checkout / "code.py"], most=1, folder=checkout) == [newest, before_third]


def test_the_files_of_a_folder_at_a_commit_are_written_elsewhere(checkout: Path, tmp_path: Path) -> None:
    change(checkout, "package/code.py", "x = 1\n")
    (checkout / "package/sub").mkdir()
    commit = change(checkout, "package/sub/more.py", "y = 1\n")
    change(checkout, "package/code.py", "x = 2\n")
    (checkout / "package/new.py").write_text("")

    write_files_of(commit, tmp_path / "there", checkout / "package")

    found = {p.relative_to(tmp_path / "there").as_posix(): p.read_text() for p in (tmp_path / "there").rglob("*.py")}
    assert found == {"code.py": "x = 1\n", "sub/more.py": "y = 1\n"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a checkout", "there"]


def test_a_commit_without_the_folder_is_refused(checkout: Path, tmp_path: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    change(checkout, "package/code.py", "x = 1\n")

    with pytest.raises(UsageError, match=f"There is no folder package at the commit {first[:12]}"):
        write_files_of(first, tmp_path / "there", checkout / "package")
