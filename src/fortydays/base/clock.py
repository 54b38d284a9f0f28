"""The only place that reads the clock, so that everything else can be a function of its arguments."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def timestamp() -> str:
    """The current moment as ISO 8601 text, such as ``2026-11-22T14:03:11Z``."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds() -> float:
    """A clock for durations, in seconds, that never goes back."""
    return time.perf_counter()
