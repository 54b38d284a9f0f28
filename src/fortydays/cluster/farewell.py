"""``python farewell.py MESSAGE``: says a message where the process that holds its standard input ends without leave.

Where a node of Ray ends, Ray ends the processes that are connected to it from inside: no line of Python runs any more.
So another process says why. Run as a file and without the package, as it starts with every command on a cluster.
"""

import sys

FAREWELL = b"."
"""What a process writes that ends as it should."""


def main(arguments: list[str]) -> int:
    """Wait for the end of the process, and say ``arguments[0]`` where it has not taken its leave."""
    if sys.stdin.buffer.read() != FAREWELL:
        shown_again = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar has hidden the cursor
        sys.stderr.write(f"{shown_again}\n{arguments[0]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
