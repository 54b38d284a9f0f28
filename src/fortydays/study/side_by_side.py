"""Two engines side by side: this program as it is, and as it was at another revision, asked to train the same trials.

Each gets a folder with the sources of its own, which nobody edits meanwhile, and a process that loads them from there;
both processes run the same file, :mod:`fortydays.study.first_epochs`. They end with this process, however it ends.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.revision import write_files_of
from fortydays.base.settings import Settings

PARTS: Mapping[str, str] = {
    "data": "the training and validation images",
    "precision": "the precision",
    "end": "how the trial ended",
    "history": "the history",
    "variables": "the variables",
    "optimizer": "the optimizer's variables",
    "stopping": "the state of early stopping",
    "best": "the best epoch's variables",
    "kept": "the variables that are kept",
    "probabilities": "the probabilities on the validation split",
    "evaluation": "loss and accuracy on the validation split",
    "measures": "the study's own measures",
}
"""What is compared, in this order, and what a message calls it."""

PACKAGE = Path(__file__).parent.parent
"""The folder of this program's package, which the checkout may have had otherwise at another commit."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The sources of this program at one moment.

    Attributes:
        sources: the folder that holds the package.
        commit: that they are of, or "" for today's.
    """

    sources: Path
    commit: str = ""

    @property
    def name(self) -> str:
        """What a message calls it."""
        return f"the engine of {self.commit[:12]}" if self.commit else "today's engine"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an engine is asked to train.

    Attributes:
        study: the study's file, below the package: "days/day01_first_network/study.py".
        backend: to compute on.
        threads: to compute with.
        seed: of the trials.
        epochs: after how many to stop.
        variants: the recipe of each by its name, with the fields that evidence has.
        examples: how many training examples they see, the first ones; None for all. Of the validation split, a tenth
            as many.
    """

    study: str
    backend: str
    threads: int
    seed: int
    epochs: int
    variants: Mapping[str, Mapping[str, Any]]
    examples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Digests:
    """Which engine, and which study, an engine's process has loaded."""

    engine: str
    study: str


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How far a trial has come."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The first epochs of a trial, trained.

    Attributes:
        epochs: how many; one that failed is counted.
        parts: digests and words by the names of :data:`PARTS`; a part that such a trial does not have is missing.
    """

    epochs: int
    parts: Mapping[str, str]


class EngineFailedError(FortydaysError):
    """An engine's process did not come to its end."""


@contextlib.contextmanager
def place_of_engines(settings: Settings) -> Iterator[Path]:
    """A folder in the workspace for the sources of engines, as long as the block runs.

    Raises:
        UsageError: another process compares engines in this workspace.
        StorageError: it cannot be made.
    """
    parent = settings.workspace / "engines"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(parent / "lock", timeout=0))
        except TimeoutError:
            raise UsageError(
                f"Another process compares two engines in {parent}.",
                hint="Wait for it, or set FORTYDAYS_HOME to another folder.",
            ) from None
        files.remove_leftovers(parent)
        yield stack.enter_context(files.temporary_folder(parent, "sources"))


def engine_of(commit: str, place: Path) -> Engine:
    """The engine as it was at a commit of this program's checkout.

    Args:
        commit: as :func:`fortydays.base.revision.find_commit` gives it.
        place: a folder from :func:`place_of_engines`.

    Raises:
        UsageError: the commit has no such package.
        StorageError: its sources cannot be read or written.
    """
    engine = Engine(sources=place / commit, commit=commit)
    write_files_of(commit, engine.sources / PACKAGE.name)
    return engine


def engine_of_today(place: Path) -> Engine:
    """This program's own engine, copied, so that it stays what it is while it is compared.

    Raises:
        StorageError: its sources cannot be read or written.
    """
    engine = Engine(sources=place / "today")
    with files.storage_errors("copy", PACKAGE):
        shutil.copytree(PACKAGE, engine.sources / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return engine


@contextlib.contextmanager
def asked(engine: Engine, request: Request, settings: Settings) -> Iterator[Iterator[Digests | Steps | Trained]]:
    """What an engine tells as it does what it is asked; its process ends with the block.

    First :class:`Digests`; then for each variant any number of :class:`Steps` and one :class:`Trained`. To go on to
    the next raises EngineFailedError where the process cannot give it.

    Args:
        engine: the sources to load.
        request: what to train.
        settings: of the reader: where the datasets are.

    Raises:
        StorageError: the request cannot be written.
    """
    package = engine.sources / PACKAGE.name
    files.write_json(
        engine.sources / "request.json",
        {**dataclasses.asdict(request), "package": str(package)},
    )
    said = engine.sources / "standard-error"
    with files.storage_errors("write", said), said.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PACKAGE / "study/first_epochs.py"), str(engine.sources / "request.json")],
            env=_environment(engine, request, settings),
            # Nothing is ever written: the end of its input tells the process that this one is gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        )
    try:
        yield _events(process, engine, said)
    finally:
        _end(process)


def loaded(engine: Engine, request: Request, settings: Settings) -> Digests:
    """Which engine, and which study, these sources are, by their own account; nothing is trained.

    Raises:
        EngineFailedError: they have no such study, or cannot be loaded.
        StorageError: the request cannot be written.
    """
    with asked(engine, dataclasses.replace(request, variants={}), settings) as events:
        for event in events:
            if isinstance(event, Digests):
                return event
    raise EngineFailedError(f"The process of {engine.name} ended without a word.")


def first_difference(then: Trained, now: Trained) -> str | None:
    """The first part in which two engines' epochs differ, in words; None where they are equal in every bit."""
    for name in [*PARTS, *sorted({*then.parts, *now.parts} - {*PARTS})]:
        if then.parts.get(name) != now.parts.get(name):
            return PARTS.get(name, name)
    return None if then.epochs == now.epochs else "the number of epochs"


def _environment(engine: Engine, request: Request, settings: Settings) -> dict[str, str]:
    paths = filter(None, [str(engine.sources), os.environ.get("PYTHONPATH")])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "KERAS_BACKEND": request.backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "FORTYDAYS_HOME": str(settings.workspace),
        "FORTYDAYS_DATASETS": str(settings.datasets),
        "FORTYDAYS_MIRROR": str(settings.mirror or ""),
        "FORTYDAYS_OFFLINE": "1" if settings.offline else "",
        "FORTYDAYS_THREADS": str(request.threads),
    }


def _events(process: "subprocess.Popen[str]", engine: Engine, said: Path) -> Iterator[Digests | Steps | Trained]:
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if "failure" in event:
            raise EngineFailedError(
                f"With {engine.name} nothing can be compared: {event['failure']}", hint=event["hint"]
            )
        if "engine" in event:
            yield Digests(engine=event["engine"], study=event["study"])
        elif "parts" in event:
            yield Trained(epochs=event["epochs"], parts=event["parts"])
        else:
            yield Steps(done=event["done"], total=event["total"])
    status = process.wait()
    if status:
        with files.storage_errors("read", said):
            last = " ".join(said.read_text("utf-8", "replace").split())[-300:]
        raise EngineFailedError(f"The process of {engine.name} ended with status {status}: {last}")


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()  # it has nothing that would be lost
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
