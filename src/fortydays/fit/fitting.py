"""From photographs to a registered model: look, learn, calibrate, register, promote, and find out what it is worth.

Every step keeps what it has done, so that the same request, given again, goes on where it stopped, and is over at once
where nothing has changed. The reader's folder is only ever read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.own.dataset import OwnPhotographs
from fortydays.data.own.inspection import Inspection
from fortydays.fit import earlier
from fortydays.fit.balance import balance
from fortydays.fit.choice import ChosenBackbone, choose_backbone, fine_tuning_epochs, seconds_of_fine_tuning
from fortydays.fit.examination import examine
from fortydays.fit.findings import Findings
from fortydays.fit.head import CalibratedHead, calibrated_head
from fortydays.fit.phases import LEARNING, MISTAKES, Phases
from fortydays.fit.photographs import Photographs, photographs_of
from fortydays.fit.request import FitRequest
from fortydays.fit.study_file import Plan, study_text, write_study
from fortydays.registry.names import CHAMPION, Reference
from fortydays.registry.promotion import promote
from fortydays.registry.registration import register
from fortydays.study.runs import RunFolder

if TYPE_CHECKING:
    import numpy as np

    from fortydays.registry.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came out: all that is shown, the run and its study, and the folder that has the photographs.

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


Looked = Callable[[Inspection, "NDArray[np.uint8]"], object]
"""Told, before anything is learned, what was found in the photographs, with the pixels of all of them by row."""

RunStudy = Callable[[Path, bool], tuple[RunFolder, dict[str, Any]]]
"""Runs the study in a file, anew or from where it stopped; the command does that, with its tracker and its signals."""


def fit(
    request: FitRequest,
    settings: Settings,
    *,
    progress: Progress,
    run_study: RunStudy,
    registry: "Callable[[], Registry]",
    looked: Looked = lambda found, pixels: None,  # noqa: ARG005
) -> Fitted:
    """Learn to tell a reader's photographs apart; ``registry`` opens the model registry.

    Raises:
        UsageError: an option does not fit.
        DataError: the photographs cannot be used, weights cannot be had, or there is no room.
        FortydaysError: training or registering failed.
        StorageError: the workspace cannot be read or written.
    """
    phases = Phases(progress)
    with photographs_of(request, settings, progress) as photographs:
        looked(photographs.inspection, photographs.collection.pixels())
        phases.done("looking")
        count = len(photographs.kept.paths)
        chosen = choose_backbone(request.backbone, settings, progress, photographs=count, seconds=request.seconds)
        plan, notes = _planned(request, photographs.kept, chosen, settings)
        study = write_study(study_text(photographs.kept, plan), request.name, settings)
        before = None if request.fresh else earlier.finished_run(study, plan, settings, progress)
        known = earlier.known_findings(before[0], photographs, progress) if before else None
        version = earlier.version_of(before[0], photographs, registry()) if before and known else None
        if before and known and version:
            run, findings = before[0], earlier.with_version(known, version)
        else:
            phases.plan(measured=earlier.last_seconds(photographs), kept=(LEARNING,) if before else ())
            # A fit that was stopped after its trials had ended goes on with them.
            run, evidence = before or run_study(study, request.fresh)
            phases.done(LEARNING)
            head = calibrated_head(study, run, evidence, settings, progress)
            if head.unknown is None:
                notes.append("There are too few photographs to validate on to tell what is unknown.")
            phases.done("calibrating")
            findings = _registered(head, chosen, photographs, phases, registry, settings)
        return Fitted(
            findings=findings,
            run=run,
            study=study,
            inspection=photographs.inspection,
            collection=photographs.collection.folder,
            reused=version is not None,
            notes=tuple(notes),
        )


def _planned(
    request: FitRequest, kept: OwnPhotographs, chosen: ChosenBackbone, settings: Settings
) -> tuple[Plan, list[str]]:
    """What is to be trained, and what the reader should know of it."""
    notes = [f"{chosen.backbone.title} is used: {chosen.why}."] if chosen.why else []
    train = kept.of("train")
    balanced = balance(kept.labels[train], kept.classes)
    plan = Plan(backbone=chosen.backbone, target=request.target, balanced=balanced.weighted)
    if request.fine_tune:
        seeds = len(plan.seeds)
        epoch = seconds_of_fine_tuning(chosen.backbone, images=seeds * len(train), threads=settings.threads)
        plan = replace(plan, fine_tuning_epochs=fine_tuning_epochs(epoch, seconds=request.seconds))
        if not plan.fine_tuning_epochs:
            notes.append(f"There is no time to fine-tune: an epoch of {seeds} seeds takes about {epoch:,.0f} s.")
    return plan, notes


def _registered(
    head: CalibratedHead,
    chosen: ChosenBackbone,
    photographs: Photographs,
    phases: Phases,
    registry: "Callable[[], Registry]",
    settings: Settings,
) -> Findings:
    """Register a head and try to promote it; all that is found out about it, written down."""
    progress = phases.progress
    version = earlier.version_of(head.run, photographs, registry())
    if version is None:
        version = register(
            str(head.study),
            registry(),
            settings,
            progress=progress,
            variant=head.trial["variant"],
            name=photographs.model,
            run_id=head.run.run_id,
            temperature=head.temperature,
            confidence=head.confidence(),
        ).version
    phases.done("registering")
    reference = Reference(name=version.name, version=version.version)
    promotion = promote(reference, CHAMPION, registry(), settings, progress=progress)
    phases.done("gates")
    findings = examine(photographs, chosen, head, promotion, settings, progress)
    phases.done(MISTAKES)
    findings = replace(findings, seconds=dict(phases.seconds))
    earlier.keep_findings(findings, head.run, head.study, photographs)
    return findings
