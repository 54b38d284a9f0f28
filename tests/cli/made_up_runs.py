"""Runs in a workspace that no study ever made, for tests of the commands that show runs."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

import made_up

BEEF, CAFE = "day04-20261122-135800-beef", "day04-20261122-145800-cafe"


def make_run(
    workspace: Path, run_id: str, *, evidence: dict[str, Any] | None = None, done: int | None = None, **changes: Any
) -> Path:
    """Make the folder of a run of day 4, finished where there is evidence. Returns the folder."""
    folder = workspace / "runs" / run_id
    document = {
        "schema_version": 1,
        "run_id": run_id,
        "day": 4,
        "name": "regularization",
        "request": {"seeds": [0, 1, 2, 3, 4], "only": [], "settings": [], "engine": "compiled"},
        "identity": {"recipes": {name: {} for name in made_up.VARIANTS}},
        "state": "running" if evidence is None else "finished",
        "created": "2026-11-22T13:58:00Z",
        "updated": "2026-11-22T14:03:11Z",
    }
    document.update(changes)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(document))
    trials = evidence["trials"] if evidence else made_up.evidence()["trials"]
    for trial in trials[: len(trials) if done is None else done]:
        path = folder / "trials" / f"{trial['variant'].replace(' ', '-')}-seed{trial['seed']}"
        path.mkdir(parents=True)
        (path / "result.json").write_text(json.dumps(trial))
    if evidence is not None:
        (folder / "evidence.json").write_text(json.dumps(evidence | {"run_id": run_id}))
    return folder


def publish(folder: Path, evidence: dict[str, Any]) -> None:
    """Write the published evidence of day 4 into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "day04.json").write_text(json.dumps(evidence | {"run_id": "the-published-run"}))


def longest_line(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)
