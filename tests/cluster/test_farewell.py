"""What is said where a command on a cluster ends without a line of its own."""

import subprocess
import sys

import pytest

from fortydays.cluster import farewell


def said_after(*written: bytes) -> str:
    """What the process says when another one has written that, and has ended."""
    command = [sys.executable, "-I", "-S", farewell.__file__, "Error: The cluster has ended."]
    done = subprocess.run(command, input=b"".join(written), capture_output=True, check=True)
    assert done.stdout == b""
    return done.stderr.decode()


def test_one_that_takes_its_leave_is_silent() -> None:
    assert said_after(farewell.FAREWELL) == ""


@pytest.mark.parametrize("written", [b"", b"half a line"])
def test_one_that_ends_from_inside_has_a_message(written: bytes) -> None:
    assert said_after(written) == "\nError: The cluster has ended.\n"


LAST = """
import os
from fortydays.base import process
from fortydays.cluster.connection import _last_words
from fortydays.cluster.place import Place

with _last_words(Place(address="192.0.2.7:6379")):
    {end}
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [("pass", ""), ("process.end(130)", ""), ("os._exit(1)", "The cluster 192.0.2.7:6379 has ended, or")],
    ids=["ordinary", "stopped in time", "from inside"],
)
def test_a_command_that_ray_ends_has_last_words(end: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAST.format(end=end)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.stderr) == bool(said)
    assert said in done.stderr
