"""The log of requests: a row that no column takes costs itself and nothing else."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.serve.log import RequestLog, Row


def row(**changes: Any) -> Row:
    usual: dict[str, Any] = {
        "time": 1.0, "request": "r", "model": "m", "version": 1, "label": "3", "confidence": 0.5,
        "inputs": {"image": np.full((2, 2), 7, np.uint8)}, "milliseconds": 1.0,
    }  # fmt: skip
    return Row(**(usual | changes))


def kept(path: Path, rows: list[Row], **options: Any) -> tuple[list[str], int]:
    """The requests of which the file has a row afterwards, and how many were dropped."""
    dropped: list[int] = []
    log = RequestLog(path, most_rows=100, dropped=dropped.append, **options)
    for each in rows:
        log.add(each)
    log.close()
    connection = sqlite3.connect(path)
    found = [request for (request,) in connection.execute("SELECT request FROM requests ORDER BY id")]
    connection.close()
    return found, sum(dropped)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2**70}, {"label": "\ud800"}, {"model": "\udcff"}, {"confidence": float("nan")},
        {"time": float("inf")}, {"milliseconds": float("nan")}, {"shadow": (2**70, "a", 0.5)}, {"request": [1]},
        {"inputs": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_written_is_dropped_alone(tmp_path: Path, wrong: dict[str, Any]) -> None:
    if wrong.get("inputs"):
        wrong = {"inputs": {"image": np.zeros((0, 0), np.uint8)}}  # of which there is no mean
    rows = [row(request="before"), row(**{"request": "wrong"} | wrong), row(request="after")]
    assert kept(tmp_path / "log.sqlite", rows) == (["before", "after"], 1)


def test_the_thread_goes_on_after_it(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite", most_rows=100)
    log.add(row(version=2**70))
    time.sleep(0.8)  # it was written for itself
    log.add(row(request="later"))
    log.close()
    assert kept(tmp_path / "log.sqlite", []) == (["later"], 0)


def test_it_is_its_owners_alone_and_has_no_journal_that_can_damage_it(tmp_path: Path) -> None:
    kept(tmp_path / "serve" / "log.sqlite", [row()], keep_images=True)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "serve").rglob("*")} == {0o600}
    if sqlite3.sqlite_version_info < (3, 51, 3):
        connection = sqlite3.connect(tmp_path / "serve" / "log.sqlite")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        connection.close()
