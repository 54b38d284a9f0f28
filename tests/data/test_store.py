import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_dataset
from faulty_server import FaultyServer, Listener

from fortydays.base.errors import DataError, StorageError
from fortydays.base.settings import Settings
from fortydays.data import cache, store
from fortydays.data.spec import DatasetSpec
from fortydays.data.splits import split_indices
from without_rights import run_without_rights

ARRAYS = ["test_images.npy", "test_labels.npy", "training_images.npy", "training_labels.npy"]


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A folder with the raw files; without it there is no source."""
    folder = tmp_path / "origin"
    folder.mkdir()
    for name, content in tiny_dataset.raw_files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def spec(origin: Path) -> DatasetSpec:
    return tiny_dataset.spec_from(tiny_dataset.installed(origin))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return tiny_dataset.settings_in(tmp_path / "home")


def flip_byte(path: Path, position: int, *, keep_time: bool = True) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(position)
        value = file.read(1)[0]
        file.seek(position)
        file.write(bytes([value ^ 1]))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def folders_beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path.is_dir())


def test_a_loaded_dataset_has_the_published_rows_in_their_splits(spec: DatasetSpec, settings: Settings) -> None:
    dataset = store.load(spec, settings)
    published = tiny_dataset.examples()
    assert (dataset.name, dataset.digest, dataset.split_version) == ("tiny", spec.digest, 1)
    assert dataset.classes == ("zero", "one", "two")
    assert dataset.training.task.classes == 3
    splits = (dataset.training.train, dataset.training.validation, dataset.test.open())
    assert [len(split) for split in splits] == [50, 10, 20]
    split = split_indices(published.labels, digest=spec.digest, split_version=1, sizes=spec.sizes, official_test=20)
    order = np.concatenate([split.train, split.validation, split.test])
    np.testing.assert_array_equal(np.concatenate([split.array for split in splits]), published.array[order])
    np.testing.assert_array_equal(np.concatenate([split.labels for split in splits]), published.labels[order])
    np.testing.assert_array_equal(splits[2].array, published.array[60:])


def test_loaded_arrays_cannot_be_changed(spec: DatasetSpec, settings: Settings) -> None:
    dataset = store.load(spec, settings)
    with pytest.raises(ValueError, match="read-only"):
        dataset.training.train.array[0] = 0


def test_loading_does_not_read_the_test_examples(spec: DatasetSpec, settings: Settings) -> None:
    folder = store.get(spec, settings)
    path = folder / "test_images.npy"
    path.write_bytes(path.read_bytes()[:128] + b"?" * (path.stat().st_size - 128))  # the header is right
    dataset = store.load(spec, settings)
    assert len(dataset.training.train) == 50
    with pytest.raises(DataError, match=r"'tiny' in .* is damaged: the test examples have digest ") as caught:
        dataset.test.open()
    assert caught.value.hint == "Set it aside and fetch it again with: forty data get tiny"


def test_the_cache_is_used_when_no_source_is_left(spec: DatasetSpec, settings: Settings, origin: Path) -> None:
    first = store.load(spec, settings)
    shutil.rmtree(origin)
    second = store.load(spec, settings)
    np.testing.assert_array_equal(first.training.train.array, second.training.train.array)


def test_cached_and_path_and_verify_of_an_absent_dataset(spec: DatasetSpec, settings: Settings) -> None:
    assert cache.path(spec, settings) == settings.datasets / "tiny" / f"v1.1-{spec.digest[:12]}"
    assert not store.cached(spec, settings)
    with pytest.raises(DataError, match=f"The dataset 'tiny' is not in the cache {settings.datasets}") as caught:
        store.verify(spec, settings)
    assert caught.value.hint == "Get it with: forty data get tiny"
    assert store.get(spec, settings) == cache.path(spec, settings)
    assert store.cached(spec, settings)
    assert store.verify(spec, settings).right


@pytest.mark.parametrize("name", ARRAYS)
def test_verify_finds_one_flipped_byte_and_names_the_part(spec: DatasetSpec, settings: Settings, name: str) -> None:
    folder = store.get(spec, settings)
    flip_byte(folder / name, (folder / name).stat().st_size - 1)
    found = store.verify(spec, settings)
    assert not found.right
    (problem,) = found.problems
    assert problem.startswith(f"the {name.partition('_')[0]} examples have digest ")
    assert store.cached(spec, settings)  # verify changes nothing


def test_verify_finds_rows_that_lie_in_the_wrong_split(spec: DatasetSpec, settings: Settings) -> None:
    folder = store.get(spec, settings)
    for name in ("training_images.npy", "training_labels.npy"):
        array = np.load(folder / name)
        array[[0, 55]] = array[[55, 0]]
        np.save(folder / name, array)
    (problem,) = store.verify(spec, settings).problems
    assert problem.endswith(f"expected {spec.training_digest}")


@pytest.mark.parametrize("damage", ["flipped", "truncated", "removed"])
def test_a_damaged_file_is_set_aside_and_fetched_again_with_a_warning(
    spec: DatasetSpec, settings: Settings, listener: Listener, damage: str
) -> None:
    folder = store.get(spec, settings)
    target = folder / "training_labels.npy"
    right = target.read_bytes()
    if damage == "flipped":
        time.sleep(0.01)
        flip_byte(target, 150, keep_time=False)
    elif damage == "truncated":
        os.truncate(target, 140)
    else:
        target.unlink()
    dataset = store.load(spec, settings, listener)
    assert len(dataset.training.train) == 50
    assert target.read_bytes() == right
    assert len(listener.warned) == 2
    assert "the training examples have" in listener.warned[0] or "training_labels.npy" in listener.warned[0]
    assert f"{folder.name}.damaged-" in listener.warned[1]
    assert len([name for name in folders_beside(folder) if ".damaged-" in name]) == 1


@pytest.mark.parametrize("name", ["test_images.npy", "test_labels.npy"])
def test_a_test_split_that_was_damaged_after_loading_is_refused_when_it_is_opened(
    spec: DatasetSpec, settings: Settings, name: str
) -> None:
    folder = store.get(spec, settings)
    dataset = store.load(spec, settings)
    os.utime(folder / name)  # a new time of change alone is no damage
    assert len(dataset.test.open()) == 20
    flip_byte(folder / name, 140, keep_time=False)
    with pytest.raises(DataError, match=r"'tiny' in .* is damaged: the test examples have digest") as caught:
        dataset.test.open()
    assert caught.value.hint == "Set it aside and fetch it again with: forty data get tiny"


@pytest.mark.parametrize("name", ["training_images.npy", "training_labels.npy"])
def test_a_flipped_byte_that_left_no_trace_in_size_and_time_is_never_trained_on(
    spec: DatasetSpec, settings: Settings, listener: Listener, name: str
) -> None:
    folder = store.get(spec, settings)
    right = (folder / name).read_bytes()
    flip_byte(folder / name, 150)
    store.load(spec, settings, listener)
    assert (folder / name).read_bytes() == right
    assert "the training examples have digest" in listener.warned[0]
    assert "is fetched again" in listener.warned[1]


@pytest.mark.parametrize("name", ["test_images.npy", "test_labels.npy"])
def test_such_a_byte_in_the_test_split_is_found_when_it_is_opened(
    spec: DatasetSpec, settings: Settings, name: str
) -> None:
    folder = store.get(spec, settings)
    flip_byte(folder / name, 140)
    dataset = store.load(spec, settings)
    with pytest.raises(DataError, match=r"'tiny' in .* is damaged: the test examples have digest"):
        dataset.test.open()


def test_get_repairs_what_only_verify_can_find(spec: DatasetSpec, settings: Settings, listener: Listener) -> None:
    folder = store.get(spec, settings)
    flip_byte(folder / "test_images.npy", 4000)
    store.get(spec, settings, listener)
    assert "the test examples have digest" in listener.warned[0]
    assert store.verify(spec, settings).right


def test_a_damaged_cache_without_a_source_is_kept_aside_and_told(
    spec: DatasetSpec, settings: Settings, origin: Path, listener: Listener
) -> None:
    folder = store.get(spec, settings)
    os.truncate(folder / "training_images.npy", 1000)
    shutil.rmtree(origin)
    with pytest.raises(DataError, match="Could not get the dataset 'tiny' from any place"):
        store.load(spec, settings, listener)
    assert "training_images.npy" in listener.warned[0]
    assert [name for name in folders_beside(folder) if ".damaged-" in name]


def test_a_copy_from_elsewhere_with_other_times_of_change_is_taken_as_it_is(
    spec: DatasetSpec, settings: Settings, origin: Path, listener: Listener
) -> None:
    folder = store.get(spec, settings)
    shutil.rmtree(origin)
    for name in ARRAYS:
        os.utime(folder / name, (1, 1))
    assert len(store.load(spec, settings, listener).training.train) == 50
    assert listener.warned == listener.said == []


def test_left_overs_of_killed_processes_are_removed(spec: DatasetSpec, settings: Settings) -> None:
    home = settings.datasets / "tiny"
    for name in (".scratch.abc.part", ".v1.1-123.xyz.part"):
        (home / name).mkdir(parents=True)
        (home / name / "half.npy").write_bytes(b"half")
    folder = store.get(spec, settings)
    assert sorted(path.name for path in home.iterdir()) == ["lock", folder.name]
    assert sorted(path.name for path in folder.iterdir()) == ARRAYS


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_full_disk_while_caching_leaves_nothing_and_says_so(
    spec: DatasetSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The disk is full at the n-th file that is flushed: the four arrays."""
    calls = 0
    right = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        # Each file is flushed, and then the folder that it lies in.
        if calls == 2 * count - 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        right(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"Could not write .*: No space left on device") as caught:
        store.get(spec, settings)
    assert "The disk is full. Free some space and run the command again" in caught.value.hint
    monkeypatch.undo()
    assert [path.name for path in (settings.datasets / "tiny").iterdir()] == ["lock"]
    store.get(spec, settings)
    assert store.verify(spec, settings).right


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount command")
def test_a_really_full_disk_is_told_and_continues_after_space_is_made(spec: DatasetSpec, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "300k"):  # the arrays take 330 kB
        settings = tiny_dataset.settings_in(disk)
        with pytest.raises(StorageError, match=r"Could not write .*images.npy: No space left on device"):
            store.get(spec, settings)
        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        store.get(spec, settings)
        assert store.verify(spec, settings).right


LOADED = """
import sys
sys.path.insert(0, sys.argv[1])
import tiny_dataset
from fortydays.base.errors import FortydaysError
from fortydays.data import store
try:
    dataset = store.load(tiny_dataset.spec_from(), tiny_dataset.settings_in(tiny_dataset.Path(sys.argv[2])))
    print(len(dataset.test.open()))
except FortydaysError as error:
    print(type(error).__name__, error.message, error.hint)
"""


def loaded_without_rights(home: Path) -> str:
    """What loading says to a user who may read the cache but not write it (root may write everywhere)."""
    return run_without_rights(LOADED, str(Path(__file__).parent), str(home))


def lock_up(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    lock_up(tmp_path)
    said = loaded_without_rights(tmp_path)
    assert said.startswith(f"StorageError Could not create the folder {tmp_path}/datasets")
    assert "Permission denied. No permission. Change the folder's permissions or point FORTYDAYS_HOME" in said


def test_a_filled_cache_that_cannot_be_written_is_used(spec: DatasetSpec, tmp_path: Path) -> None:
    store.get(spec, tiny_dataset.settings_in(tmp_path))
    lock_up(tmp_path)
    assert loaded_without_rights(tmp_path) == "20\n"


def processes(server: FaultyServer, home: Path, count: int) -> list["subprocess.Popen[str]"]:
    command = [sys.executable, str(Path(tiny_dataset.__file__)), server.address, str(home)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]


def test_several_processes_download_once_and_all_are_served(server: FaultyServer, tmp_path: Path) -> None:
    server.content = tiny_dataset.raw_files()
    labels = int(tiny_dataset.examples().labels[60:].sum())
    for process in processes(server, tmp_path, 3):
        out, _ = process.communicate(timeout=60)
        assert out == f"50 {labels}\n"
    assert sorted(name for name, _ in server.requests) == sorted(server.content)


def test_a_killed_download_is_taken_over_and_continued(server: FaultyServer, tmp_path: Path) -> None:
    server.content = tiny_dataset.raw_files()
    server.faults["train-images-idx3-ubyte"] = ["stall"]
    (process,) = processes(server, tmp_path, 1)
    assert server.halves_sent.wait(60)
    part = tmp_path / "datasets" / "tiny" / "downloads" / ".train-images-idx3-ubyte.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    spec = tiny_dataset.spec_from(tiny_dataset.served(server.address))
    dataset = store.load(spec, tiny_dataset.settings_in(tmp_path))
    assert len(dataset.training.train) == 50
    asked = [wanted for name, wanted in server.requests if name == "train-images-idx3-ubyte"]
    assert len(asked) == 2
    assert asked[1].startswith("bytes=")
    assert folders_beside(cache.path(spec, tiny_dataset.settings_in(tmp_path))) == [f"v1.1-{spec.digest[:12]}"]


def test_a_cache_that_may_not_be_entered_is_told(
    spec: DatasetSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(path, Path) and settings.datasets in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return right(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    for look in (store.cached, store.verify, store.load, store.get):
        with pytest.raises(
            StorageError, match=rf"Could not look at {settings.datasets}.*: Permission denied\."
        ) as told:
            look(spec, settings)
        assert "Change the folder's permissions" in told.value.hint
