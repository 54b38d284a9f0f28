"""Which operations take the time of a training step, by TensorFlow's own profiler."""

import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError
from fortydays.base.machine import describe_machine
from fortydays.data.arrays import TrainingData
from fortydays.study.design import Variant
from fortydays.train import backends
from fortydays.train.augmentation import Presentation, draws_of_epoch
from fortydays.train.order import batches_of_epoch
from fortydays.train.trainer import Trainer, rates_of

STEPS = 20
"""That are timed, and then traced: a trace holds every operation of every step."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where the time of a variant's training step goes.

    Attributes:
        variant: its name.
        precision: "float32" or "bfloat16".
        batch_size: images in a step.
        milliseconds: of one step, without the profiler.
        operations: for each type of operation, such as "Conv2DBackpropFilter", the milliseconds of a step that it ran,
            the longest first. Of two that run at once, both count.
    """

    variant: str
    precision: str
    batch_size: int
    milliseconds: float
    operations: dict[str, float]


def profile_variant(variant: Variant, data: TrainingData) -> Profile:
    """Train some steps of a variant and say where their time went.

    Args:
        variant: what to train; of a search, the recipe as it stands. It learns from pixels.
        data: what training may see.

    Raises:
        UsageError: the batch is larger than the data.
    """
    from tensorflow import profiler
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    recipe, backend = variant.recipe, backends.backend()
    fast = backend.bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)
    trainer = Trainer(builder=variant.model, recipe=recipe, data=data, bfloat16_is_fast=fast)
    run = backend.compile_epoch(
        model=trainer.model,
        optimizer=trainer.optimizer,
        loss=trainer.training_loss,
        train=backend.on_device(data.train),
        shows=Presentation.of(data.input, recipe, data.train.inputs),
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
    milliseconds = (clock.seconds() - began) / STEPS * 1000
    with files.temporary_folder(Path(tempfile.gettempdir()), "trace") as folder:
        profiler.experimental.start(str(folder))
        try:
            run(order, drawn, rates, 0, STEPS)
        finally:
            profiler.experimental.stop()
        traces = sorted(folder.rglob("*.xplane.pb"))
        if not traces:
            raise FortydaysError("TensorFlow's profiler left no trace.", hint="Try again; another one may be running.")
        operations = operations_of(xplane_pb2.XSpace.FromString(traces[0].read_bytes()))
    return Profile(
        variant=variant.name,
        precision=trainer.precision,
        batch_size=recipe.batch_size,
        milliseconds=milliseconds,
        operations={kind: value / STEPS for kind, value in operations.items()},
    )


_OPERATION = re.compile(r"[^:\s]+:(\w+)")


def operations_of(space: Any) -> dict[str, float]:
    """For each type of operation in a trace, the milliseconds that it ran, the longest first.

    Args:
        space: an ``XSpace`` of TensorFlow's profiler: planes of lines (threads) of events. An operation inside another
            one of the same thread is left out, so that no time counts twice.
    """
    total: dict[str, float] = defaultdict(float)
    for plane in space.planes:
        for line in plane.lines:
            end = 0
            for event in sorted(line.events, key=lambda e: (e.offset_ps, -e.duration_ps)):
                match = _OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if match and event.offset_ps >= end:
                    total[match.group(1)] += event.duration_ps / 1e9
                    end = event.offset_ps + event.duration_ps
    return dict(sorted(total.items(), key=lambda item: -item[1]))
