"""A link to a cluster: calls go through while the cluster is there, and end when it is gone."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fortydays.cluster.link import Link, LostClusterError
from fortydays.cluster.losses import lost_cluster
from fortydays.cluster.place import Place


class Head:
    """A head node that is played."""

    def __init__(self) -> None:
        self.answering, self.ended, self.asked = True, False, 0

    def answers(self) -> bool:
        self.asked += 1
        return self.answering


@contextlib.contextmanager
def linked(head: Head, *, patience: float = 0.3, between: float = 0.02) -> Iterator[Link]:
    link = Link(
        answers=head.answers,
        has_ended=lambda: head.ended,
        lost=lambda: LostClusterError("It is gone."),
        seconds_between_looks=between,
        patience=patience,
    )
    yield link
    link.close(lambda: None)


@pytest.fixture
def stuck() -> Iterator[Callable[[], None]]:
    """A call that waits for ever, as Ray does; until the test is over."""
    over = threading.Event()

    def wait() -> None:
        over.wait()

    yield wait
    over.set()


def test_calls_give_what_the_function_gives_and_all_come_from_one_thread() -> None:
    with linked(Head()) as link:
        assert link.call(divmod, 7, 2) == (3, 1)
        assert link.call(sorted, "ba", reverse=True) == ["b", "a"]
        threads = {link.call(threading.get_ident) for _ in range(3)}
        assert len(threads) == 1
        assert threading.get_ident() not in threads
        with pytest.raises(ZeroDivisionError):
            link.call(divmod, 1, 0)


def test_a_call_that_waits_for_ever_ends_when_the_cluster_has_ended(stuck: Callable[[], None]) -> None:
    head = Head()
    with linked(head, patience=3600) as link:
        threading.Timer(0.1, setattr, (head, "ended", True)).start()
        with pytest.raises(LostClusterError, match="It is gone"):
            link.call(stuck)
        with pytest.raises(LostClusterError):  # and nothing is called any more
            link.call(pytest.fail, "it was called")


def test_a_head_node_that_gives_no_answer_for_long_counts_as_gone(stuck: Callable[[], None]) -> None:
    head = Head()
    with linked(head) as link:
        head.answering = False
        with pytest.raises(LostClusterError):
            link.call(stuck)


def test_a_head_node_that_answers_again_in_time_is_not_gone() -> None:
    head = Head()
    with linked(head, patience=3600) as link:
        head.answering = False
        threading.Timer(0.2, setattr, (head, "answering", True)).start()
        assert not link.is_gone()
        assert link.call(len, "abc") == 3


def test_what_a_call_raises_is_the_end_of_the_cluster_where_that_is_gone() -> None:
    head = Head()

    def died() -> None:
        head.answering = False
        raise ConnectionResetError("a worker has died")

    with linked(head) as link, pytest.raises(LostClusterError) as raised:
        link.call(died)
    assert isinstance(raised.value.__cause__, ConnectionResetError)


def test_what_a_call_raises_is_raised_where_the_cluster_is_there() -> None:
    with linked(Head()) as link, pytest.raises(ConnectionResetError):
        link.call(raising, ConnectionResetError)


def raising(error: type[Exception]) -> None:
    raise error


def test_ctrl_c_is_not_kept_waiting_by_a_call(stuck: Callable[[], None]) -> None:
    with linked(Head(), patience=3600) as link:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            link.call(stuck)


def test_who_leaves_a_cluster_that_does_not_let_go_is_not_held(
    stuck: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fortydays.cluster.link._SECONDS_TO_LEAVE", 0.1)
    head = Head()
    link = Link(answers=head.answers, lost=lambda: LostClusterError("It is gone."), seconds_between_looks=0.02)
    left: list[Any] = []

    def leave() -> None:
        stuck()
        left.append(True)

    link.close(leave)
    assert left == []
    time.sleep(0.1)
    before = head.asked
    time.sleep(0.2)
    assert head.asked == before  # nobody asks any more


def test_a_lost_cluster_is_told_with_what_is_kept_and_how_to_go_on() -> None:
    own, other = lost_cluster(Place(workers=2)), lost_cluster(Place(address="192.0.2.7:6379"))
    assert own.message == "The cluster on this machine has ended by itself."
    assert other.message == "The cluster 192.0.2.7:6379 does not answer any more."
    for error in (own, other):
        assert error.exit_code == 1
        assert error.hint.startswith("What is done is kept. ")
        assert "give the same command again" in error.hint.lower()
