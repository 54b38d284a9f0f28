"""What a drill works with: a fresh workspace, a random generator, features, commands, and parts that run beside.

Whatever a drill has started is ended when it is over, however it ends, and its workspace is removed.
"""

import contextlib
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.process import guarded
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data.arrays import Dataset
from fortydays.study.drills import Drill

if TYPE_CHECKING:
    from fortydays.study.features import AnyFeatures
    from fortydays.study.frozen import Frozen

LONGEST_COMMAND = 300.0
"""Seconds that a command may take, unless a drill says otherwise."""

_SECONDS_TO_END = 10.0
DECIMALS = 6
"""Of the numbers that a drill gives for each test example, as evidence keeps them."""

_SECONDS_BETWEEN_POLLS = 0.05
_MOST_SAID = 100_000
_OF_THE_READER = ("MLFLOW_TRACKING_URI", "FORTYDAYS_DATASETS", "FORTYDAYS_TOKEN", "FORTYDAYS_TOKEN_FILE")
"""Variables that lead out of the fresh workspace, or into the reader's service."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A program that runs beside a drill. Its process leads a group of its own, and all that it says is in the log."""

    command: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """The last 100,000 bytes of what it has said so far."""
        with files.storage_errors("read", self.log), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _MOST_SAID))
            return file.read().decode("utf-8", "replace")

    def wait_for(self, pattern: str, *, seconds: float = 60.0) -> re.Match[str]:
        """Wait until it says what matches the regular expression ``pattern``, at most so many seconds.

        Raises:
            FortydaysError: it has ended, or has not said it in that time.
        """
        until = clock.seconds() + seconds
        while True:
            ended = self.process.poll() is not None  # looked up first: what it said before it ended is read
            if found := re.search(pattern, self.said()):
                return found
            if ended or clock.seconds() > until:
                why = "has ended" if ended else f"has not said {pattern!r} within {seconds:g} s"
                raise FortydaysError(f"{self.command} {why}. It said: {shown(self.said()[-500:])}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_SECONDS_BETWEEN_POLLS)

    def end(self) -> None:
        """End it and all that it has started: first asked to, then killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: PermissionError for a zombie
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_SECONDS_TO_END)


class Bench:
    """What a drill is given for one seed.

    Attributes:
        seed: of this repetition.
        dataset: the study's, or None where it has none.
        random: a generator made from the seed. All that a drill chooses at random comes from it.
        settings: of a fresh, empty workspace. A reader's datasets, runs, models and tracking server are not in it; the
            mirror is the reader's.
        say: tells the reader what is being done, in a few words.
        parts: the programs that were started beside the drill.
    """

    def __init__(
        self,
        *,
        seed: int,
        settings: Settings,
        say: Callable[[str], None],
        dataset: Dataset | None = None,
        lasting: Settings | None = None,
    ) -> None:
        self.seed, self.settings, self.say, self.dataset = seed, settings, say, dataset
        self._lasting = lasting or settings
        self.random = np.random.default_rng(seed)
        self.parts: list[Part] = []

    def learned_from(self, features: "AnyFeatures") -> "tuple[Dataset, Frozen]":
        """The study's dataset with features in the place of its examples, and the network that makes them.

        They are computed once for all drills and seeds, and kept in the reader's own workspace.

        Raises:
            UsageError: the study has no dataset, or its examples are none that features can be made of.
            DataError: the weights of the network cannot be had, or there is no room for the features.
            StorageError: the workspace cannot be written.
        """
        from fortydays.study.features import with_features_of

        if self.dataset is None:
            raise UsageError("The study has no dataset, so there are no features.", hint="Set dataset= in the study.")
        self.say(f"features by {features.title}")
        return with_features_of(self.dataset, features, self._lasting)

    def forty(self, *arguments: str, seconds: float = LONGEST_COMMAND) -> subprocess.CompletedProcess[str]:
        """Run a command of this program in the fresh workspace, to its end.

        Args:
            arguments: as one types them after ``forty``.
            seconds: that it may take.

        Returns:
            With its exit code, and what it wrote as text.

        Raises:
            FortydaysError: it took longer; it has been killed.
        """
        command = shlex.join(["forty", *arguments])
        self.say(command)
        with self._begun(["forty", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise FortydaysError(f"{command} was not done within {seconds:g} s.") from None
            finally:
                # Also where it has ended itself: something that it left behind may still hold its output.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def start(self, *command: str) -> Part:
        """Start a program that runs beside the drill, such as a service. It is ended when the drill is over.

        Args:
            command: the program and its arguments. The program ``forty`` is this one.

        Raises:
            StorageError: its log cannot be written.
        """
        self.say(shlex.join(command))
        log = files.make_folder(self.settings.workspace / "parts") / f"{len(self.parts) + 1}.log"
        with files.storage_errors("write", log), log.open("wb") as output:
            process = self._begun(command, stdout=output, stderr=subprocess.STDOUT)
        part = Part(command=shlex.join(command), process=process, log=log)
        self.parts.append(part)
        return part

    def _begun(self, command: Sequence[str], **streams: Any) -> "subprocess.Popen[Any]":
        program = [sys.executable, "-m", "fortydays"] if command[0] == "forty" else [command[0]]
        ours = {name: value for name, value in os.environ.items() if name not in _OF_THE_READER}
        mirror = self.settings.mirror
        return subprocess.Popen(
            guarded([*program, *command[1:]]),
            env={
                **ours,
                "FORTYDAYS_HOME": str(self.settings.workspace),
                "FORTYDAYS_THREADS": str(self.settings.threads),
                "FORTYDAYS_OFFLINE": "1" if self.settings.offline else "",
                "FORTYDAYS_MIRROR": str(mirror) if mirror else "",
                "PYTHONUNBUFFERED": "1",  # what a part says is waited for
            },
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **streams,
        )


@contextlib.contextmanager
def a_bench(
    *, seed: int, settings: Settings, say: Callable[[str], None], dataset: Dataset | None = None
) -> Iterator[Bench]:
    """A bench with a fresh workspace; when the block ends, its parts are ended and the workspace is removed.

    ``settings`` are the reader's. The fresh workspace is a temporary folder in theirs.

    Raises:
        StorageError: the temporary folder cannot be created.
    """
    with files.temporary_folder(settings.workspace / "drills", "bench") as folder:
        fresh = replace(settings, workspace=folder, datasets=folder / "datasets", tracking_uri="", service_token="")
        bench = Bench(seed=seed, settings=fresh, say=say, dataset=dataset, lasting=settings)
        try:
            yield bench
        finally:
            for part in reversed(bench.parts):
                part.end()


def carry_out(
    drill: Drill, *, seed: int, settings: Settings, say: Callable[[str], None], dataset: Dataset | None = None
) -> dict[str, Any]:
    """Carry out a drill once, with the arguments of :func:`a_bench`.

    Returns:
        ``status, error, metrics, by_example, train_seconds`` of the trial. The status is "failed" where the drill has
        raised an exception, or has given other metrics than it declares, or something that is no finite number.

    Raises:
        StorageError: there is no place for a workspace.
    """
    metrics: dict[str, float] = {}
    by_example: dict[str, list[float]] = {}
    error = ""
    with a_bench(seed=seed, settings=settings, say=say, dataset=dataset) as bench:
        began = clock.seconds()
        try:
            metrics, by_example = checked(drill, drill.do(bench))
        except FortydaysError as raised:
            error = raised.message
        except (Exception, SystemExit) as raised:  # a procedure of a reader's: its failure is a result
            error = f"{type(raised).__name__}: {raised}"
        seconds = clock.seconds() - began
    status = "failed" if error else "finished"
    found = {"status": status, "error": error, "metrics": metrics, "train_seconds": seconds}
    return {**found, "by_example": by_example} if by_example else found


def checked(drill: Drill, found: object) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What a drill has given, as numbers in the order in which it declares them.

    Returns:
        Each metric, and, of those that were given as an array, the numbers for each test example. Such a metric is
        their mean. They are rounded to :data:`DECIMALS` digits first.

    Raises:
        FortydaysError: it gave something else.
    """
    names = [metric.name for metric in drill.measured]
    if not isinstance(found, Mapping):
        raise FortydaysError(
            f"The drill gave {type(found).__name__}; expected a number for each of {', '.join(names)}."
        )
    for name in found:
        if name not in names:
            raise unknown_name("metric", str(name), names, of=f"the drill {drill.name!r}")
    missing = [name for name in names if name not in found]
    if missing:
        raise FortydaysError(f"The drill gave no {' and no '.join(missing)}; expected a number for each metric.")
    numbers: dict[str, float] = {}
    by_example: dict[str, list[float]] = {}
    for name in names:
        given = found[name]
        if isinstance(given, np.ndarray) and given.ndim == 1 and given.size and given.dtype.kind in "bif":
            by_example[name] = np.round(given.astype(np.float64), DECIMALS).tolist()
            given = np.mean(by_example[name])
        try:
            numbers[name] = float(given)
        except (TypeError, ValueError):
            numbers[name] = math.nan
        if not math.isfinite(numbers[name]):
            raise FortydaysError(f"The drill gave {shown(repr(found[name]))} as {name}; expected a finite number.")
    return numbers, by_example
