"""A process that modes of files hold for, as they hold for an ordinary user, also where root runs the tests."""

import ctypes
import os
import subprocess
import sys

import pytest

# linux/prctl.h and linux/capability.h
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def run_without_rights(code: str, *arguments: str) -> str:
    """What Python code prints that may not pass over the modes of files. It keeps its user, and so its checkout."""
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root cannot give up its rights here")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False,
        preexec_fn=_drop if os.geteuid() == 0 else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _drop() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) and libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "root could not give up a right")
