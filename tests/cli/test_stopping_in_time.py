import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fortydays.cli.stopping import GRACE_SECONDS, stopping_in_time

# PyDLL keeps the interpreter's lock, CDLL gives it away: native code of the second kind is what compiles networks.
BUSY = """
import ctypes, sys
from fortydays.cli.stopping import stopping_in_time
with stopping_in_time(lambda: "The last words."):
    print("ready", flush=True)
    libc = ctypes.CDLL(None)
    for _ in range(20):
        libc.usleep(1_000_000) if False else libc.sleep(30)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_native_code_that_does_not_listen_is_left_within_two_seconds(number, code):
    program = BUSY.replace("libc.usleep(1_000_000) if False else libc.sleep(30)", "block(libc)").replace(
        "import ctypes, sys",
        # The signal itself ends a sleep; a wait that begins again each time stands for code that never looks.
        "import ctypes, signal, sys\n"
        "def block(libc):\n"
        "    libc.sigfillset(mask); libc.pthread_sigmask(0, mask, None); libc.sleep(30)\n"
        "mask = ctypes.create_string_buffer(128)\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert err == "The last words.\n"
    assert process.returncode == code
    assert GRACE_SECONDS <= time.monotonic() - began < 5


def test_a_program_that_asked_for_json_is_told_the_last_words_as_json():
    program = """
import os, signal, sys, time
from fortydays.cli.stopping import stopping_in_time
sys.argv = ["forty", "run", "1", "--json"]
signal.signal(signal.SIGINT, lambda *_: None)  # which would be the ordinary way
with stopping_in_time(lambda: "Stopped.\\nContinue with: forty run 1 --json"):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 130
    told = {"code": 130, "message": "Stopped.", "hint": "Continue with: forty run 1 --json"}
    assert json.loads(done.stderr) == {"error": told}


def test_a_stop_that_python_would_print_and_forget_ends_the_process_all_the_same():
    program = """
import os, signal, time
from fortydays.cli.stopping import stopping_in_time
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
class Wrong:
    def __del__(self):
        raise ValueError("told as ever")
with stopping_in_time(lambda: "The last words."):
    Wrong()
    Finalized()
    time.sleep(20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 130
    assert "ValueError: told as ever" in done.stderr
    assert "KeyboardInterrupt" not in done.stderr
    assert done.stderr.endswith("The last words.\n")


def test_a_stop_that_comes_in_time_is_the_ordinary_one():
    with pytest.raises(KeyboardInterrupt), stopping_in_time(lambda: "not said"):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_afterwards_signals_are_as_they_were():
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with stopping_in_time(lambda: "not said"):
        assert signal.set_wakeup_fd(-1) != before
    assert signal.set_wakeup_fd(-1) == before
