"""Reading the arrays of a PyTorch checkpoint, without PyTorch and without running what is in it.

Such a file is a pickle, which can name any function for its reader to call. Here a few names are known, which make
nothing but arrays. A file that says anything else is refused. The form is that of the published weights, which is
older than PyTorch 1.6: a row of pickles, followed by the numbers.
"""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class UnreadableCheckpointError(ValueError):
    """Bytes that are no checkpoint of arrays alone."""


def read_checkpoint(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a checkpoint by name, in its order.

    Raises:
        UnreadableCheckpointError: it is none, is damaged, or holds anything but arrays.
    """
    stream = io.BytesIO(content)
    try:
        magic, version, system, tensors, keys = (_Unpickler(stream).load() for _ in range(5))
        if magic != _MAGIC or version != _VERSION or not system["little_endian"]:
            raise UnreadableCheckpointError("it is no PyTorch checkpoint")
        sizes = {tensor.storage.key: tensor.storage.dtype.itemsize for tensor in tensors.values()}
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<q", stream.read(8))
            storages[key] = stream.read(max(0, count) * sizes[key])
        return {str(name): _array(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}
    except UnreadableCheckpointError:
        raise
    except Exception as error:  # a damaged pickle can raise whatever it likes
        raise UnreadableCheckpointError(f"it is damaged ({type(error).__name__})") from error


class _Storage(NamedTuple):
    """A row of numbers that tensors are cut from; the numbers come later in the file."""

    key: str
    dtype: np.dtype[Any]
    size: int


class _Tensor(NamedTuple):
    """A tensor as it is written down: a part of a storage, counted in numbers."""

    storage: _Storage
    offset: int
    shape: Sequence[int]
    strides: Sequence[int]


class _Unpickler(pickle.Unpickler):
    """Knows arrays and mappings of them, and no other name."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *described: _Tensor(*described[:4])
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise UnreadableCheckpointError(f"it asks for {module}.{name}, which is no array")

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, named by its key."""
        _, dtype, key, _, count, *_ = pid
        return _Storage(key, np.dtype(dtype), count)


def _array(tensor: _Tensor, numbers: bytes) -> NDArray[Any]:
    size = tensor.storage.dtype.itemsize
    if len(numbers) != tensor.storage.size * size:
        raise UnreadableCheckpointError("it is cut off")
    # NumPy refuses what does not lie within the bytes.
    view: NDArray[Any] = np.ndarray(
        tuple(tensor.shape),
        tensor.storage.dtype,
        buffer=numbers,
        offset=tensor.offset * size,
        strides=tuple(step * size for step in tensor.strides),
    )
    return np.ascontiguousarray(view)
