"""Reading the arrays of a file of the form "safetensors", in which weights of networks are published.

Such a file is eight bytes that say how long its header is, the header in JSON, and the numbers of all arrays, one
array behind the other. Nothing in it can be executed. Sizes are compared with the file before any array is made.
"""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
}
_LONGEST_HEADER = 10_000_000
_MOST_DIMENSIONS = 8
_PREFIX = 8
_ABOUT = "__metadata__"


class UnreadableSafetensorsError(ValueError):
    """Bytes that are no file of arrays in the form "safetensors"."""


def read_safetensors(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays by name, in the order of the header, as read-only views of the content.

    Raises:
        UnreadableSafetensorsError: it is no such file, is damaged or cut off, or has numbers of another type.
    """
    if len(content) < _PREFIX:
        raise UnreadableSafetensorsError("it is cut off before its header")
    length = int.from_bytes(content[:_PREFIX], "little")
    if length > min(_LONGEST_HEADER, len(content) - _PREFIX):
        raise UnreadableSafetensorsError(
            f"its header would have {length:,} bytes; expected at most {_LONGEST_HEADER:,}, and no more than there are"
        )
    try:
        header = json.loads(content[_PREFIX : _PREFIX + length])
    except (ValueError, RecursionError) as error:
        raise UnreadableSafetensorsError(f"its header is damaged ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise UnreadableSafetensorsError("its header is no table of arrays")
    numbers = memoryview(content)[_PREFIX + length :]
    return {name: _array(name, told, numbers) for name, told in header.items() if name != _ABOUT}


def _array(name: str, told: object, numbers: memoryview) -> NDArray[Any]:
    about: dict[str, Any] = told if isinstance(told, dict) else {}
    shape, offsets = _whole_numbers(about.get("shape")), _whole_numbers(about.get("data_offsets"))
    kind = about.get("dtype")
    dtype = _TYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise UnreadableSafetensorsError(
            f"the array {name[:80]!r} has numbers of the type {str(kind)[:20]!r}; expected one of {', '.join(_TYPES)}"
        )
    if shape is None or len(shape) > _MOST_DIMENSIONS or offsets is None or len(offsets) != 2:
        raise UnreadableSafetensorsError(f"the array {name[:80]!r} has no shape or no place")
    start, stop = offsets
    if stop > len(numbers) or stop - start != math.prod(shape) * dtype.itemsize:
        raise UnreadableSafetensorsError(f"the array {name[:80]!r} is cut off, or does not have the size of its shape")
    found: NDArray[Any] = np.frombuffer(numbers[start:stop], dtype)
    return found.reshape(shape)


def _whole_numbers(values: object) -> list[int] | None:
    """The values, where they are whole numbers from 0; else None."""
    whole = isinstance(values, list) and all(type(each) is int and each >= 0 for each in values)
    return values if isinstance(values, list) and whole else None
