"""The operations of a step, from a made-up trace with answers known, and one real trace."""

from typing import Any

import numpy as np

from fortydays.data.arrays import Split
from fortydays.study.design import Variant
from fortydays.study.profile import operations_of, profile_variant
from fortydays.train.recipe import Recipe
from made_up_data import data_of, split_of


def made_up_trace(*events: tuple[str, int, int]) -> Any:
    """A trace of one thread; each event has a name, a start and a length in microseconds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    line = plane.lines.add(name="thread")
    for number, (name, start, length) in enumerate(events, start=1):
        plane.event_metadata[number].id = number
        plane.event_metadata[number].name = name
        line.events.add(metadata_id=number, offset_ps=start * 10**6, duration_ps=length * 10**6)
    return space


def test_operations_are_added_up_by_type_and_those_within_others_are_left_out(keras: Any) -> None:
    trace = made_up_trace(
        ("ExecutorState::Process", 0, 10_000),
        ("a/pool:MaxPool", 0, 500),
        ("a/conv/Conv2D:Conv2D", 1_000, 2_000),
        ("a/conv/Conv2D:Mul", 1_500, 500),
        ("b/conv/Conv2D:Conv2D", 3_000, 1_000),
    )
    assert list(operations_of(trace).items()) == [("Conv2D", 3.0), ("MaxPool", 0.5)]


def test_a_real_step_is_taken_apart(keras: Any) -> None:
    from keras import Input, Sequential, layers

    def network() -> Any:
        return Sequential(
            [Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10, activation="softmax")]
        )

    def pictures(count: int) -> Split:
        labels = np.arange(count, dtype=np.uint8) % 10
        return split_of(np.full((count, 8, 8, 1), 7, np.uint8), labels)

    data = data_of(pictures(64), pictures(16), classes=10)

    found = profile_variant(Variant(name="net", model=network, recipe=Recipe(epochs=1, batch_size=16)), data)

    assert any("Conv2D" in kind for kind in found.operations)
    assert list(found.operations.values()) == sorted(found.operations.values(), reverse=True)
    assert (found.variant, found.batch_size) == ("net", 16)
    assert found.milliseconds > 0
