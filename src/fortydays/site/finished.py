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
from fortydays.report.typesetting import check_packages, typeset
from fortydays.site.kept import stale_kept
from fortydays.study import evidence as documents
from fortydays.study.design import Exhibit, Study
from fortydays.study.verification import damage_named, stale_parts


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
        StaleEvidenceError: evidence, or a file that a page computes with, is not current, as far as can be told
            without computing.
        StorageError: evidence is missing or damaged.
        MissingPackagesError: what typesets formulas is not installed.
    """
    check_packages()
    ready = [day for day in JOURNEY if is_ready(day)]
    found = {day.number: read_evidence(day) for day in ready}
    stale = {}
    progress.start("Evidence", total=float(len(ready)), unit="days")
    for done, day in enumerate(ready, 1):
        stale[day.number] = _reasons(day, found[day.number], threads)
        progress.advance("Evidence", done=float(done))
    progress.finish("Evidence", note=f"{counted(len(ready), 'day')} checked")
    told = [
        f"{documents.published().path(number)}: {'; '.join(reasons)}" for number, reasons in stale.items() if reasons
    ]
    if told:
        numbers = [str(number) for number, reasons in stale.items() if reasons]
        raise StaleEvidenceError(
            "\n".join(["The site shows current evidence only, and this is not:", *told]),
            hint=f"What it is about: forty verify {' '.join(numbers)}. An edited file: git restore evidence. "
            "Else train and publish: forty run DAY --publish",
        )
    if strange := stale_kept(found):
        raise StaleEvidenceError(
            "\n".join(["Pages of the site compute with files that do not belong to the evidence:", *strange]),
            hint="Get an edited file again: git restore evidence. Or make them anew in a clone: make pages",
        )
    return [finished_day(day, found[day.number]) for day in ready]


def finished_day(day: Day, evidence: Mapping[str, Any]) -> FinishedDay:
    """A day with its evidence, whatever that is.

    Raises:
        StorageError: the evidence is damaged, or a file of the day cannot be read.
        UsageError: the notes name what the evidence has not, or a formula cannot be typeset.
        MissingPackagesError: what typesets formulas is not installed.
    """
    notes, where = read_notes(day), folder(day)
    assert where is not None
    text = ""
    if notes:
        filled = render_notes(notes.text, evidence, file=notes.file)
        text = to_html(filled, read_figures(day), formula=typeset)
    with files.storage_errors("read", where / "study.py"):
        source = (where / "study.py").read_text("utf-8")
    with damage_named(documents.published().path(day.number)):
        results = read_results(evidence)
    return FinishedDay(day=day, results=results, notes=text, source=source)


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
    with damage_named(documents.published().path(day.number)):
        return [*stale_parts(evidence, study), *redrawn(study, evidence)]


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
