"""``bench/profile_step.py``: the operations of a step, from a made-up trace with answers known, and one real trace."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.study.design import Variant
from fortydays.train.recipe import Recipe
from made_up_data import data_of, split_of

FILE = Path(__file__).parents[2] / "bench" / "profile_step.py"


@pytest.fixture(scope="module")
def profile_step(keras: Any) -> Any:
    spec = importlib.util.spec_from_file_location("profile_step", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_operations_are_added_up_by_type_and_those_within_others_are_left_out(profile_step: Any) -> None:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    line = plane.lines.add(name="thread")
    events = [  # name, start and length in microseconds
        ("ExecutorState::Process", 0, 10_000),
        ("a/pool:MaxPool", 0, 500),
        ("a/conv/Conv2D:Conv2D", 1_000, 2_000),
        ("a/conv/Conv2D:Mul", 1_500, 500),
        ("b/conv/Conv2D:Conv2D", 3_000, 1_000),
    ]
    for number, (name, start, length) in enumerate(events, start=1):
        plane.event_metadata[number].id = number
        plane.event_metadata[number].name = name
        line.events.add(metadata_id=number, offset_ps=start * 10**6, duration_ps=length * 10**6)

    found = profile_step.operations_of(space.SerializeToString())

    assert list(found.items()) == [("Conv2D", 3.0), ("MaxPool", 0.5)]

    kinds = {"pool": "MaxPooling2D", "conv": "Conv2D"}
    assert list(profile_step.layers_of(space.SerializeToString(), kinds).items()) == [
        ("Conv2D", 3.0),
        ("MaxPooling2D", 0.5),
    ]
    # Of layers inside one another the outermost counts; what is in none is told as that.
    found = profile_step.layers_of(space.SerializeToString(), {"a": "Block", "conv": "Conv2D"})
    assert found == {"Block": 2.5, "Conv2D": 1.0}
    assert profile_step.layers_of(space.SerializeToString(), {"b": "Block"}) == {"none of the layers": 2.5, "Block": 1}


def test_a_real_step_is_taken_apart(profile_step: Any) -> None:
    from keras import Input, Model, Sequential, layers

    def network() -> Any:
        return Sequential(
            [
                Input((8, 8, 1)),
                layers.Conv2D(4, 3),
                layers.Reshape((36, 4)),
                Attention(),
                layers.Flatten(),
                layers.Dense(10, activation="softmax"),
            ]
        )

    def Attention() -> Any:  # noqa: N802 - stands for a layer
        inputs = Input((36, 4))
        return Model(inputs, layers.MultiHeadAttention(2, 2)(inputs, inputs))

    train, validation = (
        split_of(np.full((count, 8, 8, 1), 7, np.uint8), np.arange(count, dtype=np.uint8) % 10) for count in (64, 16)
    )
    variant = Variant(name="net", model=network, recipe=Recipe(epochs=1, batch_size=16, evaluate_every=1))

    _, milliseconds, operations, kinds = profile_step.profile(variant, data_of(train, validation, classes=10))

    assert any("Conv2D" in kind for kind in operations)
    assert list(operations.values()) == sorted(operations.values(), reverse=True)
    assert milliseconds > 0
    assert set(kinds) >= {"Conv2D", "MultiHeadAttention", "Dense", "none of the layers"}
    assert sum(kinds.values()) == pytest.approx(sum(operations.values()))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["99"], "Error: There is no day 99"),
        (["5", "nosuch"], "nosuch"),
        (["10", "journal"], "trains no network on pixels"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    arguments: list[str], told: str, profile_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["profile_step.py", *arguments])
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    with pytest.raises(SystemExit, match=told):
        profile_step.main()
