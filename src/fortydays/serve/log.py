"""What the service saw: one row for each example, in a bounded SQLite file that drift can be read from later.

Rows are written by a thread of their own, many at once; a request never waits for the disk. Where rows come faster
than the disk takes them, or the disk is full, rows are dropped and counted, and requests are answered all the same.
"""

import contextlib
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock, database, files
from fortydays.inputs.input import Arrays
from fortydays.registry.contents import Bundle

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
class Seen:
    """What one request was answered.

    Attributes:
        time: when, in seconds since 1970.
        request: the id that its answer had.
        bundle: of the model that answered.
        inputs: arrays of the examples, as the model saw them. Mean and deviation of the first array are kept; those
            of an image are from 0 to 255.
        probabilities: float32, shape (examples, classes).
        milliseconds: from the request's arrival to its answer.
        shadow: the bundle and the probabilities of the model in the shadow, if it was asked.
    """

    time: float
    request: str
    bundle: Bundle
    inputs: Arrays
    probabilities: NDArray[np.float32]
    milliseconds: float
    shadow: tuple[Bundle, NDArray[np.float32]] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        shadow = self.shadow[1].nbytes if self.shadow else 0
        return sum(array.nbytes for array in self.inputs.values()) + self.probabilities.nbytes + shadow


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
        self._queue: queue.SimpleQueue[Seen | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        files.make_folder(path.parent)
        try:
            with contextlib.closing(database.connect(path)) as connection, connection:
                connection.execute(SCHEMA)
        except sqlite3.Error as error:
            raise files.storage_error("open", path, OSError(str(error))) from error
        self._thread = threading.Thread(target=self._work, name="request log", daemon=True)
        self._thread.start()

    def add(self, seen: Seen) -> None:
        """Keep what one request was answered, soon."""
        if self._queue.qsize() >= min(_MOST_QUEUED, max(1, _MOST_BYTES_QUEUED // max(1, seen.nbytes))):
            self._dropped(len(seen.probabilities))
            return
        self._queue.put(seen)

    def close(self) -> None:
        """Write what waits and end."""
        self._queue.put(None)
        self._ended.set()
        self._thread.join(10)

    def _work(self) -> None:
        ended = False
        while not ended:
            waiting = [self._queue.get()]
            self._ended.wait(_SECONDS_BETWEEN)
            while not self._queue.empty():
                waiting.append(self._queue.get())
            ended = None in waiting
            if some := [seen for seen in waiting if seen is not None]:
                self._keep(some)

    def _keep(self, some: list[Seen]) -> None:
        """Write rows. A request that cannot be written is dropped alone; where the disk refuses, all are."""
        try:
            self._write(some)
        except Exception as error:  # a number or a text that no column takes: whatever it is, this thread goes on
            if len(some) == 1 or isinstance(error, sqlite3.OperationalError):
                self._dropped(sum(len(seen.probabilities) for seen in some))
                return
            for seen in some:
                self._keep([seen])

    def _write(self, some: list[Seen]) -> None:
        most = self._most_rows
        if self._keep_images:
            most = min(most, max(1, _MOST_IMAGE_BYTES // max(1, *(s.nbytes // len(s.probabilities) for s in some))))
        connection = database.connect(self._path)
        connection.execute("PRAGMA synchronous=NORMAL")  # a crash of the machine may cost the last rows, no others
        try:
            with connection:
                rows = _rows(some, keep_images=self._keep_images)
                while part := list(itertools.islice(rows, _AT_ONCE)):
                    connection.execute(_insert(len(part)), list(itertools.chain.from_iterable(part)))
                connection.execute("DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?", [most])
        finally:
            connection.close()


def _insert(count: int) -> str:
    """One statement for many rows: SQLite works on it without Python's lock, which the requests want."""
    return f"INSERT INTO requests ({', '.join(_COLUMNS)}) VALUES {', '.join([_ROW] * count)}"  # noqa: S608 - constants


def _rows(some: list[Seen], *, keep_images: bool) -> Iterator[tuple[object, ...]]:
    """One after the other: with their images, all of them at once would double what the queue holds."""
    means, deviations = map(iter, _statistics([next(iter(seen.inputs.values())) for seen in some]))
    for seen in some:
        time, ours, theirs = clock.iso(seen.time), seen.bundle, seen.shadow
        for place, probabilities in enumerate(seen.probabilities):
            shadow: tuple[object, ...] = (None, None, None)
            if theirs is not None:
                shadow = (theirs[0].version, *_best(theirs[0], theirs[1][place]))
            image = b"".join(array[place].tobytes() for array in seen.inputs.values()) if keep_images else None
            yield (
                time, seen.request, ours.name, ours.version, *_best(ours, probabilities),
                next(means), next(deviations), seen.milliseconds, *shadow, image,
            )  # fmt: skip


def _best(bundle: Bundle, probabilities: NDArray[np.float32]) -> tuple[str, float]:
    best = int(probabilities.argmax())
    return bundle.classes[best], float(probabilities[best])


def _statistics(arrays: list[NDArray[Any]]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each example, of all together where they are of one size, which is much faster."""
    if len({array.shape[1:] for array in arrays}) > 1:  # a model was replaced by one of another size
        each = [_statistics([array]) for array in arrays]
        return [m for means, _ in each for m in means], [d for _, deviations in each for d in deviations]
    numbers = np.concatenate(arrays)
    numbers = numbers.reshape(len(numbers), -1)
    return numbers.mean(axis=1).tolist(), numbers.std(axis=1).tolist()
