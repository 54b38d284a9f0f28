"""The evidence of a run, put together from its trials; its exhibits, and the model of its best trial."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.arrays import load_arrays
from fortydays.base.errors import in_words
from fortydays.base.progress import Progress
from fortydays.data.arrays import Dataset, Reading
from fortydays.study import evidence as documents
from fortydays.study import frozen, openings
from fortydays.study.bench import a_bench
from fortydays.study.design import Exhibit, Shown, Variant
from fortydays.study.features import AnyFeatures, read_as
from fortydays.study.frozen import Frozen
from fortydays.study.plan import Plan
from fortydays.study.runs import RunFolder
from fortydays.train.recipe import Recipe

Chosen = tuple[Recipe, dict[str, Any] | None]
"""A variant's recipe, with what a search chose; and that search's outcome, or None."""


def evidence_of(
    plan: Plan,
    run: RunFolder,
    trials: Sequence[dict[str, Any]],
    chosen: Mapping[str, Chosen],
    probes: Mapping[str, Mapping[str, Any]],
    *,
    compile_seconds: float,
    looks: int,
    progress: Progress,
) -> dict[str, Any]:
    """The evidence of a run whose trials have all ended; the model of the best one is kept in its folder.

    ``trials`` are in the order of the plan. ``chosen`` and ``compile_seconds`` are those of the driver. ``probes`` has
    by variant what was found out beside its trials. ``looks`` is how often some of the seeds were judged before.

    Raises:
        StorageError: the run's folder cannot be read or written.
    """
    study = plan.source.study
    known: dict[str, Any] = {
        "details": _details(plan, chosen, probes, progress),
        "trials": trials,
        "variants": documents.summarize(trials),
    }
    if plan.dataset is not None:
        known["dataset"] = _facts_of(plan.dataset)
        _keep_best_model(plan, run, progress, known)
    evidence = {
        "schema_version": documents.SCHEMA_VERSION,
        "day": plan.source.day,
        "name": plan.source.name,
        "title": study.title,
        "created": clock.timestamp(),
        "run_id": run.run_id,
        "dataset": None,
        "seeds": list(plan.seeds),
        "request": plan.as_asked,
        **_opened_before(plan, run, chosen),
        **({"looks": looks} if looks else {}),
        **plan.provenance,
        **known,
        "exhibits": _exhibits(plan, run, progress, known),
        "seconds": {
            "training": sum(t["train_seconds"] for t in trials),
            "compilation": compile_seconds,
        },
        "results_digest": documents.results_digest(trials, study.declared),
    }
    return documents.with_changes(study, evidence)


def _opened_before(plan: Plan, run: RunFolder, chosen: Mapping[str, Chosen]) -> dict[str, Any]:
    """By variant, how many trials of it with other recipes have opened the test split in other runs."""
    earlier = openings.read(plan.settings.workspace)
    counts = {
        name: openings.of_other_recipes(earlier, plan.opening(name, recipe, seed=0, run=run.run_id))
        for name, (recipe, _) in chosen.items()
    }
    found = {name: count for name, count in counts.items() if count}
    return {"opened": found} if found else {}


def _facts_of(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "split_version": dataset.split_version,
        "classes": list(dataset.classes),
        "largest_class": float(np.bincount(dataset.training.train.labels).max() / len(dataset.training.train)),
        "train": len(dataset.training.train),
        "validation": len(dataset.training.validation),
        "test": len(dataset.test.open()),
    }


def _shape_read(plan: Plan, recipe: Recipe) -> tuple[int, ...]:
    """Of the first array of an example, read as a recipe says."""
    assert plan.dataset is not None  # a study with variants has one
    return read_as(plan.dataset, recipe).training.input.arrays[0].shape


def _details(
    plan: Plan, chosen: Mapping[str, Chosen], probes: Mapping[str, Mapping[str, Any]], progress: Progress
) -> dict[str, Any]:
    """What the evidence says of the variants and drills besides their numbers."""

    @functools.cache
    def network_of(features: AnyFeatures, shape: tuple[int, ...]) -> Frozen:
        return frozen.frozen_network(features, shape, plan.settings, progress)

    def of(variant: Variant) -> dict[str, Any]:
        from fortydays.train.cost import multiply_adds
        from fortydays.train.framework import build_model, has_convolutions, resolve_precision

        recipe, search = chosen[variant.name]
        features = variant.features_of(plan.seeds[0])
        # Networks of other seeds differ in nothing that is told.
        network = (
            dataclasses.replace(network_of(features, _shape_read(plan, recipe)), features=variant.features)
            if features and features.computed and variant.features
            else None
        )
        model = build_model(variant.model, seed=0, precision="float32")
        shape = features.shape if features else _shape_read(plan, recipe)
        convolutions, counted = has_convolutions(model), multiply_adds(model, shape=shape)
        return {
            "description": variant.description,
            "group": variant.group,
            "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
            "multiply_adds": None if counted is None else counted + (network.multiply_adds if network else 0),
            **({"features": network.as_dict()} if network else {}),
            **({"vectors": variant.vectors} if variant.vectors else {}),
            **({} if variant.examples is None else {"examples": variant.examples}),
            **({"redrawn": True} if variant.redrawn else {}),
            "precision": resolve_precision(recipe, convolutions=convolutions, bfloat16_is_fast=plan.bfloat16_is_fast),
            "recipe": recipe.as_dict(),
            "search": search,
            **probes[variant.name],
        }

    return {variant.name: of(variant) for variant in plan.variants} | {d.name: d.as_dict() for d in plan.drills}


def _keep_best_model(plan: Plan, run: RunFolder, progress: Progress, known: Mapping[str, Any]) -> None:
    """The best trial's model as a file."""
    best = documents.best_trial(known["trials"])
    if best is not None:
        try:
            _save_model(_restored(plan, run, best, known["details"]), run.best_model)
        except Exception as error:  # a reader's own layer need not be one that Keras can save
            progress.warn(f"The best model is not kept as a file, its weights are: {in_words(error)}")


def _restored(plan: Plan, run: RunFolder, trial: Mapping[str, Any], details: Mapping[str, Any]) -> Any:
    """The model of a trial with its weights."""
    from fortydays.train.framework import build_model, set_variables

    name, seed = trial["variant"], trial["seed"]
    builder = next(v.model for v in plan.variants if v.name == name)
    model = build_model(builder, seed=seed, precision=details[name]["precision"])
    set_variables(model, load_arrays(run.trial_of(name, seed).weights))
    return model


def _exhibits(plan: Plan, run: RunFolder, progress: Progress, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The exhibits of the study. One is left out where the run has no finished trial of what it shows."""
    made, study = [], plan.source.study
    for place, exhibit in enumerate(study.all_exhibits):
        about = repr(exhibit.variant) if isinstance(exhibit, Exhibit) else f"{len(exhibit.variants)} variants"
        try:
            if isinstance(exhibit, Exhibit):
                if exhibit.variant in [drill.name for drill in plan.drills]:
                    content = _of_drill(plan, exhibit, progress, known)
                else:
                    shown = _shown(plan, run, exhibit.variant, known)
                    content = exhibit.make(shown) if shown else None
            else:
                content = exhibit.make(known) if known["variants"].keys() >= set(exhibit.variants) else None
            if content is not None:
                json.dumps(content, allow_nan=False)  # what cannot be written is as good as none
                made.append({**content, "first": True} if place < len(study.first) else content)
        except Exception as error:  # a study's own code; a picture that fails must not cost the trials
            progress.warn(f"An exhibit of {about} failed: {in_words(error)}")
    return made


def _of_drill(plan: Plan, exhibit: Exhibit, progress: Progress, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a drill shows, with the first seed that it came to its end with, or None where there is none."""
    ended = [t["seed"] for t in known["trials"] if t["variant"] == exhibit.variant and t["status"] == "finished"]
    if not ended:
        return None
    with a_bench(seed=ended[0], settings=plan.settings, say=progress.say, dataset=plan.dataset) as bench:
        return {"variant": exhibit.variant, "seed": ended[0], **exhibit.make(bench)}


def _shown(plan: Plan, run: RunFolder, variant: str, known: Mapping[str, Any]) -> Shown | None:
    """The trial of a variant that is best on the validation split, or None where none has finished."""
    trial = documents.best_trial([t for t in known["trials"] if t["variant"] == variant])
    if trial is None or plan.dataset is None:
        return None
    (probabilities,) = load_arrays(run.trial_of(variant, trial["seed"]).predictions)
    dataset = plan.dataset.read_as(Reading.of(known["details"][variant]["recipe"]))
    return Shown(
        variant=variant,
        seed=trial["seed"],
        model=_restored(plan, run, trial, known["details"]),
        input=dataset.training.input,
        test=dataset.test.open(),
        probabilities=probabilities,
        classes=plan.dataset.classes,
    )


def _save_model(model: Any, path: Path) -> None:
    """Save a Keras model as a ``.keras`` file, atomically. Keras writes to a path of that ending only."""
    temporary = path.with_name(f".part-{path.name}")
    with files.storage_errors("write", path):
        model.save(temporary)
    try:
        files.write_bytes(path, temporary.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)
