"""Where the evidence that a reader means is found: their own latest run, the published one, or a file."""

import contextlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.study import evidence
from fortydays.study.runs import RunFolder, RunState, find_run, latest_evidence, list_runs

if TYPE_CHECKING:
    from fortydays.days.journey import Day
    from fortydays.report.results import Results


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a command's DAY argument names, as it was typed: a day, or a study file of one's own (day None).

    Runs of it have its name.
    """

    text: str
    name: str
    day: "Day | None"

    @property
    def words(self) -> str:
        """For messages: "Day 4, Overfitting and regularization," or "The study sizes"."""
        return f"Day {self.day.number}, {self.day.title}," if self.day else f"The study {self.name}"

    @property
    def argument(self) -> str:
        """How to name it in a command."""
        return str(self.day.number) if self.day else shlex.quote(self.text)

    @property
    def file_name(self) -> str:
        """How files about it are named, such as "day04"."""
        return f"day{self.day.number:02}" if self.day else self.name


@dataclass(frozen=True, kw_only=True)
class Found:
    """Evidence and where it is from: "your run day04-..." or "published", which the package's own is."""

    evidence: dict[str, Any]
    source: str
    published: bool = False


def find_subject(text: str) -> Subject:
    """What a DAY argument names: a day by number or name, or a study file by its path.

    Raises:
        UsageError: there is no such day.
    """
    if text.endswith(".py"):
        from fortydays.days.loading import study_name

        return Subject(text=text, name=study_name(Path(text)), day=None)
    from fortydays.days.journey import find_day

    day = find_day(text)
    return Subject(text=text, name=day.slug, day=day)


def find_evidence(subject: Subject, settings: Settings, *, only_published: bool) -> Found | None:
    """The reader's own latest evidence, else (or always) the published one, or None where there is none.

    Raises:
        StorageError: the evidence is damaged.
    """
    number = subject.day.number if subject.day else None
    if not only_published:
        run = latest_evidence(settings.runs, subject.name, day=number)
        if run is not None:
            return Found(evidence=_evidence_or_aside(run), source=f"your run {run.run_id}")
    document = evidence.published().read(number) if number is not None else None
    return None if document is None else Found(evidence=document, source="published", published=True)


def need_evidence(subject: Subject, settings: Settings, *, only_published: bool) -> Found:
    """As :func:`find_evidence`, but evidence must be there.

    Raises:
        UsageError: there is none; the hint says how to make it.
        StorageError: the evidence is damaged.
    """
    from fortydays.days.journey import is_ready

    found = find_evidence(subject, settings, only_published=only_published)
    if found is not None:
        return found
    if subject.day is not None and not is_ready(subject.day):
        raise UsageError(f"{subject.words} is still to come.", hint="`forty list` shows the days that are ready.")
    if subject.day is None and not files.is_file(Path(subject.text)):
        raise UsageError(f"There is no study file {subject.text}, and no run of a study named {subject.name!r}.")
    which = "published evidence" if only_published else "evidence yet"
    raise UsageError(f"{subject.words} has no {which}.", hint=f"Make your own: forty run {subject.argument}")


def evidence_of_run(runs: Path, text: str) -> Found:
    """The evidence of a run, or of a file whose name ends in ``.json``.

    Args:
        runs: the workspace's folder of runs.
        text: the run's id or the beginning of it, a day by number or name for its latest run, or the file.

    Raises:
        UsageError: there is no such run, several begin so, or it has no evidence.
        StorageError: the evidence is damaged.
    """
    if text.endswith(".json"):
        return Found(evidence=evidence.read_evidence(Path(text)), source=text)
    run = _find_run(runs, text)
    if files.exists(run.evidence):
        return Found(evidence=_evidence_or_aside(run), source=f"your run {run.run_id}")
    if is_without_evidence(run):
        raise UsageError(f"The run {run.run_id} has no evidence: it was damaged.", hint=train_again(run))
    hint = f"Continue it: {_command(run)}"
    raise UsageError(f"The run {run.run_id} has no evidence yet: it is {run.state()}.", hint=hint)


def _find_run(runs: Path, text: str) -> RunFolder:
    """A run by its id or the beginning of it, or the latest one of a day; one with evidence comes first."""
    from fortydays.days.journey import find_day

    with contextlib.suppress(UsageError):
        day = find_day(text)
        of_day = [run for run in list_runs(runs) if run.read()["day"] == day.number]
        if of_day:
            return latest_evidence(runs, day.slug, day=day.number) or of_day[-1]
    known = [run.run_id for run in list_runs(runs)]
    matching = [run_id for run_id in known if text and run_id.startswith(text)]
    if len(matching) > 1 and text not in known:
        raise UsageError(f"Several runs begin with {text!r}.", hint=f"Name one of them: {', '.join(matching[-10:])}.")
    return find_run(runs, text)


def is_without_evidence(run: RunFolder) -> bool:
    """Whether a run has ended and its evidence, found damaged, is no longer there."""
    return run.state() in (RunState.FINISHED, RunState.FAILED) and not files.exists(run.evidence)


def train_again(run: RunFolder) -> str:
    """What to do about a run whose evidence is damaged."""
    return f"It must be trained again, with: {_command(run)}"


def _command(run: RunFolder) -> str:
    document = run.read()
    return command_of(document["request"], day=document["day"], name=str(document["name"]))


def _evidence_or_aside(run: RunFolder) -> dict[str, Any]:
    """The evidence of a reader's own run; where it is damaged, it is kept under another name and the reader told."""
    try:
        return evidence.read_evidence(run.evidence)
    except StorageError as error:
        if not files.exists(run.evidence):
            raise
        aside = files.set_aside(run.evidence)
        raise StorageError(
            f"{error.message} It is kept as {aside.name} in that folder.",
            hint=f"{train_again(run)}\nUntil then your run before it is shown, or the published evidence.",
        ) from error


def run_command(results: "Results") -> str:
    """The command that makes the same evidence again."""
    names = ("seeds", "only", "settings", "engine")
    asked = {name: getattr(results, name) for name in names} | {"examples": results.tried_on}
    return command_of(asked, day=results.day, name=results.name)


def command_of(request: object, *, day: object, name: str) -> str:
    """The command of a request as kept in a run or its evidence; what is not as it should be is left out."""
    asked: Mapping[str, Any] = request if isinstance(request, Mapping) else {}
    lists = {key: value for key, value in asked.items() if isinstance(value, list | tuple)}
    words = ["forty", "run", str(day) if isinstance(day, int) else f"{name}.py"]
    if seeds := list(lists.get("seeds", ())):
        # Seeds that begin elsewhere than at 0 were asked for as a range, or the range is the same.
        in_a_row = isinstance(seeds[0], int) and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
        words += ["--seeds", f"{seeds[0]}-{seeds[-1]}" if in_a_row and seeds[0] else str(len(seeds))]
    for key, option in (("only", "--only"), ("settings", "--set")):
        for value in lists.get(key, ()):
            words += [option, str(value)]
    if asked.get("engine", "compiled") != "compiled":
        words += ["--engine", str(asked["engine"])]
    if isinstance(asked.get("examples"), int):
        words += ["--examples", str(asked["examples"])]
    return shlex.join(words)
