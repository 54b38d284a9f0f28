import subprocess
import sys
import time

from fortydays.base import clock

LATE = """
import time
time.sleep(0.3)
from fortydays.base import clock
print(clock.seconds_since_start())
"""


def test_a_process_runs_longer_than_its_clock_is_loaded() -> None:
    if not sys.platform.startswith("linux"):
        return
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert 0.29 <= float(done.stdout) <= time.perf_counter() - began + 0.05


def test_it_goes_on() -> None:
    first = clock.seconds_since_start()
    time.sleep(0.02)
    assert clock.seconds_since_start() - first >= 0.0


def test_where_the_system_does_not_tell_it_counts_from_the_import(monkeypatch) -> None:
    monkeypatch.setattr(clock, "Path", lambda _: (_ for _ in ()).throw(OSError("no such file")))
    assert 0.0 < clock.seconds_since_start() <= time.perf_counter()
