"""Files of arrays in the form "safetensors": read as they are, and refused where they are not what they say."""

import json
from typing import Any

import numpy as np
import pytest

from fortydays.data.safetensors import UnreadableSafetensorsError, read_safetensors

NUMBERS = np.arange(6, dtype="<f4")
HEADER = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]},
}


def written(header: object, numbers: bytes = NUMBERS.tobytes() + (7).to_bytes(8, "little")) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def test_arrays_are_read_by_name_in_their_order() -> None:
    found = read_safetensors(written(HEADER))
    assert list(found) == ["a", "b"]
    assert np.array_equal(found["a"], NUMBERS.reshape(2, 3))
    assert (found["a"].dtype, found["b"].shape, int(found["b"])) == (np.float32, (), 7)
    assert not found["a"].flags.writeable


def test_half_precision_and_an_empty_array_are_read() -> None:
    header = {
        "h": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]},
        "e": {"dtype": "F32", "shape": [0, 3], "data_offsets": [4, 4]},
    }
    found = read_safetensors(written(header, np.array([0.5, 2], "<f2").tobytes()))
    assert (found["h"].tolist(), found["e"].shape) == ([0.5, 2.0], (0, 3))


def changed(**changes: Any) -> bytes:
    return written({**HEADER, "a": {**HEADER["a"], **changes}})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"1234567", "cut off before its header"),
        (written(HEADER)[:30], "its header would have"),
        ((2**62).to_bytes(8, "little") + b"{}", "expected at most 10,000,000, and no more than there are"),
        ((10_000_001).to_bytes(8, "little") + b" " * 10_000_001, "its header would have 10,000,001 bytes"),
        (written(b"{"), r"its header is damaged \(JSONDecodeError\)"),
        (written(b"\xff\xfe"), "its header is damaged"),
        (written(b"[" * 100_000), r"its header is damaged \(RecursionError\)"),
        (written([1]), "no table of arrays"),
        (written({"a": 3}), "'a' has numbers of the type 'None'"),
        (changed(dtype="BF16"), "numbers of the type 'BF16'; expected one of F32, F16, I64, I32"),
        (changed(dtype=["F32"]), "expected one of F32"),
        (changed(shape=[2, -3]), "no shape or no place"),
        (changed(shape=[2, 3.0]), "no shape or no place"),
        (changed(shape=[True, 6]), "no shape or no place"),
        (changed(shape=[1] * 9), "no shape or no place"),
        (changed(data_offsets=[0]), "no shape or no place"),
        (changed(data_offsets=[0, 20]), "does not have the size of its shape"),
        (changed(data_offsets=[24, 0]), "does not have the size of its shape"),
        (changed(shape=[2**31, 2**31]), "does not have the size of its shape"),
        (changed(shape=[9], data_offsets=[0, 36]), "is cut off"),
        (written(HEADER)[:-1], "'b' is cut off"),
    ],
    ids=range(21),
)
def test_what_is_damaged_or_of_another_type_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableSafetensorsError, match=said):
        read_safetensors(content)
