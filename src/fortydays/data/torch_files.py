"""Reading the arrays of a PyTorch checkpoint, without PyTorch and without running what is in it.

Such a file is a pickle, which can name any function for its reader to call. Here a few names are known, which make
nothing but arrays; a file that says anything else is refused. Both forms are read: the one before PyTorch 1.6, a row
of pickles followed by the numbers, and the archive of today.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_TYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
}
_MOST_BYTES = 4_000_000_000


class UnreadableCheckpointError(ValueError):
    """Bytes that are no checkpoint of arrays alone."""


def read_checkpoint(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a checkpoint by name, in its order.

    Args:
        content: of the file.

    Raises:
        UnreadableCheckpointError: it is none, is damaged, or holds anything but arrays.
    """
    try:
        is_archive = zipfile.is_zipfile(io.BytesIO(content))
        tensors, storages = _archive(content) if is_archive else _row_of_pickles(content)
        if not isinstance(tensors, Mapping):
            raise UnreadableCheckpointError("it is no mapping of names to arrays")
        return {_name(name): _array(tensor, storages) for name, tensor in tensors.items()}
    except UnreadableCheckpointError:
        raise
    except Exception as error:  # a damaged pickle can raise whatever it likes
        raise UnreadableCheckpointError(f"it is damaged ({type(error).__name__})") from error


class _Storage:
    """A row of numbers that tensors are cut from; its numbers may come later."""

    def __init__(self, key: str, dtype: np.dtype[Any], count: int) -> None:
        self.key, self.dtype, self.count = key, dtype, count


class _Tensor:
    """A tensor as it is written down: a part of a storage."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


def _rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    numbers = [offset, *shape, *strides]
    if not isinstance(storage, _Storage) or any(not isinstance(each, int) or each < 0 for each in numbers):
        raise UnreadableCheckpointError("it describes a tensor that cannot be")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows arrays and mappings of them, and no other name."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise UnreadableCheckpointError(f"it asks for {module}.{name}, which is no array")

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, named by its key."""
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(count, int):
            raise UnreadableCheckpointError("it names something that is no storage")
        if not 0 <= count * dtype.itemsize <= _MOST_BYTES:
            raise UnreadableCheckpointError("it has a storage that is too large")
        return _Storage(str(key), dtype, count)


def _row_of_pickles(content: bytes) -> tuple[Any, dict[str, bytes]]:
    stream = io.BytesIO(content)
    magic, version, system, tensors, keys = (_Unpickler(stream).load() for _ in range(5))
    if magic != _MAGIC or version != _VERSION or not system.get("little_endian"):
        raise UnreadableCheckpointError("it is no PyTorch checkpoint")
    sizes = {each.storage.key: each.storage.dtype.itemsize for each in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        length = count * sizes[str(key)]
        storages[str(key)] = stream.read(max(0, length))
        if count < 0 or len(storages[str(key)]) != length:
            raise UnreadableCheckpointError("it is cut off")
    return tensors, storages


def _archive(content: bytes) -> tuple[Any, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > _MOST_BYTES:
            raise UnreadableCheckpointError("it is too large")
        (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        tensors = _Unpickler(io.BytesIO(archive.read(pickled))).load()
        folder = pickled.removesuffix("data.pkl") + "data/"
        storages = {each.storage.key: archive.read(folder + each.storage.key) for each in tensors.values()}
    return tensors, storages


def _array(tensor: Any, storages: Mapping[str, bytes]) -> NDArray[Any]:
    if not isinstance(tensor, _Tensor):
        raise UnreadableCheckpointError("it holds something that is no array")
    numbers = np.frombuffer(storages[tensor.storage.key], tensor.storage.dtype)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, tensor.storage.dtype)
    if len(numbers) != tensor.storage.count or last >= len(numbers):
        raise UnreadableCheckpointError("it is cut off")
    size = numbers.itemsize
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, tuple(step * size for step in tensor.strides), writeable=False
    )
    return np.ascontiguousarray(view)


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise UnreadableCheckpointError("it names an array by something that is no text")
    return name
