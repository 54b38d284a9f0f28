"""The days that the site shows: those that are ready, each with published evidence that is current."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import counted
from fortydays.days.journey import JOURNEY, Day, folder, is_ready
from fortydays.days.loading import find_study, load_study
from fortydays.report.notes import read_figures, read_notes, render_notes, to_html
from fortydays.report.results import Results, read_results
from fortydays.study import evidence as documents
from fortydays.study.design import Exhibit, Study
from fortydays.study.verification import stale_parts


class StaleEvidenceError(FortydaysError):
    """Published evidence is not what the program, its data and its own numbers say."""

    exit_code = ExitCode.NOT_MET


@dataclass(frozen=True, kw_only=True)
class FinishedDay:
    """A day with what its page is made of: results, notes as HTML, and the source of its study."""

    day: Day
    results: Results
    notes: str
    source: str

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"days/{self.day.number:02}-{self.day.slug}.html"


def finished_days(*, threads: int, progress: Progress = SILENT) -> list[FinishedDay]:
    """All days that are ready.

    Args:
        threads: what Keras, which the studies import, will compute with.
        progress: is told which day is looked at.

    Raises:
        StaleEvidenceError: evidence is not current, as far as can be told without computing.
        StorageError: evidence is missing or damaged.
    """
    ready = [day for day in JOURNEY if is_ready(day)]
    found = {day.number: read_evidence(day) for day in ready}
    stale = {}
    progress.start("Evidence", total=float(len(ready)), unit="days")
    for done, day in enumerate(ready, 1):
        stale[day.number] = _reasons(day, found[day.number], threads)
        progress.advance("Evidence", done=float(done))
    progress.finish("Evidence", note=f"of {counted(len(ready), 'day')}")
    told = [
        f"{documents.published().path(number)}: {'; '.join(reasons)}" for number, reasons in stale.items() if reasons
    ]
    if told:
        numbers = [str(number) for number, reasons in stale.items() if reasons]
        raise StaleEvidenceError(
            "\n".join(["The site shows current evidence only, and this is not:", *told]),
            hint=f"What it is about: forty verify {' '.join(numbers)}. Train and publish it: forty run DAY --publish",
        )
    return [finished_day(day, found[day.number]) for day in ready]


def finished_day(day: Day, evidence: Mapping[str, Any]) -> FinishedDay:
    """A day with its evidence, whatever that is.

    Raises:
        StorageError: the evidence is damaged, or a file of the day cannot be read.
        UsageError: the notes name what the evidence has not.
    """
    notes, where = read_notes(day), folder(day)
    assert where is not None
    text = to_html(render_notes(notes.text, evidence, file=notes.file), read_figures(day)) if notes else ""
    with files.storage_errors("read", where / "study.py"):
        source = (where / "study.py").read_text("utf-8")
    return FinishedDay(day=day, results=read_results(evidence), notes=text, source=source)


def read_evidence(day: Day) -> dict[str, Any]:
    """The published evidence of a day that is ready.

    Raises:
        StorageError: it is missing or damaged.
    """
    found = documents.published().read(day.number)
    if found is None:
        path: Path = documents.published().path(day.number)
        raise StorageError(
            f"Day {day.number} is ready, but it has no published evidence: there is no {path}.",
            hint=f"Train and publish it: forty run {day.number} --publish",
        )
    return found


def _reasons(day: Day, evidence: Mapping[str, Any], threads: int) -> list[str]:
    study = load_study(find_study(str(day.number)), threads=threads).study
    try:
        return [*stale_parts(evidence, study), *redrawn(study, evidence)]
    except (KeyError, TypeError) as error:
        raise StorageError(f"{documents.published().path(day.number)} is damaged: it has no {error}.") from error


def redrawn(study: Study, evidence: Mapping[str, Any]) -> list[str]:
    """The pictures of all trials that are not what the trials give: those of one trial cannot be told without it."""
    recorded = {each["title"]: each for each in evidence["exhibits"]}
    reasons = []
    for overview in study.all_exhibits:
        if isinstance(overview, Exhibit) or not evidence["variants"].keys() >= set(overview.variants):
            continue
        if not _alike(recorded.get(overview.title), overview.make(evidence)):
            reasons.append(f"the picture {overview.title!r} is not what its trials give")
    return reasons


def _alike(recorded: Any, made: Any) -> bool:
    """Whether all that was made is recorded, but for the last digits, which depend on the version of NumPy."""
    if isinstance(made, Mapping):
        return isinstance(recorded, Mapping) and all(_alike(recorded.get(name), made[name]) for name in made)
    if isinstance(made, list):
        return isinstance(recorded, list) and len(recorded) == len(made) and all(map(_alike, recorded, made))
    if isinstance(made, float):
        return isinstance(recorded, int | float) and math.isclose(recorded, made, rel_tol=1e-9, abs_tol=1e-12)
    return bool(recorded == made)
