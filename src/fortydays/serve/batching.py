"""Requests that come at the same time are computed together: a model answers 64 images in far less than 64 times one.

All that the event loop has read at once is one group. Where a group is computed in less time than the way to another
thread takes, the event loop does it. Otherwise a thread does, and while it computes one batch, the next one gathers: a
busy service makes large batches by itself. An idle one waits for nobody: only where other images are on their way
(being decoded) does an image wait, and not for long.
"""

import asyncio
import contextlib
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.inputs.input import Arrays, count_of, together
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.limits import Limits

_LOG = logging.getLogger(__name__)
Compute = Callable[[Arrays], NDArray[np.float32]]
_ALONE, _AMONG_OTHERS = 0.002, 0.0005
"""Seconds for which the event loop may compute by itself, where nobody else asks anything and where others do."""


_Result = NDArray[np.float32] | RequestError


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """Examples that wait, and the place for their answer, which is taken where nobody waits any more."""

    inputs: Arrays
    count: int
    future: "asyncio.Future[NDArray[np.float32]]"


class Batcher:
    """A thread that computes, and the queue before it.

    Args:
        compute: probabilities of examples; called by the thread and by the event loop.
        limits: largest batch, longest delay, most images that wait.
        seconds: that a number of images takes to compute.
        observe: told the number of images of every batch.
    """

    def __init__(
        self,
        compute: Compute,
        limits: Limits,
        *,
        seconds: Callable[[int], float] = lambda _images: float("inf"),
        observe: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._compute = compute
        self._limits = limits
        self._seconds = seconds
        self._observe = observe
        self._group: list[_Item] = []
        self._items: deque[_Item] = deque()
        self._waiting = 0
        self._expected = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return self._waiting

    @property
    def expected(self) -> int:
        """Requests whose images are on their way."""
        return self._expected

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """While the block runs, an image is on its way: others may wait for it."""
        self._expected += 1  # changed by the event loop's thread alone
        try:
            yield
        finally:
            self._expected -= 1

    async def answer(self, inputs: Arrays, *, until: float, alone: bool = False) -> NDArray[np.float32]:
        """The probabilities of examples, computed with those of others.

        Args:
            inputs: arrays as the model takes them.
            until: by :func:`fortydays.base.clock.seconds`, when nobody waits for the answer any more.
            alone: whether nobody else asks anything now. Then the event loop computes at once what takes a moment.

        Returns:
            float32, shape (n, classes).

        Raises:
            RequestError: 503, as too many wait already, or the time is over.
        """
        if self._closed:
            raise busy("The model is being replaced.")
        count = count_of(inputs)
        if alone and not self._waiting and not self._expected and self._is_short(count, _ALONE):
            return self._answered([inputs])
        if self._waiting and self._waiting + count > self._limits.waiting:
            raise busy(f"{self._waiting:,} examples wait already; the queue is full.")
        loop = asyncio.get_running_loop()
        item = _Item(inputs=inputs, count=count, future=loop.create_future())
        if not self._group:
            loop.call_soon(self._begin)  # after all else that is ready now, such as other requests
        self._group.append(item)
        with self._changed:
            self._waiting += count
        handle = loop.call_at(loop.time() + max(until - clock.seconds(), 0), _expire, item.future)
        try:
            return await item.future
        finally:
            handle.cancel()

    def _begin(self) -> None:
        """Compute a group here, or hand it over; belongs to the event loop."""
        group, self._group = self._group, []
        count = sum(item.count for item in group)
        if self._is_short(count, _AMONG_OTHERS) and not self._expected:
            with self._changed:
                self._waiting -= count
                if self._closed:
                    self._changed.notify()  # of a thread that only waits for this to end; else, waking it costs time
            _resolve(self._answers([item for item in group if not item.future.done()]))
            return
        with self._changed:
            self._items += group
            self._changed.notify()

    def _is_short(self, count: int, seconds: float) -> bool:
        return count <= self._limits.batch and self._seconds(count) <= seconds

    def _answered(self, parts: list[Arrays]) -> NDArray[np.float32]:
        """Compute one request, or several together. Raises RequestError: the model failed."""
        try:
            answers = self._compute(together(parts))
            self._observe(len(answers))
        except Exception:  # whatever a model does, or where memory ends, the service goes on
            _LOG.exception("A model failed")
            raise RequestError(500, "The model failed.") from None
        return answers

    def _answers(self, batch: list[_Item]) -> list[tuple[_Item, _Result]]:
        """Compute a batch: each item with its answer, or with an error."""
        if not batch:
            return []
        try:
            answers = self._answered([item.inputs for item in batch])
        except RequestError as error:
            if len(batch) > 1:  # what fails with one request fails no other
                return [result for item in batch for result in self._answers([item])]
            return [(batch[0], error)]
        ends = itertools.accumulate(item.count for item in batch)
        return [(item, answers[end - item.count : end]) for item, end in zip(batch, ends, strict=True)]

    def close(self, *, timeout: float) -> bool:
        """Answer what waits, take no more, and end the thread.

        Returns:
            Whether it ended within ``timeout`` seconds.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while batch := self._next():
            results = self._answers(batch)
            with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
                batch[0].future.get_loop().call_soon_threadsafe(_resolve, results)

    def _next(self) -> list[_Item]:
        """What to compute together next; nothing when the thread is to end."""
        with self._changed:
            while True:
                # What waits is in a group first, which the event loop has yet to begin.
                while not self._items and (self._waiting or not self._closed):
                    self._changed.wait()
                if not self._items:
                    return []
                if not self._closed and self._expected and self._waiting < self._limits.batch and self._limits.delay:
                    end = clock.seconds() + self._limits.delay
                    while (
                        self._expected
                        and self._waiting < self._limits.batch
                        and not self._closed
                        and (left := end - clock.seconds()) > 0
                    ):
                        self._changed.wait(left)
                batch: list[_Item] = []
                size = 0
                while self._items and (not batch or size + self._items[0].count <= self._limits.batch):
                    item = self._items.popleft()
                    self._waiting -= item.count
                    if not item.future.done():
                        batch.append(item)
                        size += item.count
                if batch:
                    return batch


def _expire(future: "asyncio.Future[NDArray[np.float32]]") -> None:
    if not future.done():
        future.set_exception(busy("The answer took too long; the service is busy."))


def _resolve(pairs: list[tuple[_Item, _Result]]) -> None:
    for item, result in pairs:
        if item.future.done():  # nobody waits any more
            continue
        if isinstance(result, RequestError):
            item.future.set_exception(result)
        else:
            item.future.set_result(result)
