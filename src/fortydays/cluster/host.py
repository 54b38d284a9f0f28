"""``python host.py PARENT FOLDER PROGRAM ARGUMENTS``: a cluster of one's own, which ends when the process PARENT does.

However that one ends, no process of the cluster goes on, and the folder with its files goes. Run as a file and without
the package, so that it starts in the blink of an eye, and in a session of its own, so that Ctrl-C does not reach it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_SECONDS_BETWEEN_LOOKS = 0.2
_MOST_LOOKS = 20


def main(arguments: list[str]) -> int:
    """Run the program ``arguments[2:]``. Returns its exit status."""
    parent, folder, command = int(arguments[0]), arguments[1], arguments[2:]
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: asked.append(number))
    with (Path(folder) / "start.log").open("wb") as log:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    # A process whose parent has ended is given another one.
    while os.getppid() == parent and not asked and program.poll() is None:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    # Asked to end, Ray waits half a minute for parts that have ended already. Nothing is lost: it keeps nothing.
    for _ in range(_MOST_LOOKS):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.poll()
        if not _kill_session(program.pid):
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if asked or os.getppid() != parent:  # otherwise who has started it reads what went wrong
        shutil.rmtree(folder, ignore_errors=True)
    return program.wait()


def _kill_session(session: int) -> bool:
    """Kill what is left of a session, where the system lists processes: Ray gives workers a group of their own.

    Returns:
        Whether there was any.
    """
    found = False
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            state = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
            if os.getsid(pid) == session and state != "Z":
                os.kill(pid, signal.SIGKILL)
                found = True
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
