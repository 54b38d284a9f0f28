"""Run folders written by hand, as a study would leave them: two epochs, numbers one can check by eye."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder, RunState, create_run

DIGEST = "a1" * 32
RECIPE = {"epochs": 2, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.001, "precision": "auto"}


def made_up_settings(workspace: Path, *, tracking_uri: str = "") -> Settings:
    return Settings(
        workspace=workspace,
        datasets=workspace / "datasets",
        mirror=None,
        offline=True,
        threads=2,
        tracking_uri=tracking_uri,
    )


def begin_run(settings: Settings, *, day: int | None = 2, name: str = "activations") -> RunFolder:
    return create_run(
        settings.runs,
        day=day,
        name=name,
        request={"seeds": [0, 1], "only": [], "settings": [], "engine": "compiled"},
        identity={
            "study": "5",
            "engine": "e",
            "dataset": DIGEST,
            "recipes": {"relu": RECIPE, "sigmoid": RECIPE},
            "packages": {"keras": "3.15.1"},
            "threads": 2,
            "backend": "tensorflow",
        },
    )


def made_up_trial(variant: str, seed: int, *, failed: bool = False) -> dict[str, Any]:
    if failed:
        return {
            "variant": variant,
            "seed": seed,
            "status": "failed",
            "error": "The loss stopped being a number.",
            "metrics": {},
            "train_seconds": 0.0,
            "epochs": 0,
            "best_epoch": 0,
            "weights_digest": "",
            "history": {},
        }
    return {
        "variant": variant,
        "seed": seed,
        "status": "finished",
        "error": "",
        "metrics": {
            "test_accuracy": 0.9 + seed / 100,
            "test_loss": 0.3,
            "validation_accuracy": 0.95,
            "steps_to_0.95": None,
            "steps_to_0.95_limit": 20,
        },
        "train_seconds": 2.0,
        "compile_seconds": 0.5,
        "epochs": 2,
        "best_epoch": 2,
        "weights_digest": f"{variant}-{seed}",
        "history": {
            "step": [10, 20],
            "epoch": [1, 2],
            "train_loss": [2.0, 1.0],
            "train_accuracy": [0.25, 0.5],
            "validation_loss": [1.5, 0.75],
            "validation_accuracy": [0.375, 0.625],
            "learning_rate": [0.001, 0.0005],
            "seconds": [1.0, 2.0],
        },
    }


def end_trial(run: RunFolder, variant: str, seed: int, *, failed: bool = False) -> None:
    trial = made_up_trial(variant, seed, failed=failed)
    files.write_json(run.trial(f"{variant}-seed{seed}").result, trial)


def made_up_evidence(run: RunFolder) -> dict[str, Any]:
    trials = [json.loads(trial.result.read_text("utf-8")) for trial in run.trials()]
    names = list(dict.fromkeys(trial["variant"] for trial in trials))
    document = run.read()
    details = {
        "description": "",
        "group": "",
        "parameters": 101770,
        "precision": "float32",
        "recipe": RECIPE,
        "search": None,
    }
    accuracy = {"mean": 0.905, "std": 0.007, "low": 0.84, "high": 0.97, "n": 2}
    return {
        "schema_version": 1,
        "day": document["day"],
        "name": document["name"],
        "title": "Activation functions",
        "created": "2026-11-22T14:03:11Z",
        "run_id": run.run_id,
        "dataset": {
            "name": "mnist",
            "digest": DIGEST,
            "split_version": 1,
            "classes": ["0", "1"],
            "train": 55000,
            "validation": 5000,
            "test": 10000,
        },
        "seeds": [0, 1],
        "request": document["request"],
        "code": {"study": "5", "engine": "e", "version": "0.1.0"},
        "packages": {"keras": "3.15.1"},
        "machine": {"cpu_model": "made up", "cores": 2, "flags": ["avx2"], "system": "Linux", "python": "3.11.7"},
        "threads": 2,
        "backend": "tensorflow",
        "details": dict.fromkeys(names, details),
        "trials": trials,
        "variants": {name: {"test_accuracy": accuracy} for name in names},
        "claims": [
            {"claim": "ReLU is more accurate than sigmoid", "condition": "relu > sigmoid", "verdict": "supported"},
            {"claim": "Sigmoid is as fast as ReLU", "condition": "sigmoid = relu", "verdict": "refuted"},
        ],
        "exhibits": [],
        "seconds": {"total": 5.0, "training": 4.0, "compilation": 1.0},
        "results_digest": "r",
    }


def end_run(run: RunFolder, *, state: RunState = RunState.FINISHED) -> None:
    run.best_model.write_bytes(b"a model")
    files.write_json(run.evidence, made_up_evidence(run))
    run.update(state=str(state))


def finished_run(settings: Settings, *, variants: tuple[str, ...] = ("relu", "sigmoid"), seeds: int = 2) -> RunFolder:
    run = begin_run(settings)
    for variant in variants:
        for seed in range(seeds):
            end_trial(run, variant, seed)
    end_run(run)
    return run


def with_uri(settings: Settings, uri: str) -> Settings:
    return dataclasses.replace(settings, tracking_uri=uri)


def with_workspace(settings: Settings, workspace: Path) -> Settings:
    return made_up_settings(workspace, tracking_uri=settings.tracking_uri)
