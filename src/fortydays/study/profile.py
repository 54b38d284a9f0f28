"""Where the time of a training step goes, by TensorFlow's own profiler.

TensorFlow names every operation after the Keras layer it belongs to, and its profiler says how long each one ran. The
operations of a step are sorted into parts by the type of their layer, or by what they do where they belong to none.
A net of dense layers runs as one XLA program, whose operations are fused across layers; of it the whole step can be
told, not its parts.
"""

import dataclasses
import itertools
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import clock, files
from fortydays.base.arrays import save_arrays
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import catalog
from fortydays.data.arrays import Dataset, TrainingData
from fortydays.study.design import Study, Variant
from fortydays.study.runner import ENGINES
from fortydays.train import backends
from fortydays.train import checkpoint as checkpoints
from fortydays.train.augmentation import augments, draws_of_epoch, resamples
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.framework import load_keras
from fortydays.train.keras_fit import FitTrainer
from fortydays.train.order import batches_of_epoch
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer, check_recipe_fits, rates_of, values_of

SCHEMA_VERSION = 1

PARTS = (
    "convolutions",
    "normalization",
    "pooling",
    "activation",
    "dropout",
    "dense layers",
    "augmentation",
    "input",
    "loss",
    "optimizer",
    "rest",
)
"""What a step is made of, in the order of the tables. "input" gathers the images of a batch and scales them."""

SECONDS = 1.5
"""How long steps are timed, and then traced, at about this length each."""

MOST_STEPS = 50
"""Steps traced at most: a trace holds every operation of every step."""

MOST_FUSED_STEPS = 2000
"""The same for a step that is one program."""

FIT_STEPS = 50
"""Steps between two reports of the reference engine."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of a trace.

    Attributes:
        path: its name in the graph, such as "while/body/_1/while/sequential/conv2d/Relu".
        kind: its type, such as "_MklNativeFusedConv2D".
        milliseconds: how long it ran, all its runs together.
    """

    path: str
    kind: str
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names that tell operations apart.

    Attributes:
        layers: for each layer's name, the part that layers of its type belong to.
        model: the model's name.
        optimizer: the optimizer's name.
        augmented: whether the recipe shows images changed.
        gathers: how many times it gathers pixels to change a batch: to move, to interpolate, to mix.
    """

    layers: Mapping[str, str]
    model: str
    optimizer: str
    augmented: bool = False
    gathers: int = 0


@dataclass(frozen=True, kw_only=True)
class Share:
    """A part of a step, or a layer in it.

    Attributes:
        name: of the part or the layer.
        share: of the time of all operations, from 0 to 1.
        milliseconds: of a step: the share of its length.
    """

    name: str
    share: float
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What keeping a trial's results costs, measured by writing files like a trial's own.

    Attributes:
        checkpoint_milliseconds: of one checkpoint, written after each epoch.
        results_milliseconds: of weights, predictions and result, written at a trial's end.
        checkpoints: how many a trial writes.
        share_of_trial: of all of them in the length of a trial that trains all its epochs.
    """

    checkpoint_milliseconds: float
    results_milliseconds: float
    checkpoints: int
    share_of_trial: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where the time of a variant's training step goes.

    Attributes:
        variant: its name.
        engine: what it was trained by.
        precision: "float32" or "bfloat16".
        batch_size: images in a step.
        steps: how many were timed.
        milliseconds: of one step, without the profiler.
        parts: shares in the order of :data:`PARTS`, those that took no time left out; empty where XLA fused the step.
        layers: the layers that took longest.
        keeping: what the run's folder costs.
    """

    variant: str
    engine: str
    precision: str
    batch_size: int
    steps: int
    milliseconds: float
    parts: tuple[Share, ...]
    layers: tuple[Share, ...]
    keeping: Keeping

    @property
    def images_a_second(self) -> float:
        """Training throughput."""
        return self.batch_size / self.milliseconds * 1000

    @property
    def fused(self) -> bool:
        """Whether the step is one XLA program, so that its parts cannot be told."""
        return not self.parts

    def as_dict(self) -> dict[str, Any]:
        """The profile as JSON values."""
        return {**dataclasses.asdict(self), "images_a_second": self.images_a_second, "fused": self.fused}


def document(profiles: Sequence[Profile], *, day: int | None, title: str, threads: int) -> dict[str, Any]:
    """Profiles as one JSON document."""
    machine = describe_machine()
    return {
        "schema_version": SCHEMA_VERSION,
        "day": day,
        "title": title,
        "backend": backends.wanted(),
        "threads": threads,
        "machine": {**dataclasses.asdict(machine), "flags": list(machine.flags)},
        "profiles": [p.as_dict() for p in profiles],
    }


def check_profiled(*, engine: str) -> None:
    """Raise UsageError where the engine is unknown or the backend has no profile."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if backends.wanted() != "tensorflow":
        raise UsageError(
            f"A profile is for the backend 'tensorflow'; KERAS_BACKEND is {backends.wanted()!r}.",
            hint="Unset KERAS_BACKEND. XLA, by which other backends compute, fuses a step into one program.",
        )


def profile_study(
    study: Study,
    dataset: Dataset,
    settings: Settings,
    *,
    only: tuple[str, ...] = (),
    engine: str = "compiled",
    progress: Progress = SILENT,
) -> list[Profile]:
    """Profile some of a study's variants; its first one where none is named.

    Raises:
        UsageError: an unknown variant or engine, or another backend than TensorFlow.
    """
    check_profiled(engine=engine)
    load_keras(threads=settings.threads)
    variants = study.select(only) if only else study.variants[:1]
    found = []
    for variant in variants:
        progress.start(variant.name, total=None, unit="steps")
        found.append(profile_variant(variant, dataset, settings, engine=engine))
        progress.finish(variant.name, note=f"{found[-1].milliseconds:.1f} ms a step")
    return found


def profile_variant(variant: Variant, dataset: Dataset, settings: Settings, *, engine: str = "compiled") -> Profile:
    """Train some steps of a variant and say where their time went.

    Args:
        variant: what to train; of a search, the recipe as it stands.
        dataset: the test split stays sealed.
        settings: where a trial's files would be written.
        engine: one of :data:`fortydays.study.runner.ENGINES`.

    Raises:
        UsageError: the batch is larger than the data, or the reference engine has too few steps in an epoch.
    """
    recipe = variant.recipe
    data = dataset.training
    check_recipe_fits(recipe, data)
    fast = backends.backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)
    trainer: Trainer | FitTrainer
    if engine == "fit":
        trainer = FitTrainer(builder=variant.model, recipe=recipe, data=data, bfloat16_is_fast=fast)
        taken = _steps_of_fit(trainer, recipe)
        optimizer = trainer.model.optimizer
    else:
        trainer = Trainer(
            builder=variant.model,
            recipe=recipe,
            data=data,
            bfloat16_is_fast=fast,
            substitutes=engine == "compiled",
        )
        taken = _steps_of_epoch(trainer, recipe, data)
        optimizer = trainer.optimizer
    names = Names(
        layers=layer_parts(trainer.model),
        model=str(trainer.model.name),
        optimizer=str(optimizer.name),
        augmented=augments(recipe),
        gathers=_gathers(recipe),
    )
    parts, layers = shares(taken.operations, names, milliseconds=taken.milliseconds)
    return Profile(
        variant=variant.name,
        engine=engine,
        precision=trainer.precision,
        batch_size=recipe.batch_size,
        steps=taken.steps,
        milliseconds=taken.milliseconds,
        parts=parts,
        layers=layers,
        keeping=_keeping(
            trainer,
            recipe,
            settings,
            answers=(catalog.find(dataset.name).sizes.test, len(dataset.classes)),
            trial_milliseconds=taken.milliseconds * recipe.epochs * trainer.steps_per_epoch,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """Steps that were done: timed without the profiler, traced with it."""

    steps: int
    milliseconds: float
    operations: list[Operation]


def _steps_of_epoch(trainer: Trainer, recipe: Recipe, data: TrainingData) -> _Taken:
    """Steps of the compiled epoch, in a program of their own like the trainer's."""
    backend = backends.backend()
    run = backend.compile_epoch(
        model=trainer.model,
        optimizer=trainer.optimizer,
        loss=trainer.training_loss,
        train=backend.on_device(data.train),
        recipe=recipe,
        convolutions=trainer.convolutions,
    ).run
    order = batches_of_epoch(seed=0, epoch=0, examples=len(data.train), batch_size=recipe.batch_size)
    most = MOST_STEPS if trainer.convolutions else MOST_FUSED_STEPS
    order = np.resize(order, (most, recipe.batch_size))
    shape = data.train.images.shape[1:]
    drawn = draws_of_epoch(recipe, seed=0, epoch=0, order=order, examples=len(data.train), image_shape=shape)
    rates = np.resize(rates_of(recipe, trainer.steps_per_epoch), most)

    def timed(steps: int) -> float:
        began = clock.seconds()
        run(order, drawn, rates, 0, steps)
        return clock.seconds() - began

    timed(1)  # what is compiled or looked up at its first use
    one = timed(2) / 2
    steps = max(2, min(most, round(SECONDS / one)))
    milliseconds = timed(steps) / steps * 1000
    return _Taken(steps=steps, milliseconds=milliseconds, operations=traced(lambda: timed(steps)))


class _Enough(Exception):  # noqa: N818 - says that something is done
    """The steps of a training that is not meant to go on."""


def _steps_of_fit(trainer: FitTrainer, recipe: Recipe) -> _Taken:
    """Steps of the reference engine, between its reports: some to warm up, some timed, some traced."""
    if trainer.steps_per_epoch < 3 * FIT_STEPS:
        raise UsageError(
            f"An epoch has {trainer.steps_per_epoch} steps; a profile of the engine 'fit' needs {3 * FIT_STEPS}.",
            hint="Use --engine plain: the same layers without the engine's substitutes.",
        )
    from tensorflow import profiler

    moments: list[float] = []
    with files.temporary_folder(_temporary(), "trace") as folder:

        def report(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
            moments.append(clock.seconds())
            if len(moments) == 2:
                profiler.experimental.start(str(folder))
            elif len(moments) == 3:
                profiler.experimental.stop()
                raise _Enough

        with suppress(_Enough):
            trainer.train(seed=0, recipe=recipe, report=report)
        operations = read_trace(folder)
    milliseconds = (moments[1] - moments[0]) / FIT_STEPS * 1000
    return _Taken(steps=FIT_STEPS, milliseconds=milliseconds, operations=operations)


def traced(work: Callable[[], object]) -> list[Operation]:
    """The operations that TensorFlow runs during some work."""
    from tensorflow import profiler

    with files.temporary_folder(_temporary(), "trace") as folder:
        profiler.experimental.start(str(folder))
        try:
            work()
        finally:
            profiler.experimental.stop()
        return read_trace(folder)


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.gettempdir())


def read_trace(folder: Path) -> list[Operation]:
    """The operations in the trace that TensorFlow's profiler left in a folder.

    Raises:
        FortydaysError: there is none.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    found = sorted(folder.rglob("*.xplane.pb"))
    if not found:
        raise FortydaysError("TensorFlow's profiler left no trace.", hint="Try again; another one may be running.")
    return operations_of(xplane_pb2.XSpace.FromString(found[0].read_bytes()))


_OPERATION = re.compile(r"([^:\s]+):(\w+)")
_STARTED = "ExecutorState::ProcessAsync::Start"
"""The event of an operation that calls a compiled function, which names the operation in its statistics."""


def operations_of(space: Any) -> list[Operation]:
    """The operations in a trace, each path once.

    Args:
        space: an ``XSpace`` of TensorFlow's profiler: planes of lines (threads) of events. Only operations that no
            other one of the same thread contains are counted, so that no time is counted twice.
    """
    total: dict[tuple[str, str], float] = defaultdict(float)
    for plane in space.planes:
        for line in plane.lines:
            for run in _runs(plane, line):
                path = f"{run.path}/{run.program}" if run.program else run.path
                total[path, run.kind] += run.milliseconds
    return [Operation(path=path, kind=kind, milliseconds=value) for (path, kind), value in total.items()]


@dataclass(kw_only=True)
class _Run:
    """One run of an operation, and the name of the XLA program that it calls, if it does."""

    path: str
    kind: str
    milliseconds: float
    end_ps: int
    program: str = ""


def _runs(plane: Any, line: Any) -> list[_Run]:
    """The runs of operations on one thread, those within others left out."""
    runs: list[_Run] = []
    for event in sorted(line.events, key=lambda e: (e.offset_ps, -e.duration_ps)):
        if runs and event.offset_ps < runs[-1].end_ps:
            runs[-1].program = runs[-1].program or _said(plane, event, "hlo_module")
            continue
        path, kind = _named(plane, event)
        if path:
            end_ps = event.offset_ps + event.duration_ps
            runs.append(_Run(path=path, kind=kind, milliseconds=event.duration_ps / 1e9, end_ps=end_ps))
    return runs


def _named(plane: Any, event: Any) -> tuple[str, str]:
    """Path and type of the operation that an event is the run of, or empty texts."""
    name = plane.event_metadata[event.metadata_id].name
    match = _OPERATION.fullmatch(name)
    if match:
        return match.group(1), match.group(2)
    if name == _STARTED:
        return _said(plane, event, "name"), _said(plane, event, "kernel_type")
    return "", ""


def _said(plane: Any, event: Any, name: str) -> str:
    """What an event says under a name in its statistics, or "" where it says nothing."""
    for stat in event.stats:
        if plane.stat_metadata[stat.metadata_id].name == name:
            return str(stat.str_value or plane.stat_metadata[stat.ref_value].name)
    return ""


def layer_parts(model: Any) -> dict[str, str]:
    """For the name of each layer of a Keras model, nested ones included, the part that it belongs to."""
    return {layer.name: _part_of_layer(type(layer)) for layer in model._flatten_layers(include_self=False)}


_PART_OF_MODULE = {
    "convolutional": "convolutions",
    "whitening": "convolutions",
    "normalization": "normalization",
    "pooling": "pooling",
    "activations": "activation",
    "regularization": "dropout",
    "dense": "dense layers",
    "image_preprocessing": "augmentation",
    "rescaling": "input",
}


def _part_of_layer(kind: type) -> str:
    """By the module in which Keras, or this program, has the layer's type or what it is made from."""
    for ancestor in kind.__mro__:
        for word in (ancestor.__name__.lower(), *reversed(ancestor.__module__.split("."))):
            if word in _PART_OF_MODULE:
                return _PART_OF_MODULE[word]
    return "rest"


def part_of(operation: Operation, names: Names) -> tuple[str, str]:
    """The part of a step that an operation belongs to, and its layer ("" where it has none)."""
    kind, words = operation.kind, operation.path.split("/")
    layer = _layer_of(words, names)
    if layer:
        return _by_kind_in_layer(kind) or names.layers[layer], layer
    if "IteratorGetNext" in kind:
        return "input", ""
    # Keras numbers what a process makes a second time: adam, adam_1.
    if any(_without_number(word) == _without_number(names.optimizer) for word in words):
        return "optimizer", ""
    if any("loss" in word or "crossentropy" in word or word.startswith("mean_squared_error") for word in words):
        return "loss", ""
    return _by_kind_outside(kind, words[-1], names), ""


def _layer_of(words: Sequence[str], names: Names) -> str:
    """The innermost layer in an operation's path.

    A graph in which names are used a second time gives all of them the same ending, ``_1``: that of the model.
    """
    of_model = re.compile(re.escape(names.model) + r"(_\d+)?")
    ending = next((match.group(1) or "" for word in words if (match := of_model.fullmatch(word))), "")
    for word in reversed(words[:-1]):
        if ending and word.endswith(ending) and word.removesuffix(ending) in names.layers:
            return word.removesuffix(ending)
        if word in names.layers:
            return word
        if _without_number(word) in names.layers:
            return _without_number(word)
    return ""


def _without_number(word: str) -> str:
    return re.sub(r"_\d+$", "", word)


_KINDS_IN_LAYER = (
    (re.compile(r"Conv2D|Conv3D|DepthwiseConv"), "convolutions"),
    (re.compile(r"MaxPool|AvgPool"), "pooling"),
    (re.compile(r"FusedBatchNorm"), "normalization"),
    (re.compile(r"(Relu6?|Elu|Selu|LeakyRelu|Softmax|_MklSoftmax|Sigmoid|Tanh)(Grad)?"), "activation"),
)


def _by_kind_in_layer(kind: str) -> str:
    """What an operation does, where that says more than its layer: a convolution's own ReLU is an activation."""
    for pattern, part in _KINDS_IN_LAYER[:3]:
        if pattern.search(kind):
            return part
    pattern, part = _KINDS_IN_LAYER[3]
    return part if pattern.fullmatch(kind) else ""


_LOSS_KINDS = ("ArgMax", "Equal", "Mean", "OneHot", "SoftmaxCrossEntropyWithLogits")
_INDEX_KINDS = (
    *("Abs", "AddV2", "BitwiseAnd", "BroadcastTo", "ConcatV2", "ExpandDims", "FloorMod", "GreaterEqual", "Less"),
    *("LogicalAnd", "Maximum", "Minimum", "Mul", "Neg", "Pack", "Range", "Reshape", "RightShift", "SelectV2", "Shape"),
    *("Sub", "Tile"),
)
"""What the places and weights of moved pixels, and the places of covered squares, are computed by."""


def _gathers(recipe: Recipe) -> int:
    """How often a step gathers pixels once more to augment the images that it has gathered."""
    moves = 4 if resamples(recipe) else 1 if recipe.flip != "none" or recipe.shift else 0
    return moves + (recipe.mixup > 0)


def _by_kind_outside(kind: str, name: str, names: Names) -> str:
    """Operations of the step itself: input, augmentation, the share of right answers, slopes of substitutes."""
    if "gelu_slope" in name:
        return "activation"
    if "dropped" in name:
        return "dropout"
    if kind == "GatherV2":
        # In the order of the engine's step: the batch's images, the pixels of changed ones, the labels.
        number = int(name.partition("_")[2] or 0) if re.fullmatch(r"GatherV2(_\d+)?", name) else 0
        return "augmentation" if 1 <= number <= names.gathers else "input"
    if kind in ("Cast", "StridedSlice", "RealDiv") or name.startswith("truediv"):
        return "input"
    if kind in _LOSS_KINDS:
        return "loss"
    return "augmentation" if names.augmented and kind in _INDEX_KINDS else "rest"


def shares(
    operations: Iterable[Operation], names: Names, *, milliseconds: float, most_layers: int = 5
) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """The parts of a step and its slowest layers.

    Args:
        operations: of some steps.
        names: that tell them apart.
        milliseconds: of one step; the parts' add up to it.
        most_layers: how many layers to name.

    Returns:
        Parts in the order of :data:`PARTS` and layers, the slowest first; nothing where no operation belongs to a
        layer, because XLA has fused them.
    """
    by_part: dict[str, float] = defaultdict(float)
    by_layer: dict[str, float] = defaultdict(float)
    for operation in operations:
        part, layer = part_of(operation, names)
        by_part[part] += operation.milliseconds
        if layer:
            by_layer[layer] += operation.milliseconds
    if not by_layer:
        return (), ()
    total = sum(by_part.values())

    def share(name: str, value: float) -> Share:
        return Share(name=name, share=value / total, milliseconds=value / total * milliseconds)

    slowest = sorted(by_layer.items(), key=lambda item: -item[1])
    return (
        tuple(share(name, by_part[name]) for name in PARTS if name in by_part),
        tuple(share(name, value) for name, value in itertools.islice(slowest, most_layers)),
    )


def _keeping(
    trainer: Trainer | FitTrainer,
    recipe: Recipe,
    settings: Settings,
    *,
    answers: tuple[int, int],
    trial_milliseconds: float,
) -> Keeping:
    """Write what a trial writes, three times, where it would, and remove it again."""
    variables = values_of(trainer.model.variables)
    has_checkpoints = isinstance(trainer, Trainer)
    optimizer = values_of(trainer.optimizer.variables) if isinstance(trainer, Trainer) else []
    best = variables if recipe.patience is not None else []
    state = Checkpoint(state={"epoch": 1}, variables=variables, optimizer=optimizer, best=best)
    probabilities = np.zeros(answers, np.float32)
    checkpoint: list[float] = []
    results: list[float] = []
    files.make_folder(settings.workspace)
    with files.temporary_folder(settings.workspace, "profile") as folder:
        for _ in range(3):
            began = clock.seconds()
            checkpoints.save(folder / "checkpoint.npz", state, identity="0" * 64)
            written = clock.seconds()
            save_arrays(folder / "weights.npz", variables)
            save_arrays(folder / "predictions.npz", [probabilities])
            files.write_json(folder / "result.json", {"metrics": {}, "history": {}})
            checkpoint.append(1000 * (written - began))
            results.append(1000 * (clock.seconds() - written))
    count = recipe.epochs if has_checkpoints else 0
    one, at_end = statistics.median(checkpoint), statistics.median(results)
    whole = count * one + at_end
    return Keeping(
        checkpoint_milliseconds=one if has_checkpoints else 0.0,
        results_milliseconds=at_end,
        checkpoints=count,
        share_of_trial=whole / (whole + trial_milliseconds),
    )
