import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.data.torch_files import UnreadableCheckpointError, read_checkpoint

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


class Name:
    """Pickled as the global ``module.name`` of a package that is not here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """Pickled as a call of such a global."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.function, self.arguments = Name(module, name), arguments


class Stored:
    """Pickled as a reference to a storage."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.pid = ("storage", Name("torch", kind), key, "cpu", count, None)


class Writer(pickle._Pickler):  # type: ignore[misc,name-defined]  # the Python version, whose parts can be replaced
    """Writes what PyTorch would, without PyTorch."""

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Name):
            self.write(f"c{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(b"R")
        elif isinstance(value, Stored):
            self.save(value.pid)
            self.write(b"Q")
        else:
            super().save(value, save_persistent_id)


def pickled(value: object) -> bytes:
    file = io.BytesIO()
    Writer(file, protocol=2).dump(value)
    return file.getvalue()


def tensor(key: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int = 0) -> Call:
    return Call(
        "torch._utils", "_rebuild_tensor_v2", Stored("FloatStorage", key, count), offset, shape, strides, False
    )


def checkpoint(tensors: object, storages: dict[str, list[float]]) -> bytes:
    system = {"protocol_version": VERSION, "little_endian": True}
    content = b"".join(pickled(each) for each in (MAGIC, VERSION, system, tensors, list(storages)))
    for numbers in storages.values():
        content += struct.pack("<q", len(numbers)) + np.array(numbers, "<f4").tobytes()
    return content


def test_arrays_are_read_in_their_order_and_shape() -> None:
    tensors = OrderedDict(
        [
            ("weight", tensor("0", 6, (2, 3), (3, 1))),
            ("turned", tensor("0", 6, (3, 2), (1, 3))),
            ("part", tensor("0", 6, (2,), (1,), offset=4)),
            ("bias", tensor("1", 1, (1,), (1,))),
        ]
    )

    found = read_checkpoint(checkpoint(tensors, {"0": [0, 1, 2, 3, 4, 5], "1": [9]}))

    assert list(found) == ["weight", "turned", "part", "bias"]
    assert found["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["part"].tolist() == [4, 5]
    assert found["bias"].tolist() == [9]


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "run"
    for content in (
        checkpoint({"a": Call("os", "system", f"touch {mark}")}, {}),
        checkpoint({"a": Call("builtins", "eval", "1")}, {}),
        checkpoint({"a": Call("torch", "load", "x")}, {}),
        checkpoint({"a": Call("collections", "Counter", "x")}, {}),
    ):
        with pytest.raises(UnreadableCheckpointError, match=r"it asks for .*, which is no array"):
            read_checkpoint(content)
    assert not mark.exists()


@pytest.mark.parametrize(
    "bad",
    [
        tensor("0", 6, (2, 4), (4, 1)),  # beyond its end
        tensor("0", 6, (2,), (1,), offset=5),
        tensor("0", 6, (2,), (-1,), offset=0),
        tensor("0", 7, (2,), (1,)),  # says that it is longer than it is
        tensor("0", 2**62, (2,), (1,)),
        tensor("nothing", 6, (2,), (1,)),
        "text",
    ],
)
def test_a_tensor_that_does_not_fit_its_numbers_is_refused(bad: object) -> None:
    with pytest.raises(UnreadableCheckpointError):
        read_checkpoint(checkpoint({"a": bad}, {"0": [0, 1, 2, 3, 4, 5]}))


def test_every_cut_of_a_file_is_refused() -> None:
    content = checkpoint({"a": tensor("0", 6, (6,), (1,))}, {"0": [0, 1, 2, 3, 4, 5]})
    for length in range(0, len(content), 7):
        with pytest.raises(UnreadableCheckpointError):
            read_checkpoint(content[:length])


def test_changed_bytes_never_do_more_than_be_refused() -> None:
    random = np.random.default_rng(0)
    content = np.frombuffer(checkpoint({"a": tensor("0", 6, (6,), (1,))}, {"0": [0, 1, 2, 3, 4, 5]}), np.uint8)
    for _ in range(2_000):
        changed = content.copy()
        changed[random.integers(0, len(content), 3)] = random.integers(0, 256, 3)
        try:
            found = read_checkpoint(changed.tobytes())
        except UnreadableCheckpointError:
            continue
        assert all(isinstance(name, str) for name in found)
