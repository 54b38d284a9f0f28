"""A trial's state on disk: it comes back as it was, or not at all."""

from pathlib import Path
from typing import IO

import numpy as np
import pytest

from fortydays.base.errors import StorageError
from fortydays.train import checkpoint as checkpoints
from fortydays.train.checkpoint import Checkpoint

SAVED = Checkpoint(
    state={"epoch": 2, "seconds": 1.5, "points": {"step": [4, 8]}},
    variables=[np.array([[1.5, -2.0]], np.float32), np.array([7, 8], np.uint32), np.array(3, np.int64)],
    optimizer=[np.arange(12, dtype=np.float32)],
    best=(np.zeros((2, 0), np.float32),),
)


def content(checkpoint: Checkpoint | None) -> tuple[object, ...]:
    assert checkpoint is not None
    groups = (checkpoint.variables, checkpoint.optimizer, checkpoint.best)
    return checkpoint.state, [[(a.dtype, a.shape, a.tobytes()) for a in group] for group in groups]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trial" / "checkpoint.npz"
    checkpoints.save(path, SAVED, identity="this trial")
    return path


def test_what_is_saved_comes_back(path: Path) -> None:
    assert content(checkpoints.load(path, identity="this trial")) == content(SAVED)


def test_more_than_ten_variables_stay_in_order(tmp_path: Path) -> None:
    many = Checkpoint(state={}, variables=[np.array(i) for i in range(120)], optimizer=[])
    checkpoints.save(tmp_path / "c.npz", many, identity="")
    found = checkpoints.load(tmp_path / "c.npz", identity="")
    assert found is not None
    assert [int(v) for v in found.variables] == list(range(120))
    assert found.optimizer == []


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path / "checkpoint.npz", identity="this trial") is None


def test_one_of_another_trial_is_none_of_this(path: Path) -> None:
    assert checkpoints.load(path, identity="another trial") is None


def test_a_truncated_file_is_damaged_wherever_it_ends(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        with pytest.raises(StorageError, match=r"checkpoint\.npz is damaged") as raised:
            checkpoints.load(path, identity="this trial")
        assert str(path) in raised.value.message


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_a_flipped_byte_is_noticed_or_changes_nothing(path: Path, flip: int) -> None:
    """Some bytes of a zip archive, such as those of a file's date, mean nothing to us."""
    whole, noticed = path.read_bytes(), 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= flip
        path.write_bytes(damaged)
        try:
            found = checkpoints.load(path, identity="this trial")
        except StorageError:
            noticed += 1
        else:
            assert content(found) == content(SAVED), f"byte {at}"
    assert noticed > len(whole) / 2


def test_another_file_is_damaged_too(path: Path) -> None:
    for found in (b"", b"not an archive", b"\x80\x04K\x01."):
        path.write_bytes(found)
        with pytest.raises(StorageError, match="is damaged"):
            checkpoints.load(path, identity="this trial")


def test_a_checkpoint_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint.npz"
    folder.mkdir()
    with pytest.raises(StorageError, match="Could not read"):
        checkpoints.load(folder, identity="this trial")


def test_a_write_that_fails_midway_leaves_the_former_epochs_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(file: IO[bytes], **arrays: object) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    later = Checkpoint(state={"epoch": 3}, variables=[], optimizer=[])
    with pytest.raises(StorageError, match="No space left") as raised:
        checkpoints.save(path, later, identity="this trial")
    assert "continues where it stopped" in raised.value.hint
    assert content(checkpoints.load(path, identity="this trial")) == content(SAVED)
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.npz"]


def test_a_state_that_is_no_json_is_refused_before_anything_is_written(path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        checkpoints.save(path, Checkpoint(state={"loss": float("nan")}, variables=[], optimizer=[]), identity="")
    assert content(checkpoints.load(path, identity="this trial")) == content(SAVED)


def test_nothing_in_a_checkpoint_is_run(path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (path.with_name("harm"),)  # type: ignore[return-value]

    with np.load(path) as archive:
        arrays = dict(archive)
    name = next(name for name in arrays if name.startswith("variables"))
    np.savez(path, **{**arrays, name: np.array([Harmful()], object)})
    with pytest.raises(StorageError, match="is damaged"):
        checkpoints.load(path, identity="this trial")
    assert not path.with_name("harm").exists()
