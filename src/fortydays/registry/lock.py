"""The locks of models: one process at a time changes what an alias of a model names.

MLflow has no locks. But no two models of it can have the same name, so the one who makes the model ``NAME.lock`` holds
the lock of NAME, for as long as the model bears his token.
"""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from fortydays.base import clock, files, process
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.text import printable
from fortydays.registry.asking import EXISTS, asking, found
from fortydays.registry.names import check_name
from fortydays.track.store import Store, refused_as

_LOCK_TAG = "fortydays.lock"
_SECONDS_FOR_LOCK = 60.0


class BusyError(FortydaysError):
    """Someone else is changing the same model."""


class Locks:
    """The locks of one tracking store, which is open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tokens: dict[str, str] = {}  # of the locks that are held, by model

    @contextlib.contextmanager
    def held(self, name: str, *, doing: str) -> Iterator[None]:
        """Hold the lock of a model while doing something. Raises BusyError where someone else holds it.

        Nobody waits: the second one is told what the first does.
        """
        check_name(name)
        token = secrets.token_hex(8)
        # Of two on this machine that find the same dead holder, one takes over and the other finds it alive.
        try:
            with files.locked(
                self._store.destination.artifacts.parent / "registry" / "lock", timeout=_SECONDS_FOR_LOCK
            ):
                self._acquire(name, {**process.identity(), "since": clock.timestamp(), "doing": doing, "token": token})
        except TimeoutError:
            raise BusyError("Another process of this machine has held up the registry for too long.") from None
        self._tokens[name] = token
        try:
            yield
        finally:
            del self._tokens[name]
            # What was done is done. A lock that stays behind is taken over when this process has ended.
            with contextlib.suppress(FortydaysError):
                if (self._holder(name) or {}).get("token") == token:
                    self._release(name)

    def remove(self, name: str, *, force: bool = False) -> bool:
        """Remove the lock of a model whose holder is gone, or with force any lock. Returns whether there was one.

        Raises BusyError where its holder is at work, or on another machine, of which nothing is known here.
        """
        check_name(name)
        holder = self._holder(name)
        if holder is None:
            return False
        if not force and not process.has_ended(holder):
            raise BusyError(
                f"{name!r} is locked: {_in_words(holder)}.",
                hint=f"If you know that it is gone: forty models unlock {name} --force",
            )
        self._release(name)
        return True

    def check(self, name: str) -> None:
        """Refuse to go on where the lock of a model is not held here, or not any more. Raises BusyError."""
        holder = self._holder(name)
        if name not in self._tokens or holder is None or holder.get("token") != self._tokens[name]:
            raise BusyError(
                f"Someone has taken the lock of {name!r} away; nothing was moved.",
                hint="See what there is, and try again: forty models show " + name,
            )

    def _acquire(self, name: str, mine: Mapping[str, Any]) -> None:
        for _ in range(3):
            try:
                with asking(self._store):
                    self._store.client.create_registered_model(_lock_name(name), tags={_LOCK_TAG: json.dumps(mine)})
                return
            except FortydaysError as error:
                if not refused_as(error, EXISTS):
                    raise
            holder = self._holder(name)
            if holder is None:
                continue
            if holder.get("token") == mine["token"]:
                return  # made the first time it was asked for; only the answer was lost
            if not process.has_ended(holder):
                raise BusyError(
                    f"{name!r} is being changed by another process: {_in_words(holder)}.",
                    hint="Wait until it has ended and try again. "
                    f"If it is gone and left this behind: forty models unlock {name} --force",
                )
            self._release(name)
        raise BusyError(f"{name!r} is being changed by other processes.", hint="Try again.")

    def _release(self, name: str) -> None:
        with asking(self._store):
            self._store.client.delete_registered_model(_lock_name(name))

    def _holder(self, name: str) -> dict[str, Any] | None:
        """Who holds a lock, or None. Raises UsageError where another program made a model of that name."""
        lock = found(self._store, self._store.client.get_registered_model, _lock_name(name))
        if lock is None:
            return None
        if _LOCK_TAG not in lock.tags:
            raise UsageError(
                f"The registry has a model {_lock_name(name)!r} that another program made, so {name!r} cannot be "
                "locked.",
                hint="Register under another name: --name NAME",
            )
        try:
            told = json.loads(lock.tags[_LOCK_TAG])
        except ValueError:
            told = {}
        return told if isinstance(told, dict) and told else {"doing": "something unknown"}


def _lock_name(name: str) -> str:
    return f"{name}.lock"  # a dot is in no model's name


def _in_words(holder: Mapping[str, Any]) -> str:
    doing, pid, host, since = (printable(str(holder.get(key, "?")))[:100] for key in ("doing", "pid", "host", "since"))
    return f"{doing}, process {pid} on {host}, since {since}"
