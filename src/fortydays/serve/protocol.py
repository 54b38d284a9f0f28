"""The Open Inference Protocol, version 2, over HTTP: what its requests say and its answers look like.

https://github.com/kserve/open-inference-protocol, with the extension for binary tensors that Triton's client uses: the
JSON part first, its length in a header, and the numbers of the tensors behind it as they lie in memory.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from fortydays.base.errors import UnreadableContentError
from fortydays.base.text import shown
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Input, flattened
from fortydays.registry.inference import OUTPUT
from fortydays.serve.errors import RequestError

JSON_LENGTH = "inference-header-content-length"
"""The header with the length of the JSON part, where tensors follow it."""


_BOUNDS = Bounds()


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """What a client asks for.

    Attributes:
        inputs: arrays by name.
        id: the client's own name for the request, or "".
        binary: whether the answer's numbers are to follow the JSON as bytes.
    """

    inputs: Arrays
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


def read_infer_request(
    content: bytes, json_length: str | None, takes: Input, *, most_json: int, bounds: Bounds = _BOUNDS
) -> InferRequest:
    """Read the body of ``POST /v2/models/NAME/infer``, its JSON of at most ``most_json`` bytes.

    Texts may be sent in a tensor of BYTES in the place of their arrays; ``bounds`` is what is read of them.

    Raises:
        RequestError: 400, as the protocol wants for every request that is wrong.
    """
    try:
        return _read(content, json_length, takes, most_json, bounds)
    except RequestError as error:
        raise RequestError(400 if error.status == 422 else error.status, error.message) from None


def _read(content: bytes, json_length: str | None, takes: Input, most_json: int, bounds: Bounds) -> InferRequest:
    length = len(content)
    if json_length is not None:
        if not (json_length.isascii() and json_length.isdecimal()) or int(json_length[:12]) > len(content):
            raise RequestError(400, f"The header {JSON_LENGTH} is no length of the JSON part of the body.")
        length = int(json_length[:12])
    if length > most_json:
        raise RequestError(413, f"The JSON is too large; expected at most {most_json:,} bytes.")
    document = parse_json(content[:length])
    tensors, outputs = document.get("inputs"), _field(document, "outputs", [])
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise RequestError(400, "The inputs are no list of JSON objects.")
    if not isinstance(outputs, list) or any(not isinstance(o, dict) or o.get("name") != OUTPUT for o in outputs):
        raise RequestError(400, f"There is another output than {OUTPUT!r}.")
    found = [tensor.get("name") for tensor in tensors]
    if takes.TEXT_TENSOR and found == [takes.TEXT_TENSOR]:
        arrays = _arrays_of_texts(tensors[0], memoryview(content)[length:], takes, bounds)
    else:
        arrays = _arrays(tensors, memoryview(content)[length:], takes)
    asked = _parameters(outputs[0]) if outputs else {}
    unknown = [name for name in asked if name != "binary_data"]
    if unknown:
        raise RequestError(400, f"The output's parameters have {shown(unknown[0])}; expected 'binary_data' alone.")
    wanted = asked.get("binary_data")
    binary = _parameters(document).get("binary_data_output") if wanted is None else wanted
    name = _field(document, "id", "")
    if not isinstance(name, str) or len(name) > 256:
        raise RequestError(400, "The request's id is no text of at most 256 characters.")
    return InferRequest(inputs=arrays, id=name, binary=binary is True)


def _arrays(tensors: Sequence[Mapping[str, Any]], follows: memoryview, takes: Input) -> Arrays:
    """The inputs of a request, each an array that the model takes."""
    specs = takes.arrays
    names = [spec.name for spec in specs]
    found = [tensor.get("name") for tensor in tensors]
    if len(found) != len(names) or not all(name in found for name in names):
        raise RequestError(
            400, f"There are other inputs than this model takes; expected {', '.join(map(repr, names))}."
        )
    arrays = {}
    for tensor in tensors:  # bytes follow in the order of the request
        spec = specs[names.index(tensor["name"])]
        arrays[spec.name], follows = _array(tensor, spec, follows)
    if follows:
        raise RequestError(400, f"{len(follows):,} bytes follow that no input lays claim to.")
    try:
        takes.check(arrays)
    except ValueError as error:
        raise RequestError(400, f"The inputs are others than this model takes: {error}.") from None
    return arrays


def _arrays_of_texts(tensor: Mapping[str, Any], follows: memoryview, takes: Input, bounds: Bounds) -> Arrays:
    """The arrays of texts that a request has in a tensor of BYTES, as JSON or behind it, each after its length."""
    name, shape = takes.TEXT_TENSOR, tensor.get("shape")
    if tensor.get("datatype") != "BYTES":
        raise RequestError(400, f"The input {name!r} has another datatype; expected BYTES.")
    shape = shape if isinstance(shape, list) and all(type(n) is int and n > 0 for n in shape) else []
    if shape[1:] not in ([], [1]) or not shape:
        raise RequestError(400, f"The input {name!r} has another shape; expected [-1].")
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        texts = tensor.get("data")
        if isinstance(texts, list) and all(isinstance(each, list) and len(each) == 1 for each in texts):
            texts = [each[0] for each in texts]
    elif size != len(follows) or "data" in tensor:
        raise RequestError(
            400, f"The bytes of {name!r} after the JSON part are {len(follows):,}; expected {size!r:.20}."
        )
    else:
        texts, follows = _texts_in(bytes(follows), name, most=shape[0]), follows[:0]
    if not isinstance(texts, list) or len(texts) != shape[0]:
        raise RequestError(400, f"The input {name!r} has not as many texts as its shape says.")
    if follows:
        raise RequestError(400, f"{len(follows):,} bytes follow that no input lays claim to.")
    try:
        return takes.from_json(texts, bounds)
    except UnreadableContentError as error:
        raise RequestError(400, error.message) from None


def _texts_in(content: bytes, name: str, *, most: int) -> list[str]:
    """The texts in bytes: before each, its length in bytes as a little-endian number of four bytes."""
    texts: list[str] = []
    place = 0
    try:
        while place < len(content) and len(texts) <= most:
            (length,) = struct.unpack_from("<I", content, place)
            text = content[place + 4 : place + 4 + length]
            if len(text) < length:
                raise ValueError
            texts.append(text.decode())
            place += 4 + length
    except (struct.error, ValueError):
        raise RequestError(400, f"The bytes of {name!r} are no texts in UTF-8, each after its length.") from None
    return texts


def _array(tensor: Mapping[str, Any], spec: ArraySpec, follows: memoryview) -> tuple[NDArray[Any], memoryview]:
    """An input of a request, and the bytes behind the JSON part that are left for others."""
    wanted = spec.as_tensor()
    if tensor.get("datatype") != wanted["datatype"]:
        raise RequestError(400, f"The input {spec.name!r} has another datatype; expected {wanted['datatype']}.")
    shape = tensor.get("shape")
    if (
        not isinstance(shape, list)
        or not all(type(n) is int for n in shape)
        or tuple(shape[1:]) != spec.shape
        or shape[0] < 1
    ):
        raise RequestError(400, f"The input {spec.name!r} has another shape; expected {wanted['shape']}.")
    count = math.prod(shape)
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        numbers = _numbers_from(tensor.get("data"), spec)
        if len(numbers) != count:
            raise RequestError(400, f"The input {spec.name!r} has {len(numbers):,} numbers; its shape says {count:,}.")
        return numbers.reshape(shape), follows
    expected = count * np.dtype(spec.dtype).itemsize
    if type(size) is not int or size != expected or len(follows) < expected or "data" in tensor:
        raise RequestError(
            400, f"The bytes of {spec.name!r} after the JSON part are {len(follows):,}; expected {expected:,}."
        )
    found = np.frombuffer(follows[:expected], np.dtype(spec.dtype).newbyteorder("<"))
    if spec.dtype == "bool" and found.view(np.uint8).max() > 1:
        raise RequestError(400, f"The input {spec.name!r} has bytes that are neither 0 nor 1.")
    return found.astype(spec.dtype, copy=False).reshape(shape), follows[expected:]


_KINDS: Mapping[str, set[type]] = {"uint8": {int}, "int32": {int}, "float32": {int, float}, "bool": {bool}}


def _numbers_from(values: object, spec: ArraySpec) -> NDArray[Any]:
    """The numbers of a tensor in JSON, a list or nested lists, in their order."""
    problem = RequestError(
        400,
        f"The data of {spec.name!r} is no list, or nested lists, of numbers that {spec.as_tensor()['datatype']} has.",
    )
    try:
        level, _ = flattened(values)
        if not set(map(type, level)) <= _KINDS[spec.dtype]:
            raise problem
        # Of pixels, by way of bytes, which is faster and refuses what is none.
        with np.errstate(over="ignore"):  # which gives infinity
            found = np.frombuffer(bytes(level), np.uint8) if spec.dtype == "uint8" else np.array(level, spec.dtype)
    except (ValueError, OverflowError):
        raise problem from None
    if not np.all(np.isfinite(found)):
        raise problem
    return found


def _field(part: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """A field that may be left away, or be null, which some clients write for the same."""
    found = part.get(name)
    return otherwise if found is None else found


def _parameters(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _field(part, "parameters", {})
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
