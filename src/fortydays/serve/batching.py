"""Requests that come at the same time are computed together: a model answers 64 images in far less than 64 times one.

While a batch is computed, the next one gathers, so that a busy service makes large batches by itself. An idle one
waits for nobody: only where other images are on their way (being decoded) does an image wait, and not for long.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.limits import Limits

_LOG = logging.getLogger(__name__)
Compute = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    images: NDArray[np.uint8]
    until: float
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[NDArray[np.float32]]"


class Batcher:
    """A thread that computes, and the queue before it.

    Args:
        compute: probabilities of images; called in the thread, one batch at a time.
        limits: largest batch, longest delay, most images that wait.
        observe: told the number of images of every batch.
    """

    def __init__(
        self, compute: Compute, limits: Limits, *, observe: Callable[[int], None] = lambda _size: None
    ) -> None:
        self._compute = compute
        self._limits = limits
        self._observe = observe
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

    async def answer(self, images: NDArray[np.uint8], *, until: float) -> NDArray[np.float32]:
        """The probabilities of images, computed with those of others.

        Args:
            images: uint8, shape (n, *image).
            until: by :func:`fortydays.base.clock.seconds`, when nobody waits for the answer any more.

        Returns:
            float32, shape (n, classes).

        Raises:
            RequestError: 503, as too many wait already, or the time is over.
        """
        loop = asyncio.get_running_loop()
        item = _Item(images=images, until=until, loop=loop, future=loop.create_future())
        with self._changed:
            if self._closed:
                raise busy("The model is being replaced.")
            if self._waiting and self._waiting + len(images) > self._limits.waiting:
                raise busy(f"{self._waiting:,} images wait already; the queue is full.")
            self._items.append(item)
            self._waiting += len(images)
            self._changed.notify()
        remaining = until - clock.seconds()
        handle = loop.call_later(max(remaining, 0), _expire, item.future)
        try:
            return await item.future
        finally:
            handle.cancel()

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
        while True:
            batch = self._next()
            if not batch:
                return
            try:
                answers = self._compute(
                    batch[0].images if len(batch) == 1 else np.concatenate([item.images for item in batch])
                )
                self._observe(len(answers))
            except Exception:  # the thread must outlive whatever a model does
                _LOG.exception("A model failed")
                _tell(batch, [RequestError(500, "The model failed.") for _ in batch])
                continue
            results, start = [], 0
            for item in batch:
                results.append(answers[start : start + len(item.images)])
                start += len(item.images)
            _tell(batch, results)

    def _next(self) -> list[_Item]:
        """What to compute together next; nothing when the thread is to end."""
        with self._changed:
            while True:
                while not self._items and not self._closed:
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
                size, now = 0, clock.seconds()
                while self._items and (not batch or size + len(self._items[0].images) <= self._limits.batch):
                    item = self._items.popleft()
                    self._waiting -= len(item.images)
                    if item.until > now and not item.future.cancelled():
                        batch.append(item)
                        size += len(item.images)
                if batch:
                    return batch


def _expire(future: "asyncio.Future[NDArray[np.float32]]") -> None:
    if not future.done():
        future.set_exception(busy("The answer took too long; the service is busy."))


def _tell(batch: list[_Item], results: "Sequence[NDArray[np.float32] | RequestError]") -> None:
    """Hand over the results, with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Item, NDArray[np.float32] | RequestError]]] = {}
    for item, result in zip(batch, results, strict=True):
        by_loop.setdefault(item.loop, []).append((item, result))
    for loop, pairs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(pairs: "list[tuple[_Item, NDArray[np.float32] | RequestError]]") -> None:
    for item, result in pairs:
        if item.future.done():  # nobody waits any more
            continue
        if isinstance(result, RequestError):
            item.future.set_exception(result)
        else:
            item.future.set_result(result)
