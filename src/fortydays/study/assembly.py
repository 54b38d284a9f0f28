"""The evidence of a run, put together from its trials; its exhibits, and the model of its best trial."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.arrays import load_arrays
from fortydays.base.progress import Progress
from fortydays.data.arrays import Dataset
from fortydays.study import evidence as documents
from fortydays.study import frozen
from fortydays.study.design import Shown, Variant
from fortydays.study.features import Features
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
    *,
    compile_seconds: float,
    progress: Progress,
) -> dict[str, Any]:
    """The evidence of a run whose trials have all ended; the model of the best one is kept in its folder.

    Args:
        plan: of the run.
        run: its folder, with what each trial has left there.
        trials: their results, in the order of the plan.
        chosen: by variant, its recipe and the outcome of its search.
        compile_seconds: of all building and compiling.
        progress: told of exhibits that fail.

    Raises:
        StorageError: the run's folder cannot be read or written.
    """
    study = plan.source.study
    details = _details(plan, chosen, progress)
    return {
        "schema_version": documents.SCHEMA_VERSION,
        "day": plan.source.day,
        "name": plan.source.name,
        "title": study.title,
        "created": clock.timestamp(),
        "run_id": run.run_id,
        "dataset": None if plan.dataset is None else _facts_of(plan.dataset),
        "seeds": list(plan.seeds),
        "request": plan.as_asked,
        **plan.provenance,
        "details": details,
        "trials": trials,
        "variants": documents.summarize(trials),
        **documents.judgements(study, trials),
        "exhibits": _exhibits(plan, plan.dataset, run, progress, trials, details) if plan.dataset else [],
        "seconds": {
            "training": sum(t["train_seconds"] for t in trials),
            "compilation": compile_seconds,
        },
        "results_digest": documents.results_digest(trials, study.declared),
    }


def _facts_of(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "split_version": dataset.split_version,
        "classes": list(dataset.classes),
        "train": len(dataset.training.train),
        "validation": len(dataset.training.validation),
        "test": len(dataset.test.open()),
    }


def _details(plan: Plan, chosen: Mapping[str, Chosen], progress: Progress) -> dict[str, Any]:
    """What the evidence says of the variants and drills besides their numbers."""
    networks: dict[Features, Frozen] = {}
    for variant in plan.variants:
        if variant.features is not None and variant.features not in networks:
            assert plan.dataset is not None  # a study with variants has one
            shape = plan.dataset.training.input.arrays[0].shape
            networks[variant.features] = frozen.frozen_network(variant.features, shape, plan.settings, progress)
    of_variants = {
        variant.name: _details_of(
            variant,
            *chosen[variant.name],
            network=networks[variant.features] if variant.features else None,
            bfloat16_is_fast=plan.bfloat16_is_fast,
        )
        for variant in plan.variants
    }
    return of_variants | {drill.name: drill.as_dict() for drill in plan.drills}


def _details_of(
    variant: Variant,
    recipe: Recipe,
    search: dict[str, Any] | None,
    *,
    network: Frozen | None,
    bfloat16_is_fast: bool,
) -> dict[str, Any]:
    from fortydays.train.cost import multiply_adds
    from fortydays.train.framework import build_model, has_convolutions, resolve_precision

    model = build_model(variant.model, seed=0, precision="float32")
    counted = multiply_adds(model)
    return {
        "description": variant.description,
        "group": variant.group,
        "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "multiply_adds": None if counted is None else counted + (network.multiply_adds if network else 0),
        **({"features": network.as_dict()} if network else {}),
        **({} if variant.examples is None else {"examples": variant.examples}),
        "precision": resolve_precision(
            recipe, convolutions=has_convolutions(model), bfloat16_is_fast=bfloat16_is_fast
        ),
        "recipe": recipe.as_dict(),
        "search": search,
    }


def _exhibits(
    plan: Plan,
    dataset: Dataset,
    run: RunFolder,
    progress: Progress,
    trials: Sequence[dict[str, Any]],
    details: dict[str, Any],
) -> list[dict[str, Any]]:
    """The exhibits of the study, and the best trial's model kept as a file."""
    from fortydays.train.framework import build_model, set_variables

    builders = {v.name: v.model for v in plan.variants}

    def restored(trial: Mapping[str, Any]) -> Any:
        name = trial["variant"]
        model = build_model(builders[name], seed=trial["seed"], precision=details[name]["precision"])
        folder = run.trial_of(trial["variant"], trial["seed"])
        set_variables(model, load_arrays(folder.weights))
        return model

    best = documents.best_trial(trials)
    if best is not None:
        try:
            _save_model(restored(best), run.best_model)
        except Exception as error:  # a reader's own layer need not be one that Keras can save
            progress.warn(f"The best model is not kept as a file, its weights are: {type(error).__name__}: {error}")
    made = []
    for exhibit in plan.source.study.exhibits:
        trial = documents.best_trial([t for t in trials if t["variant"] == exhibit.variant])
        if trial is None:
            continue
        (probabilities,) = load_arrays(run.trial_of(trial["variant"], trial["seed"]).predictions)
        shown = Shown(
            variant=trial["variant"],
            seed=trial["seed"],
            model=restored(trial),
            input=dataset.training.input,
            test=dataset.test.open(),
            probabilities=probabilities,
            classes=dataset.classes,
        )
        try:
            content = exhibit.make(shown)
            json.dumps(content, allow_nan=False)  # what cannot be written is as good as none
            made.append(content)
        except Exception as error:  # a study's own code; a picture that fails must not cost the trials
            progress.warn(f"An exhibit of {exhibit.variant!r} failed: {type(error).__name__}: {error}")
    return made


def _save_model(model: Any, path: Path) -> None:
    """Save a Keras model as a ``.keras`` file, atomically. Keras writes to a path of that ending only."""
    temporary = path.with_name(f".part-{path.name}")
    with files.storage_errors("write", path):
        model.save(temporary)
    try:
        files.write_bytes(path, temporary.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)
