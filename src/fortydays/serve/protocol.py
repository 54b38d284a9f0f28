"""The Open Inference Protocol, version 2, over HTTP: what its requests say and its answers look like.

https://github.com/kserve/open-inference-protocol, with the extension for binary tensors that Triton's client uses: the
JSON part first, its length in a header, and the numbers of the tensors behind it as they lie in memory.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from fortydays.base.text import shown
from fortydays.registry.inference import INPUT, OUTPUT
from fortydays.serve.errors import RequestError

JSON_LENGTH = "inference-header-content-length"
"""The header with the length of the JSON part, where tensors follow it."""
_MOST_DIMENSIONS = 8


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """What a client asks for.

    Attributes:
        images: uint8, shape (n, *image).
        id: the client's own name for the request, or "".
        binary: whether the answer's numbers are to follow the JSON as bytes.
    """

    images: NDArray[np.uint8]
    id: str
    binary: bool


def parse_json(content: bytes) -> dict[str, Any]:
    """The JSON object in a request's body. Raises RequestError (400)."""
    try:
        document = orjson.loads(content)
    except ValueError:
        raise RequestError(400, "The body is no JSON.") from None
    if not isinstance(document, dict):
        raise RequestError(400, "The body is no JSON object.")
    return document


def pixels_from(values: object) -> NDArray[np.uint8]:
    """Nested lists of whole numbers from 0 to 255 as an array. Raises RequestError (422)."""
    problem = RequestError(422, "The pixels are no list, or lists of equal length, of whole numbers from 0 to 255.")
    if not isinstance(values, list) or not values:
        raise problem
    # Level by level, and NumPy gets to see bytes alone: of a list with texts in it, it would make room for as many
    # texts as long as the longest.
    shape, level = [len(values)], values
    while (kinds := set(map(type, level))) == {list}:
        lengths = set(map(len, level))
        if len(lengths) != 1 or 0 in lengths or len(shape) == _MOST_DIMENSIONS:
            raise problem
        shape += lengths
        level = list(itertools.chain.from_iterable(level))
    if kinds != {int}:
        raise problem
    try:
        return np.frombuffer(bytes(level), np.uint8).reshape(shape)
    except (ValueError, OverflowError):  # one of them is no byte
        raise problem from None


def read_infer_request(
    content: bytes, json_length: str | None, shape: Sequence[int], *, most_json: int
) -> InferRequest:
    """Read the body of ``POST /v2/models/NAME/infer``.

    Args:
        content: the body.
        json_length: the header :data:`JSON_LENGTH`, if there was one.
        shape: of one image.
        most_json: bytes of the JSON part.

    Raises:
        RequestError: 400, as the protocol wants for every request that is wrong.
    """
    try:
        return _read(content, json_length, tuple(shape), most_json)
    except RequestError as error:
        raise RequestError(400 if error.status == 422 else error.status, error.message) from None


def _read(content: bytes, json_length: str | None, shape: tuple[int, ...], most_json: int) -> InferRequest:
    length = len(content)
    if json_length is not None:
        if not (json_length.isascii() and json_length.isdecimal()) or int(json_length[:12]) > len(content):
            raise RequestError(400, f"The header {JSON_LENGTH} is no length of the JSON part of the body.")
        length = int(json_length[:12])
    if length > most_json:
        raise RequestError(413, f"The JSON is too large; expected at most {most_json:,} bytes.")
    document = parse_json(content[:length])
    inputs, outputs = document.get("inputs"), _given(document, "outputs", [])
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RequestError(400, f"There is not one input; expected {INPUT!r} and no other.")
    tensor = inputs[0]
    if tensor.get("name") != INPUT:
        raise RequestError(400, f"The input has another name; expected {INPUT!r}.")
    if tensor.get("datatype") != "UINT8":
        raise RequestError(400, f"The input {INPUT!r} has another datatype; expected UINT8.")
    given = tensor.get("shape")
    if (
        not isinstance(given, list)
        or not all(type(n) is int for n in given)
        or tuple(given[1:]) != shape
        or given[0] < 1
    ):
        raise RequestError(400, f"The input {INPUT!r} has another shape; expected {[-1, *shape]}.")
    if not isinstance(outputs, list) or any(not isinstance(o, dict) or o.get("name") != OUTPUT for o in outputs):
        raise RequestError(400, f"There is another output than {OUTPUT!r}.")
    parameters = _parameters(tensor)
    count = math.prod(given)
    if "binary_data_size" in parameters:
        follows = content[length:]
        if parameters["binary_data_size"] != len(follows) or len(follows) != count or "data" in tensor:
            raise RequestError(400, f"The bytes after the JSON part are {len(follows):,}; expected {count:,}.")
        pixels = np.frombuffer(follows, np.uint8)
    else:
        if length != len(content):
            raise RequestError(400, "Bytes follow the JSON part that no input lays claim to.")
        pixels = pixels_from(tensor.get("data"))
        if pixels.size != count:
            raise RequestError(400, f"The input {INPUT!r} has {pixels.size:,} numbers; its shape says {count:,}.")
    asked = _parameters(outputs[0]) if outputs else {}
    unknown = [name for name in asked if name != "binary_data"]
    if unknown:
        raise RequestError(400, f"The output's parameters have {shown(unknown[0])}; expected 'binary_data' alone.")
    wanted = asked.get("binary_data")
    binary = _parameters(document).get("binary_data_output") if wanted is None else wanted
    name = _given(document, "id", "")
    if not isinstance(name, str) or len(name) > 256:
        raise RequestError(400, "The request's id is no text of at most 256 characters.")
    return InferRequest(images=pixels.reshape(given), id=name, binary=binary is True)


def _given(part: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """A field that may be left away, or be null, which some clients write for the same."""
    found = part.get(name)
    return otherwise if found is None else found


def _parameters(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _given(part, "parameters", {})
    if not isinstance(found, dict):
        raise RequestError(400, "The parameters are no JSON object.")
    return found


def write_infer_answer(
    request: InferRequest, probabilities: NDArray[np.float32], *, name: str, version: int
) -> tuple[bytes, dict[str, str]]:
    """The answer to a request: its body, and the headers that tell how to read it.

    Args:
        request: what was asked.
        probabilities: float32, shape (n, classes).
        name: of the model that answered.
        version: of it.
    """
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(probabilities.shape)}
    document: dict[str, Any] = {"model_name": name, "model_version": str(version), "outputs": [output]}
    if request.id:
        document["id"] = request.id
    if not request.binary:
        output["data"] = probabilities.ravel().tolist()
        return orjson.dumps(document), {"content-type": "application/json"}
    content = probabilities.astype("<f4").tobytes()
    output["parameters"] = {"binary_data_size": len(content)}
    head = orjson.dumps(document)
    return head + content, {"content-type": "application/octet-stream", JSON_LENGTH: str(len(head))}
