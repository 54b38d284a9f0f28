"""The speedrun: how many seconds of training a network needs to a mean test accuracy on CIFAR-10.

The clock of a seed follows airbench (Jordan, 2024): it runs from the start of training, what is computed from the
images and the initial weights of that seed included, to the end of the evaluation of the test split over all its
views. Loading, building and compiling are measured apart.

Settings are chosen with ``validate``, which trains on the training split alone, with seeds of its own, and never opens
the test split. What is reported trains on both splits together, as the settings do not depend on the test split.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from fortydays.base import clock
from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT, Progress
from fortydays.data.arrays import Dataset, Split
from fortydays.models.speed import speed_network
from fortydays.study.statistics import interval
from fortydays.train import backends
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

DATASET = "cifar10"
TUNING_SEEDS = 1000
"""The first seed that settings are chosen with; those that are reported begin at 0."""

LOOKS = 1000
"""The trainer looks at a split after each epoch. Here it is this many training images, one batch of an evaluation."""


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

    Returns:
        One JSON document. ``seeds`` has for each network its accuracy from 0 to 1 over the recipe's test views, its
        loss, and its seconds; ``accuracy`` and ``seconds`` are their means with spread; ``reached`` says whether the
        mean accuracy is the target or more.

    Raises:
        UsageError: ``seeds`` is out of range, or the batch is larger than the data.
        TrainingFailedError: the loss of a network stopped being a number.
    """
    from fortydays.train.framework import load_keras

    if not 1 <= seeds <= 1000:
        raise UsageError(f"--seeds is {seeds}; expected a whole number from 1 to 1000.")
    load_keras(threads=threads)
    given = dataset.training
    train = _in_memory(given.train) if validate else _in_memory(given.train, given.validation)
    progress.say("Compiling")
    began = clock.seconds()
    machine = describe_machine()
    looks = train.rows(slice(LOOKS))
    height, width, channels = given.input.arrays[0].shape
    trainer = Trainer(
        builder=speed_network(**preset.network, input_shape=(height, width, channels), classes=given.task.classes),
        recipe=preset.recipe,
        data=dataclasses.replace(given, train=train, validation=looks),
        bfloat16_is_fast=backends.backend().bfloat16_is_fast(on_processor=machine.bfloat16_is_fast),
    )
    trainer.evaluate(looks)  # what is compiled at the first use of the test's views
    compile_seconds = clock.seconds() - began
    results: list[dict[str, Any]] = []
    task = "training"
    progress.start(task, total=float(seeds * preset.recipe.epochs * trainer.steps_per_epoch), unit="steps")

    def report(done: int, total: int, loss: float, accuracy: float) -> None:
        note = f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%"
        progress.advance(task, done=float(len(results) * total + done), note=note)

    for seed in range(first := TUNING_SEEDS if validate else 0, first + seeds):
        began = clock.seconds()
        trainer.train(seed=seed, report=report)
        trained = clock.seconds()
        evaluated = _in_memory(given.validation if validate else dataset.test.open())
        reading = clock.seconds() - trained
        evaluation = trainer.evaluate(evaluated)
        seconds = clock.seconds() - began - reading
        progress.say(f"seed {seed}: {100 * evaluation.accuracy:.2f}% in {seconds:.1f} s")
        results.append({"seed": seed, "accuracy": evaluation.accuracy, "loss": evaluation.loss, "seconds": seconds})
    progress.finish(task)
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
        "device": backends.backend().accelerator() or machine.cpu_model or machine.system,
        "precision": trainer.precision,
        "threads": threads,
    }


def _in_memory(*splits: Split) -> Split:
    """Splits one after the other, read from disk, also where there is only one: what is timed reads nothing."""
    inputs = {name: np.concatenate([split.inputs[name] for split in splits]) for name in splits[0].inputs}
    return Split(inputs=inputs, labels=np.concatenate([split.labels for split in splits]))
