"""What the service saw: one row for each example, in a bounded SQLite file that drift can be read from later.

Rows are written by a thread of their own, many at once; a request never waits for the disk. Where rows come faster
than the disk takes them, or the disk is full, rows are dropped and counted, and requests are answered all the same.
"""

import contextlib
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock, database, files
from fortydays.inputs.input import Arrays

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    request TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    class TEXT NOT NULL,
    confidence REAL NOT NULL,
    mean REAL NOT NULL,
    deviation REAL NOT NULL,
    milliseconds REAL NOT NULL,
    shadow_version INTEGER,
    shadow_class TEXT,
    shadow_confidence REAL,
    image BLOB
)
"""
_COLUMNS = (
    "time", "request", "model", "version", "class", "confidence", "mean", "deviation", "milliseconds",
    "shadow_version", "shadow_class", "shadow_confidence", "image",
)  # fmt: skip
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
_MOST_IMAGE_BYTES = 2_000_000_000
_MOST_QUEUED, _MOST_BYTES_QUEUED = 20_000, 40_000_000
_SECONDS_BETWEEN = 0.5
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One answered example.

    Attributes:
        time: when, in seconds since 1970.
        request: the id that its answer had.
        model, version: which answered.
        label: of the most probable class.
        confidence: its probability.
        inputs: its arrays, as the model saw them. Mean and deviation of the first one are kept, of an image from 0 to
            255.
        milliseconds: from the request's arrival to its answer.
        shadow: version, label and confidence of the model in the shadow, if it was asked.
    """

    time: float
    request: str
    model: str
    version: int
    label: str
    confidence: float
    inputs: Arrays
    milliseconds: float
    shadow: tuple[int, str, float] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(array.nbytes for array in self.inputs.values())

    def tobytes(self) -> bytes:
        """Its arrays, one after the other, as they lie in memory."""
        return b"".join(array.tobytes() for array in self.inputs.values())

    @property
    def first(self) -> NDArray[Any]:
        """Its first array."""
        return next(iter(self.inputs.values()))


class RequestLog:
    """The file and the thread that writes it.

    Args:
        path: of the SQLite file; made where there is none.
        most_rows: how many of the newest rows are kept; with their images, fewer where they would exceed 2 GB.
        keep_images: whether the images themselves are kept.
        dropped: told how many rows were lost, each time some are.

    Raises:
        StorageError: the file cannot be made, or is no such log.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_rows: int,
        keep_images: bool = False,
        dropped: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._path = path
        self._most_rows = most_rows
        self._keep_images = keep_images
        self._dropped = dropped
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        files.make_private_folder(path.parent)
        try:
            with contextlib.closing(database.connect(path)) as connection, connection:
                connection.execute(SCHEMA)
        except sqlite3.Error as error:
            raise files.storage_error("open", path, OSError(str(error))) from error
        self._thread = threading.Thread(target=self._work, name="request log", daemon=True)
        self._thread.start()

    def add(self, row: Row) -> None:
        """Keep a row, soon."""
        if self._rows.qsize() >= min(_MOST_QUEUED, max(1, _MOST_BYTES_QUEUED // max(1, row.nbytes))):
            self._dropped(1)
            return
        self._rows.put(row)

    def close(self) -> None:
        """Write what waits and end."""
        self._rows.put(None)
        self._ended.set()
        self._thread.join(10)

    def _work(self) -> None:
        ended = False
        while not ended:
            rows = [self._rows.get()]
            self._ended.wait(_SECONDS_BETWEEN)
            while not self._rows.empty():
                rows.append(self._rows.get())
            ended = None in rows
            kept = [row for row in rows if row is not None]
            if kept:
                self._keep(kept)

    def _keep(self, rows: list[Row]) -> None:
        """Write rows. One that cannot be written is dropped alone; where the disk refuses, all are."""
        try:
            self._write(rows)
        except Exception as error:  # a number or a text that no column takes: whatever it is, this thread goes on
            if len(rows) == 1 or isinstance(error, sqlite3.OperationalError):
                self._dropped(len(rows))
                return
            for row in rows:
                self._keep([row])

    def _write(self, rows: list[Row]) -> None:
        most = self._most_rows
        if self._keep_images:
            most = min(most, max(1, _MOST_IMAGE_BYTES // max(row.nbytes for row in rows)))
        connection = database.connect(self._path)
        connection.execute("PRAGMA synchronous=NORMAL")  # a crash of the machine may cost the last rows, no others
        try:
            with connection:
                for start in range(0, len(rows), _AT_ONCE):
                    some = _values(rows[start : start + _AT_ONCE], keep_images=self._keep_images)
                    connection.execute(_insert(len(some)), list(itertools.chain.from_iterable(some)))
                connection.execute("DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?", [most])
        finally:
            connection.close()


def _insert(count: int) -> str:
    """One statement for many rows: SQLite works on it without Python's lock, which the requests want."""
    return f"INSERT INTO requests ({', '.join(_COLUMNS)}) VALUES {', '.join([_ROW] * count)}"  # noqa: S608 - constants


def _values(rows: list[Row], *, keep_images: bool) -> list[tuple[object, ...]]:
    means, deviations = _statistics([row.first for row in rows])
    times: dict[int, str] = {}
    found: list[tuple[object, ...]] = []
    for row, mean, deviation in zip(rows, means, deviations, strict=True):
        second = int(row.time)
        time = times.get(second) or times.setdefault(second, clock.iso(second))
        found.append((
            time, row.request, row.model, row.version, row.label, row.confidence, mean, deviation,
            row.milliseconds, *(row.shadow or (None, None, None)), row.tobytes() if keep_images else None,
        ))  # fmt: skip
    return found


def _statistics(arrays: list[NDArray[Any]]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each."""
    if len({array.shape for array in arrays}) > 1:  # a model was replaced by one of another size
        return [float(array.mean()) for array in arrays], [float(array.std()) for array in arrays]
    numbers = np.stack(arrays).reshape(len(arrays), -1)
    return numbers.mean(axis=1).tolist(), numbers.std(axis=1).tolist()
