"""Getting one file over HTTP from a server that may be slow, broken or wrong.

The bytes are gathered beside the target under a temporary name and continued, not restarted, when a connection
breaks (RFC 9110, sections 13.1.5 and 14: ``Range`` with ``If-Range``, so that a file that changed meanwhile starts
anew). The target's name appears when the length is right. Whether the content is right is for a digest to say.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from fortydays.base import clock, files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.progress import Progress

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

_CHUNK_BYTES = 2**16
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})")


class SourceFailedError(DataError):
    """One place could not give a file; the next one is tried."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the program is with places."""

    connect_seconds: float = 5.0  # for a public address to be reached at all, name look-up included
    stall_seconds: float = 20.0  # without a single byte, after which a download is given up and tried again
    whole_seconds: float = 3600.0  # for one file
    tries: int = 3
    back_off_seconds: float = 1.0  # before the second try; three times as long before each further one
    package_seconds: float = 900.0  # for a package client to do its work


PATIENT = Limits()


class _BrokenOffError(Exception):
    """A download ended early, in a way that another try may mend."""


def download(address: str, target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:
    """Download ``address`` to ``target``, continuing what an earlier call left behind.

    Raises:
        SourceFailedError: the server cannot be reached, refuses, or breaks off each try.
        StorageError: the disk refuses.
    """
    if files.exists(target):
        return
    import requests

    deadline = clock.seconds() + limits.whole_seconds
    _check_reachable(address, limits.connect_seconds)
    task = target.name
    attempt = _Attempt(address=address, target=target, max_bytes=max_bytes, limits=limits, deadline=deadline)
    answered = False
    with requests.Session() as session:
        session.max_redirects = 5
        for count in range(1, limits.tries + 1):
            try:
                attempt.run(session, progress)
                return
            except _BrokenOffError as error:
                answered, failure = True, str(error)
            except requests.ReadTimeout:
                answered, failure = True, f"no answer for {limits.stall_seconds:g} s"
            except requests.ConnectionError as error:
                # Where nobody ever answered, the next source is a better bet than another try.
                if not answered:
                    raise SourceFailedError(f"cannot be reached: {_root(error)}") from error
                failure = f"the connection was lost ({_root(error)})"
            except requests.RequestException as error:
                raise SourceFailedError(f"{address}: {_root(error)}") from error
            if count == limits.tries:
                break
            progress.say(f"{task}: {failure}; try {count + 1} of {limits.tries}.")
            pause = limits.back_off_seconds * 3 ** (count - 1)
            time.sleep(max(0.0, min(pause, deadline - clock.seconds())))
    raise SourceFailedError(f"{address}: {failure}; gave up after {limits.tries} tries")


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    address: str
    target: Path
    max_bytes: int
    limits: Limits
    deadline: float

    def run(self, session: "requests.Session", progress: Progress) -> None:
        """Ask for what is missing, once."""
        have, validator = self._left_behind()
        # Encoded bytes would have another length, and could unfold into many times their size.
        headers = {"Accept-Encoding": "identity", "User-Agent": "fortydays"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        patience = (self.limits.connect_seconds, self.limits.stall_seconds)
        with session.get(self.address, headers=headers, stream=True, timeout=patience) as response:
            keep = self._kept(response, have)
            length = response.headers.get("Content-Length", "")
            total = keep + int(length) if length.isdecimal() else None
            if total is not None and total > self.max_bytes:
                raise SourceFailedError(f"{self.address} offers {total:,} bytes, expected at most {self.max_bytes:,}")
            if not keep:
                note = {"address": self.address, "validator": _validator(response), "total": total}
                files.write_json(_note_of(self.target), note)
            progress.start(self.target.name, total=total, unit="bytes")
            try:
                done = self._write(response, keep, progress)
            finally:
                progress.finish(self.target.name)
            if total is not None and done != total:
                raise _BrokenOffError(f"the server sent {done:,} of {total:,} bytes")
        files.complete_part(self.target)
        files.remove(_note_of(self.target))

    def _left_behind(self) -> tuple[int, str]:
        """How many bytes an earlier try got, and what identifies the file they belong to; (0, "") if unusable."""
        part = files.part_of(self.target)
        try:
            note = files.read_json(_note_of(self.target))
            have = part.stat().st_size
        except (StorageError, OSError):
            return 0, ""
        validator, total = note.get("validator"), note.get("total")
        usable = note.get("address") == self.address and isinstance(validator, str) and validator
        if not usable or not isinstance(total, int) or not 0 < have < total:
            return 0, ""
        return have, str(validator)

    def _kept(self, response: "requests.Response", have: int) -> int:
        """How many of the bytes we have the answer continues."""
        status = response.status_code
        if self.address.startswith("https:") and not response.url.startswith("https:"):
            raise SourceFailedError(f"{self.address} leads to {response.url}, which is not encrypted")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise SourceFailedError(f"{self.address}: the server encoded the file, which was not asked for")
        if status == 206 and have:
            told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if told and int(told[1]) == have and int(told[2]) == files.read_json(_note_of(self.target))["total"]:
                return have
            files.remove(files.part_of(self.target))
            raise _BrokenOffError("the server sent another range than was asked for")
        if status == 200:
            return 0
        if status == 416 and have:
            files.remove(files.part_of(self.target))
            raise _BrokenOffError("the server cannot continue the file")
        if status == 429 or status >= 500:
            raise _BrokenOffError(f"the server answered {status} {response.reason}")
        raise SourceFailedError(f"{self.address}: the server answered {status} {response.reason}")

    def _write(self, response: "requests.Response", keep: int, progress: Progress) -> int:
        import urllib3

        done = keep
        with files.extended_part(self.target, keep=keep) as part:
            try:
                for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                    done += len(chunk)
                    if done > self.max_bytes:
                        raise SourceFailedError(f"{self.address} sends more than {self.max_bytes:,} bytes")
                    with files.storage_errors("write", self.target):
                        part.write(chunk)
                    progress.advance(self.target.name, done=done)
                    if clock.seconds() > self.deadline:
                        raise SourceFailedError(f"{self.address}: not finished within {self.limits.whole_seconds:g} s")
            except urllib3.exceptions.ReadTimeoutError as error:
                raise _BrokenOffError(
                    f"no byte came for {self.limits.stall_seconds:g} s after {done:,} bytes"
                ) from error
            except urllib3.exceptions.HTTPError as error:
                raise _BrokenOffError(f"the connection broke off after {done:,} bytes") from error
        return done


def _note_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part.json")


def _validator(response: "requests.Response") -> str:
    """What to send as If-Range: a strong ETag, else the date of the last change, else nothing."""
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return response.headers.get("Last-Modified", "")


def _check_reachable(address: str, seconds: float) -> None:
    """Fail soon where there is no network: the name look-up alone can block for minutes, whatever the time limit."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(address, get_environ_proxies(address))
    try:
        way = urlsplit(address if not proxy else proxy if "://" in proxy else f"http://{proxy}")
        host, port = way.hostname or "", way.port or (443 if way.scheme == "https" else 80)
    except ValueError:  # its text is not shown: it may quote a part of a password
        what = "the proxy's address" if proxy else "the address"
        raise SourceFailedError(f"{what} cannot be used; expected http://HOST:PORT") from None
    deadline = clock.seconds() + seconds
    try:
        places = _in_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)).result(seconds)
        # All addresses at once: one that nothing comes back from would use up the time of the next.
        tries = [_in_thread(partial(_connect, place, seconds)) for place in places]
        for each in as_completed(tries, timeout=max(0.0, deadline - clock.seconds())):
            if each.exception() is None:
                return
        tries[-1].result()
    except TimeoutError:
        failure = f"no answer within {seconds:g} s"
    except UnicodeError:
        failure = "its name is not one that a server can have"
    except OSError as error:
        failure = error.strerror or str(error)
    raise SourceFailedError(f"{f'the proxy {host} ' if proxy else ''}cannot be reached: {failure}")


def _connect(place: tuple[Any, ...], seconds: float) -> None:
    family, kind, protocol, _, address = place
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(seconds)
        connection.connect(address)


def _in_thread(task: Callable[[], T]) -> "Future[T]":
    """Start a task in a thread that is left to itself: the program can end before it does."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(task())
        except (OSError, UnicodeError) as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="reach").start()
    return future


def _root(error: BaseException) -> str:
    """The innermost reason of a nested network error, in a few words."""
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:200]
