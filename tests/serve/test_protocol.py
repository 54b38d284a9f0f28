import json
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UnreadableContentError
from fortydays.inputs.images import Images
from fortydays.inputs.input import Bounds, Input
from fortydays.inputs.ngrams import Ngrams
from fortydays.inputs.numbers import Numbers
from fortydays.inputs.tokens import Tokens
from fortydays.serve.errors import RequestError
from fortydays.serve.protocol import parse_json, read_infer_request, write_infer_answer

TAKEN = Images(shape=(1, 2))
PROBABILITIES = np.array([[0.25, 0.75]], np.float32)


def request(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 2], "data": [7, 255]}
    return {"inputs": [{**tensor, **changes}]}


def read(document: object, extra: bytes = b"", length: str | None = None) -> Any:
    return read_infer_request(json.dumps(document).encode() + extra, length, TAKEN, most_json=5_000)


def test_numbers_may_be_flat_or_nested() -> None:
    for data in ([7, 255], [[[7, 255]]]):
        asked = read(request(data=data))
        assert asked.inputs["image"].tolist() == [[[7, 255]]]
        assert asked.inputs["image"].dtype == np.uint8
        assert (asked.id, asked.binary) == ("", False)


def test_bytes_may_follow_the_json() -> None:
    document = request(shape=[2, 1, 2], parameters={"binary_data_size": 4})
    del document["inputs"][0]["data"]
    document["outputs"] = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps(document).encode()

    asked = read_infer_request(head + bytes([1, 2, 3, 4]), str(len(head)), TAKEN, most_json=5_000)

    assert asked.inputs["image"].tolist() == [[[1, 2]], [[3, 4]]]
    assert asked.binary


def test_the_answer_is_json_or_bytes_as_it_was_asked() -> None:
    body, headers = write_infer_answer(read({**request(), "id": "mine"}), PROBABILITIES, name="digits", version=3)
    assert json.loads(body) == {
        "model_name": "digits", "model_version": "3", "id": "mine",
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]}],
    }  # fmt: skip
    assert headers == {"content-type": "application/json"}

    asked = read({**request(), "parameters": {"binary_data_output": True}})
    body, headers = write_infer_answer(asked, PROBABILITIES, name="digits", version=3)
    length = int(headers["inference-header-content-length"])
    assert json.loads(body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert np.frombuffer(body[length:], "<f4").tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "The inputs are no list of JSON objects"),
        ({"inputs": []}, "other inputs than this model takes; expected 'image'"),
        ({"inputs": ["x"]}, "no list of JSON objects"),
        ({"inputs": [*request()["inputs"], *request()["inputs"]]}, "other inputs than"),
        (request(name="x"), "other inputs than this model takes; expected 'image'"),
        (request(datatype="FP32"), "another datatype; expected UINT8"),
        (request(shape=[1, 2, 1]), r"another shape; expected \[-1, 1, 2\]"),
        (request(shape=[0, 1, 2]), "another shape"),
        (request(shape=[-1, 1, 2]), "another shape"),
        (request(shape=[True, 1, 2]), "another shape"),
        (request(shape="1"), "another shape"),
        (request(shape=[]), "another shape"),
        (request(shape=[2**62, 1, 2]), r"2 numbers; its shape says 9,223,372,036,854,775,808"),
        (request(data=[1]), "has 1 numbers; its shape says 2"),
        (request(data=[1, 256]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[1, -1]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[1, 0.5]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[1, "2"]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[1, True]), "or nested lists, of numbers that UINT8 has"),
        (request(data=["x" * 3000, *["y"] * 300]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[[7, 255], []]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[[], []]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[[[[[[[[[[7, 255]]]]]]]]]]), "or nested lists, of numbers that UINT8 has"),
        (request(data=[1, [2]]), "or nested lists, of numbers that UINT8 has"),
        (request(data=None), "or nested lists, of numbers that UINT8 has"),
        (request(data=[2**70, 1]), "or nested lists, of numbers that UINT8 has"),
        (request(parameters=3), "parameters are no JSON object"),
        (request(parameters={"binary_data_size": 2}), "bytes of 'image' after the JSON part are 0; expected 2"),
        ({**request(), "outputs": [{"name": "x"}]}, "another output than 'probabilities'"),
        ({**request(), "outputs": "x"}, "another output"),
        (
            {**request(), "outputs": [{"name": "probabilities", "parameters": {"classification": 3}}]},
            "parameters have 'classification'; expected 'binary_data' alone",
        ),
        ({**request(), "id": 5}, "id is no text of at most 256 characters"),
        ({**request(), "id": "x" * 257}, "id is no text"),
    ],
)
def test_what_is_wrong_is_said(document: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read(document)
    assert caught.value.status == 400


@pytest.mark.parametrize("length", ["x", "-1", "99999", "1e3", "", "9" * 400])
def test_a_length_of_the_json_part_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(RequestError, match=r"no length of the JSON part|no JSON"):
        read(request(), length=length)


def test_bytes_that_no_input_lays_claim_to_are_refused() -> None:
    head = json.dumps(request()).encode()
    with pytest.raises(RequestError, match="no input lays claim to"):
        read_infer_request(head + b"more", str(len(head)), TAKEN, most_json=5_000)


# ------------------------------------------------------------------------------------------ tensors that are no pixels

TEXTS = Tokens(length=2, vocabulary=("good", "bad"), masked=True)
NUMBERS = Numbers(shape=(2,))


def tensor(name: str, datatype: str, count: int = 1, **changes: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [count, 2], **changes}


def texts(tokens: Any, mask: Any) -> list[dict[str, Any]]:
    return [tensor("tokens", "INT32", data=tokens), tensor("mask", "BOOL", data=mask)]


def asked_of(takes: Input, tensors: list[dict[str, Any]], follows: bytes = b"") -> Any:
    head = json.dumps({"inputs": tensors}).encode()
    return read_infer_request(head + follows, str(len(head)), takes, most_json=5_000)


@pytest.mark.parametrize("order", [1, -1])
def test_several_tensors_may_come_in_any_order(order: int) -> None:
    inputs = asked_of(TEXTS, texts([2, 3], [True, False])[::order]).inputs

    assert {name: (array.dtype.name, array.tolist()) for name, array in inputs.items()} == {
        "tokens": ("int32", [[2, 3]]), "mask": ("bool", [[True, False]]),
    }  # fmt: skip


def test_bytes_follow_in_the_order_of_the_tensors_that_have_no_numbers_in_the_json() -> None:
    by_bytes = [
        tensor("mask", "BOOL", 2, parameters={"binary_data_size": 4}),
        tensor("tokens", "INT32", 2, parameters={"binary_data_size": 16}),
    ]
    follows = bytes([1, 0, 1, 1]) + np.array([2, 0, 3, 1], "<i4").tobytes()
    mixed = [by_bytes[0], tensor("tokens", "INT32", 2, data=[[2, 0], [3, 1]])]

    for tensors, content in ((by_bytes, follows), (mixed, follows[:4])):
        inputs = asked_of(TEXTS, tensors, content).inputs
        assert inputs["mask"].tolist() == [[True, False], [True, True]]
        assert inputs["tokens"].tolist() == [[2, 0], [3, 1]]
        assert (inputs["mask"].dtype, inputs["tokens"].dtype) == (np.bool_, np.int32)


@pytest.mark.parametrize(
    ("tensors", "follows", "message"),
    [
        (texts([2, 3], [True, False])[:1], b"", "other inputs than this model takes; expected 'tokens', 'mask'"),
        (texts([2, 3], [True, False])[:1] * 2, b"", "other inputs than this model takes"),
        (texts([2, 3], [1, 0]), b"", "'mask' is no list, or nested lists, of numbers that BOOL has"),
        (texts([2, 3.0], [True, True]), b"", "numbers that INT32 has"),
        (texts([2, True], [True, True]), b"", "numbers that INT32 has"),
        (texts([2, 2**31], [True, True]), b"", "numbers that INT32 has"),
        (texts([2, 4], [True, True]), b"", "tokens has numbers that are no tokens; expected 0 to 3"),
        (texts([-1, 2], [True, True]), b"", "tokens has numbers that are no tokens; expected 0 to 3"),
        (
            [tensor("tokens", "INT32", 2, data=[2] * 4), tensor("mask", "BOOL", data=[True] * 2)], b"",
            "different numbers of examples",
        ),
        (
            [texts([2, 3], [])[0], tensor("mask", "BOOL", parameters={"binary_data_size": 2})], b"\1\2",
            "'mask' has bytes that are neither 0 nor 1",
        ),
        (
            [texts([2, 3], [])[0], tensor("mask", "BOOL", parameters={"binary_data_size": 2})], b"\1\1\1",
            "1 bytes follow that no input lays claim to",
        ),
        (
            [tensor("tokens", "INT32", parameters={"binary_data_size": 2}), texts([], [True, True])[1]], b"\1\1",
            "bytes of 'tokens' after the JSON part are 2; expected 8",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_of_several_tensors_is_said(
    tensors: list[dict[str, Any]], follows: bytes, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        asked_of(TEXTS, tensors, follows)
    assert caught.value.status == 400


def test_numbers_are_taken_whole_or_not_and_only_finite_ones() -> None:
    assert asked_of(NUMBERS, [tensor("numbers", "FP32", data=[1, 0.5])]).inputs["numbers"].tolist() == [[1, 0.5]]
    for wrong in ([1, 1e300], [1, True], [1, "2"]):
        with pytest.raises(RequestError, match="numbers that FP32 has"):
            asked_of(NUMBERS, [tensor("numbers", "FP32", data=wrong)])
    by_bytes = [tensor("numbers", "FP32", parameters={"binary_data_size": 8})]
    for number in (np.nan, np.inf):
        with pytest.raises(RequestError, match="numbers has some that are not finite"):
            asked_of(NUMBERS, by_bytes, np.array([1, number], "<f4").tobytes())


# ---------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError, match="no JSON") as caught:
        parse_json(content)
    assert caught.value.status == 400


def test_deep_lists_are_refused() -> None:
    values: Any = 1
    for _ in range(200):
        values = [values]
    with pytest.raises(UnreadableContentError, match="whole numbers"):
        Images(shape=(1, 2)).from_json(values, Bounds())


def test_json_is_bounded_whether_or_not_bytes_follow() -> None:
    head = json.dumps({**request(), "more": "x" * 5000}).encode()
    for length in (None, str(len(head))):
        with pytest.raises(RequestError, match="JSON is too large; expected at most 5,000 bytes") as caught:
            read_infer_request(head, length, TAKEN, most_json=5_000)
        assert caught.value.status == 413


def test_null_is_as_good_as_nothing() -> None:
    document = {**request(parameters=None), "id": None, "parameters": None, "outputs": None}

    asked = read(document)

    assert (asked.inputs["image"].tolist(), asked.id, asked.binary) == ([[[7, 255]]], "", False)


def test_texts_among_pixels_cost_no_more_room_than_they_take() -> None:
    import tracemalloc

    values = ["x" * 100_000, *["y"] * 20_000]
    tracemalloc.start()
    with pytest.raises(UnreadableContentError, match="whole numbers"):
        Images(shape=(1, 2)).from_json(values, Bounds())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


# --------------------------------------------------------------------------------------------------------------- texts

REVIEWS = Ngrams(length=4, longest=1, vocabulary=("good", "bad"), weights=(1.0, 1.0))


def read_texts(extra: bytes = b"", **changes: Any) -> Any:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["good", "bad bad"], **changes}
    tensor = {name: value for name, value in tensor.items() if value is not None}
    head = json.dumps({"inputs": [tensor]}).encode()
    length = str(len(head)) if extra else None
    return read_infer_request(head + extra, length, REVIEWS, most_json=5_000, bounds=Bounds(characters=20))


def test_texts_may_be_sent_as_bytes_in_json_or_behind_it() -> None:
    behind = b"\x04\0\0\0good\x07\0\0\0bad bad"
    for asked in (
        read_texts(),
        read_texts(shape=[2, 1], data=[["good"], ["bad bad"]]),
        read_texts(behind, data=None, parameters={"binary_data_size": len(behind)}),
    ):
        assert asked.inputs["ngrams"].tolist() == [[1, 2, 0, 0], [1, 3, 0, 0]]


def test_arrays_of_texts_are_taken_too() -> None:
    arrays = REVIEWS.from_json(["good"], Bounds())
    inputs = [
        {"name": name, "datatype": kind, "shape": [1, 4], "data": arrays[name].ravel().tolist()}
        for name, kind in (("ngrams", "INT32"), ("values", "FP32"))
    ]
    asked = read_infer_request(json.dumps({"inputs": inputs}).encode(), None, REVIEWS, most_json=5_000)
    assert asked.inputs["ngrams"].tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize(
    ("extra", "changes", "said"),
    [
        (b"", {"datatype": "UINT8"}, "The input 'text' has another datatype; expected BYTES."),
        (b"", {"shape": []}, "The input 'text' has another shape; expected [-1]."),
        (b"", {"shape": [2, 2]}, "The input 'text' has another shape; expected [-1]."),
        (b"", {"shape": [3]}, "The input 'text' has not as many texts as its shape says."),
        (b"", {"data": "good"}, "The input 'text' has not as many texts as its shape says."),
        (b"", {"data": ["good", 1]}, "The texts are no text and no list of texts."),
        (b"", {"data": ["good", "..."]}, "Text 2 of 2: The text has no word."),
        (b"", {"data": ["good", "good " * 9]}, "Text 2 of 2: The text has 45 characters; expected at most 20."),
        (b"more", {}, "4 bytes follow that no input lays claim to."),
        (
            b"more", {"parameters": {"binary_data_size": 9}},
            "The bytes of 'text' after the JSON part are 4; expected 9.",
        ),
        (
            b"\x09\0\0\0good", {"data": None, "parameters": {"binary_data_size": 8}},
            "The bytes of 'text' are no texts in UTF-8, each after its length.",
        ),
        (
            b"\x01\0\0\0\xff", {"data": None, "parameters": {"binary_data_size": 5}},
            "The bytes of 'text' are no texts in UTF-8, each after its length.",
        ),
    ],
)  # fmt: skip
def test_bytes_that_are_no_texts_are_refused(extra: bytes, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_texts(extra, **changes)
    assert (raised.value.status, raised.value.message) == (400, said)
