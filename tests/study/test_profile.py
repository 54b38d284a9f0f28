"""The parts of a step, from made-up traces with answers known, and one real trace."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.base.settings import read_settings
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.study.design import Study, Variant
from fortydays.study.profile import (
    PARTS,
    Names,
    Operation,
    check_profiled,
    document,
    layer_parts,
    operations_of,
    part_of,
    profile_study,
    shares,
)
from fortydays.train.recipe import Recipe

NAMES = Names(
    layers={
        "conv2d": "convolutions",
        "conv2d_1": "convolutions",
        "norm": "normalization",
        "max_pooling2d": "pooling",
        "activation": "activation",
        "dropout": "dropout",
        "dense": "dense layers",
        "add": "rest",
    },
    model="sequential",
    optimizer="adam",
    augmented=True,
    gathers=1,
)
STEP = "while/body/_1/while/"
NET, NET_SLOPE = f"{STEP}sequential_1/", "while/body/_1/gradient_tape/while/sequential_1/"
FIT = "StatefulPartitionedCall/"


@pytest.mark.parametrize(
    ("path", "kind", "part", "layer"),
    [
        (f"{NET}conv2d_1/convolution", "Conv2D", "convolutions", "conv2d"),
        (f"{NET_SLOPE}conv2d_1/convolution", "Conv2DBackpropFilter", "convolutions", "conv2d"),
        (f"{NET}conv2d_1_1/Relu", "_MklNativeFusedConv2D", "convolutions", "conv2d_1"),
        (f"{STEP}sequential/conv2d_1/convolution", "Conv2D", "convolutions", "conv2d_1"),
        (f"{NET_SLOPE}conv2d_1/ReluGrad", "ReluGrad", "activation", "conv2d"),
        (f"{NET_SLOPE}norm_1/FusedBatchNormGradV3", "FusedBatchNormGradV3", "normalization", "norm"),
        (f"{NET}norm_1/mul_4", "Mul", "normalization", "norm"),
        (f"{NET_SLOPE}max_pooling2d_1/MaxPool2d/MaxPoolGrad", "MaxPoolGrad", "pooling", "max_pooling2d"),
        (f"{NET}max_pooling2d_1/Relu", "Relu", "activation", "max_pooling2d"),
        (f"{NET}activation_1/PartitionedCall", "PartitionedCall", "activation", "activation"),
        (f"{STEP}PartitionedCall_3/a_inference_gelu_slope_943__.1", "PartitionedCall", "activation", ""),
        (f"{STEP}PartitionedCall_2/a_inference_dropped_819__.1", "PartitionedCall", "dropout", ""),
        (f"{NET}dropout_1/Add", "AddV2", "dropout", "dropout"),
        (f"{NET}dense_1/BiasAdd", "_MklNativeFusedMatMul", "dense layers", "dense"),
        (f"{NET}dense_1/Softmax", "_MklSoftmax", "activation", "dense"),
        (f"{STEP}adam/Sub_3", "Sub", "optimizer", ""),
        (f"{STEP}categorical_crossentropy/mul", "Mul", "loss", ""),
        (f"{STEP}ArgMax", "ArgMax", "loss", ""),
        (f"{STEP}GatherV2", "GatherV2", "input", ""),
        (f"{STEP}GatherV2_1", "GatherV2", "augmentation", ""),
        (f"{STEP}GatherV2_2", "GatherV2", "input", ""),
        (f"{STEP}truediv", "Mul", "input", ""),
        (f"{STEP}SelectV2_1", "SelectV2", "augmentation", ""),
        (f"{STEP}TensorScatterUpdate", "TensorScatterUpdate", "rest", ""),
        ("IteratorGetNext", "IteratorGetNext", "input", ""),
        (f"{FIT}compile_loss/lambda/one_hot", "OneHot", "loss", ""),
        (f"{FIT}gradient_tape/sequential_1/conv2d_1/BiasAddGrad", "BiasAddGrad", "convolutions", "conv2d"),
    ],
)
def test_an_operation_belongs_to_a_part(path: str, kind: str, part: str, layer: str) -> None:
    assert part_of(Operation(path=path, kind=kind, milliseconds=1.0), NAMES) == (part, layer)
    assert part in PARTS


def test_without_augmentation_nothing_is_called_so() -> None:
    names = Names(layers=NAMES.layers, model="sequential", optimizer="adam")
    for name, kind in (("GatherV2_1", "GatherV2"), ("SelectV2", "SelectV2"), ("mul", "Mul")):
        assert part_of(Operation(path=STEP + name, kind=kind, milliseconds=1.0), names)[0] in ("input", "rest")


def test_interpolating_and_mixing_gather_pixels_more_often() -> None:
    names = dataclasses.replace(NAMES, gathers=5)  # four pixels around each place, and the images that are mixed in
    parts = [
        part_of(Operation(path=f"{STEP}GatherV2{ending}", kind="GatherV2", milliseconds=1.0), names)[0]
        for ending in ("", "_1", "_4", "_5", "_6", "_8")
    ]
    assert parts == ["input", "augmentation", "augmentation", "augmentation", "input", "input"]
    for kind in ("RightShift", "BitwiseAnd", "FloorMod"):
        assert part_of(Operation(path=STEP + kind, kind=kind, milliseconds=1.0), names) == ("augmentation", "")


def test_shares_add_up_to_one_and_milliseconds_to_the_step() -> None:
    operations = [
        Operation(path=f"{NET}conv2d_1/convolution", kind="Conv2D", milliseconds=60.0),
        Operation(path=f"{NET_SLOPE}conv2d_1/convolution", kind="Conv2DBackpropInput", milliseconds=20.0),
        Operation(path=f"{NET}max_pooling2d_1/MaxPool2d", kind="MaxPool", milliseconds=15.0),
        Operation(path=f"{STEP}adam/Mul", kind="Mul", milliseconds=5.0),
    ]
    parts, layers = shares(operations, NAMES, milliseconds=10.0)
    assert [(p.name, p.share, p.milliseconds) for p in parts] == [
        ("convolutions", 0.8, 8.0),
        ("pooling", 0.15, 1.5),
        ("optimizer", 0.05, 0.5),
    ]
    assert [(s.name, s.share) for s in layers] == [("conv2d", 0.8), ("max_pooling2d", 0.15)]


def test_a_step_that_xla_has_fused_has_no_parts() -> None:
    whole = [Operation(path="__inference_run_1468", kind="__inference_run_1468", milliseconds=50.0)]
    assert shares(whole, NAMES, milliseconds=10.0) == ((), ())


def test_layers_are_sorted_by_their_type(keras: Any) -> None:
    from fortydays.models.speed import objects

    layers = keras.layers
    inner = keras.Sequential([keras.Input((2, 2, 4)), layers.Flatten(name="f"), layers.Dense(3, name="d")], name="i")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Normalization(name="n"),
            objects()["Whitening"](name="w"),
            layers.Conv2D(4, 3, name="c"),
            layers.BatchNormalization(name="b"),
            layers.Activation("relu", name="a"),
            layers.MaxPooling2D(2, name="p"),
            layers.SpatialDropout2D(0.1, name="s"),
            inner,
        ]
    )
    found = layer_parts(model)
    expected = {
        "n": "normalization",
        "w": "convolutions",
        "c": "convolutions",
        "b": "normalization",
        "a": "activation",
        "p": "pooling",
        "s": "dropout",
        "f": "rest",
        "d": "dense layers",
    }
    assert {name: found[name] for name in expected} == expected


def made_up_trace(events: list[tuple[str, int, int, dict[str, str]]]) -> Any:
    """A trace of one thread; each event has a name, a start and a length in microseconds, and statistics."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    line = plane.lines.add(name="thread")
    for number, (name, start, length, said) in enumerate(events, start=1):
        plane.event_metadata[number].id = number
        plane.event_metadata[number].name = name
        event = line.events.add(metadata_id=number, offset_ps=start * 10**6, duration_ps=length * 10**6)
        for key, value in said.items():
            at = len(plane.stat_metadata) + 1
            plane.stat_metadata[at].id = at
            plane.stat_metadata[at].name = key
            event.stats.add(metadata_id=at, str_value=value)
    return space


def test_operations_are_read_from_a_trace(keras: Any) -> None:
    started = "ExecutorState::ProcessAsync::Start"
    trace = made_up_trace(
        [
            ("ExecutorState::Process", 0, 10_000, {}),
            ("a/conv/Conv2D:Conv2D", 0, 2_000, {}),
            ("a/conv/Conv2D:Conv2D", 3_000, 1_000, {}),
            (started, 5_000, 3_000, {"name": "a/PartitionedCall", "kernel_type": "PartitionedCall"}),
            ("CpuExecutable::ExecuteAsyncOnStream", 5_100, 2_000, {}),
            ("fusion", 5_200, 1_000, {"hlo_module": "gelu_slope_1"}),
            ("inner:Mul", 5_300, 500, {}),
            ("a/pool:MaxPool", 8_000, 500, {}),
        ]
    )
    assert operations_of(trace) == [
        Operation(path="a/conv/Conv2D", kind="Conv2D", milliseconds=3.0),
        Operation(path="a/PartitionedCall/gelu_slope_1", kind="PartitionedCall", milliseconds=3.0),
        Operation(path="a/pool", kind="MaxPool", milliseconds=0.5),
    ]


def network() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Activation("gelu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


def dense() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])


@pytest.fixture
def made_up() -> Dataset:
    def pictures(count: int) -> Split:
        random = np.random.default_rng(count)
        labels = random.integers(0, 10, count).astype(np.uint8)
        return Split(images=random.integers(0, 255, (count, 8, 8, 1)).astype(np.uint8), labels=labels)

    def sealed() -> Split:
        raise AssertionError("a profile has no business with the test split")

    return Dataset(
        name="digits",
        digest="0" * 64,
        split_version=1,
        classes=tuple("0123456789"),
        training=TrainingData(train=pictures(64), validation=pictures(16), num_classes=10),
        test=SealedSplit(sealed),
    )


RECIPE = Recipe(epochs=3, batch_size=16, flip="random", shift=1, label_smoothing=0.1)
STUDY = Study(
    title="Tiny",
    dataset="digits",
    variants=(
        Variant(name="pictures", model=network, recipe=RECIPE),
        Variant(name="dense", model=dense, recipe=RECIPE),
    ),
    claims=(),
)


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_THREADS": "1"})


def test_a_real_step_is_taken_apart(keras: Any, made_up: Dataset, settings: Any) -> None:
    keras.optimizers.Adam()  # Keras gives the one that is profiled a number
    (profile,) = profile_study(STUDY, made_up, settings)
    found = {p.name: p for p in profile.parts}
    assert set(found) >= {"convolutions", "normalization", "pooling", "activation", "dropout", "dense layers"}
    assert set(found) >= {"augmentation", "input", "loss", "optimizer"}
    assert sum(p.share for p in profile.parts) == pytest.approx(1.0)
    assert sum(p.milliseconds for p in profile.parts) == pytest.approx(profile.milliseconds)
    assert profile.variant == "pictures"
    assert not profile.fused
    assert profile.images_a_second == pytest.approx(16_000 / profile.milliseconds)
    assert profile.keeping.checkpoints == 3
    assert 0 < profile.keeping.share_of_trial < 1
    assert list((settings.workspace).iterdir()) == [], "what was written to be timed is removed"


def test_a_dense_net_is_told_as_a_whole(keras: Any, made_up: Dataset, settings: Any) -> None:
    (profile,) = profile_study(STUDY, made_up, settings, only=("dense",))
    assert profile.fused
    assert profile.layers == ()
    assert profile.milliseconds > 0
    written = document([profile], day=None, title="Tiny", threads=1)
    assert written["schema_version"] == 1
    assert written["profiles"][0]["fused"] is True
    assert written["profiles"][0]["parts"] == ()


def test_the_reference_engine_needs_steps_enough(keras: Any, made_up: Dataset, settings: Any) -> None:
    with pytest.raises(UsageError, match="An epoch has 4 steps; a profile of the engine 'fit' needs 150"):
        profile_study(STUDY, made_up, settings, engine="fit")


def test_another_backend_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError, match="A profile is for the backend 'tensorflow'; KERAS_BACKEND is 'jax'"):
        check_profiled(engine="compiled")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'compile'\. Did you mean 'compiled'"):
        check_profiled(engine="compile")
