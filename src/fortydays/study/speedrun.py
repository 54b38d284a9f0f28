"""The speedrun: how many seconds of training a network needs to a mean test accuracy.

The clock of a seed follows airbench (Jordan, 2024): it runs from the start of training, what is computed from the
images and the initial weights of that seed included, to the end of the evaluation of the test split over all its
views. Loading, building and compiling are measured apart. It stands still while the test split is read.

Settings are chosen with ``validate``, which trains on the training split alone, with seeds of its own, and never opens
the test split. What is reported trains on both splits together, as the settings do not depend on the test split.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from fortydays import __version__
from fortydays.base import clock
from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT, Progress
from fortydays.data.arrays import Dataset, Split, TrainingData
from fortydays.models.speed import speed_network
from fortydays.study.evidence import package_versions
from fortydays.study.statistics import Interval, interval
from fortydays.train import backends
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

SCHEMA_VERSION = 1
TUNING_SEEDS = 1000
"""The first seed that settings are chosen with; those that are reported begin at 0."""

LOOKS = 1000
"""The engine looks at a split after each epoch. Here it is this many training images, one batch of an evaluation."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and its recipe, chosen on the validation split to reach an accuracy soon.

    Attributes:
        accuracy: the mean test accuracy it is meant for, from 0 to 1.
        widths: filters in each block of :func:`fortydays.models.speed.speed_network`.
        convolutions: in each block.
        whitening_bias: whether the whitening layer has a trained bias.
        whitening_strides: pixels from one whitened patch to the next.
        recipe: how the network is trained.
    """

    accuracy: float
    widths: tuple[int, ...]
    recipe: Recipe
    convolutions: int = 2
    whitening_bias: bool = True
    whitening_strides: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The preset as JSON values."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**values, "widths": list(self.widths), "recipe": self.recipe.as_dict()}


def muon_recipe(
    *,
    epochs: int,
    batch_size: int,
    features: int,
    test_views: str,
    filter_rate: float = 0.24,
    bias_rate: float = 0.053,
    output_rate: float = 0.67,
    decay: float = 2e-6,
    label_smoothing: float = 0.2,
    warmup: float = 0.0,
    flip: str = "alternating",
    shift: int = 2,
) -> Recipe:
    """A recipe with airbench94_muon's own numbers, for another batch size or width, as the engine takes them.

    airbench adds the losses of 2,000 images up; the engine takes their mean, so that rates of SGD are multiplied by
    the batch size. Muon's steps have the same length whatever the loss is divided by; for other batches than 2,000
    they are scaled by the square root of the ratio. airbench's decay goes through the momentum of 0.85, which
    multiplies it by 1 / 0.15; the engine's does not. airbench divides the logits by the number of features; the
    network here starts from weights so divided, for which the same steps have the square of that number in the rate.
    For fewer than its 256 features, the rates of SGD are lowered in proportion, so that a step changes the logits by
    as much.

    Args:
        epochs: passes over the training images.
        batch_size: images in a step.
        features: that the head gets, the last of the widths.
        test_views: as in a recipe.
        filter_rate: of filters, with a batch of 2,000.
        bias_rate: of biases, for the sum of the losses.
        output_rate: of the head, for the sum of the losses and 256 features.
        decay: of biases and head, for each image of a batch.
        label_smoothing: as in a recipe.
        warmup: as in a recipe; airbench94_muon has none.
        flip: as in a recipe.
        shift: as in a recipe.
    """
    rate = filter_rate * math.sqrt(batch_size / 2000)
    momentum = 0.85
    options = {
        "momentum": 0.6,
        "rest_momentum": momentum,
        "rest_rate": _short(bias_rate * batch_size * features / 256 / rate),
        "output_rate": _short(output_rate * batch_size * features / 256 / features**2 / rate),
    }
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        optimizer="muon",
        learning_rate=_short(rate),
        optimizer_options=options,
        schedule="linear",
        warmup=warmup,
        weight_decay=_short(decay * batch_size / (1 - momentum) / rate),
        label_smoothing=label_smoothing,
        flip=flip,
        shift=shift,
        test_views=test_views,
    )


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def make_preset(
    accuracy: float,
    *,
    widths: tuple[int, ...],
    convolutions: int = 2,
    whitening_bias: bool = True,
    whitening_strides: int = 1,
    **recipe: Any,
) -> Preset:
    """A preset from a network's sizes and the arguments of :func:`muon_recipe`."""
    return Preset(
        accuracy=accuracy,
        widths=widths,
        convolutions=convolutions,
        whitening_bias=whitening_bias,
        whitening_strides=whitening_strides,
        recipe=muon_recipe(features=widths[-1], **recipe),
    )


SETTINGS: Mapping[str, Mapping[float, Mapping[str, Any]]] = MappingProxyType(
    {
        "cifar10": {
            0.70: {
                "widths": (32, 48, 64),
                "whitening_bias": False,
                "whitening_strides": 2,
                "epochs": 1,
                "batch_size": 512,
                "filter_rate": 0.3,
                "flip": "random",
                "shift": 0,
                "test_views": "flip",
            },
            0.80: {
                "widths": (32, 64, 64),
                "whitening_bias": False,
                "whitening_strides": 2,
                "epochs": 3,
                "batch_size": 512,
                "filter_rate": 0.3,
                "test_views": "flip",
            },
            0.90: {
                "widths": (64, 128, 128),
                "epochs": 5,
                "batch_size": 1000,
                "test_views": "flip",
            },
            0.94: {
                "widths": (64, 256, 256),
                "epochs": 9,
                "batch_size": 2000,
                "test_views": "flip and shift",
            },
        }
    }
)
"""For each dataset and accuracy, the arguments of :func:`make_preset`: all that a speedrun is tuned by.

Try others with ``bench/tune_speedrun.py``, which never opens the test split.
"""

PRESETS: Mapping[str, tuple[Preset, ...]] = MappingProxyType(
    {
        dataset: tuple(make_preset(accuracy, **settings[accuracy]) for accuracy in sorted(settings))
        for dataset, settings in SETTINGS.items()
    }
)
"""For each dataset, its presets, the lowest accuracy first."""


def find_preset(dataset: str, accuracy: float) -> Preset:
    """The cheapest preset for an accuracy: the next one at or above it.

    Raises:
        UsageError: there is none for the dataset, none so high, or the accuracy is no share.
    """
    if dataset not in PRESETS:
        raise unknown_name("speedrun", dataset, PRESETS)
    presets = PRESETS[dataset]
    existing = ", ".join(f"{p.accuracy:.2f}" for p in presets)
    if not 0 < accuracy < 1:
        raise UsageError(
            f"The accuracy to reach is {accuracy:g}; expected a number between 0 and 1, such as 0.94.",
            hint=f"There are presets for {existing}.",
        )
    for preset in presets:
        if accuracy <= preset.accuracy:
            return preset
    raise UsageError(
        f"There is no preset for an accuracy of {accuracy:g} on {dataset}; the highest is {presets[-1].accuracy:.2f}.",
        hint=f"There are presets for {existing}; an accuracy between two takes the higher one.",
    )


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One network of a speedrun.

    Attributes:
        seed: that it was trained from.
        accuracy: on the test split, or the validation split, over the recipe's test views; from 0 to 1.
        loss: mean loss there.
        training_seconds: from the start, weights and whitening included, to the last step.
        evaluation_seconds: of that split.
    """

    seed: int
    accuracy: float
    loss: float
    training_seconds: float
    evaluation_seconds: float

    @property
    def seconds(self) -> float:
        """What the clock said at the end."""
        return self.training_seconds + self.evaluation_seconds


@dataclass(frozen=True, kw_only=True)
class Speedrun:
    """A finished speedrun.

    Attributes:
        dataset: name of the dataset.
        digest: of the dataset.
        target: the mean accuracy asked for.
        preset: what was trained.
        split: what was evaluated: "test" or "validation".
        trained_on: how many images were trained on.
        results: one for each seed, in order.
        loading_seconds: of loading Keras and its backend, and the data.
        compile_seconds: of building and compiling, first calls included.
        cold_seconds: from the start of the process to the end of the first seed.
        device: what was computed on.
        precision: "float32" or "bfloat16".
        threads: that a CPU computes with.
        parameters: how many numbers the optimizer may change.
    """

    dataset: str
    digest: str
    target: float
    preset: Preset
    split: str
    trained_on: int
    results: tuple[SeedResult, ...]
    loading_seconds: Mapping[str, float] = field(hash=False)
    compile_seconds: float
    cold_seconds: float
    device: str
    precision: str
    threads: int
    parameters: int

    @property
    def accuracy(self) -> Interval:
        """Mean accuracy over the seeds, with its spread."""
        return interval([r.accuracy for r in self.results])

    @property
    def seconds(self) -> Interval:
        """Mean seconds over the seeds, with their spread."""
        return interval([r.seconds for r in self.results])

    @property
    def reached(self) -> bool:
        """Whether the mean accuracy over the seeds is the target or more."""
        return self.accuracy.mean >= self.target

    def as_dict(self) -> dict[str, Any]:
        """The speedrun as one JSON document."""
        machine = describe_machine()
        return {
            "schema_version": SCHEMA_VERSION,
            "version": __version__,
            "created": clock.timestamp(),
            "dataset": {"name": self.dataset, "digest": self.digest},
            "target": self.target,
            "reached": self.reached,
            "split": self.split,
            "trained_on": self.trained_on,
            "preset": self.preset.as_dict(),
            "parameters": self.parameters,
            "accuracy": self.accuracy.as_dict(),
            "seconds": self.seconds.as_dict(),
            "seeds": [{**dataclasses.asdict(r), "seconds": r.seconds} for r in self.results],
            "loading_seconds": dict(self.loading_seconds),
            "compile_seconds": self.compile_seconds,
            "cold_seconds": self.cold_seconds,
            "backend": backends.wanted(),
            "packages": package_versions(backends.backend().PACKAGES),
            "device": self.device,
            "precision": self.precision,
            "threads": self.threads,
            "machine": {**dataclasses.asdict(machine), "flags": list(machine.flags)},
        }


def run_speedrun(
    dataset: Dataset,
    preset: Preset,
    *,
    target: float,
    seeds: int,
    threads: int,
    validate: bool = False,
    loading_seconds: float = 0.0,
    progress: Progress = SILENT,
) -> Speedrun:
    """Train a preset's network from some seeds and time it.

    Args:
        dataset: its test split is opened after each training, and never where ``validate`` is set.
        preset: what to train.
        target: the mean accuracy to compare with.
        seeds: how many networks to train.
        threads: to compute with on a CPU.
        validate: train on the training split, evaluate the validation split, take seeds for tuning.
        loading_seconds: of loading the dataset, to be told apart.
        progress: told of the work.

    Raises:
        UsageError: ``seeds`` is out of range, or the batch is larger than the data.
        TrainingFailedError: the loss of a network stopped being a number.
    """
    from fortydays.train.framework import load_keras

    if not 1 <= seeds <= 1000:
        raise UsageError(f"--seeds is {seeds}; expected a whole number from 1 to 1000.")
    began = clock.seconds()
    load_keras(threads=threads)
    keras_loaded = clock.seconds()
    train = _in_memory(dataset.training.train)
    if not validate:
        train = _joined(train, dataset.training.validation)
    prepared = clock.seconds()
    progress.say("Compiling")
    timer = _Timer(preset, train, num_classes=dataset.training.num_classes)
    compile_seconds = clock.seconds() - prepared
    results: list[SeedResult] = []
    cold_seconds = 0.0
    first = TUNING_SEEDS if validate else 0
    progress.start(_TASK, total=float(seeds * timer.steps), unit="steps")
    for done, seed in enumerate(range(first, first + seeds)):
        training_seconds = timer.train(seed, progress=progress, before=done * timer.steps)
        evaluated = _in_memory(dataset.training.validation if validate else dataset.test.open())
        result = timer.evaluate(evaluated, seed=seed, training_seconds=training_seconds)
        cold_seconds = cold_seconds or clock.seconds_since_start()
        progress.say(f"seed {seed}: {100 * result.accuracy:.2f}% in {result.seconds:.1f} s")
        results.append(result)
    progress.finish(_TASK)
    return Speedrun(
        dataset=dataset.name,
        digest=dataset.digest,
        target=target,
        preset=preset,
        split="validation" if validate else "test",
        trained_on=len(train),
        results=tuple(results),
        loading_seconds={
            "keras": keras_loaded - began,
            "data": loading_seconds + prepared - keras_loaded,
        },
        compile_seconds=compile_seconds,
        cold_seconds=cold_seconds,
        device=_device(),
        precision=timer.precision,
        threads=threads,
        parameters=timer.parameters,
    )


_TASK = "training"


class _WarmedUp(Exception):  # noqa: N818 - says that something is done
    """The first step of a training that is not meant to go on."""


class _Timer:
    """One preset's network, compiled, and the clock of each seed."""

    def __init__(self, preset: Preset, train: Split, *, num_classes: int) -> None:
        shape = train.images.shape[1:]
        looks = Split(images=train.images[:LOOKS], labels=train.labels[:LOOKS])
        self._trainer = Trainer(
            builder=speed_network(
                widths=preset.widths,
                convolutions=preset.convolutions,
                whitening_bias=preset.whitening_bias,
                whitening_strides=preset.whitening_strides,
                input_shape=(shape[0], shape[1], shape[2]),
                classes=num_classes,
            ),
            recipe=preset.recipe,
            data=TrainingData(train=train, validation=looks, num_classes=num_classes),
            bfloat16_is_fast=backends.backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast),
        )
        self._recipe = preset.recipe
        self.precision = self._trainer.precision
        self.parameters = self._trainer.num_parameters
        self.steps = preset.recipe.epochs * self._trainer.steps_per_epoch
        # What a library compiles or looks up at its first use belongs to compiling: one step, and one evaluation.
        try:
            self._trainer.train(seed=TUNING_SEEDS, recipe=preset.recipe.replace(evaluate_every=1), report=_stop)
        except _WarmedUp:
            self._trainer.evaluate(looks)

    def train(self, seed: int, *, progress: Progress, before: int) -> float:
        """Train from a seed; the seconds that took."""

        def report(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
            note = f"seed {seed}  loss {loss:.3f}  accuracy {100 * accuracy:.1f}%"
            progress.advance(_TASK, done=float(before + done), note=note)

        began = clock.seconds()
        self._trainer.train(seed=seed, recipe=self._recipe, report=report)
        return clock.seconds() - began

    def evaluate(self, split: Split, *, seed: int, training_seconds: float) -> SeedResult:
        """Evaluate what was trained last."""
        began = clock.seconds()
        evaluation = self._trainer.evaluate(split)
        return SeedResult(
            seed=seed,
            accuracy=evaluation.accuracy,
            loss=evaluation.loss,
            training_seconds=training_seconds,
            evaluation_seconds=clock.seconds() - began,
        )


def _stop(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
    raise _WarmedUp


def _in_memory(split: Split) -> Split:
    return Split(images=np.array(split.images), labels=np.array(split.labels))


def _joined(first: Split, second: Split) -> Split:
    return Split(
        images=np.concatenate([first.images, second.images]), labels=np.concatenate([first.labels, second.labels])
    )


def _device() -> str:
    """The name of what is computed on."""
    machine = describe_machine()
    return backends.backend().accelerator() or machine.cpu_model or machine.system
