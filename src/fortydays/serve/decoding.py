"""The threads that decode images, and the queues before them: bounded in number and in time.

A large image takes seconds where a small one takes a tenth of a millisecond, so that large ones have a queue and a
thread of their own: they wait for each other, and nobody waits for them. One at a time, they cannot take all memory.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.images import Unpacked, unpack

_LOG = logging.getLogger(__name__)
_THREADS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    content: bytes
    name: str
    shape: tuple[int, int, int]
    strokes: bool
    until: float
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[NDArray[np.uint8]]"


class Decoders:
    """Decodes image files off the event loop.

    Args:
        most_pixels: of an image that are in memory at once while it is decoded, width times height.
        most_jpeg_pixels: of a JPEG of which less is in memory at once, where that may be more.
        most_waiting: images that wait or are being decoded.
    """

    def __init__(self, *, most_pixels: int, most_waiting: int, most_jpeg_pixels: int = 0) -> None:
        self._most_pixels = most_pixels
        self._most_jpeg_pixels = most_jpeg_pixels
        self._most_waiting = most_waiting
        self._under_way = 0
        self._small: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._large: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Daemons: a decoder that is busy with somebody's image does not keep the process from ending.
        for number in range(_THREADS):
            threading.Thread(target=self._decode_small, name=f"decoder {number}", daemon=True).start()
        threading.Thread(target=self._decode_large, name="decoder of large images", daemon=True).start()

    async def decode(
        self,
        contents: Sequence[bytes],
        shape: tuple[int, int, int],
        *,
        names: Sequence[str] = (),
        strokes: bool,
        until: float,
    ) -> list[NDArray[np.uint8]]:
        """What a model takes, of image files; see :func:`fortydays.serve.images.unpack`.

        Args:
            contents: the files.
            shape: height, width and channels of what the model takes.
            names: what to call each of several in an error.
            strokes: whether it takes light strokes on a dark ground.
            until: by :func:`fortydays.base.clock.seconds`, when nobody waits any more.

        Raises:
            RequestError: a file is none, too large or damaged, or too many wait, or the time is over.
        """
        if self._under_way and self._under_way + len(contents) > self._most_waiting:
            raise busy(f"{self._under_way:,} images wait to be decoded; the queue is full.")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[NDArray[np.uint8]]] = [loop.create_future() for _ in contents]
        if len(contents) == 1:
            names = ("",)
        for content, name, future in zip(contents, names or [""] * len(contents), futures, strict=True):
            self._under_way += 1
            future.add_done_callback(self._done)
            self._small.put(
                _Job(content=content, name=name, shape=shape, strokes=strokes, until=until, loop=loop, future=future)
            )
        try:
            async with asyncio.timeout(max(until - clock.seconds(), 0)):
                return list(await asyncio.gather(*futures))
        except TimeoutError:
            raise busy("The image was not decoded in time; the service is busy.") from None
        finally:
            for future in futures:  # the other images of a form with a wrong one
                future.cancel()

    def close(self) -> None:
        """End the threads, each after what it is at."""
        for _ in range(_THREADS):
            self._small.put(None)
        self._large.put(None)

    def _done(self, _future: "asyncio.Future[NDArray[np.uint8]]") -> None:
        self._under_way -= 1  # changed by the event loop's thread alone

    def _decode_small(self) -> None:
        while (job := self._small.get()) is not None:
            self._work(job, self._begin)

    def _begin(self, job: _Job) -> NDArray[np.uint8] | None:
        unpacked = self._unpacked(job)
        if unpacked.is_large:
            self._large.put(job)  # alone: its head may hold as much memory as its file
            return None
        return unpacked.pixels()

    def _decode_large(self) -> None:
        while (job := self._large.get()) is not None:
            self._work(job, lambda job: self._unpacked(job).pixels())
            del job

    def _unpacked(self, job: _Job) -> Unpacked:
        return unpack(
            job.content,
            job.shape,
            strokes=job.strokes,
            most_pixels=self._most_pixels,
            most_jpeg_pixels=self._most_jpeg_pixels,
        )

    def _work(self, job: _Job, work: Callable[[_Job], NDArray[np.uint8] | None]) -> None:
        if job.future.cancelled() or job.until <= clock.seconds():
            return
        result: NDArray[np.uint8] | RequestError | None
        try:
            result = work(job)
        except RequestError as error:
            result = RequestError(error.status, f"{job.name}: {error.message}") if job.name else error
        except Exception:  # or this thread would end, and after it the service decode nothing
            _LOG.exception("An image was not decoded: a defect of the service")
            result = RequestError(500, "The service failed.")
        if result is not None:
            try:
                job.loop.call_soon_threadsafe(_resolve, job.future, result)
            except RuntimeError:  # a loop that was closed waits for nothing
                return


def _resolve(future: "asyncio.Future[NDArray[np.uint8]]", result: NDArray[np.uint8] | RequestError) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(result, RequestError):
        future.set_exception(result)
    else:
        future.set_result(result)
