"""Training a version's model again: the same weights where all is the same, the same numbers where it is not."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base.errors import DataError, FortydaysError, StorageError, TrainingFailedError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data import library
from fortydays.data import version_documents as data_versions
from fortydays.data.arrays import Dataset
from fortydays.data.own.dataset import is_own, label_of
from fortydays.data.own.restoring import restore
from fortydays.registry.lineage import changed_since
from fortydays.registry.names import Reference
from fortydays.registry.promotion import documents_of
from fortydays.registry.registry import Registry, Version
from fortydays.registry.scratch import scratch
from fortydays.study.code import study_digest
from fortydays.study.design import Variant
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.plan import Plan, Request, StudySource, make_plan
from fortydays.study.trial import ENGINES, TrialSpec
from fortydays.train.recipe import FIELDS, Recipe

COMPARED = ("validation_accuracy", "test_accuracy")

LEAST_TOLERANCE = 0.005
"""By how much an accuracy may differ at least, where bits do: half a point."""

_DEVIATIONS = 4.0


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What training a version's model again gave.

    Attributes:
        same_bits: whether the weights are the same, bit for bit.
        agrees: whether the bits are the same or, where the two trainings differ in something, each accuracy is within
            its tolerance. Where nothing differs, other bits are no agreement.
        changed: in what the two trainings differ, one sentence each.
        metrics: for each accuracy: what it was, what it is, and by how much it may differ.
    """

    version: Version
    same_bits: bool
    agrees: bool
    changed: tuple[str, ...]
    metrics: Mapping[str, tuple[float, float, float]]
    weights_digest: str


def reproduce(
    reference: Reference, registry: Registry, settings: Settings, *, progress: Progress, study_file: str = ""
) -> Reproduction:
    """Train the model of a version again, with its own recipe and seed, on this machine, by today's program.

    Where the bits differ, each accuracy may differ by four standard deviations over the study's seeds, and by half a
    point at least: training adds up rounding errors, and another machine rounds in another order.

    A study of one's own is a program. It is run only if it is the very one that the version was made with, so that
    nobody who can write to the registry chooses what is run here.

    ``study_file`` is where the study is, if it is not a day and not where it was.

    Raises:
        UsageError: there is no such version, or its study is not there.
        DataError: the photographs or texts are gone, and so is the data version that they were taken from.
        FortydaysError: the study is another one, or does not have the variant any more.
        NotWholeError: the version's files are missing or altered.
        TrainingFailedError: the loss stopped being a number.
    """
    version = registry.find(reference)
    with scratch(settings) as folder:
        registry.fetch(version, folder / "version")
        lineage, _ = documents_of(folder / "version", version)
    source, variant = _study_of(version, lineage, settings, study_file)
    assert source.study.dataset is not None  # it has a variant
    engine = lineage["run"]["request"]["engine"]
    if engine not in ENGINES:
        raise FortydaysError(
            f"{version} was trained by the engine {shown(engine)}, which this program does not have.",
            hint=f"Use fortydays {lineage['code']['version']}, which trained it.",
        )
    unknown = sorted(set(lineage["recipe"]) - set(FIELDS))
    recipe = Recipe(**{name: value for name, value in lineage["recipe"].items() if name in FIELDS})
    dataset = _dataset(source.study.dataset, lineage, settings, progress)
    request = Request(only=(variant.name,), engine=engine)
    plan = make_plan(source, request, settings, progress, dataset=dataset)
    changed = changed_since(lineage, _today(plan, recipe, variant.recipe, lineage))
    changed += [f"recipes have no {name} any more" for name in unknown]
    for sentence in changed:
        progress.warn(f"Not as it was: {sentence}.")
    result = _trained(plan, plan.spec(variant.name, lineage["trial"]["seed"], recipe), progress)
    return judge(version, lineage, result, changed=changed)


def _study_of(
    version: Version, lineage: Mapping[str, Any], settings: Settings, study_file: str
) -> tuple[StudySource, Variant]:
    """The study that a version was made with, and its variant. Raises FortydaysError."""
    from fortydays.days.loading import find_study, load_study

    study = lineage["study"]
    file = find_study(str(study["day"]) if study["day"] else study_file or _study_file(study["file"], settings))
    if file.day is None and study_digest(file.path) != lineage["code"]["study"]:
        raise FortydaysError(
            f"{file.path} is not the study that {version} was made with, so it is not run.",
            hint="Name the right one with: --study FILE",
        )
    source = load_study(file, threads=settings.threads)
    variant = next((v for v in source.study.variants if v.name == study["variant"]), None)
    if variant is None:
        raise FortydaysError(
            f"{version} is of the variant {study['variant']!r}, which the study {source.study.title!r} has no more.",
            hint=f"It was trained by fortydays {lineage['code']['version']}"
            + (f", commit {lineage['code']['commit']}." if "commit" in lineage["code"] else "."),
        )
    return source, variant


def _trained(plan: Plan, spec: TrialSpec, progress: Progress) -> Mapping[str, Any]:
    """The result of one trial that is trained here, without keeping any state of it. Raises TrainingFailedError."""
    task = f"{spec.variant}, seed {spec.seed}, again"

    def started(spec: TrialSpec, steps: int) -> None:  # noqa: ARG001
        progress.start(task, total=float(steps), unit="steps")

    def report(spec: TrialSpec, done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
        progress.advance(task, done=float(done), note=f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%")

    executor = InProcess(study=plan.source.study, dataset=plan.dataset, settings=plan.settings, progress=progress)
    (outcome,) = executor.map(deque([spec]), Callbacks(started=started, report=report))
    progress.finish(task)
    if outcome.result["status"] == "failed":
        raise TrainingFailedError(outcome.result["error"], hint=outcome.hint)
    return outcome.result


def _dataset(name: str, lineage: Mapping[str, Any], settings: Settings, progress: Progress) -> Dataset:
    """The dataset of a study. Photographs or texts that are gone are made again from the version in the lineage."""
    try:
        return library.load(name, settings, progress)
    except (DataError, StorageError) as error:
        told = lineage["dataset"].get("data_version")
        if not is_own(name):
            raise
        if not told:
            raise DataError(
                f"{error.message} The model was not made from a data version that could be checked out.",
                hint=error.hint,
            ) from error
        label, pull = label_of(told), f"Bring it: forty data pull {told['name']} REMOTE"
        try:
            version = data_versions.find(told["name"], told["number"], settings)
        except UsageError as missing:
            raise DataError(f"{error.message} They were those of {label}. {missing.message}", hint=pull) from missing
        if version.digest != told["digest"]:
            raise DataError(
                f"{error.message} They were those of another {label} than is here: digest {told['digest'][:12]}, "
                f"where the one here has {version.digest[:12]}.",
                hint="Reproduce the model in the workspace that has it.",
            ) from error
    progress.say(f"The photographs or texts {name} are gone. They are made again from {version}.")
    restore(name, version, settings, progress=progress)
    return library.load(name, settings, progress)


def judge(
    version: Version, lineage: Mapping[str, Any], result: Mapping[str, Any], *, changed: list[str]
) -> Reproduction:
    """Compare the result of a trial, as in evidence, with the trial that a version was made from."""
    trial = lineage["trial"]
    same = result["weights_digest"] == trial["weights_digest"]
    metrics = {}
    for name in COMPARED:
        deviation = (trial["over_seeds"].get(name) or {}).get("std") or 0.0
        tolerance = max(LEAST_TOLERANCE, _DEVIATIONS * deviation)
        metrics[name] = (trial["metrics"][name], result["metrics"][name], tolerance)
    near = all(abs(now - then) <= tolerance for then, now, tolerance in metrics.values())
    return Reproduction(
        version=version,
        same_bits=same,
        agrees=same or (bool(changed) and near),
        changed=tuple(changed),
        metrics=metrics,
        weights_digest=result["weights_digest"],
    )


def _study_file(recorded: str, settings: Settings) -> str:
    """Where a study of one's own is. One that ``forty fit`` wrote is in the workspace, which may have moved."""
    path = Path(recorded)
    here = settings.workspace.joinpath(*path.parts[-4:])  # own/NAME/studies/FILE
    return str(here) if path.parts[-4:-3] == ("own",) and here.is_file() else recorded


def _today(plan: Plan, recipe: Recipe, of_study: Recipe, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`~fortydays.registry.lineage.changed_since` compares with."""
    # A searched field, and what a reader had set, are part of the version's recipe and not of the study's.
    own = {s.partition("=")[0].split(".")[0].strip() for s in lineage["run"]["request"]["settings"]}
    own |= {lineage["study"]["searched"]}
    then, now = recipe.as_dict(), of_study.as_dict()
    by, dataset = plan.provenance, plan.dataset
    assert dataset is not None  # as above
    return {
        **by,
        "machine": {**by["machine"], "threads": by["threads"], "backend": by["backend"]},
        "dataset": {"digest": dataset.digest, "split_version": dataset.split_version},
        "recipe": {name: then[name] if name in own else now[name] for name in now},
    }
