"""The log of requests: a row that no column takes costs itself and nothing else."""

import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fortydays.serve.log import RequestLog, Seen


def seen(**changes: Any) -> Seen:
    of_bundle: dict[str, Any] = {"name": "m", "version": 1, "classes": ("2", "3")}
    usual: dict[str, Any] = {
        "time": 1.0, "request": "r", "inputs": {"image": np.full((1, 2, 2), 7, np.uint8)},
        "probabilities": np.array([[0.4, 0.6]], np.float32), "milliseconds": 1.0,
    }  # fmt: skip
    of_bundle |= {name: changes.pop(name) for name in of_bundle if name in changes}
    return Seen(bundle=cast(Any, SimpleNamespace(**of_bundle)), **(usual | changes))


def kept(path: Path, requests: list[Seen], **options: Any) -> tuple[list[str], int]:
    """The requests of which the file has a row afterwards, and how many were dropped."""
    dropped: list[int] = []
    log = RequestLog(path, most_rows=100, dropped=dropped.append, **options)
    for each in requests:
        log.add(each)
    log.close()
    connection = sqlite3.connect(path)
    found = [request for (request,) in connection.execute("SELECT request FROM requests ORDER BY id")]
    connection.close()
    return found, sum(dropped)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2**70}, {"classes": ("", "\ud800")}, {"name": "\udcff"}, {"time": float("inf")},
        {"probabilities": np.array([[np.nan, np.nan]], np.float32)}, {"milliseconds": float("nan")},
        {"shadow": (SimpleNamespace(version=2**70, classes=("a",)), np.ones((1, 1), np.float32))}, {"request": [1]},
        {"inputs": {"image": np.zeros((1, 0, 0), np.uint8)}},  # of which there is no mean
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_written_is_dropped_alone(tmp_path: Path, wrong: dict[str, Any]) -> None:
    requests = [seen(request="before"), seen(**{"request": "wrong"} | wrong), seen(request="after")]
    assert kept(tmp_path / "log.sqlite", requests) == (["before", "after"], 1)


def test_the_thread_goes_on_after_it(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite", most_rows=100)
    log.add(seen(version=2**70))
    time.sleep(0.8)  # it was written for itself
    log.add(seen(request="later"))
    log.close()
    assert kept(tmp_path / "log.sqlite", []) == (["later"], 0)


def test_it_is_its_owners_alone_and_has_no_journal_that_can_damage_it(tmp_path: Path) -> None:
    kept(tmp_path / "serve" / "log.sqlite", [seen()], keep_images=True)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "serve").rglob("*")} == {0o600}
    if sqlite3.sqlite_version_info < (3, 51, 3):
        connection = sqlite3.connect(tmp_path / "serve" / "log.sqlite")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        connection.close()
