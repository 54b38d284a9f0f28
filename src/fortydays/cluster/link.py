"""The link to a cluster: what is asked of Ray ends when the cluster has ended.

Where a cluster is gone, some calls of Ray wait for ever. Others wait for a minute, and then Ray ends the process that
has called. So one thread of the link makes all calls, and another asks the head node whether it is there. Who has
asked for a call waits for either.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

from fortydays.base import clock
from fortydays.base.errors import FortydaysError

Call = Callable[..., Any]
"""Calls a function with arguments, as :meth:`Link.call` does."""

SECONDS_OF_PATIENCE = 20.0
"""For how long a head node may give no answer before it counts as gone. Ray itself would wait a minute."""

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_LEAVE = 5.0


class LostClusterError(FortydaysError):
    """The cluster that the work was done on is gone."""


class _Call:
    """A call that was asked for, and what came of it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.is_done = False
        self.value: Any = None
        self.error: BaseException | None = None


class Link:
    """Makes calls to a cluster as long as it is there. To be closed.

    Args:
        answers: asks the head node; whether it has answered.
        has_ended: whether it is known that the cluster has ended; then nothing is waited for.
        lost: the error that the cluster is gone.
        seconds_between_looks: how often the head node is asked.
        patience: for how many seconds it may give no answer.
    """

    def __init__(
        self,
        *,
        answers: Callable[[], bool],
        lost: Callable[[], LostClusterError],
        has_ended: Callable[[], bool] = lambda: False,
        seconds_between_looks: float = _SECONDS_BETWEEN_LOOKS,
        patience: float = SECONDS_OF_PATIENCE,
    ) -> None:
        self.ray: Any = None
        self._answers, self._has_ended, self._lost_error = answers, has_ended, lost
        self._between, self._patience = seconds_between_looks, patience
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._look_now = threading.Event()
        self._end = threading.Event()
        self._looks = self._answered_look = 0
        self._is_lost = self._is_closed = False
        for work in (self._make_calls, self._watch):
            threading.Thread(target=work, name=f"cluster {work.__name__}", daemon=True).start()

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What a function returns that talks to the cluster.

        Raises:
            LostClusterError: the cluster is gone.
            BaseException: what the function raises while the cluster is there.
        """
        asked = _Call(lambda: function(*arguments, **named))
        with self._changed:
            if self._is_lost:
                raise self._lost_error()
            self._calls.put(asked)
            self._changed.wait_for(lambda: asked.is_done or self._is_lost)
        if not asked.is_done:
            raise self._lost_error()
        if asked.error is None:
            return asked.value
        # A cluster that ends lets its workers die first, and Ray tells that in many ways.
        if isinstance(asked.error, Exception) and self.is_gone():
            raise self._lost_error() from asked.error
        raise asked.error

    def is_gone(self) -> bool:
        """Whether the cluster is gone: the head node is asked now, and as long as it may give no answer."""
        with self._changed:
            next_look = self._looks + 1  # one that is under way says nothing about this moment
            self._look_now.set()
            self._changed.wait_for(lambda: self._is_lost or self._is_closed or self._answered_look >= next_look)
            return self._is_lost

    def close(self, leave: Callable[[], None]) -> None:
        """End the link.

        Args:
            leave: takes leave of the cluster. Where that is not done within seconds, it is not waited for.
        """
        asked = _Call(leave)
        self._calls.put(asked)
        self._calls.put(None)
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: asked.is_done, _SECONDS_TO_LEAVE)
        self._look_now.set()
        self._end.set()

    def _make_calls(self) -> None:
        while (asked := self._calls.get()) is not None:
            try:
                asked.value = asked.function()
            except BaseException as error:  # whoever has asked gets it
                asked.error = error
            with self._changed:
                asked.is_done = True
                self._changed.notify_all()
            del asked

    def _watch(self) -> None:
        heard = clock.seconds()
        while not self._is_closed and not self._is_lost:
            with self._changed:
                self._looks += 1
                self._look_now.clear()
            has_ended = self._has_ended()
            has_answered = not has_ended and self._answers()
            if has_answered:
                heard = clock.seconds()
            with self._changed:
                if has_answered:
                    self._answered_look = self._looks
                self._is_lost = has_ended or clock.seconds() - heard >= self._patience
                self._changed.notify_all()
            # One that gives no answer is not asked more often because somebody wants to know.
            (self._look_now if has_answered else self._end).wait(self._between)
