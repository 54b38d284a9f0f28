"""The speedrun: how many seconds of training a network needs to a mean test accuracy on CIFAR-10.

The clock of a seed follows airbench (Jordan, 2024): it runs from the start of training, what is computed from the
images and the initial weights of that seed included, to the end of the evaluation of the test split over all its
views. Loading, building and compiling are measured apart.

Settings are chosen with ``validate``, which trains on the training split alone, with seeds of its own, and never opens
the test split. What is reported trains on both splits together, as the settings do not depend on the test split.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT, Progress
from fortydays.data.arrays import Dataset, Split, TrainingData
from fortydays.models.speed import speed_network
from fortydays.study import openings
from fortydays.study.statistics import interval
from fortydays.train import backends
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Report, Trainer

DATASET = "cifar10"
TUNING_SEEDS = 1000
"""The first seed that settings are chosen with; those that are reported begin at 0."""

CHECKED = 1000
"""The trainer checks a split after each epoch. Here it is this many training images, one batch of an evaluation."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and its recipe; ``network`` are arguments of :func:`fortydays.models.speed.speed_network`."""

    network: Mapping[str, Any]
    recipe: Recipe


def _recipe(
    rate: float, *, rest_rate: float, output_rate: float, decay: float, epochs: int, batch_size: int, **others: Any
) -> Recipe:
    options = {"momentum": 0.6, "rest_momentum": 0.85, "rest_rate": rest_rate, "output_rate": output_rate}
    fields: dict[str, Any] = {"flip": "alternating", "shift": 2, "test_views": "flip", "label_smoothing": 0.2} | others
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        optimizer="muon",
        learning_rate=rate,
        optimizer_options=options,
        schedule="linear",
        weight_decay=decay,
        **fields,
    )


_CHEAP: dict[str, Any] = {"whitening_bias": False, "whitening_strides": 2}
_SMALL: dict[str, Any] = {"rest_rate": 44.69, "output_rate": 0.1379, "decay": 0.04497, "batch_size": 512}
PRESETS: Mapping[float, Preset] = MappingProxyType(
    {
        0.70: Preset(
            network={"widths": (32, 48, 64), **_CHEAP},
            recipe=_recipe(0.1518, epochs=1, flip="random", shift=0, **_SMALL),
        ),
        0.80: Preset(network={"widths": (32, 64, 64), **_CHEAP}, recipe=_recipe(0.1518, epochs=3, **_SMALL)),
        0.90: Preset(
            network={"widths": (64, 128, 128)},
            recipe=_recipe(0.1697, rest_rate=156.2, output_rate=0.1205, decay=0.07857, epochs=5, batch_size=1000),
        ),
        0.94: Preset(
            network={"widths": (64, 256, 256)},
            recipe=_recipe(
                0.24,
                rest_rate=441.7,
                output_rate=0.08519,
                decay=0.1111,
                epochs=9,
                batch_size=2000,
                test_views="flip and shift",
            ),
        ),
    }
)
"""For each accuracy, the network and recipe that reach it soonest, the lowest accuracy first.

The rates are airbench94_muon's for the batch and the width; ``bench/tune_speedrun.py`` computes them and tries others,
without opening the test split.
"""


def find_preset(dataset: str, accuracy: float) -> Preset:
    """The cheapest preset for an accuracy: the next one at or above it.

    Raises:
        UsageError: there is none for the dataset, none so high, or the accuracy is no share.
    """
    if dataset != DATASET:
        raise unknown_name("speedrun", dataset, (DATASET,))
    enough = [each for each in PRESETS if each >= accuracy > 0]
    if not enough:
        raise UsageError(
            f"There is no preset for an accuracy of {accuracy:g}; expected a number above 0 and up to "
            f"{max(PRESETS):g}, such as 0.8.",
            hint=f"There are presets for {', '.join(f'{each:.2f}' for each in PRESETS)}. "
            "An accuracy between two takes the higher one.",
        )
    return PRESETS[enough[0]]


def run_speedrun(
    dataset: Dataset,
    preset: Preset,
    *,
    target: float,
    seeds: int,
    threads: int,
    validate: bool = False,
    progress: Progress = SILENT,
    workspace: Path | None = None,
) -> dict[str, Any]:
    """Train a preset's network from some seeds and time it.

    Args:
        dataset: its test split is opened after each training, and never where ``validate`` is set.
        preset: what to train.
        target: the mean accuracy to compare with.
        seeds: how many networks to train.
        threads: to compute with on a CPU.
        validate: train on the training split, evaluate the validation split, take seeds for tuning.
        progress: told of the work.
        workspace: where each opening of the test split is noted; nowhere without it.

    Returns:
        One JSON document. ``seeds`` has the accuracy (0 to 1, over the recipe's test views), loss and seconds of each
        network. ``accuracy`` and ``seconds`` are means with spread. ``reached``: the mean is the target or more.

    Raises:
        UsageError: ``seeds`` is out of range, or the batch is larger than the data.
        TrainingFailedError: the loss of a network stopped being a number.
    """
    from fortydays.train.framework import load_keras

    if not 1 <= seeds <= 1000:
        raise UsageError(f"--seeds is {seeds}; expected a whole number from 1 to 1000.")
    load_keras(threads=threads)
    data = dataset.training
    train = _in_memory(data.train) if validate else _in_memory(data.train, data.validation)
    progress.say("Compiling")
    trainer, compile_seconds = _compiled(preset, dataclasses.replace(data, train=train))
    steps = preset.recipe.epochs * trainer.steps_per_epoch

    def opened(seed: int) -> None:
        if workspace is not None and not validate:
            openings.note(workspace, _opening(dataset, preset, seed))

    results = _all_timed(
        trainer, dataset, seeds=seeds, steps=steps, validate=validate, opened=opened, progress=progress
    )
    accuracy = interval([each["accuracy"] for each in results])
    return {
        "schema_version": 2,
        "dataset": {"name": dataset.name, "digest": dataset.digest},
        "target": target,
        "reached": accuracy.mean >= target,
        "split": "validation" if validate else "test",
        "trained_on": len(train),
        "network": dict(preset.network),
        "recipe": preset.recipe.as_dict(),
        "parameters": trainer.num_parameters,
        "accuracy": accuracy.as_dict(),
        "seconds": interval([each["seconds"] for each in results]).as_dict(),
        "seeds": results,
        "compile_seconds": compile_seconds,
        "backend": backends.wanted(),
        "device": backends.backend().accelerator() or describe_machine().cpu_model or describe_machine().system,
        "precision": trainer.precision,
        "threads": threads,
    }


def _opening(dataset: Dataset, preset: Preset, seed: int) -> openings.Opening:
    return openings.Opening(
        dataset=dataset.name,
        digest=dataset.digest,
        study="speedrun",
        code=files.sha256_of_json(preset.network),
        variant="speedrun",
        recipe=files.sha256_of_json(preset.recipe.as_dict()),
        seed=seed,
        run="speedrun",
    )


def _compiled(preset: Preset, data: TrainingData) -> tuple[Trainer, float]:
    """A preset's trainer with all that it compiles, and the seconds that took."""
    began = clock.seconds()
    checked = data.train.rows(slice(CHECKED))
    height, width, channels = data.input.arrays[0].shape
    fast = backends.backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)
    trainer = Trainer(
        builder=speed_network(**preset.network, input_shape=(height, width, channels), classes=data.task.classes),
        recipe=preset.recipe,
        data=dataclasses.replace(data, validation=checked),
        bfloat16_is_fast=fast,
    )
    trainer.evaluate(checked)  # what is compiled at the first use of the test's views
    return trainer, clock.seconds() - began


def _all_timed(
    trainer: Trainer,
    dataset: Dataset,
    *,
    seeds: int,
    steps: int,
    validate: bool,
    opened: Callable[[int], object],
    progress: Progress,
) -> list[dict[str, Any]]:
    """What :func:`_timed` gives for each seed, of so many ``steps`` each.

    ``progress`` is told of every step, and ``opened`` of each seed that was evaluated.
    """
    results: list[dict[str, Any]] = []
    task, first = "training", TUNING_SEEDS if validate else 0
    progress.start(task, total=float(seeds * steps), unit="steps")

    def report(done: int, total: int, loss: float, accuracy: float) -> None:
        note = f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%"
        progress.advance(task, done=float(len(results) * total + done), note=note)

    for seed in range(first, first + seeds):
        found = _timed(trainer, seed, lambda: dataset.training.validation if validate else dataset.test.open(), report)
        opened(seed)
        progress.say(f"seed {seed}: {100 * found['accuracy']:.2f}% in {found['seconds']:.1f} s")
        results.append(found)
    progress.finish(task)
    return results


def _timed(trainer: Trainer, seed: int, evaluated: Callable[[], Split], report: Report) -> dict[str, Any]:
    """Train with a seed and evaluate a split, which is opened after the training and off the clock."""
    began = clock.seconds()
    trainer.train(seed=seed, report=report)
    seconds = clock.seconds() - began
    split = _in_memory(evaluated())
    began = clock.seconds()
    found = trainer.evaluate(split)
    seconds += clock.seconds() - began
    return {"seed": seed, "accuracy": found.accuracy, "loss": found.loss, "seconds": seconds}


def _in_memory(*splits: Split) -> Split:
    """Splits one after the other, read from disk, also where there is only one: what is timed reads nothing."""
    inputs = {name: np.concatenate([split.inputs[name] for split in splits]) for name in splits[0].inputs}
    return Split(inputs=inputs, labels=np.concatenate([split.labels for split in splits]))
