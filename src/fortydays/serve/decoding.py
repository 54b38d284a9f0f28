"""The threads that read files, and the queues before them: bounded in number and in time.

A large image takes seconds where a small one takes a tenth of a millisecond, so that large ones have a queue and a
thread of their own: they wait for each other, and nobody waits for them. One at a time, they cannot take all memory.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fortydays.base import clock
from fortydays.base.errors import UnreadableContentError
from fortydays.inputs.input import Arrays, Bounds, Input
from fortydays.serve.errors import RequestError, busy, refused

_LOG = logging.getLogger(__name__)
_THREADS = 2
_LARGE = 2_000_000
"""Pixels or characters of a file that is read alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    content: bytes
    name: str
    input: Input
    future: "asyncio.Future[Arrays]"


class Decoders:
    """Reads files off the event loop.

    Args:
        bounds: what is read at all.
        most_waiting: files that wait or are being read.
    """

    def __init__(self, bounds: Bounds, *, most_waiting: int) -> None:
        self._bounds = bounds
        self._most_waiting = most_waiting
        self._under_way = 0
        self._small: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._large: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Daemons: a decoder that is busy with somebody's image does not keep the process from ending.
        for number in range(_THREADS):
            threading.Thread(target=self._decode_small, name=f"decoder {number}", daemon=True).start()
        threading.Thread(target=self._decode_large, name="decoder of large images", daemon=True).start()

    async def decode(
        self, contents: Sequence[bytes], input: Input, *, names: Sequence[str] = (), until: float
    ) -> list[Arrays]:
        """The arrays of each file; see :meth:`fortydays.inputs.input.Input.open`.

        Of several files, an error names the one that is wrong by its name. Nobody waits any more at ``until``, by
        :func:`fortydays.base.clock.seconds`.

        Raises:
            RequestError: a file is none, too large or damaged, or too many wait, or the time is over.
        """
        if self._under_way and self._under_way + len(contents) > self._most_waiting:
            raise busy(f"{self._under_way:,} files wait to be read; the queue is full.")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Arrays]] = [loop.create_future() for _ in contents]
        if len(contents) == 1:
            names = ("",)
        for content, name, future in zip(contents, names or [""] * len(contents), futures, strict=True):
            self._under_way += 1
            future.add_done_callback(self._done)
            self._small.put(_Job(content=content, name=name, input=input, future=future))
        try:
            async with asyncio.timeout(max(until - clock.seconds(), 0)):
                return list(await asyncio.gather(*futures))
        except TimeoutError:
            raise busy("The file was not read in time; the service is busy.") from None
        finally:
            for future in futures:  # the other images of a form with a wrong one
                future.cancel()

    def close(self) -> None:
        """End the threads, each after what it is at."""
        for _ in range(_THREADS):
            self._small.put(None)
        self._large.put(None)

    def _done(self, _future: "asyncio.Future[Arrays]") -> None:
        self._under_way -= 1  # changed by the event loop's thread alone

    def _decode_small(self) -> None:
        while (job := self._small.get()) is not None:
            self._work(job, self._begin)

    def _begin(self, job: _Job) -> Arrays | None:
        opened = job.input.open(job.content, self._bounds)
        if opened.weight > _LARGE:
            self._large.put(job)  # alone: its head may hold as much memory as its file
            return None
        return opened.arrays()

    def _decode_large(self) -> None:
        while (job := self._large.get()) is not None:
            self._work(job, lambda job: job.input.prepare(job.content, self._bounds))
            del job

    def _work(self, job: _Job, work: Callable[[_Job], Arrays | None]) -> None:
        if job.future.cancelled():  # the time is over, or another file of the request is wrong
            return
        result: Arrays | RequestError | None
        try:
            result = work(job)
        except UnreadableContentError as error:
            result = refused(error)
            if job.name:
                result = RequestError(result.status, f"{job.name}: {result.message}")
        except Exception:  # or this thread would end, and after it the service read nothing
            _LOG.exception("A file was not read: a defect of the service")
            result = RequestError(500, "The service failed.")
        if result is not None:
            with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
                job.future.get_loop().call_soon_threadsafe(_resolve, job.future, result)


def _resolve(future: "asyncio.Future[Arrays]", result: Arrays | RequestError) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(result, RequestError):
        future.set_exception(result)
    else:
        future.set_result(result)
