"""The only place that reads the clock, so that everything else can be a function of its arguments."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def timestamp() -> str:
    """The current moment as ISO 8601 text, such as ``2026-11-22T14:03:11Z``."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def iso(seconds_since_1970: float) -> str:
    """A moment as ISO 8601 text, as :func:`timestamp` writes it."""
    return datetime.fromtimestamp(int(seconds_since_1970), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since_1970() -> float:
    """The current moment as :func:`iso` takes it."""
    return time.time()


def seconds() -> float:
    """A clock for durations, in seconds, that never goes back."""
    return time.perf_counter()


def cpu_seconds() -> float:
    """Seconds that this thread has computed, for differences only. Time in which others had the core is not in it."""
    return time.thread_time()
