from collections.abc import Callable
from typing import Any

import made_up_versions
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.input import ArraySpec
from fortydays.registry import inference
from fortydays.registry.inference import OnnxModel, Signature, UnsafeModelError, read_signature

WEIGHTS = np.zeros((64, 10), np.float32)
WEIGHTS[0, 3] = 1.0  # the brighter the first pixel, the more it is a three


def test_a_model_answers_with_probabilities_for_any_number_of_images() -> None:
    model = OnnxModel(made_up_versions.onnx_of(WEIGHTS), threads=1)
    images = np.zeros((7, 8, 8), np.uint8)
    images[5, 0, 0] = 255

    answers = model.predict({IMAGE: images}, at_once=3)

    assert model.signature == Signature(inputs=Images(shape=(8, 8)).arrays, classes=10, opset=18)
    assert answers.shape == (7, 10)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers[0], 0.1, atol=1e-6)
    # softmax of nine zeros and a one
    assert answers[5, 3] == pytest.approx(np.e / (np.e + 9), abs=1e-6)
    assert model.predict({IMAGE: images[:0]}).shape == (0, 10)


@pytest.mark.parametrize(("room", "together"), [(2 * 64 + 63, [2, 2, 2, 1]), (1, [1] * 7), (10**9, [7])])
def test_large_images_are_computed_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, room: int, together: list[int]
) -> None:
    monkeypatch.setattr(inference, "NUMBERS_AT_ONCE", room)
    model = OnnxModel(made_up_versions.onnx_of(WEIGHTS), threads=1)
    given: list[int] = []

    class Session:
        def run(self, _outputs: list[str], inputs: dict[str, Any]) -> Any:
            (images,) = inputs.values()
            given.append(len(images))
            return [np.full((len(images), 10), 0.1, np.float32)]

    monkeypatch.setattr(model, "_session", Session())

    assert model.predict({IMAGE: np.zeros((7, 8, 8), np.uint8)}).shape == (7, 10)
    assert given == together


def test_the_signature_speaks_the_words_of_the_open_inference_protocol() -> None:
    assert Signature(inputs=Images(shape=(32, 32, 3)).arrays, classes=10, opset=18).as_dict() == {
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
        "opset": 18,
    }


@pytest.mark.parametrize(
    "images", [np.zeros((1, 8, 8), np.float32), np.zeros((1, 9, 8), np.uint8), np.zeros((8, 8), np.uint8)]
)
def test_images_of_another_type_or_shape_are_refused(images: Any) -> None:
    with pytest.raises(ValueError, match=r"image is .*; expected uint8 of \(8, 8\)"):
        OnnxModel(made_up_versions.onnx_of(WEIGHTS), threads=1).predict({IMAGE: images})


def _external(tensor: TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"


def _initializer(model: onnx.ModelProto) -> None:
    _external(model.graph.initializer[2])


def _constant(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["more"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]))
    _external(node.attribute[0].t)
    model.graph.node.append(node)


def _inside_a_branch(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])])
    _external(inner.initializer[0])
    model.graph.node.append(helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner))


def _sparse(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]))
    _external(sparse.values)


@pytest.mark.parametrize("hide", [_initializer, _constant, _inside_a_branch, _sparse])
def test_numbers_kept_in_another_file_are_refused_wherever_they_hide(hide: Callable[[onnx.ModelProto], None]) -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    hide(model)

    with pytest.raises(UnsafeModelError, match="keeps numbers in other files, which is refused"):
        read_signature(model.SerializeToString())


def test_operators_that_are_not_in_the_standard_are_refused() -> None:
    node = helper.make_node("Run", ["image"], ["more"], domain="evil")

    with pytest.raises(UnsafeModelError, match="operator 'Run' of 'evil'"):
        read_signature(made_up_versions.onnx_of(WEIGHTS, nodes=[node]))

    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    model.opset_import.append(helper.make_opsetid("evil", 1))
    with pytest.raises(UnsafeModelError, match="not in the standard"):
        read_signature(model.SerializeToString())


@pytest.mark.parametrize(
    "changes",
    [
        {"input": "X"},
        {"input": "../a"},
        {"input": "a" * 41},
        {"kind": TensorProto.INT64},
        {"kind": TensorProto.STRING},
    ],
)
def test_an_input_of_another_type_or_name_is_refused_with_what_was_expected(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsafeModelError, match="expected one of float32, uint8, int32, bool, named by a-z, 0-9 and _"):
        read_signature(made_up_versions.onnx_of(WEIGHTS, **changes))


def test_an_input_may_have_another_name_and_be_of_numbers() -> None:
    content = made_up_versions.onnx_of(WEIGHTS, input="numbers_0", kind=TensorProto.FLOAT)

    assert read_signature(content).inputs == (ArraySpec(name="numbers_0", dtype="float32", shape=(8, 8)),)


@pytest.mark.parametrize("names", [[], ["image"], [f"more_{i}" for i in range(8)]], ids=["none", "twice", "nine"])
def test_no_input_two_of_one_name_and_too_many_are_refused(names: list[str]) -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    if not names:
        del model.graph.input[:]
    model.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 2]) for name in names)

    with pytest.raises(UnsafeModelError, match=r"has \d inputs; expected 1 to 8 of different names"):
        read_signature(model.SerializeToString())


@pytest.mark.parametrize("shape", [None, ["n"], ["n", "side"], ["n", 0], ["n"] + [1] * 9])
def test_an_input_that_does_not_say_its_size_is_refused(shape: Any) -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, shape))

    with pytest.raises(UnsafeModelError, match="does not say the size of its input 'image'"):
        read_signature(model.SerializeToString())


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([], "other outputs; expected one, 'probabilities', of float32"),
        ([("x", TensorProto.FLOAT, ["n", 10])], "other outputs"),
        ([("probabilities", TensorProto.DOUBLE, ["n", 10])], "other outputs"),
        ([("probabilities", TensorProto.FLOAT, ["n", 10, 1])], "other outputs"),
        ([("probabilities", TensorProto.FLOAT, ["n", 10])] * 2, "other outputs"),
        ([("probabilities", TensorProto.FLOAT, ["n", "classes"])], "does not say its number of classes"),
    ],
)
def test_other_outputs_are_refused_with_what_was_expected(outputs: Any, said: str) -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(*output) for output in outputs)

    with pytest.raises(UnsafeModelError, match=said):
        read_signature(model.SerializeToString())


def test_images_are_given_to_the_model_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = OnnxModel(made_up_versions.onnx_of(WEIGHTS), threads=1), np.zeros((7, 8, 8), np.uint8)
    given: list[bool] = []

    class Session:
        def run(self, _outputs: list[str], inputs: dict[str, Any]) -> Any:
            given.append(np.shares_memory(inputs[IMAGE], images))
            return [np.full((len(inputs[IMAGE]), 10), 0.1, np.float32)]

    monkeypatch.setattr(model, "_session", Session())
    model.predict({IMAGE: images}, at_once=4)

    assert given == [True, True]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 1000])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    with pytest.raises(UnsafeModelError):
        OnnxModel(content, threads=1)


def test_a_truncated_model_is_refused_at_every_length() -> None:
    whole = made_up_versions.onnx_of(WEIGHTS)
    for length in range(1, len(whole), 97):
        with pytest.raises(UnsafeModelError):
            OnnxModel(whole[:length], threads=1)


def test_trainings_and_functions_inside_a_model_are_refused() -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    model.training_info.add()

    with pytest.raises(UnsafeModelError, match="functions or trainings that are not in the standard"):
        read_signature(model.SerializeToString())


@pytest.mark.parametrize(
    ("where", "said"), [("input", "takes a fixed number of examples"), ("output", "gives a fixed number of answers")]
)
def test_a_model_for_a_fixed_number_of_images_is_refused(where: str, said: str) -> None:
    model = made_up_versions.loaded(made_up_versions.onnx_of(WEIGHTS))
    (value,) = getattr(model.graph, where)
    value.type.tensor_type.shape.dim[0].dim_value = 1

    with pytest.raises(UnsafeModelError, match=f"{said}; expected any number"):
        read_signature(model.SerializeToString())


def test_a_file_that_is_too_large_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    content = made_up_versions.onnx_of(WEIGHTS)
    monkeypatch.setattr(inference, "LARGEST", len(content) - 1)

    with pytest.raises(UnsafeModelError, match=f"has {len(content):,} bytes; expected at most {len(content) - 1:,}"):
        read_signature(content)


def test_answers_that_are_no_probabilities_are_refused() -> None:
    weights = WEIGHTS.copy()
    weights[0, 3] = np.nan

    with pytest.raises(UnsafeModelError, match="gives numbers that are no probabilities"):
        OnnxModel(made_up_versions.onnx_of(weights), threads=1).predict({IMAGE: np.ones((1, 8, 8), np.uint8)})
