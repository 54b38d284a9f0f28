"""Which operations take the time of a training step, by TensorFlow's own profiler.

Usage: python bench/profile_step.py DAY [VARIANT]

Trains some steps of a day's variant, the first one unless you name another, and prints the types of operations with
their milliseconds in a step, and then the kinds of layers with theirs, forwards and backwards: attention is a row of
these. A network of dense layers is one XLA program, and so one operation of no layer.
"""

import argparse
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import clock
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.machine import describe_machine
from fortydays.base.settings import read_settings
from fortydays.data import library
from fortydays.data.arrays import TrainingData
from fortydays.days.loading import find_study, load_study
from fortydays.study.design import Variant
from fortydays.train import backends
from fortydays.train.augmentation import Augmentation, draws_of_epoch
from fortydays.train.order import batches_of_epoch
from fortydays.train.schedule import rates_of
from fortydays.train.trainer import Trainer

STEPS = 20
"""That are timed, and then traced: a trace holds every operation of every step."""

SHOWN = 12

OTHER = "none of the layers"
"""What augmentation, the loss, the optimizer and the loop over steps take."""


def main() -> None:
    """Profile the variant that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("day", help="a day, or a study file")
    parser.add_argument("variant", nargs="?", help="the first one of the study, unless named")
    asked = parser.parse_args()
    try:
        _print_profile(asked.day, asked.variant)
    except FortydaysError as error:
        sys.exit("\n".join(filter(None, [f"Error: {error.message}", error.hint])))


def _print_profile(day: str, name: str | None) -> None:
    settings = read_settings()
    if backends.wanted() != "tensorflow":
        raise UsageError("The profiler is TensorFlow's.", hint="Unset KERAS_BACKEND.")
    study = load_study(find_study(day), threads=settings.threads).study
    variants, _ = study.select((name,) if name else ())
    variant = next((each for each in variants if each.features is None), None)
    if variant is None or study.dataset is None:
        raise UsageError(f"{name or study.title!r} trains no network on pixels.", hint="Name another variant.")
    trainer, milliseconds, *tables = profile(variant, library.load(study.dataset, settings).training)
    print(f"{study.title} · {variant.name} · {trainer.precision} · batches of {variant.recipe.batch_size}")
    for title, table in zip(("operations", "kinds of layers"), tables, strict=True):
        print(f"\n{title}")
        total = sum(table.values())
        for kind, value in list(table.items())[:SHOWN]:
            print(f"{kind:32} {value / total:6.1%} {value:8.2f} ms a step")
    print(f"\n{milliseconds:.2f} ms a step without the profiler")


def profile(variant: Variant, data: TrainingData) -> tuple[Trainer, float, dict[str, float], dict[str, float]]:
    """The trainer of a variant, the milliseconds of its training step, and those of each type of operation in it.

    Last, those of each kind of layer.
    """
    from tensorflow import profiler

    recipe, backend = variant.recipe, backends.backend()
    fast = backend.bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)
    trainer = Trainer(builder=variant.model, recipe=recipe, data=data, bfloat16_is_fast=fast)
    run = backend.compile_epoch(
        model=trainer.model,
        optimizer=trainer.optimizer,
        loss=trainer.training_loss,
        train=backend.on_device(data.train),
        augmentation=Augmentation.of(data.input, recipe, data.train.inputs),
        convolutions=trainer.convolutions,
    ).run
    order = batches_of_epoch(seed=0, epoch=0, examples=len(data.train), batch_size=recipe.batch_size)
    order = np.resize(order, (STEPS, recipe.batch_size))
    shape = data.input.arrays[0].shape
    drawn = draws_of_epoch(recipe, seed=0, epoch=0, order=order, examples=len(data.train), shape=shape)
    rates = np.resize(rates_of(recipe, trainer.steps_per_epoch), STEPS)

    run(order, drawn, rates, 0, 1)  # what is compiled or looked up at its first use
    began = clock.seconds()
    run(order, drawn, rates, 0, STEPS)
    milliseconds = 1000 * (clock.seconds() - began) / STEPS
    with tempfile.TemporaryDirectory() as folder:
        with profiler.experimental.Profile(folder):
            run(order, drawn, rates, 0, STEPS)
        (trace,) = Path(folder).rglob("*.xplane.pb")
        content = trace.read_bytes()
    operations, layers = operations_of(content), layers_of(content, kinds_of_layers(trainer.model))
    in_a_step = ({kind: value / STEPS for kind, value in table.items()} for table in (operations, layers))
    return trainer, milliseconds, *in_a_step


def operations_of(content: bytes) -> dict[str, float]:
    """For each type of operation in a trace, the milliseconds that it ran, the longest first.

    An operation inside another one of the same thread is left out, so that no time counts twice.
    """
    return _added_up((kind, value) for _, kind, value in _events(content))


def layers_of(content: bytes, kinds: Mapping[str, str]) -> dict[str, float]:
    """For each kind of layer in a trace, the milliseconds that its operations ran, the longest first.

    Args:
        content: the trace.
        kinds: by the name of a layer, its kind. An operation says in whose scope it is; of layers inside one another,
            such as the projections of attention, the outermost counts.
    """

    def kind_of(name: str) -> str:
        # Keras numbers the calls of a layer: the second one of "dense_1" is in the scope "dense_1_1".
        scopes = (layer for scope in name.split("/") for layer in (re.sub(r"_\d+$", "", scope), scope))
        return next((kinds[scope] for scope in scopes if scope in kinds), OTHER)

    return _added_up((kind_of(name), value) for name, _, value in _events(content))


def kinds_of_layers(model: Any) -> dict[str, str]:
    """By the name of each layer of a model, nested models included, its kind."""
    found: dict[str, str] = {}
    for layer in model.layers:
        found |= kinds_of_layers(layer) if hasattr(layer, "layers") else {layer.name: type(layer).__name__}
    return found


def _added_up(events: Iterator[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for kind, value in events:
        total[kind] += value
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def _events(content: bytes) -> Iterator[tuple[str, str, float]]:
    """Of each operation that is inside no other one, its name with its scopes, its type and its milliseconds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space: Any = xplane_pb2.XSpace.FromString(content)
    for plane in space.planes:
        for line in plane.lines:
            end = 0
            for event in sorted(line.events, key=lambda e: (e.offset_ps, -e.duration_ps)):
                match = re.fullmatch(r"([^:\s]+):(\w+)", plane.event_metadata[event.metadata_id].name)
                if match and event.offset_ps >= end:
                    yield match.group(1), match.group(2), event.duration_ps / 1e9
                    end = event.offset_ps + event.duration_ps


if __name__ == "__main__":
    main()
