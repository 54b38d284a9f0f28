"""Functions as ONNX graphs with names of ours, and two graphs as one."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_frozen
from numpy.typing import NDArray
from tiny_frozen import channel_means

from fortydays.inputs.input import ArraySpec
from fortydays.models.encoders import Encoder
from fortydays.study.graphs import OPSET, joined, to_graph


def answers(proto: Any, given: NDArray[Any]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    return np.asarray(found)


def model_of(keras: Any, activation: str = "softmax") -> Any:
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [keras.Input((1, 1, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation=activation)]
    )


def graph_of(model: Any, *, dtype: str = "float32", names: tuple[str, str] = ("given", "answered")) -> Any:
    given, answered = names
    spec = ArraySpec(name=given, dtype=dtype, shape=model.input_shape[1:])
    return to_graph(lambda arrays: model(arrays[given], training=False), [spec], output=answered, layers_of=model)


@pytest.mark.parametrize("activation", ["softmax", "gelu"])  # which has erfc, that ONNX does not know
def test_a_graph_answers_as_the_function_for_any_number_of_examples(activation: str, keras: Any) -> None:
    model = model_of(keras, activation)
    proto = graph_of(model)

    onnx.checker.check_model(proto, full_check=True)
    for count in (1, 5):
        given = np.random.default_rng(count).normal(size=(count, 1, 1, 3)).astype(np.float32)
        assert answers(proto, given) == pytest.approx(np.asarray(model(given)), abs=1e-6)


def test_weights_that_the_exporter_does_not_see_come_into_the_graph_all_the_same(keras: Any) -> None:
    encoder = Encoder(name="small", title="Small", pieces=11, features=8, layers=2, heads=2, inside=12, longest=8)
    model = encoder.build(6)
    spec = ArraySpec(name="tokens", dtype="int32", shape=(6,))

    def proto_of(weights_apart: bool) -> Any:
        return to_graph(
            lambda arrays: model(arrays["tokens"], training=False), [spec], output="features", layers_of=model,
            weights_apart=weights_apart,
        )  # fmt: skip

    apart = proto_of(True)
    onnx.checker.check_model(apart, full_check=True)
    assert [each.name for each in apart.graph.input] == ["tokens"]
    assert len(apart.graph.initializer) >= len(model.variables)
    for count in (1, 3):
        tokens = np.random.default_rng(count).integers(0, 11, (count, 6)).astype(np.int32)
        expected = pytest.approx(np.asarray(model(tokens)), abs=1e-6)
        assert answers(apart, tokens) == expected
        assert answers(proto_of(False), tokens) == expected


def test_input_and_output_have_the_names_that_were_asked_for(keras: Any) -> None:
    proto = graph_of(model_of(keras), names=("image", "probabilities"))

    (given,), (answered,) = proto.graph.input, proto.graph.output
    assert (given.name, answered.name) == ("image", "probabilities")
    assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert given.type.tensor_type.shape.dim[0].dim_param == "examples"
    assert answered.type.tensor_type.shape.dim[0].dim_param == "examples"
    assert (proto.producer_name, proto.doc_string) == ("fortydays", "")
    assert {each.version for each in proto.opset_import if each.domain == ""} == {OPSET}


def test_two_graphs_become_one_that_feeds_the_second_from_the_first(keras: Any) -> None:
    model = model_of(keras)
    first = onnx.load_model_from_string(tiny_frozen.onnx_of((4, 5, 3), images="images"))

    whole = joined(first, graph_of(model, names=("learned_from", "probabilities")))

    onnx.checker.check_model(whole, full_check=True)
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3)).astype(np.uint8)
    expected = np.asarray(model(channel_means(images)))
    assert np.ptp(expected[:, 0]) > 0.01
    assert answers(whole, images) == pytest.approx(expected, abs=1e-6)
    assert [each.name for each in whole.graph.input] == ["image"]
    assert [each.name for each in whole.graph.output] == ["probabilities"]
    assert (whole.producer_name, whole.graph.name) == ("fortydays", "fortydays")


def test_graphs_whose_parts_have_the_same_names_are_not_mixed_up(keras: Any) -> None:
    def scaled(factor: float, answered: str) -> Any:
        return graph_of(
            keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Rescaling(factor, name="scaled")]),
            names=("x", answered),
        )

    whole = joined(scaled(2.0, "y"), scaled(5.0, "z"))

    assert answers(whole, np.ones((1, 1, 1, 3), np.float32)).tolist() == [[[[10.0, 10.0, 10.0]]]]


def test_a_graph_may_have_several_outputs_each_with_its_name(keras: Any) -> None:
    given = keras.Input((3,))
    model = keras.Model(given, [given * 2.0, keras.ops.sum(given, axis=1)])
    spec = ArraySpec(name="given", dtype="float32", shape=(3,))
    proto = to_graph(lambda arrays: model(arrays["given"]), [spec], output=("twice", "sum"), layers_of=model)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    twice, added = session.run(["twice", "sum"], {"given": np.array([[1, 2, 3]], np.float32)})
    assert (twice.tolist(), added.tolist()) == ([[2, 4, 6]], [6])
