"""From photographs or texts to a registered model: look, learn, calibrate, register, promote, find out its worth.

Every step keeps what it has done, so that the same request, given again, goes on where it stopped, and is over at once
where nothing has changed. The reader's folder is only ever read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.data.own.inspection import Inspection
from fortydays.fit import earlier
from fortydays.fit.examination import examine
from fortydays.fit.findings import Findings
from fortydays.fit.head import CalibratedHead, calibrated_head
from fortydays.fit.kinds import opened
from fortydays.fit.material import Content, Learner, Material
from fortydays.fit.phases import LEARNING, MISTAKES, Phases
from fortydays.fit.request import FitRequest
from fortydays.fit.study_file import write_study
from fortydays.registry.calibration import FEWEST_FOR_TEMPERATURE, FEWEST_FOR_THRESHOLD
from fortydays.registry.names import CHAMPION, Reference
from fortydays.registry.promotion import promote
from fortydays.registry.registration import register
from fortydays.study.runs import RunFolder

if TYPE_CHECKING:
    from fortydays.registry.registry import Registry


FEWEST_TO_TEST = 20
"""Examples to test on: of fewer, even if all are named rightly, the interval of the share is wider than 16 points."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came out: all that is shown, the run and its study, and the folder of what is kept of the material.

    ``reused`` is whether nothing had changed since an earlier fit, which this is. The notes are what the reader should
    know, a sentence each.
    """

    findings: Findings
    run: RunFolder
    study: Path
    inspection: Inspection
    collection: Path
    reused: bool
    notes: tuple[str, ...] = ()


Looked = Callable[[Inspection, Content], object]
"""Told, before anything is learned, what was found in the photographs or texts, with what they look like."""

RunStudy = Callable[[Path, bool], tuple[RunFolder, dict[str, Any]]]
"""Runs the study in a file, anew or from where it stopped; the command does that, with its tracker and its signals."""


def fit(
    request: FitRequest,
    settings: Settings,
    *,
    progress: Progress,
    run_study: RunStudy,
    registry: "Callable[[], Registry]",
    looked: Looked = lambda found, content: None,  # noqa: ARG005
) -> Fitted:
    """Learn to tell a reader's photographs, or texts, apart; ``registry`` opens the model registry.

    Raises:
        UsageError: an option does not fit.
        DataError: they cannot be used, weights cannot be had, or there is no room.
        FortydaysError: training or registering failed.
        StorageError: the workspace cannot be read or written.
    """
    phases = Phases(progress)
    with opened(request, settings, progress) as material:
        looked(material.inspection, material.content())
        _warn_of_few(material, progress)
        phases.done("looking")
        learner = material.learner(request, settings, progress)
        notes = list(learner.notes)
        study = write_study(learner.study_text(), request.name, settings)
        before = None if request.fresh else earlier.finished_run(study, learner.seeds, settings, progress)
        known = earlier.known_findings(before[0], material, progress) if before else None
        version = earlier.version_of(before[0], material, registry()) if before and known else None
        if before and known and version:
            run, findings = before[0], earlier.with_version(known, version)
        else:
            phases.plan(measured=earlier.last_seconds(material), kept=(LEARNING,) if before else ())
            # A fit that was stopped after its trials had ended goes on with them.
            run, evidence = before or run_study(study, request.fresh)
            phases.done(LEARNING)
            head = calibrated_head(study, run, evidence, settings, progress)
            notes += _not_calibrated(head, len(material.kept.of("validation")), material.NOUN)
            phases.done("calibrating")
            findings = _registered(head, learner, phases, registry, settings)
        return Fitted(
            findings=findings,
            run=run,
            study=study,
            inspection=material.inspection,
            collection=material.folder,
            reused=version is not None,
            notes=tuple(notes),
        )


def _not_calibrated(head: CalibratedHead, validated: int, noun: str) -> list[str]:
    """What is not done for want of examples to validate on, a sentence each."""
    there, notes = f"and there {'is' if validated == 1 else 'are'} {validated:,}", []
    if validated < FEWEST_FOR_TEMPERATURE:
        notes.append(
            f"Confidence is left as it is: at least {FEWEST_FOR_TEMPERATURE} validation {noun}s are needed to "
            f"calibrate it, {there}."
        )
    if head.unknown is None:
        notes.append(
            f"No answer will be “unknown”: at least {FEWEST_FOR_THRESHOLD} validation {noun}s are needed to find the "
            f"confidence below which it is, {there}."
        )
    return notes


def _warn_of_few(material: Material, progress: Progress) -> None:
    """Say before anything is learned that too few examples prove nothing."""
    total, tested = len(material.kept.contents), len(material.kept.of("test"))
    if tested < FEWEST_TO_TEST:
        progress.warn(
            f"{counted(total, material.NOUN)} {'is' if total == 1 else 'are'} very few: with {tested:,} to test on, "
            f"the results prove nothing. Of about {5 * FEWEST_TO_TEST}, {FEWEST_TO_TEST} are tested on."
        )


def _registered(
    head: CalibratedHead,
    learner: Learner,
    phases: Phases,
    registry: "Callable[[], Registry]",
    settings: Settings,
) -> Findings:
    """Register a head and try to promote it; all that is found out about it, written down."""
    progress, material = phases.progress, learner.material
    version = earlier.version_of(head.run, material, registry())
    if version is None:
        version = register(
            str(head.study),
            registry(),
            settings,
            progress=progress,
            variant=head.trial["variant"],
            name=material.model,
            run_id=head.run.run_id,
            temperature=head.temperature,
            confidence=head.confidence(),
        ).version
    phases.done("registering")
    reference = Reference(name=version.name, version=version.version)
    promotion = promote(reference, CHAMPION, registry(), settings, progress=progress)
    phases.done("gates")
    findings = examine(learner, head, promotion, settings, progress)
    phases.done(MISTAKES)
    findings = replace(findings, seconds=dict(phases.seconds))
    earlier.keep_findings(findings, head.run, head.study, material)
    return findings
