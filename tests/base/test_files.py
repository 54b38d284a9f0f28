"""State is whole or absent, and nothing damaged is lost."""

import errno
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from fortydays.base import clock, files
from fortydays.base.errors import StorageError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_comes_back_with_the_folders_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.json"
    files.write_json(path, {"share": 0.5, "name": "größer"})
    assert files.read_json(path) == {"share": 0.5, "name": "größer"}
    assert names_in(path.parent) == ["state.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_who_is_reading_the_old_content_keeps_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "state"
    files.write_text(path, "the old content")
    with path.open() as reader:
        files.write_text(path, "new")
        assert reader.read() == "the old content"
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_write_that_fails_midway_changes_nothing_and_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "state"
    files.write_text(path, "old")

    def write(file: IO[bytes]) -> None:
        file.write(b"ne")
        raise failure

    with pytest.raises((StorageError, KeyboardInterrupt)):
        files.write_atomically(path, write)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["state"]


@pytest.mark.parametrize(
    ("number", "reason", "hint"),
    [
        (errno.ENOSPC, "No space left on device", "Free some space and run the command again"),
        (errno.EROFS, "Read-only file system", "Point FORTYDAYS_HOME to a folder that can be written."),
        (errno.EACCES, "Permission denied", "Change the folder's permissions"),
        (errno.EIO, "Input/output error", ""),
    ],
)
def test_what_the_disk_refuses_is_told_with_path_reason_and_way_out(number: int, reason: str, hint: str) -> None:
    with pytest.raises(StorageError) as caught, files.storage_errors("write", Path("there/state")):
        raise OSError(number, os.strerror(number))
    assert caught.value.message == f"Could not write there/state: {reason}."
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_numbers_that_json_does_not_have_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "state", {"loss": float("nan")})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"half": ', "is damaged: it is not JSON"),
        (b"\xff\xfe\xfd", "is damaged: it is not JSON"),
        (b"[1, 2]", "is damaged: expected a JSON object, found list."),
    ],
)
def test_a_damaged_document_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=message) as caught:
        files.read_json(path)
    assert caught.value.message.startswith(str(path))
    assert path.read_bytes() == content


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Could not read .*state\.json: No such file or directory\.") as caught:
        files.read_json(tmp_path / "state.json")
    assert caught.value.hint == ""  # the reason has said that it does not exist


def test_what_is_set_aside_in_the_same_second_is_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: datetime(2026, 11, 22, 14, 3, 11, tzinfo=UTC))
    path = tmp_path / "state.json"
    for content in ("first", "second", "third"):
        path.write_text(content)
        files.set_aside(path)
    assert {name: (tmp_path / name).read_text() for name in names_in(tmp_path)} == {
        "state.json.damaged-20261122-140311": "first",
        "state.json.damaged-20261122-140311-2": "second",
        "state.json.damaged-20261122-140311-3": "third",
    }


def test_a_folder_appears_when_it_is_complete_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "dataset"
    with files.folder_built_whole(path) as building:
        files.write_text(building / "part", "1")
        assert not path.exists()
    assert names_in(tmp_path) == ["dataset"]
    assert names_in(path) == ["part"]


def test_a_folder_that_fails_while_it_is_built_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.folder_built_whole(tmp_path / "dataset") as building:
        files.write_text(building / "part", "1")
        raise RuntimeError
    assert names_in(tmp_path) == []


def test_left_overs_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from fortydays.base import files\n"
        "files.write_atomically(Path(sys.argv[1]), lambda file: os._exit(9))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "state")], check=False)
    assert killed.returncode == 9
    (tmp_path / "other.part").write_text("a reader's own")
    assert len(names_in(tmp_path)) == 2
    files.remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["other.part"]


def test_a_lock_has_one_holder_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from fortydays.base import files\n"
        "with files.locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError, match="is held by another process"), files.locked(path, timeout=0):
            pass
        holder.kill()
        holder.wait()
    with files.locked(path, timeout=0):
        pass


def test_digests_are_those_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_of_file(tmp_path / "abc") == expected


def test_the_digest_of_a_value_depends_on_its_content_and_not_on_the_order_of_its_fields() -> None:
    assert files.sha256_of_json({"a": 1, "b": [2]}) == files.sha256_of_json({"b": [2], "a": 1})
    assert files.sha256_of_json({"a": [1, 2]}) != files.sha256_of_json({"a": [2, 1]})


def test_a_private_folder_is_for_its_owner_only_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    made = files.make_folder(tmp_path / "above" / "own")
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o750)
    assert files.make_folder(made).stat().st_mode & 0o777 == 0o750


def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fortydays.base import files\n"
        "with files.temporary_folder(Path(sys.argv[1]), 'export') as folder:\n"
        "    (folder / 'file').write_text('x'); print(folder, flush=True); time.sleep(600)\n"
    )
    killed, living = (
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    try:
        assert killed.stdout is not None and living.stdout is not None
        left, used = Path(killed.stdout.readline().strip()), Path(living.stdout.readline().strip())
        with files.temporary_folder(tmp_path, "export") as mine:
            assert left.exists()  # its process lives
        killed.kill()
        killed.wait()
        with files.temporary_folder(tmp_path, "export") as mine:
            assert sorted(tmp_path.iterdir()) == sorted([mine, used])
        assert (used / "file").exists()
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate()
