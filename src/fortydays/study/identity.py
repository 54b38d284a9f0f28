"""What a variant computes, as a few digests and numbers that are found without training.

Evidence is true for as long as the program would compute it again. A digest of source text says that it is not after
every rename. So evidence keeps the identity of each variant: the traced programs, what its first trial feeds them and
makes of their answers (:mod:`fortydays.train.shadow`), and its initial values. Digests are of whole numbers, text and
exact fractions, which are the same on every processor. Floating-point numbers are kept as such and compared within
:data:`TOLERANCE`, as two processors may differ in the last digit.
"""

import gc
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.data import library
from fortydays.data.arrays import Dataset, Split
from fortydays.inputs.numbers import Numbers
from fortydays.study.design import Study, Variant
from fortydays.study.evidence import package_versions
from fortydays.study.features import AnyFeatures, filled, read_as, some_of_each_class, with_features, with_few
from fortydays.study.search import choose
from fortydays.study.trial import TrialOutcome, TrialSpec, digest_of_arrays, run_trial
from fortydays.study.word_vectors import with_vectors
from fortydays.train import backends
from fortydays.train.backends import Backend
from fortydays.train.framework import ModelBuilder
from fortydays.train.program import fingerprint
from fortydays.train.recipe import Recipe
from fortydays.train.shadow import Record, ShadowBackend
from fortydays.train.trainer import Trainer

TOLERANCE = 1e-5
"""By how much numbers of two processors may differ, as a share of them.

A measure may tell how large rounding errors are, which is another number on each processor. So measures may differ by
as much in their own unit.
"""

_DIGITS = 7
_MADE_UP = 2_000
"""Examples of each split that get made-up features."""

_MADE_UP_NUMBERS = 10_000_000
"""Of which there are at most so many: vectors of pieces of words are large."""

DIGESTS = {
    "steps": "the compiled training steps",
    "evaluations": "the compiled evaluation",
    "data": "the training or validation examples",
    "examples": "which training examples a seed draws",
    "order": "the order of the examples",
    "draws": "what augmentation draws",
    "rates": "the learning rates",
    "calls": "what is evaluated, and when",
    "outcome": "what is made of the programs' answers",
    "variables": "the variables of the model",
    "search": "how a setting is chosen",
    "features": "the features that are learned from",
}
"""The digests of an identity, and what differs where one of them does."""

NUMBERS = {
    "steps": "constants in the compiled training steps",
    "evaluations": "constants in the compiled evaluation",
    "initial": "the initial weights",
    "measures": "the study's own measures",
    "features": "the features that are learned from",
}
"""The lists of numbers of an identity, and what differs where one of them does."""


Fingerprint = tuple[str, tuple[float, ...]]
"""A digest, and numbers."""


def identity_of(
    study: Study,
    variant: Variant,
    *,
    dataset: Dataset,
    seed: int,
    recipe: Recipe,
    precision: str,
    settings: Settings,
    networks: dict[AnyFeatures, Fingerprint],
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """What one trial of a variant computes.

    Args:
        study: with the variant.
        variant: whose trial.
        dataset: the study's.
        seed: of the trial.
        recipe: the variant's, with the setting that a search chose.
        precision: in which the trials were computed: "float32" or "bfloat16".
        settings: the workspace.
        networks: what is known of the networks that make features; what is found is added, for the other variants.
        progress: told of the work.

    Returns:
        ``digests`` by the names of :data:`DIGESTS` and ``numbers`` by those of :data:`NUMBERS`, as JSON values.
    """
    shadow = ShadowBackend(backends.backend())
    features, dataset = variant.features_of(seed), read_as(dataset, recipe)
    builder, shown = _stand_ins(variant, features, dataset, seed, settings, progress)
    redrawn = variant.examples is not None and variant.redrawn
    spec = TrialSpec(
        variant=variant.name,
        seed=seed,
        recipe=recipe,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        backend=shadow.NAME,
        threads=settings.threads,
        bfloat16_is_fast=precision == "bfloat16",
    )
    trainer = Trainer(
        builder=builder,
        recipe=recipe,
        data=shown.training,
        rows=np.arange(len(shown.training.train)) if redrawn else None,
        bfloat16_is_fast=spec.bfloat16_is_fast,
        on=cast(Backend, shadow),
    )
    outcome = run_trial(spec, study=study, dataset=shown, trainer=trainer, count_dead=False)
    measures = [measure.name for measure in study.measures if variant.name in measure.variants]
    digests, numbers = _fingerprints(shadow.record, outcome, shown, trainer, measures)
    if variant.search is not None:
        digests["search"] = _search(variant)
    if variant.examples is not None and redrawn:
        # The shadow's examples may be fewer than are drawn from.
        rows = some_of_each_class(dataset.training.train.labels, variant.examples, seed=seed)
        digests["examples"] = digest_of_arrays([rows.astype(np.int64)])
    if features is not None and features.computed:
        if features not in networks:
            networks[features] = _identity_of_features(features, dataset, settings, progress)
        digests["features"], numbers["features"] = networks[features]
    return {
        "digests": {name: digest[:16] for name, digest in digests.items()},
        "numbers": {name: _short(found) for name, found in numbers.items() if len(found)},
    }


def _fingerprints(
    record: Record, outcome: TrialOutcome, shown: Dataset, trainer: Trainer, measures: Sequence[str]
) -> tuple[dict[str, str], dict[str, Sequence[float]]]:
    """The digests and the numbers of what a shadow has seen, and of what its trial made of the answers."""
    metrics = dict(outcome.result["metrics"])
    measured = [metrics.pop(name, None) for name in measures]
    untimed = {name: value for name, value in metrics.items() if not name.startswith("seconds_to_")}
    result = {name: outcome.result[name] for name in ("status", "epochs", "best_epoch")}
    history = {name: column for name, column in outcome.result["history"].items() if name != "seconds"}
    kept = [float(np.max(variable.numpy())) for variable in trainer.model.trainable_variables[-1:]]
    assert record.steps is not None
    digests = {
        "steps": _sha(record.steps.operations),
        "evaluations": _sha("\n\n".join(each.operations for each in record.evaluations)),
        "data": _data(shown),
        **record.digests_of_fed(),
        "calls": files.sha256_of_json(record.calls),
        "outcome": files.sha256_of_json([untimed, result, history, kept, outcome.probabilities.shape]),
        "variables": _sha("\n".join(map(_told, outcome.variables))),
    }
    numbers: dict[str, Sequence[float]] = {
        "steps": record.steps.constants,
        "evaluations": [number for each in record.evaluations for number in each.constants],
        "initial": fingerprint(values for values in outcome.variables if values.dtype.kind == "f"),
        "measures": [float(value) for value in measured if value is not None],
    }
    return digests, numbers


def identity_of_study(
    study: Study,
    details: Mapping[str, Any],
    *,
    seed: int,
    settings: Settings,
    only: Collection[str] | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """What the trials of a study compute, as evidence keeps it.

    The ``details`` of the evidence give the precision of each variant, and the setting that a search chose. The trial
    with ``seed`` stands for all. ``only`` are the names of some variants; None for all.

    Returns:
        ``backend``, ``packages`` (with versions), ``seed``, and ``variants``: by name, what :func:`identity_of` gives.

    Raises:
        DataError: the dataset, or the weights of a backbone, cannot be had.
    """
    import keras

    if study.dataset is None:
        return {**_made_with(), "seed": seed, "variants": {}}
    dataset = library.load(study.dataset, settings, progress)
    asked = [variant for variant in study.variants if only is None or variant.name in only]
    task = f"What {counted(len(asked), 'variant')} compute"
    progress.start(task, total=float(len(asked)), unit="variants")
    variants, networks = {}, dict[AnyFeatures, Fingerprint]()
    gc.collect()  # what a run before has left, which holds its training split on the device
    gc.freeze()  # the frameworks' own objects stay: to look through them again for each variant takes seconds
    try:
        for number, variant in enumerate(asked):
            recorded = details[variant.name]
            search = variant.search
            chosen = {search.field: recorded["recipe"][search.field]} if search else {}
            variants[variant.name] = identity_of(
                study,
                variant,
                dataset=dataset,
                seed=seed,
                recipe=variant.recipe.replace(**chosen),
                precision=recorded["precision"],
                settings=settings,
                progress=progress,
                networks=networks,
            )
            keras.utils.clear_session()  # and collects garbage: a program holds the training split on the device
            progress.advance(task, done=number + 1.0)
    finally:
        gc.unfreeze()
    progress.finish(task)
    return {**_made_with(), "seed": seed, "variants": variants}


def changes(
    evidence: Mapping[str, Any],
    study: Study,
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    progress: Progress = SILENT,
) -> list[str]:
    """What the program computes in another way than when the evidence was made; empty where nothing is.

    The evidence has the variants of the study, or those that are named by ``only``.

    Raises:
        NotComparableError: the evidence has no identity, or one of another backend or version.
        DataError: the dataset, or the weights of a backbone, cannot be had.
    """
    if not study.variants:
        return []
    recorded = evidence.get("identity")
    if not recorded:
        raise NotComparableError(
            "the evidence does not say what was computed", hint=f"Compare by training: {_rerun(evidence)}"
        )
    made_with = {name: recorded[name] for name in ("backend", "packages")}
    if made_with != _made_with():
        said = ", ".join(f"{name} {version}" for name, version in recorded["packages"].items())
        here = ", ".join(f"{name} {version}" for name, version in _made_with()["packages"].items())
        raise NotComparableError(
            f"what was computed is known for {said}, and here is {here}",
            hint=f"Compare by training: {_rerun(evidence)}",
        )
    found = identity_of_study(
        study, evidence["details"], seed=recorded["seed"], settings=settings, only=only, progress=progress
    )
    by_reason: dict[str, list[str]] = {}
    for name, identity in found["variants"].items():
        for reason in differences(recorded["variants"][name], identity):
            by_reason.setdefault(reason, []).append(name)
    return [f"{reason} changed: {', '.join(names)}" for reason, names in by_reason.items()]


class NotComparableError(FortydaysError):
    """What a study computes cannot be compared with what its evidence says, on this machine."""

    exit_code = ExitCode.NOT_MET


def _made_with() -> dict[str, Any]:
    """What traces the programs: the backend, under one name wherever it is packaged, and Keras."""
    backend = backends.backend()
    installed = package_versions(backend.PACKAGES)
    version = next(installed[name] for name in backend.PACKAGES if name in installed)
    return {"backend": backend.NAME, "packages": {"keras": installed["keras"], backend.NAME: version}}


def _rerun(evidence: Mapping[str, Any]) -> str:
    return f"forty verify {evidence['day']} --rerun"


def differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What differs between a recorded identity and the one found today, in words; empty for nothing."""
    reasons = [said for name, said in DIGESTS.items() if recorded["digests"].get(name) != found["digests"].get(name)]
    for name, said in NUMBERS.items():
        told, now = (each["numbers"].get(name, []) for each in (recorded, found))
        if not _close(told, now, rounding=TOLERANCE if name == "measures" else 0.0):
            reasons.append(said)
    return list(dict.fromkeys(reasons))


def _close(recorded: Sequence[float], found: Sequence[float], *, rounding: float) -> bool:
    if len(recorded) != len(found):
        return False
    return bool(np.allclose(recorded, found, rtol=TOLERANCE, atol=rounding, equal_nan=True))


def _stand_ins(
    variant: Variant, features: AnyFeatures | None, dataset: Dataset, seed: int, settings: Settings, progress: Progress
) -> tuple[ModelBuilder, Dataset]:
    """What a shadow trains on: the examples, or made-up numbers in the place of features that take long to compute."""
    rng, drawn = np.random.default_rng(0), variant.drawn_with(seed)
    if features is None:
        builder = with_vectors(variant.model, variant.vectors, dataset.training.input, settings, progress)
        return builder, with_few(dataset, variant.examples, seed=drawn)
    if not features.computed:
        return filled(variant.model, features, settings, progress), with_few(dataset, variant.examples, seed=drawn)
    made_of = Numbers(shape=features.shape, dtype=features.kept_as)
    most = min(_MADE_UP, _MADE_UP_NUMBERS // int(np.prod(made_of.shape)))

    def made_up(split: Split, name: str) -> Split:  # noqa: ARG001
        labels = np.asarray(split.labels)[:most]
        numbers = rng.integers(0, 64, (len(labels), *made_of.shape)).astype(made_of.dtype) / 16
        return Split(inputs=made_of.named(numbers), labels=labels)

    builder = filled(variant.model, features, settings, progress)
    return builder, with_few(with_features(dataset, features, made_up), variant.examples, seed=drawn)


def _identity_of_features(
    features: AnyFeatures, dataset: Dataset, settings: Settings, progress: Progress
) -> Fingerprint:
    """The program from examples to features and its weights; the runtime that computes it is told with the machine."""
    from fortydays.study.frozen import pretrained_model

    shape = dataset.training.train.array.shape[1:]
    part = features.frozen_part(shape, pretrained_model(features, settings, progress))
    found = backends.backend().program_of(features.from_array(part), features.takes(shape).zeros(1))
    weights = [variable.numpy() for variable in part.variables]
    told = [found.operations, *map(_told, weights)]
    return _sha("\n".join(told)), (*found.constants, *fingerprint(weights))


def _data(dataset: Dataset) -> str:
    splits = (dataset.training.train, dataset.training.validation)
    return digest_of_arrays([np.asarray(each) for split in splits for each in (*split.inputs.values(), split.labels)])


def _told(values: NDArray[Any]) -> str:
    """A variable's type and shape, and where it holds whole numbers, as a generator's state does, those."""
    return f"{values.dtype.str}{values.shape}" + (str(values.tolist()) if values.dtype.kind in "iu" else "")


def _search(variant: Variant) -> str:
    """What is tried, and what would be chosen where two are equally good and one failed."""
    search = variant.search
    assert search is not None
    accuracies = [(3 + min(i, 1)) / 8 for i in range(len(search.values))]
    tries = [
        {"value": value, "seed": seed, "validation_accuracy": accuracy}
        for value, accuracy in zip(search.values, accuracies, strict=True)
        for seed in search.seeds
    ]
    if len(tries) > 2 * len(search.seeds):
        tries[-1]["validation_accuracy"] = None
    outcome = choose(search, tries)
    second = []
    if search.finals:
        due = search.due(tries)
        # The second best of the first round is the best after the second.
        more = [
            {"value": value, "seed": seed, "validation_accuracy": 0.5 - (value == due[len(search.places)][0]) / 4}
            for value, seed in due[len(search.places) :]
        ]
        second = [due, choose(search, [*tries, *more])["chosen"]]
    return files.sha256_of_json([search.as_dict(), outcome["chosen"], outcome["failed"], *second])


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _short(numbers: Sequence[float]) -> list[float]:
    return [float(f"{number:.{_DIGITS}g}") for number in numbers]
