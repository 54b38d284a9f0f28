import os
import subprocess
import sys
from typing import Any

import pytest

from fortydays.base.process import has_ended, identity


def another(*, ended: bool) -> dict[str, Any]:
    program = (
        "import json, sys; from fortydays.base.process import identity; print(json.dumps(identity()), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    import json

    assert process.stdout is not None and process.stdin is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    if ended:
        process.communicate()
    else:
        _RUNNING.append(process)
    return told


_RUNNING: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def end_all() -> Any:
    yield
    while _RUNNING:
        _RUNNING.pop().communicate()


def test_this_process_and_another_that_runs_have_not_ended() -> None:
    assert identity()["pid"] == os.getpid()
    assert not has_ended(identity())
    assert not has_ended(another(ended=False))


def test_a_process_that_is_gone_has_ended() -> None:
    assert has_ended(another(ended=True))


@pytest.mark.parametrize("changed", ["host", "space"])
def test_of_a_process_elsewhere_nothing_can_be_told(changed: str) -> None:
    assert not has_ended({**another(ended=True), changed: "elsewhere"})


@pytest.mark.skipif(not identity()["started"], reason="the system does not tell when a process started")
def test_a_number_that_was_given_again_is_another_process() -> None:
    assert has_ended({**identity(), "started": "1"})


@pytest.mark.parametrize("pid", [None, 0, -1, 10**30, "7", True, 1.5])
def test_what_is_no_number_of_a_process_is_not_asked_about(pid: Any) -> None:
    assert not has_ended({**identity(), "pid": pid})
