"""A shell that asks ``forty`` how a line could go on."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("forty rea", ["read"]),
        ("forty rep", ["report", "reproduce"]),
        ("forty data ver", ["verify", "versions"]),
        ("forty list --j", ["--json"]),
    ],
)
def test_commands_and_options_are_completed(line: str, expected: list[str]) -> None:
    asked = {"_FORTY_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "fortydays"], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, expected, "")


def test_help_tells_how_to_install_it() -> None:
    done = subprocess.run([sys.executable, "-m", "fortydays", "--help"], capture_output=True, text=True, check=False)
    assert "--install-completion" in done.stdout
