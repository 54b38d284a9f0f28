import json
from typing import Any

import numpy as np
import pytest

from fortydays.serve.errors import RequestError
from fortydays.serve.protocol import parse_json, pixels_from, read_infer_request, write_infer_answer

PROBABILITIES = np.array([[0.25, 0.75]], np.float32)


def request(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 2], "data": [7, 255]}
    return {"inputs": [{**tensor, **changes}]}


def read(document: object, extra: bytes = b"", length: str | None = None) -> Any:
    return read_infer_request(json.dumps(document).encode() + extra, length, (1, 2), most_json=5_000)


def test_numbers_may_be_flat_or_nested() -> None:
    for data in ([7, 255], [[[7, 255]]]):
        asked = read(request(data=data))
        assert asked.images.tolist() == [[[7, 255]]]
        assert asked.images.dtype == np.uint8
        assert (asked.id, asked.binary) == ("", False)


def test_bytes_may_follow_the_json() -> None:
    document = request(shape=[2, 1, 2], parameters={"binary_data_size": 4})
    del document["inputs"][0]["data"]
    document["outputs"] = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps(document).encode()

    asked = read_infer_request(head + bytes([1, 2, 3, 4]), str(len(head)), (1, 2), most_json=5_000)

    assert asked.images.tolist() == [[[1, 2]], [[3, 4]]]
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
        ({}, "There is not one input; expected 'image' and no other"),
        ({"inputs": []}, "not one input"),
        ({"inputs": ["x"]}, "not one input"),
        ({"inputs": [*request()["inputs"], *request()["inputs"]]}, "not one input"),
        (request(name="x"), "another name; expected 'image'"),
        (request(datatype="FP32"), "another datatype; expected UINT8"),
        (request(shape=[1, 2, 1]), r"another shape; expected \[-1, 1, 2\]"),
        (request(shape=[0, 1, 2]), "another shape"),
        (request(shape=[-1, 1, 2]), "another shape"),
        (request(shape=[True, 1, 2]), "another shape"),
        (request(shape="1"), "another shape"),
        (request(shape=[]), "another shape"),
        (request(shape=[2**62, 1, 2]), r"2 numbers; its shape says 9,223,372,036,854,775,808"),
        (request(data=[1]), "has 1 numbers; its shape says 2"),
        (request(data=[1, 256]), "whole numbers from 0 to 255"),
        (request(data=[1, -1]), "whole numbers from 0 to 255"),
        (request(data=[1, 0.5]), "whole numbers from 0 to 255"),
        (request(data=[1, "2"]), "whole numbers from 0 to 255"),
        (request(data=[1, True]), "whole numbers from 0 to 255"),
        (request(data=["x" * 3000, *["y"] * 300]), "whole numbers from 0 to 255"),
        (request(data=[[], []]), "whole numbers from 0 to 255"),
        (request(data=[[[[[[[[[[7, 255]]]]]]]]]]), "whole numbers from 0 to 255"),
        (request(data=[1, [2]]), "whole numbers from 0 to 255"),
        (request(data=None), "whole numbers from 0 to 255"),
        (request(data=[2**70, 1]), "whole numbers from 0 to 255"),
        (request(parameters=3), "parameters are no JSON object"),
        (request(parameters={"binary_data_size": 2}), "bytes after the JSON part are 0; expected 2"),
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
        read_infer_request(head + b"more", str(len(head)), (1, 2), most_json=5_000)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError, match="no JSON") as caught:
        parse_json(content)
    assert caught.value.status == 400


def test_deep_lists_are_refused() -> None:
    values: Any = 1
    for _ in range(200):
        values = [values]
    with pytest.raises(RequestError, match="whole numbers"):
        pixels_from(values)


def test_json_is_bounded_whether_or_not_bytes_follow() -> None:
    head = json.dumps({**request(), "more": "x" * 5000}).encode()
    for length in (None, str(len(head))):
        with pytest.raises(RequestError, match="JSON is too large; expected at most 5,000 bytes") as caught:
            read_infer_request(head, length, (1, 2), most_json=5_000)
        assert caught.value.status == 413


def test_null_is_as_good_as_nothing() -> None:
    document = {**request(parameters=None), "id": None, "parameters": None, "outputs": None}

    asked = read(document)

    assert (asked.images.tolist(), asked.id, asked.binary) == ([[[7, 255]]], "", False)


def test_texts_among_pixels_cost_no_more_room_than_they_take() -> None:
    import tracemalloc

    values = ["x" * 100_000, *["y"] * 20_000]
    tracemalloc.start()
    with pytest.raises(RequestError, match="whole numbers"):
        pixels_from(values)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000
