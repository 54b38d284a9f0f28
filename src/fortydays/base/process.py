"""Who this process is, and whether another one still runs: for locks that outlive the process that took them."""

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LARGEST_PID = 2**22  # Linux's own limit; macOS's is lower


def identity() -> dict[str, Any]:
    """What tells this process from every other one, as JSON values.

    A number alone does not: it is given again, and two machines, or two containers of one, have the same ones.
    """
    return {"host": socket.gethostname(), "space": _space(), "pid": os.getpid(), "started": _started(os.getpid())}


def has_ended(process: Mapping[str, Any]) -> bool:
    """Whether a process is known to run no more; False where that cannot be told from here.

    Args:
        process: what :func:`identity` gave in it.
    """
    pid = process.get("pid")
    if (process.get("host"), process.get("space")) != (socket.gethostname(), _space()):
        return False
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid <= _LARGEST_PID:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it runs, as another user
        return False
    return bool(process.get("started")) and process["started"] != _started(pid)


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
