"""From a folder of photographs to a registered model: look, divide, learn, show, keep.

Every step keeps what it has done, so that the same request, given again, goes on where it stopped, and is over at once
where nothing has changed. The reader's folder is only ever read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock, files
from fortydays.base.arrays import load_arrays
from fortydays.base.errors import DataError, FortydaysError, StorageError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.base.text import printable, shown
from fortydays.data import catalog as catalog_of_data
from fortydays.data import library, photographs
from fortydays.data import version_documents as data_versions
from fortydays.data import weights as published
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import Collection, names_kept, opened
from fortydays.data.own.inspection import Inspection, inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.naming import check_owner
from fortydays.data.versions import content_of
from fortydays.fit import findings as found_out
from fortydays.fit.attention import class_activation
from fortydays.fit.balance import balance
from fortydays.fit.choice import AUTOMATIC, ChosenBackbone, choose_backbone, seconds_of_features
from fortydays.fit.label_errors import find_label_errors
from fortydays.fit.learning_curve import LearningCurve, measure_learning_curve
from fortydays.fit.phases import LEARNING, MISTAKES, Phases
from fortydays.fit.reading import findings_from
from fortydays.fit.study_file import Plan, study_text, write_study
from fortydays.fit.trained import (
    feature_maps,
    logits_of,
    pictures_to_look_at,
    trained_model,
    weights_of,
)
from fortydays.models.backbones import find_backbone
from fortydays.registry.calibration import (
    Threshold,
    as_logits,
    calibrated,
    softmax,
    temperature,
    threshold_at,
    unknown_threshold,
)
from fortydays.registry.names import CHAMPION, Reference, check_name
from fortydays.registry.promotion import promote
from fortydays.registry.registration import register
from fortydays.study import evidence as documents
from fortydays.study.features import Given, given, runtime
from fortydays.study.runs import RunFolder, latest_evidence, list_runs
from fortydays.study.verification import code_changes

if TYPE_CHECKING:
    from fortydays.registry.catalog import Catalog, Version
    from fortydays.study.design import Variant

SIDE = photographs.SIDE
"""Pixels that photographs are prepared at, upwards and sideways."""

FINE_TUNING_SECONDS = 600.0
"""For fine-tuning, where no time is given."""

_MOST_FINE_TUNING_EPOCHS = 10
_SHARE_OF_TIME = 0.5
_FINE_TUNING_SPEED = 12e9
"""Multiply-adds a second that training the last block is expected to do on two cores, for an estimate."""


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What is asked for.

    Attributes:
        source: a folder with one folder for each class, a table of files and labels, a version of a reader's data such
            as ``flowers@v2``, or the name of a public collection of photographs.
        name: what to call photographs and model.
        backbone: a backbone's name, or "auto" for the best that can be had.
        seconds: for all of it, or None for as long as it takes.
        target: the share of test photographs that must be right, or None.
        fine_tune: whether the backbone's last block is trained further too.
        fixed_camera: whether all photographs show one scene: :func:`~fortydays.data.own.inspection.inspect`.
        fresh: whether to begin anew where nothing has changed.
    """

    source: str
    name: str
    backbone: str = AUTOMATIC
    seconds: float | None = None
    target: float | None = None
    fine_tune: bool = False
    fixed_camera: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.backbone != AUTOMATIC:
            find_backbone(self.backbone)
        if self.target is not None and not 0 < self.target <= 1:
            raise UsageError(
                f"--target is {self.target:g}; expected a share of test photographs, above 0 and up to 1.",
                hint="For 95%: --target 0.95",
            )
        if self.seconds is not None and not 1 <= self.seconds <= 1e6:
            raise UsageError(f"--time is {self.seconds:g} s; expected from 1 s to 1,000,000 s.")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came out.

    Attributes:
        findings: all that is shown.
        evidence: of the run.
        run: its folder.
        study: the study's file.
        inspection: of the photographs.
        collection: their folder in the workspace.
        reused: whether nothing had changed since an earlier fit, which this is.
        notes: what the reader should know, a sentence each.
    """

    findings: found_out.Findings
    evidence: Mapping[str, Any]
    run: RunFolder
    study: Path
    inspection: Inspection
    collection: Path
    reused: bool
    notes: tuple[str, ...] = ()


Looked = Callable[[Inspection, NDArray[np.uint8]], object]
"""Told, before anything is learned, what was found in the photographs, with the pixels of all of them by row."""

RunStudy = Callable[[Path, bool], tuple[RunFolder, dict[str, Any]]]
"""Runs the study in a file, anew or from where it stopped; the command does that, with its tracker and its signals."""


def fit(
    request: FitRequest,
    settings: Settings,
    *,
    progress: Progress,
    run_study: RunStudy,
    catalog: "Callable[[], Catalog]",
    looked: Looked = lambda found, pixels: None,  # noqa: ARG005
) -> Fitted:
    """Learn to tell a reader's photographs apart.

    Args:
        request: what is asked for.
        settings: the workspace, the mirror, threads.
        progress: told of the work.
        run_study: trains.
        catalog: opens the registry.
        looked: told what was found in the photographs, before anything is learned.

    Raises:
        UsageError: an option does not fit.
        DataError: the photographs cannot be used, weights cannot be had, or there is no room.
        FortydaysError: training or registering failed.
        StorageError: the workspace cannot be read or written.
    """
    model_name = _model_name(request.name, settings)
    phases = Phases(progress)
    place = Path(request.source)
    if public := not files.exists(place) and request.source in photographs.PHOTOGRAPHS:
        place = photographs.get(photographs.PHOTOGRAPHS[request.source], settings, progress)
    version = None
    if not files.exists(place) and (reference := data_versions.parse_reference(request.source)):
        version = data_versions.find(*reference, settings)
        place = content_of(version, settings, progress=progress)
    listing = list_photographs(place, keep_parts=not public)
    with opened(request.name, settings, side=SIDE) as collection:
        if request.name not in photographs.PHOTOGRAPHS:  # which come in several editions
            # All versions of some data are the same photographs to a name, however much they differ.
            owner = data_versions.folder(*reference, settings).parent if version and reference else None
            check_owner(listing, collection, settings, owner=owner)
        inspection = inspect(
            listing,
            collection,
            workers=available_cores(),
            progress=progress,
            fixed_camera=request.fixed_camera,
        )
        kept = own.keep(inspection, collection, name=request.name, data_version=version)
        _check_splits(kept)
        looked(inspection, collection.pixels())
        phases.done("looking")
        return _fit(
            request,
            settings,
            inspection,
            collection,
            kept,
            phases,
            place=str(version or printable(str(place))),
            model_name=model_name,
            progress=progress,
            run_study=run_study,
            catalog=catalog,
        )


def _model_name(name: str, settings: Settings) -> str:
    """What the model is called: like the photographs, but that names in the registry have no underscores.

    Raises:
        UsageError: no model can be called so, or the model of other photographs is.
    """
    model_name = name.replace("_", "-")
    check_name(model_name)
    kept, public = names_kept(settings), (*catalog_of_data.DATASETS, *photographs.PHOTOGRAPHS)
    others = [each for each in (*kept, *public) if each != name and each.replace("_", "-") == model_name]
    if others:
        whose, same = f"the dataset {others[0]}", ""
        if others[0] in kept:
            whose = f"the photographs {others[0]} in this workspace"
            same = f", or, if they are the same: --name {others[0]}"
        raise UsageError(
            f"The model would be called {model_name}, as that of {whose} is.",
            hint=f"Call these by another name: --name NAME{same}",
        )
    return model_name


def _check_splits(kept: own.OwnPhotographs) -> None:
    """Raise DataError where a class has nothing to learn from, or there is nothing to choose by or to report on."""
    train = np.bincount(kept.labels[kept.of("train")], minlength=len(kept.classes))
    without = [name for name, count in zip(kept.classes, train, strict=True) if not count]
    empty = [split for split in ("validation", "test") if not len(kept.of(split))]
    if not without and not empty:
        return
    what = f"The class {shown(without[0])} has no photograph" if without else "There is no photograph"
    where = "in the training split" if without else f"in the {empty[0]} split"
    raise DataError(
        f"{what} {where}: those that were there are gone, and others keep the split that they have.",
        hint="Add photographs, or give the whole a new name, so that it is divided anew: --name NAME",
    )


def _fit(
    request: FitRequest,
    settings: Settings,
    inspection: Inspection,
    collection: Collection,
    kept: own.OwnPhotographs,
    phases: Phases,
    *,
    place: str,
    model_name: str,
    progress: Progress,
    run_study: RunStudy,
    catalog: "Callable[[], Catalog]",
) -> Fitted:
    chosen = choose_backbone(
        request.backbone, settings, progress, photographs=len(kept.paths), seconds=request.seconds
    )
    notes = [f"{chosen.backbone.title} is used: {chosen.why}."] if chosen.why else []
    balanced = balance(kept.labels[kept.of("train")], kept.classes)
    plan = Plan(backbone=chosen.backbone, target=request.target, balanced=balanced.weighted)
    if request.fine_tune:
        plan = _with_fine_tuning(plan, kept, request, notes, settings)
    study = write_study(study_text(kept, plan), request.name, settings)
    before = None if request.fresh else _trained_before(study, plan, settings, progress)
    known = None if before is None else _found_before(before[0], collection, progress)
    version = None if before is None or known is None else _version_of(before[0], catalog(), model_name, kept)
    if before is not None and known is not None and version is not None:
        return Fitted(
            findings=_as_it_is_now(known, inspection, kept, place=place, version=version),
            evidence=before[1],
            run=before[0],
            study=study,
            inspection=inspection,
            collection=collection.folder,
            reused=True,
            notes=tuple(notes),
        )
    phases.plan(
        computing=seconds_of_features(chosen.backbone, photographs=len(kept.paths), threads=settings.threads),
        before={} if known is None else known.seconds,
        kept=() if before is None else (LEARNING,),
    )
    # A fit that was stopped after its trials had ended goes on with them.
    run, evidence = before or run_study(study, request.fresh)
    phases.done(LEARNING)
    trial = documents.best_trial(evidence["trials"])
    if trial is None:
        raise FortydaysError(
            "No trial was trained to its end, so there is no model.", hint=f"See what failed: forty show {study}"
        )
    variant = _variant(study, trial["variant"], settings)
    dataset = library.load(kept.name, settings)
    heads = given(
        dataset,
        variant.model,
        features=variant.features,
        examples=None,
        settings=settings,
        progress=progress,
    )
    model = trained_model(run, variant, trial["seed"])
    logits = logits_of(model, np.asarray(heads.dataset.training.validation.array))
    labels = np.asarray(heads.dataset.training.validation.labels).astype(np.intp)
    cooled = temperature(logits, labels)
    unknown = unknown_threshold(softmax(logits, temperature=cooled))
    (answered,) = load_arrays(run.trial_of(trial["variant"], trial["seed"]).predictions)
    raw = as_logits(answered)
    answered = softmax(raw, temperature=cooled)
    if unknown is None:
        notes.append("There are too few photographs to validate on to tell what is unknown.")
    else:
        # Chosen on the photographs to validate on; how often it is a false alarm, those of the test say.
        unknown = threshold_at(answered, below=unknown.below)
    phases.done("calibrating")
    version = _version_of(run, catalog(), model_name, kept)
    if version is None:
        version = register(
            str(study),
            catalog(),
            settings,
            progress=progress,
            variant=trial["variant"],
            name=model_name,
            run_id=run.run_id,
            temperature=cooled,
            confidence=None
            if unknown is None
            else {
                "schema_version": 1,
                "temperature": cooled,
                "unknown_below": unknown.below,
                "false_alarms": unknown.false_alarms,
                "images": unknown.images,
            },
        ).version
    phases.done("registering")
    promotion = promote(
        Reference(name=version.name, version=version.version), CHAMPION, catalog(), settings, progress=progress
    )
    phases.done("gates")
    findings = _findings(
        request,
        settings,
        inspection,
        collection,
        kept,
        chosen=chosen,
        evidence=evidence,
        trial=trial,
        heads=heads,
        model=model,
        cooled=cooled,
        unknown=unknown,
        raw=raw,
        answered=answered,
        place=place,
        phases=phases,
        progress=progress,
    )
    findings = replace(
        findings,
        model=str(version),
        alias=CHAMPION if promotion.move is not None or promotion.already else "",
        balance=balanced,
        gates=tuple(gate.as_dict() for gate in promotion.gates),
        seconds=dict(phases.seconds),
    )
    document = _document(collection, run)
    files.make_folder(document.parent)
    files.write_json(document, {"run": run.run_id, "study": study.name, "findings": findings.as_dict()})
    return Fitted(
        findings=findings,
        evidence=evidence,
        run=run,
        study=study,
        inspection=inspection,
        collection=collection.folder,
        reused=False,
        notes=tuple(notes),
    )


def _with_fine_tuning(
    plan: Plan,
    kept: own.OwnPhotographs,
    request: FitRequest,
    notes: list[str],
    settings: Settings,
) -> Plan:
    """The plan with as many epochs of fine-tuning as there is time for.

    It depends on the time that was given, not on what is left of it: a fit that was stopped has to find it again.
    """
    # Backward costs twice what forward does.
    images = len(plan.seeds) * len(kept.of("train"))
    epoch = 3 * plan.backbone.block_multiply_adds * images / (_FINE_TUNING_SPEED * settings.threads / 2)
    left = FINE_TUNING_SECONDS if request.seconds is None else _SHARE_OF_TIME * request.seconds
    epochs = min(_MOST_FINE_TUNING_EPOCHS, int(left / epoch)) if epoch else _MOST_FINE_TUNING_EPOCHS
    if epochs < 1:
        notes.append(f"There is no time to fine-tune: an epoch of {len(plan.seeds)} seeds takes about {epoch:,.0f} s.")
        return plan
    return replace(plan, fine_tuning_epochs=epochs)


def _document(collection: Collection, run: RunFolder) -> Path:
    """Where what was found out by a run is written down, once all of it is."""
    return collection.folder / "fits" / f"{run.run_id}.json"


def _version_of(run: RunFolder, catalog: "Catalog", name: str, kept: own.OwnPhotographs) -> "Version | None":
    """The version that was made of a run and names the data version of the photographs, where there is one."""
    if name not in catalog.names():
        return None
    wanted = {"run": run.run_id, "data_version": kept.data_version_label}
    made = (
        each
        for each in catalog.versions(name)
        if all(each.facts.get(fact, "") == value for fact, value in wanted.items()) and not each.retired
    )
    return next(made, None)


def _as_it_is_now(
    known: found_out.Findings,
    inspection: Inspection,
    kept: own.OwnPhotographs,
    *,
    place: str,
    version: "Version",
) -> found_out.Findings:
    """What was found out earlier of the very same photographs, under the names that they have now."""
    path_of = dict(zip(kept.rows.tolist(), kept.paths, strict=True))
    return replace(
        known,
        place=place,
        inspection=inspection.as_dict(),
        model=str(version),
        alias=CHAMPION if CHAMPION in version.aliases else "",
        mistakes=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.mistakes),
        label_errors=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.label_errors),
        attention=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.attention),
    )


def _trained_before(
    study: Path, plan: Plan, settings: Settings, progress: Progress
) -> tuple[RunFolder, dict[str, Any]] | None:
    """A run that ended of the very same photographs, plan, program and packages, and its evidence; or None."""
    from fortydays.days.loading import find_study
    from fortydays.train import backends

    name = find_study(str(study)).name
    run = latest_evidence(settings.runs, name, day=None)
    newest = [each for each in list_runs(settings.runs) if each.read()["name"] == name][-1:]
    if run is None or newest != [run]:
        return None  # the newest one was stopped, and goes on
    try:
        evidence = documents.read_evidence(run.evidence)
    except StorageError as error:
        aside = files.set_aside(run.evidence)
        progress.warn(f"{error.message} It is kept as {aside.name}; all is learned anew.")
        return None
    asked = {"seeds": list(plan.seeds), "only": [], "settings": [], "engine": "compiled"}
    if evidence["request"] != asked or evidence["backend"] != backends.wanted() or code_changes(evidence, study):
        return None
    if evidence["packages"] != documents.package_versions(backends.backend().PACKAGES):
        return None
    if any(details["features"]["onnxruntime"] != runtime() for details in evidence["details"].values()):
        return None
    return run, evidence


def _found_before(run: RunFolder, collection: Collection, progress: Progress) -> found_out.Findings | None:
    """What was found out when a run was registered; None where that was not done to its end."""
    path = _document(collection, run)
    if not files.is_file(path):
        return None
    try:
        return findings_from(files.read_json(path).get("findings", {}))
    except StorageError as error:
        aside = files.set_aside(path)
        progress.warn(f"{error.message} It is kept as {aside.name}; what there is to find out is found out again.")
        return None


def _variant(study: Path, name: str, settings: Settings) -> "Variant":
    from fortydays.days.loading import find_study, load_study

    source = load_study(find_study(str(study)), threads=settings.threads)
    return next(each for each in source.study.variants if each.name == name)


def _findings(
    request: FitRequest,
    settings: Settings,
    inspection: Inspection,
    collection: Collection,
    kept: own.OwnPhotographs,
    *,
    chosen: ChosenBackbone,
    evidence: Mapping[str, Any],
    trial: Mapping[str, Any],
    heads: Given,
    model: Any,
    cooled: float,
    unknown: Threshold | None,
    raw: NDArray[np.float32],
    answered: NDArray[np.float32],
    place: str,
    phases: Phases,
    progress: Progress,
) -> found_out.Findings:
    test = kept.of("test")
    labels = kept.labels[test]
    paths = [kept.paths[each] for each in test]
    rows = kept.rows[test].tolist()
    confusion = found_out.confusion_matrix(labels, answered.argmax(axis=1), classes=len(kept.classes))
    accuracies = [
        t["metrics"]["test_accuracy"]
        for t in evidence["trials"]
        if t["variant"] == trial["variant"] and t["status"] == "finished"
    ]
    pixels = collection.pixels()
    attention = []
    assert heads.frozen is not None
    looked_at = pictures_to_look_at(labels, answered)
    weights = weights_of(model)
    maps = feature_maps(
        heads.frozen, model, np.asarray(pixels[[rows[each] for each in looked_at]]), threads=settings.threads
    )
    for each, of_image in zip(looked_at, maps, strict=True):
        answer = int(answered[each].argmax())
        heat = class_activation(of_image, weights, answer)
        attention.append(
            found_out.Attention(
                file=paths[each],
                label=kept.classes[int(labels[each])],
                answer=kept.classes[answer],
                probability=float(answered[each, answer]),
                row=rows[each],
                heat=tuple(tuple(float(value) for value in line) for line in heat),
            )
        )
    label_errors, curve = _from_features(inspection, kept, heads, settings, progress)
    phases.done(MISTAKES)
    weights_of_backbone = published.WEIGHTS[chosen.backbone.name]
    return found_out.Findings(
        name=request.name,
        place=place,
        created=clock.timestamp(),
        model="",
        alias="",
        backbone=found_out.BackboneFacts(
            title=find_backbone(chosen.backbone.name).title,
            side=kept.side,
            weights_sha256=chosen.obtained.sha256,
            source=_public_source(chosen.obtained.source),
            licence=weights_of_backbone.licence,
        ),
        inspection=inspection.as_dict(),
        classes=kept.classes,
        chosen=found_out.Chosen(
            variant=trial["variant"],
            seed=trial["seed"],
            description=evidence["details"][trial["variant"]]["description"],
        ),
        test=found_out.held_out_result(
            labels, answered.argmax(axis=1), accuracies=accuracies, classes=len(kept.classes)
        ),
        # The temperature was found on validation photographs: what it is worth, others say.
        calibration=calibrated(raw, labels, temperature=cooled),
        unknown=unknown,
        confusion=confusion,
        per_class=found_out.class_results(kept.classes, inspection.counts(), confusion),
        mistakes=found_out.confident_mistakes(labels, answered, classes=kept.classes, files=paths, rows=rows),
        label_errors=label_errors,
        attention=tuple(attention),
        learning_curve=curve,
        balance=balance(kept.labels[kept.of("train")], kept.classes),
        gates=(),
        seconds={},
    )


def _public_source(source: str) -> str:
    """Where weights came from, without a path of this machine."""
    return "the mirror folder" if source.startswith("mirror folder") else source


def _from_features(
    inspection: Inspection, kept: own.OwnPhotographs, heads: Given, settings: Settings, progress: Progress
) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
    """Likely label errors and the learning curve; both look at the averaged features, however the head was trained."""
    pooled = heads
    if heads.frozen is not None and heads.frozen.features.before_last_block:
        features = replace(heads.frozen.features, before_last_block=False)
        dataset = library.load(kept.name, settings)
        pooled = given(dataset, heads.builder, features=features, examples=None, settings=settings, progress=progress)
    training = pooled.dataset.training
    # The test split was opened when the trials had ended; a wrong label in it is worth knowing, too.
    parts = {"train": training.train, "validation": training.validation, "test": pooled.dataset.test.open()}
    train, validation, test = (np.asarray(split.array).reshape(len(split), -1) for split in parts.values())
    places = np.concatenate([kept.of(name) for name in parts])
    labels = kept.labels[places]
    group_of = {path: number for number, group in enumerate(inspection.near) for path in group}
    alone = len(inspection.near)
    groups = [group_of.get(kept.paths[place], alone + number) for number, place in enumerate(places)]
    suspects = find_label_errors(
        np.concatenate([train, validation, test]), labels, classes=len(kept.classes), groups=groups, progress=progress
    )
    named = found_out.named_label_errors(
        suspects,
        classes=kept.classes,
        files=[kept.paths[place] for place in places],
        splits=[name for name, split in parts.items() for _ in range(len(split))],
        rows=kept.rows[places].tolist(),
    )
    curve = measure_learning_curve(
        train,
        labels[: len(train)],
        validation,
        labels[len(train) : len(train) + len(validation)],
        classes=len(kept.classes),
        progress=progress,
    )
    return named, curve
