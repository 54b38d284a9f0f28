"""The folder in which one run of a study keeps its state, and how an interrupted one is found again.

    <workspace>/runs/<run id>/
        run.json                  what was asked for, what it is a function of, and how far it has come
        run.lock                  held by the process that works on it; the system frees it when that process dies
        trials/<variant>-seed<k>/ checkpoint.npz while training; then result.json, weights.npz, predictions.npz
        probes/<variant>.json     what was found out about the variant beside its trials
        model.keras               of the best trial by validation accuracy
        evidence.json             once every trial has ended
        track.json                what the tracker has been told; with track.lock and track.log owned by ``track``

``result.json`` is written last in a trial and ``evidence.json`` last in a run: where they exist, all else does.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import StorageError, UsageError, unknown_name

RUN_SCHEMA_VERSION = 1
_FIELDS = {"run_id", "day", "name", "request", "identity", "state", "created"}
_RUN_ID = re.compile(r"[a-z0-9-]{1,80}")


class RunState(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    FAILED = "failed"  # every trial ended, at least one of them without a result


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """One run of a study on disk."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's name, which is its folder's."""
        return self.path.name

    @property
    def lock(self) -> Path:
        """The lock file that its process holds."""
        return self.path / "run.lock"

    @property
    def evidence(self) -> Path:
        """The evidence document."""
        return self.path / "evidence.json"

    @property
    def best_model(self) -> Path:
        """The model of the best trial by validation accuracy, as Keras saves it."""
        return self.path / "model.keras"

    @property
    def tracking(self) -> Path:
        """What the tracker has been told."""
        return self.path / "track.json"

    def trial(self, folder: str) -> "TrialFolder":
        """The folder of one trial."""
        return TrialFolder(path=self.path / "trials" / folder)

    def trial_of(self, variant: str, seed: int) -> "TrialFolder":
        """The folder of the trial of a variant, by its name, with a seed."""
        return self.trial(f"{variant_folder(variant)}-seed{seed}")

    def trials(self) -> list["TrialFolder"]:
        """The trials begun so far, by name; damaged ones that were set aside are left out."""
        parent = self.path / "trials"
        found = sorted(parent.iterdir()) if parent.is_dir() else []
        return [TrialFolder(path=p) for p in found if p.is_dir() and ".damaged-" not in p.name]

    def read(self) -> dict[str, Any]:
        """The content of ``run.json``.

        Raises:
            StorageError: it is missing, damaged, or of another schema version.
        """
        document = files.read_json(self.path / "run.json")
        if (
            document.get("schema_version") != RUN_SCHEMA_VERSION
            or not document.keys() >= _FIELDS
            or document["state"] not in set(RunState)
        ):
            raise StorageError(f"{self.path / 'run.json'} is damaged or was written by another version of fortydays.")
        return document

    def update(self, **changes: Any) -> dict[str, Any]:
        """Change some fields of ``run.json``, atomically. Returns the new content."""
        document = {**self.read(), **changes, "updated": clock.timestamp()}
        files.write_json(self.path / "run.json", document)
        return document

    def state(self) -> RunState:
        """How far the run has come; one that no process works on any more is interrupted."""
        state = RunState(self.read()["state"])
        if state is RunState.RUNNING and not self.is_held():
            return RunState.INTERRUPTED
        return state

    def is_held(self) -> bool:
        """Whether a process works on the run now."""
        return files.is_held(self.lock)


@dataclass(frozen=True, kw_only=True)
class TrialFolder:
    """One trial of a run on disk."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.path / "checkpoint.npz"

    @property
    def result(self) -> Path:
        """What the trial gave, as in the evidence."""
        return self.path / "result.json"

    @property
    def weights(self) -> Path:
        """The model's variables as kept."""
        return self.path / "weights.npz"

    @property
    def predictions(self) -> Path:
        """The probabilities on the test split."""
        return self.path / "predictions.npz"


def variant_folder(variant: str) -> str:
    """The name of a variant as part of a file name."""
    return variant.replace(" ", "-")


def create_run(
    runs: Path, *, day: int | None, name: str, request: dict[str, Any], identity: dict[str, Any]
) -> RunFolder:
    """Make the folder of a new run of a day, or with day None of a study of one's own, and write its ``run.json``.

    Raises:
        StorageError: the workspace cannot be written.
    """
    stamp = clock.utc_now().strftime("%Y%m%d-%H%M%S")
    label = f"day{day:02}" if day is not None else name
    folder = RunFolder(path=runs / f"{label}-{stamp}-{secrets.token_hex(2)}")
    files.make_folder(folder.path)
    files.write_json(
        folder.path / "run.json",
        {
            "schema_version": RUN_SCHEMA_VERSION,
            "run_id": folder.run_id,
            "day": day,
            "name": name,
            "request": request,
            "identity": identity,
            "state": str(RunState.RUNNING),
            "created": clock.timestamp(),
            "updated": clock.timestamp(),
        },
    )
    return folder


def list_runs(runs: Path) -> list[RunFolder]:
    """The runs of a workspace that can be read, oldest first; damaged ones are left out (see damaged_runs)."""
    return [folder for folder, _ in _readable(runs)]


def damaged_runs(runs: Path) -> list[RunFolder]:
    """The runs whose ``run.json`` cannot be read. They are named to the reader and left where they are."""
    return [folder for folder, document in _documents(runs) if document is None]


def find_run(runs: Path, run_id: str) -> RunFolder:
    """The run with this id, or with this beginning where only one has it.

    Raises:
        UsageError: there is none, or several.
    """
    known = [folder.run_id for folder in list_runs(runs)]
    matching = [r for r in known if r == run_id] or [r for r in known if run_id and r.startswith(run_id)]
    if len(matching) > 1:
        raise UsageError(f"Several runs begin with {run_id!r}.", hint=f"One of: {', '.join(matching[-10:])}.")
    if not matching or not _RUN_ID.fullmatch(matching[0]):
        raise unknown_name("run", run_id, known[-10:])
    return RunFolder(path=runs / matching[0])


def latest_evidence(runs: Path, name: str, *, day: int | None) -> RunFolder | None:
    """The newest run of a day, or of a study of one's own (day None), that has evidence; None where there is none."""
    of_study = [run for run, document in _readable(runs) if (document["day"], document["name"]) == (day, name)]
    return next((run for run in reversed(of_study) if run.evidence.exists()), None)


def unfinished_run(runs: Path, *, name: str, day: int | None, request: dict[str, Any]) -> RunFolder | None:
    """The newest run of this day or study with this very request, if it has not ended."""
    for folder, document in reversed(_readable(runs)):
        if (document["day"], document["name"], document["request"]) == (day, name, request):
            return folder if document["state"] in (RunState.RUNNING, RunState.INTERRUPTED) else None
    return None


def earlier_looks(runs: Path, name: str, day: int | None, request: dict[str, Any], identity: dict[str, Any]) -> int:
    """In how many runs that have ended the claims of this request were judged with a part of its seeds.

    Runs of other code, data or settings are not counted, nor those of another workspace or that were removed. The same
    seeds again tell nothing new: only runs before the first with these seeds count.
    """
    seeds, others = set(request["seeds"]), {**request, "seeds": None}
    same = [
        sorted(document["request"]["seeds"])
        for _, document in _readable(runs)
        if (document["day"], document["name"], document["identity"]) == (day, name, identity)
        and {**document["request"], "seeds": None} == others
        and document["state"] == RunState.FINISHED
        and seeds.intersection(document["request"]["seeds"])
        and len(document["request"]["seeds"]) > 1  # one seed decides nothing
    ]
    before = same[: same.index(sorted(seeds))] if sorted(seeds) in same else same
    return len({tuple(each) for each in before})


def _readable(runs: Path) -> list[tuple[RunFolder, dict[str, Any]]]:
    """The runs that can be read with their ``run.json``, oldest first."""
    found = [(folder, document) for folder, document in _documents(runs) if document is not None]
    return sorted(found, key=lambda each: (each[1]["created"], each[0].run_id))


def _documents(runs: Path) -> Iterator[tuple[RunFolder, dict[str, Any] | None]]:
    with files.storage_errors("read", runs):
        paths = sorted(runs.iterdir()) if runs.is_dir() else []
    for folder in [RunFolder(path=path) for path in paths if files.exists(path / "run.json")]:
        try:
            yield folder, folder.read()
        except StorageError:
            yield folder, None
