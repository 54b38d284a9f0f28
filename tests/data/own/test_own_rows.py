"""Rows in an order of their own answer as the array would that has them in this order."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.data.own.rows import Rows, rows_of, scattered

SOURCE = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
PLACES = [4, 0, 3, 3]


@pytest.fixture
def rows() -> Rows:
    return Rows(SOURCE, PLACES, Path("some.pixels"))


@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        np.int64(2),
        slice(None),
        slice(1, 3),
        slice(None, None, -1),
        slice(9, 12),
        np.array([3, 0]),
        [1, 1],
        np.array([True, False, True, False]),
        (slice(0, 2), 1),
        (slice(None), slice(None), 2),
        (2, 1),
        (-1, slice(None), 0),
        (np.array([0, 2]), slice(0, 1)),
    ],
    ids=str,
)
def test_what_is_asked_for_is_what_the_array_would_give(rows: Rows, key: Any) -> None:
    expected = SOURCE[PLACES][key]

    found = rows[key]

    assert found.tolist() == expected.tolist()
    assert (found.shape, found.dtype) == (expected.shape, np.uint8)


def test_a_row_that_is_not_there_is_refused_as_an_array_does(rows: Rows) -> None:
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        rows[4]


def test_they_have_the_shape_of_the_array_and_become_one(rows: Rows) -> None:
    assert (len(rows), rows.shape, rows.ndim, rows.dtype) == (4, (4, 2, 3), 3, np.uint8)
    assert np.asarray(rows).tolist() == SOURCE[PLACES].tolist()
    assert np.asarray(rows, np.float32).dtype == np.float32
    assert [row.tolist() for row in rows] == SOURCE[PLACES].tolist()
    with pytest.raises(ValueError, match="cannot be had without copying them"):
        np.asarray(rows, copy=False)


def test_no_rows_are_an_empty_array() -> None:
    none = rows_of(SOURCE, [], file=Path("some.pixels"))

    assert none.shape == (0, 2, 3)
    assert np.asarray(none).shape == (0, 2, 3)


def test_only_rows_are_told_from_arrays(rows: Rows) -> None:
    assert scattered(rows) is rows
    assert scattered(SOURCE) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_a_file_that_was_read_through_rows_takes_no_memory_afterwards(tmp_path: Path) -> None:
    def of_files() -> int:
        status = Path("/proc/self/status").read_text("utf-8")
        return int(status.split("RssFile:")[1].split()[0]) // 1024

    size = 64  # MiB
    path = tmp_path / "some.pixels"
    path.write_bytes(bytes(size * 2**20))
    source = np.memmap(path, np.uint8, "r", shape=(size, 2**20))
    before = of_files()
    source.max()
    assert of_files() - before > size // 2

    for some in (source, source[: size - 1]):
        rows = Rows(some, range(len(some)), path)
        assert not any(row.any() for row in rows)
        assert of_files() - before < size // 4
