"""``python guard.py PARENT PROGRAM ARGUMENTS``: runs another program, which ends when the process PARENT does.

To be started by that process, in a session of its own: the whole session is ended. Run as a file and without the
package, so that it starts in the blink of an eye.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 5.0


def main(arguments: list[str]) -> int:
    """Run the program ``arguments[1:]``. Returns its exit status."""
    try:
        program = subprocess.Popen(arguments[1:])
    except OSError as error:
        sys.stderr.write(f"{arguments[1]} cannot be run: {error.strerror}\n")
        return 127
    # A process whose parent has ended is given another one.
    while os.getppid() == int(arguments[0]):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.wait(_SECONDS_BETWEEN_LOOKS)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    time.sleep(_SECONDS_TO_END)
    os.killpg(0, signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
