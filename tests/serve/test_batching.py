import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.inputs.input import Arrays, count_of
from fortydays.serve import batching
from fortydays.serve.batching import Batcher
from fortydays.serve.errors import RequestError
from fortydays.serve.limits import Limits


class Slow:
    """Gives each example its own number, when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.began = threading.Event()
        self.sizes: list[int] = []

    def __call__(self, inputs: Arrays) -> NDArray[np.float32]:
        self.began.set()
        self.go.wait(10)
        self.sizes.append(count_of(inputs))
        return inputs["image"].astype(np.float32)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go.set()


def images(*values: int) -> Arrays:
    return {"image": np.array([[value] for value in values], np.uint8)}


def soon() -> float:
    return clock.seconds() + 5


def test_what_comes_while_a_batch_is_computed_is_computed_together(slow: Slow) -> None:
    batcher = Batcher(slow, Limits(batch=4))

    async def work() -> list[NDArray[np.float32]]:
        first = asyncio.create_task(batcher.answer(images(0), until=soon()))
        await asyncio.to_thread(slow.began.wait, 5)
        others = [asyncio.create_task(batcher.answer(images(value), until=soon())) for value in range(1, 7)]
        await asyncio.sleep(0)
        assert batcher.waiting == 6
        slow.go.set()
        return await asyncio.gather(first, *others)

    answers = asyncio.run(work())

    assert [answer.tolist() for answer in answers] == [[[float(value)]] for value in range(7)]
    assert slow.sizes == [1, 4, 2]
    assert batcher.close(timeout=5)


def test_several_images_of_one_request_stay_together(slow: Slow) -> None:
    slow.go.set()
    batcher = Batcher(slow, Limits(batch=2))

    answer = asyncio.run(batcher.answer(images(5, 6, 7), until=soon()))

    assert answer.tolist() == [[5.0], [6.0], [7.0]]
    batcher.close(timeout=5)


def test_a_full_queue_refuses_and_says_when_to_come_again(slow: Slow) -> None:
    batcher = Batcher(slow, Limits(batch=1, waiting=2))

    async def work() -> RequestError:
        tasks = [asyncio.create_task(batcher.answer(images(0), until=soon()))]
        await asyncio.to_thread(slow.began.wait, 5)
        tasks += [asyncio.create_task(batcher.answer(images(value), until=soon())) for value in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="2 examples wait already; the queue is full") as caught:
            await batcher.answer(images(3), until=soon())
        slow.go.set()
        await asyncio.gather(*tasks)
        return caught.value

    error = asyncio.run(work())

    assert (error.status, error.headers) == (503, {"retry-after": "1"})
    batcher.close(timeout=5)


def test_who_waited_too_long_is_told_and_nothing_is_computed_for_nobody(slow: Slow) -> None:
    batcher = Batcher(slow, Limits(batch=1))

    async def work() -> None:
        first = asyncio.create_task(batcher.answer(images(0), until=soon()))
        await asyncio.to_thread(slow.began.wait, 5)
        with pytest.raises(RequestError, match="took too long") as caught:
            await batcher.answer(images(1), until=clock.seconds() + 0.05)
        assert caught.value.status == 503
        slow.go.set()
        await first
        assert (await batcher.answer(images(2), until=soon())).tolist() == [[2.0]]

    asyncio.run(work())

    assert slow.sizes == [1, 1]
    batcher.close(timeout=5)


def test_a_batch_waits_for_images_on_their_way_and_not_for_ever(slow: Slow) -> None:
    slow.go.set()
    batcher = Batcher(slow, Limits(batch=8, delay=5))

    async def work() -> None:
        with batcher.expecting():
            first = asyncio.create_task(batcher.answer(images(1), until=soon()))
            await asyncio.sleep(0.05)
            assert not first.done()
            second = asyncio.create_task(batcher.answer(images(2), until=soon()))
            await asyncio.sleep(0)
        third = asyncio.create_task(batcher.answer(images(3), until=soon()))
        await asyncio.gather(first, second, third)

    asyncio.run(work())

    assert sum(slow.sizes) == 3
    assert slow.sizes[0] > 1  # the first image was not computed alone
    batcher.close(timeout=5)


def test_a_model_that_fails_fails_that_batch_and_no_other() -> None:
    def compute(inputs: Arrays) -> NDArray[np.float32]:
        given = inputs["image"]
        if given.max() > 100:
            raise RuntimeError("secret path")
        return given.astype(np.float32)

    batcher = Batcher(compute, Limits())
    with pytest.raises(RequestError, match=r"^The model failed\.$") as caught:
        asyncio.run(batcher.answer(images(101), until=soon()))
    assert caught.value.status == 500
    assert asyncio.run(batcher.answer(images(1), until=soon())).tolist() == [[1.0]]
    batcher.close(timeout=5)


def test_a_request_with_which_a_model_fails_spoils_no_other_of_its_batch(slow: Slow) -> None:
    def compute(inputs: Arrays) -> NDArray[np.float32]:
        answer = slow(inputs)
        if answer.max() > 100:
            raise RuntimeError
        return answer

    batcher = Batcher(compute, Limits(batch=8))

    async def work() -> list[Any]:
        first = asyncio.create_task(batcher.answer(images(0), until=soon()))
        await asyncio.to_thread(slow.began.wait, 5)
        others = [asyncio.create_task(batcher.answer(images(value), until=soon())) for value in (1, 101, 2)]
        await asyncio.sleep(0)
        slow.go.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    _, one, failed, two = asyncio.run(work())

    assert (one.tolist(), two.tolist()) == ([[1.0]], [[2.0]])
    assert isinstance(failed, RequestError)
    assert slow.sizes == [1, 3, 1, 1, 1]
    batcher.close(timeout=5)


def test_closing_answers_what_waits_and_takes_no_more(slow: Slow) -> None:
    batcher = Batcher(slow, Limits(batch=1))

    async def work() -> None:
        tasks = [asyncio.create_task(batcher.answer(images(value), until=soon())) for value in range(3)]
        await asyncio.sleep(0)
        assert not batcher.close(timeout=0.01)
        with pytest.raises(RequestError, match="being replaced"):
            await batcher.answer(images(9), until=soon())
        slow.go.set()
        assert await asyncio.to_thread(batcher.close, timeout=5)
        assert [(await task).tolist() for task in tasks] == [[[0.0]], [[1.0]], [[2.0]]]

    asyncio.run(work())


def test_what_takes_a_moment_is_computed_at_once_and_together(slow: Slow) -> None:
    slow.go.set()
    threads: list[str] = []

    def compute(given: Arrays) -> NDArray[np.float32]:
        threads.append(threading.current_thread().name)
        return slow(given)

    batcher = Batcher(compute, Limits(batch=8), seconds=lambda count: 0.0004 * count)

    async def work() -> None:
        assert (await batcher.answer(images(3), until=soon())).tolist() == [[3.0]]
        both = [batcher.answer(images(value), until=soon()) for value in (1, 2)]
        assert [answer.tolist() for answer in await asyncio.gather(*both)] == [[[1.0]], [[2.0]]]
        answer = batcher.answer(images(8), until=soon(), alone=True)
        with pytest.raises(StopIteration) as done:  # it waits for nobody
            answer.send(None)
        assert done.value.value.tolist() == [[8.0]]

    asyncio.run(work())

    assert slow.sizes == [1, 2, 1]
    here = threading.current_thread().name
    assert [name == here for name in threads] == [True, False, True]
    assert batcher.close(timeout=5)


def test_a_group_that_has_not_begun_is_answered_though_the_model_is_closed(slow: Slow) -> None:
    slow.go.set()
    for seconds in (0.0, 1.0):
        batcher = Batcher(slow, Limits(), seconds=lambda _count, seconds=seconds: seconds)  # type: ignore[misc]

        async def work(batcher: Batcher = batcher) -> Any:
            task = asyncio.create_task(batcher.answer(images(4), until=soon()))
            await asyncio.sleep(0)
            closing = asyncio.create_task(asyncio.to_thread(batcher.close, timeout=10))
            return await task, await closing

        answer, closed = asyncio.run(work())
        assert (answer.tolist(), closed) == ([[4.0]], True)


def test_where_requests_cannot_be_joined_each_is_computed_alone_and_the_next_ones_too(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.go.set()
    together = batching.together

    def without_memory(parts: list[Arrays]) -> Arrays:
        if len(parts) > 1:
            raise MemoryError
        return together(parts)

    monkeypatch.setattr(batching, "together", without_memory)
    batcher = Batcher(slow, Limits(batch=4))

    async def work() -> list[NDArray[np.float32]]:
        return await asyncio.gather(*(batcher.answer(images(value), until=soon()) for value in range(3)))

    for _ in range(2):
        assert [answer.tolist() for answer in asyncio.run(work())] == [[[0.0]], [[1.0]], [[2.0]]]
    assert batcher.close(timeout=5)


def test_a_metric_that_cannot_be_written_fails_one_request_and_not_the_thread(slow: Slow) -> None:
    slow.go.set()
    failures = [OSError("no space left")]

    def observe(_size: int) -> None:
        if failures:
            raise failures.pop()

    batcher = Batcher(slow, Limits(), observe=observe)

    async def ask() -> NDArray[np.float32]:
        return await batcher.answer(images(1), until=soon())

    with pytest.raises(RequestError, match="The model failed"):
        asyncio.run(ask())
    assert asyncio.run(ask()).tolist() == [[1.0]]
    assert batcher.close(timeout=5)
