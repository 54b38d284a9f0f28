"""How much memory is left to this process in its container."""

import contextlib
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_NO_LIMIT = 2**60
"""Bytes from which on a limit is none: the first version of control groups has no word for it."""


def left_in_container(groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS) -> int | None:
    """Bytes that may be taken before Linux ends a process of this container; None where no limit is known.

    What the system keeps of files, and can give up at any time, counts as free. ``groups`` are the control groups, of
    version 1 or 2; the file ``own`` names those of this process.
    """
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for line in own.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                base, names = groups, ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                base = groups / "memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            # A container may see its own group as the top, under the name that it has outside.
            place = base / path.strip("/")
            for folder in (place, *place.parents):
                if folder.is_relative_to(base):
                    found += _left(folder, *names)
    return max(0, min(found)) if found else None


def _left(folder: Path, limit: str, used: str, free: str) -> list[int]:
    with contextlib.suppress(OSError, ValueError):  # the topmost group has no limit, and "max" is no number
        most = int((folder / limit).read_text("ascii"))
        told = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text("ascii").splitlines())
        if most < _NO_LIMIT:
            return [most - int((folder / used).read_text("ascii")) + int(told.get(free, "0"))]
    return []
