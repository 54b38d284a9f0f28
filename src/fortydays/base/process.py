"""Who this process is and whether another one still runs; processes that end with the one that started them.

Also locks whose waiters are told for whom they wait.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from fortydays.base import files
from fortydays.base.text import printable

_LARGEST_PID = 2**22  # Linux's own limit; macOS's is lower
PARENT = "FORTYDAYS_PARENT"
"""The environment variable with the number of the process that its children are to end with."""

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 5.0
_SECONDS_WITHOUT_A_WORD = 2.0
_LONGEST_COMMAND = 200

_BEFORE_END: list[Callable[[], None]] = []


def identity() -> dict[str, Any]:
    """What tells this process from every other one, as JSON values.

    A number alone does not: it is given again, and two machines, or two containers of one, have the same ones.
    """
    return {"host": socket.gethostname(), "space": _space(), "pid": os.getpid(), "started": _started(os.getpid())}


def has_ended(process: Mapping[str, Any]) -> bool:
    """Whether a process is known to run no more; False where that cannot be told from here."""
    pid = process.get("pid")
    if (process.get("host"), process.get("space")) != (socket.gethostname(), _space()):
        return False
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid <= _LARGEST_PID:
        return False
    if not _runs(pid):
        return True
    return bool(process.get("started")) and process["started"] != _started(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # as another user
    return True


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment for a process of this program that is to end when this one does.

    The entry of that process calls :func:`end_with_parent`.
    """
    return {**os.environ, **more, PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """Have this process end with the one that has started it, however that one ends, if that one has asked for it.

    The entry of each process that this program starts of itself calls it: with :func:`child_environment`, or as a
    worker of ``multiprocessing``.

    Raises:
        SystemExit: it has ended already.
    """
    told, parent = os.environ.pop(PARENT, ""), os.getppid()
    if "multiprocessing" in sys.modules:  # it takes time to load, and a worker of it has it loaded
        import multiprocessing

        starter = multiprocessing.parent_process()
        told = str(starter.pid) if starter else told
    if not told:
        return
    if told != str(parent) and not _runs(int(told)):
        raise SystemExit(1)
    threading.Thread(target=_end_after, args=(parent,), daemon=True, name="end with parent").start()


def guarded(command: Sequence[str]) -> list[str]:
    """The command line of another program that is to end with this process. To be started in a session of its own."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), str(os.getpid()), *command]


@contextlib.contextmanager
def before_end(do: Callable[[], None]) -> Iterator[None]:
    """While the block runs, have something done before :func:`end` ends this process in the middle of it."""
    _BEFORE_END.append(do)
    try:
        yield
    finally:
        _BEFORE_END.remove(do)


def end(code: int) -> NoReturn:
    """End this process now, without tearing native libraries down: only what :func:`before_end` names is done."""
    for do in reversed(_BEFORE_END):
        with contextlib.suppress(Exception):
            do()
    os._exit(code)


def _end_after(parent: int) -> None:
    # A process whose parent has ended is given another one.
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(os.getpid(), number)
        time.sleep(_SECONDS_TO_END)


@contextlib.contextmanager
def locked(path: Path, *, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock file. Another holder is waited for as long as it lives: the system frees the lock when it dies.

    Args:
        path: the lock file. It holds who has the lock, for those who wait.
        waiting: told once, after two seconds, for whom this process waits: its command and its number.

    Raises:
        StorageError: the lock file cannot be created.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(path, timeout=_SECONDS_WITHOUT_A_WORD))
        except TimeoutError:
            waiting(_holder(path))
            stack.enter_context(files.locked(path))
        # In place: a renamed file would be another one than the waiters have open. Without it they wait all the same.
        with contextlib.suppress(OSError):
            path.write_text(json.dumps({"pid": os.getpid(), "command": _command()}), "utf-8")
        yield


def _command() -> str:
    """This process's command line, shortened."""
    program, *arguments = sys.argv or [""]
    name = "forty" if Path(program).stem == "__main__" else Path(program).name
    return printable(shlex.join([name, *arguments]))[:_LONGEST_COMMAND]


def _holder(path: Path) -> str:
    """Who holds a lock file, in words."""
    try:
        told = json.loads(path.read_bytes()[:4096])
        return f"{printable(str(told['command']))[:_LONGEST_COMMAND]} (process {int(told['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _space() -> str:
    """The start of the machine and the set of process numbers in it, where the system tells them."""
    boot, numbers = "", ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        numbers = str(Path("/proc/self/ns/pid").readlink())
    return f"{boot} {numbers}".strip()


def _started(pid: int) -> str:
    """When a process started, in the system's own count; "" where it does not tell."""
    with contextlib.suppress(OSError, IndexError):
        # Field 22 of proc(5), counted after the name, which may hold spaces itself.
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    return ""
