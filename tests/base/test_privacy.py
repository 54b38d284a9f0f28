"""What a reader keeps is theirs alone, whatever their umask is, and whichever library wrote it."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fortydays.base import database, files
from fortydays.base.privacy import private_umask, share, shared, tighten


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[Path]:
    """What somebody else could read, or enter, below a folder or at it."""
    return [path for path in (folder, *folder.rglob("*")) if mode(path) & 0o077 and not path.is_symlink()]


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def everything(home: Path) -> None:
    """Each way in which files and folders are made."""
    files.write_json(home / "a" / "b" / "state.json", {})
    files.append_bytes(home / "a" / "rows", after=0, content=b"rows")
    files.make_private_file(home / "a" / "own")
    files.make_folder(home / "c" / "d" / "e")
    with files.folder_built_whole(home / "whole") as building:
        files.write_text(building / "text", "text")
    with files.extended_part(home / "parts" / "long", keep=0) as file:
        file.write(b"part")
    files.complete_part(home / "parts" / "long")
    with files.locked(home / "locks" / "lock"), files.temporary_folder(home, "scratch") as scratch:
        assert not mode(scratch) & 0o077
    connection = database.connect(home / "own.sqlite")
    connection.execute("CREATE TABLE a (b)")
    connection.close()
    with private_umask():
        (home / "library").mkdir()
        (home / "library" / "made").write_text("made by another library")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o002, 0o077])
def test_whatever_is_made_is_its_owners_alone(tmp_path: Path, mask: int) -> None:
    home = tmp_path / "above" / "home"
    with umask(mask):
        everything(home)
        assert os.umask(mask) == mask
    assert open_to_others(tmp_path / "above") == []
    assert {mode(path) for path in home.rglob("*")} == {0o700, 0o600}


def test_a_stricter_umask_stays(tmp_path: Path) -> None:
    with umask(0o277):
        files.write_text(tmp_path / "text", "text")
        files.make_folder(tmp_path / "folder")
    assert (mode(tmp_path / "text"), mode(tmp_path / "folder")) == (0o400, 0o500)


@pytest.mark.parametrize(
    ("mask", "folder", "file"), [(0o022, 0o755, 0o644), (0o027, 0o750, 0o640), (0o077, 0o700, 0o600)]
)
def test_what_a_reader_passes_on_has_the_modes_of_their_umask(
    tmp_path: Path, mask: int, folder: int, file: int
) -> None:
    files.write_text(tmp_path / "bundle" / "inner" / "text", "text")
    with umask(mask):
        share(tmp_path / "bundle")
    assert (mode(tmp_path / "bundle"), mode(tmp_path / "bundle" / "inner")) == (folder, folder)
    assert mode(tmp_path / "bundle" / "inner" / "text") == file


def test_blocks_that_overlap_leave_the_umask_as_it_was(tmp_path: Path) -> None:
    def made(name: str) -> int:
        (tmp_path / name).write_text("x")
        return mode(tmp_path / name)

    with umask(0o022):
        first, second = private_umask(), private_umask()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert made("inside the second") == 0o600
        second.__exit__(None, None, None)
        assert made("after both") == 0o644


def test_new_folders_above_what_a_reader_passes_on_can_be_entered_too(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    before.chmod(0o711)
    with umask(0o022), shared(before / "new" / "newer" / "bundle"):
        files.write_text(before / "new" / "newer" / "bundle" / "text", "text")
    found = [mode(before / each) for each in (".", "new", "new/newer", "new/newer/bundle", "new/newer/bundle/text")]
    assert found == [0o711, 0o755, 0o755, 0o755, 0o644]


def test_a_workspace_that_an_earlier_version_left_open_is_closed_and_nothing_else_is(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    with umask(0o022):
        for path in ("own/pets/224.1.pixels", "serve/requests.sqlite", "mlartifacts/0/a", "runs/x/run.json"):
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text("x")
        for path in (home / "mlflow.db", home / "mlflow.db-journal", home / "notes.txt", elsewhere):
            path.write_text("x")
        (home / "data").mkdir()  # which a reader may have opened
        (home / "runs" / "link").symlink_to(elsewhere)

    tighten(home)

    closed = [path for path in open_to_others(home) if path.name not in ("notes.txt", "data")]
    assert closed == []
    assert (mode(home), mode(home / "data"), mode(home / "notes.txt"), mode(elsewhere)) == (0o700, 0o755, 0o644, 0o644)
    (home / "runs").chmod(0o755)  # one that is closed is not looked into again
    tighten(home)
    assert mode(home / "runs") == 0o755
    tighten(tmp_path / "nothing")


def test_a_workspace_behind_a_link_is_closed(tmp_path: Path) -> None:
    with umask(0o022):
        (tmp_path / "home" / "own").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    tighten(tmp_path / "link")
    assert open_to_others(tmp_path / "home") == []


@pytest.mark.parametrize("folder", ["project", "for everybody", "home"])
def test_a_folder_that_is_no_workspace_alone_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    place = tmp_path / folder
    with umask(0o022):
        (place / "datasets" / "theirs").mkdir(parents=True)
        (place / "runs" / "theirs").mkdir(parents=True)
        if folder != "project":
            (place / "mlflow.db").write_text("x")
    if folder == "for everybody":
        place.chmod(0o1777)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = {path: mode(path) for path in (place, *place.rglob("*"))}

    tighten(place)

    assert {path: mode(path) for path in (place, *place.rglob("*"))} == before


def test_a_workspace_of_another_user_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with umask(0o022):
        (tmp_path / "home" / "own").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    tighten(tmp_path / "home")
    assert mode(tmp_path / "home") == 0o755


@pytest.mark.parametrize(("version", "kept"), [((3, 51, 2), "delete"), ((3, 51, 3), "wal"), ((4, 0, 0), "wal")])
def test_a_write_ahead_log_stays_only_where_it_cannot_damage_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Any, kept: str
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    with contextlib.closing(database.connect(tmp_path / "old.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (kept,)
        connection.execute("INSERT INTO a VALUES (1)")
    with contextlib.closing(database.connect(tmp_path / "new.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
