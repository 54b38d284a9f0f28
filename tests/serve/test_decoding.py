"""The stage that decodes: bounded, in time, and a large image keeps no small one waiting."""

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fortydays.base import clock
from fortydays.inputs.images import IMAGE, Images, OpenedImage
from fortydays.inputs.input import Bounds
from fortydays.serve.decoding import Decoders
from fortydays.serve.errors import RequestError

TAKEN = Images(shape=(4, 4))


def png(size: int = 4, value: int = 7) -> bytes:
    file = io.BytesIO()
    Image.new("L", (size, size), value).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders(Bounds(pixels=5_000_000), most_waiting=4)
    yield made
    made.close()


async def decoded(decoders: Decoders, *contents: bytes, seconds: float = 20) -> Any:
    found = await decoders.decode(contents, TAKEN, until=clock.seconds() + seconds)
    return [arrays[IMAGE] for arrays in found]


def test_images_come_back_in_their_order(decoders: Decoders) -> None:
    found = asyncio.run(decoded(decoders, png(value=1), png(1500, 2), png(value=3)))
    assert [image[0, 0] for image in found] == [1, 2, 3]
    assert all(image.dtype == np.uint8 and image.shape == (4, 4) for image in found)


def test_one_wrong_image_of_several_is_told_and_the_next_request_is_answered(decoders: Decoders) -> None:
    async def both() -> Any:
        with pytest.raises(RequestError, match="no image that can be read"):
            await decoded(decoders, png(), b"x", b"y", png())
        return await decoded(decoders, png())

    assert asyncio.run(both())[0].tolist() == [[7] * 4] * 4


@pytest.mark.parametrize("size", [4, 1500])
def test_an_error_that_nobody_expects_ends_no_thread(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    def fails(_self: OpenedImage) -> Any:
        raise MemoryError

    async def several() -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(OpenedImage, "arrays", fails)
            for _ in range(4):
                with pytest.raises(RequestError, match=r"The service failed\.") as caught:
                    await decoded(decoders, png(size), seconds=5)
                assert caught.value.status == 500
        return await decoded(decoders, png(size))

    assert asyncio.run(several())[0].tolist() == [[7] * 4] * 4
    assert "A file was not read: a defect of the service" in caplog.text


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Large images take until this is set."""
    go, whole = threading.Event(), OpenedImage.arrays

    def slow(self: OpenedImage) -> Any:
        if self.weight > 2_000_000:
            go.wait(60)
        return whole(self)

    monkeypatch.setattr(OpenedImage, "arrays", slow)
    yield go
    go.set()


def test_small_images_do_not_wait_for_large_ones(decoders: Decoders, held: threading.Event) -> None:
    async def both() -> Any:
        large = [asyncio.create_task(decoded(decoders, png(1500))) for _ in range(3)]
        await asyncio.sleep(0.2)
        small = await decoded(decoders, png())
        assert not any(task.done() for task in large)
        held.set()
        return small, await asyncio.gather(*large)

    small, large = asyncio.run(both())
    assert (len(small), len(large)) == (1, 3)


def test_who_waits_too_long_is_told_and_too_many_are_not_let_in(decoders: Decoders, held: threading.Event) -> None:
    async def several() -> None:
        waiting = [asyncio.create_task(decoded(decoders, png(1500), seconds=1)) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(RequestError, match="4 files wait to be read; the queue is full") as full:
            await decoded(decoders, png())
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, RequestError) and each.status == 503 for each in results)
        assert (full.value.status, full.value.headers) == (503, {"retry-after": "1"})
        held.set()
        assert len(await decoded(decoders, png())) == 1  # there is room again

    asyncio.run(several())


def test_more_images_at_once_than_may_wait_are_taken_by_an_idle_service(decoders: Decoders) -> None:
    assert len(asyncio.run(decoded(decoders, *[png()] * 9))) == 9
