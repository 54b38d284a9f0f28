"""An ONNX model as a function from an example's arrays to probabilities. Imports no training framework.

The file is checked before ONNX Runtime sees it: inputs of known types and one output of probabilities, only operators
of the standard, and every number inside the file itself, because a path to others could lead to any file of the
machine.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.inputs.input import Arrays, ArraySpec, check_arrays, count_of, rows_of
from fortydays.registry.operators import STANDARD, problem_of

if TYPE_CHECKING:
    import onnx

OUTPUT = "probabilities"
LARGEST = 2**30
"""Bytes of a model's file: more is not even looked into."""

_DOMAINS = {*STANDARD, "ai.onnx.ml"}
_MOST_NESTED = 8
_TYPES = {1: "float32", 2: "uint8", 6: "int32", 9: "bool"}
"""The types that inputs may have, by the numbers that ONNX gives them."""
_FLOAT32 = 1
_MOST_INPUTS, _MOST_DIMENSIONS = 8, 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class UnsafeModelError(FortydaysError):
    """An ONNX file that this program did not write, or that was changed since."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model takes: the arrays of one example; and gives: a probability, float32, of each class.

    ``opset`` is the version of the ONNX operators that it is written in.
    """

    inputs: tuple[ArraySpec, ...]
    classes: int
    opset: int

    @property
    def numbers(self) -> int:
        """How many numbers one example has."""
        return sum(spec.numbers for spec in self.inputs)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, in the words of the Open Inference Protocol; -1 is any number of examples."""
        return {
            "inputs": [spec.as_tensor() for spec in self.inputs],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, self.classes]}],
            "opset": self.opset,
        }


def read_signature(content: bytes) -> Signature:
    """What the content of an ONNX file takes and gives, after checking that nothing leads out of it.

    Raises UnsafeModelError where it is no ONNX file, or not one with this program's input and output.
    """
    if len(content) > LARGEST:
        raise UnsafeModelError(f"The ONNX model has {len(content):,} bytes; expected at most {LARGEST:,}.")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise UnsafeModelError("The model is no ONNX file.") from error
    if {d.domain for d in model.opset_import} - _DOMAINS or model.functions or model.training_info:
        raise UnsafeModelError("The ONNX model has operators, functions or trainings that are not in the standard.")
    _check_numbers(model.graph)
    inputs = tuple(map(_spec_of, model.graph.input))
    if not 1 <= len(inputs) <= _MOST_INPUTS or len({spec.name for spec in inputs}) != len(inputs):
        raise UnsafeModelError(
            f"The ONNX model has {len(inputs)} inputs; expected 1 to {_MOST_INPUTS} of different names."
        )
    if problem := problem_of(model.graph.node, inputs=[spec.name for spec in inputs]):
        raise UnsafeModelError(problem)
    opset = next((int(d.version) for d in model.opset_import if d.domain in STANDARD), 0)
    return Signature(inputs=inputs, classes=_classes_of(model.graph.output), opset=opset)


def _spec_of(info: "onnx.ValueInfoProto") -> ArraySpec:
    kind, (first, *shape) = info.type.tensor_type, [d.dim_value for d in info.type.tensor_type.shape.dim] or [0]
    if kind.elem_type not in _TYPES or not _NAME.fullmatch(info.name):
        raise UnsafeModelError(
            "The ONNX model has an input of another type or name; expected one of "
            f"{', '.join(_TYPES.values())}, named by a-z, 0-9 and _."
        )
    if first:
        raise UnsafeModelError("The ONNX model takes a fixed number of examples; expected any number.")
    if not 1 <= len(shape) <= _MOST_DIMENSIONS or min(shape) < 1:
        raise UnsafeModelError(f"The ONNX model does not say the size of its input {info.name!r}.")
    return ArraySpec(name=info.name, dtype=_TYPES[kind.elem_type], shape=tuple(shape))


def _classes_of(outputs: Any) -> int:
    """How many probabilities a graph gives."""
    shape = [d.dim_value for d in outputs[0].type.tensor_type.shape.dim] if outputs else []
    if [o.name for o in outputs] != [OUTPUT] or outputs[0].type.tensor_type.elem_type != _FLOAT32 or len(shape) != 2:
        raise UnsafeModelError(f"The ONNX model has other outputs; expected one, {OUTPUT!r}, of float32.")
    if shape[0]:
        raise UnsafeModelError("The ONNX model gives a fixed number of answers; expected any number.")
    if shape[1] < 1:
        raise UnsafeModelError("The ONNX model does not say its number of classes.")
    return int(shape[1])


def _check_numbers(graph: "onnx.GraphProto", depth: int = 0) -> None:
    """Refuse numbers that are kept outside of the file, or that are many more than the file has bytes."""
    from onnx import TensorProto

    if depth > _MOST_NESTED:
        raise UnsafeModelError("The ONNX model has graphs nested too deeply.")
    tensors, sparse = [*graph.initializer], [*graph.sparse_initializer]
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            sparse += attribute.sparse_tensors
            for inner in (attribute.g, *attribute.graphs):
                _check_numbers(inner, depth + 1)
    tensors += [part for each in sparse for part in (each.values, each.indices)]
    if any(t.data_location == TensorProto.EXTERNAL or len(t.external_data) for t in tensors):
        raise UnsafeModelError("The ONNX model keeps numbers in other files, which is refused.")
    if sparse:
        raise UnsafeModelError("The ONNX model keeps numbers as sparse ones, which is refused.")


NUMBERS_AT_ONCE = 2**22
"""Numbers of the examples that are computed together at most, such as pixels times channels: while it answers,
EfficientNet-Lite0 holds some 4 GB for 250 photographs of 224 x 224 pixels, and a tenth of that for the 27 that these
numbers allow."""


class OnnxModel:
    """The content of an ONNX file as a model that answers, and its signature, which may be known from before.

    Raises UnsafeModelError where the file is not one to run, see :func:`read_signature`.
    """

    def __init__(self, content: bytes, *, threads: int, signature: Signature | None = None) -> None:
        self.signature = signature or read_signature(content)
        self._most_at_once = max(1, NUMBERS_AT_ONCE // self.signature.numbers)
        keep_onnx_runtime_silent()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has an error of its own for each thing that can be wrong
            raise UnsafeModelError(
                f"ONNX Runtime cannot load the model: {' '.join(str(error).split())[:300]}"
            ) from error

    def predict(self, inputs: Arrays, *, at_once: int = 250) -> NDArray[np.float32]:
        """The probability of every class for every example.

        Args:
            inputs: arrays by name, each of its spec's type and of shape (n, *spec.shape). Parts of them are read.
            at_once: examples that are computed together at most; of large ones it is fewer, see
                :data:`NUMBERS_AT_ONCE`.

        Returns:
            float32, shape (n, classes).

        Raises:
            ValueError: the arrays have other names, types or shapes.
            UnsafeModelError: the model fails, or its answers are no probabilities.
        """
        check_arrays(inputs, self.signature.inputs)
        at_once, count = min(at_once, self._most_at_once), count_of(inputs)
        if 0 < count <= at_once:
            return self._computed(inputs)
        parts = (slice(start, start + at_once) for start in range(0, count, at_once))
        answers = [self._computed(rows_of(inputs, part)) for part in parts]
        return np.concatenate([np.zeros((0, self.signature.classes), np.float32), *answers])

    def _computed(self, inputs: Arrays) -> NDArray[np.float32]:
        try:
            (found,) = self._session.run(
                [OUTPUT], {name: np.ascontiguousarray(array) for name, array in inputs.items()}
            )
        except Exception as error:  # as above
            raise UnsafeModelError(f"The model fails: {' '.join(str(error).split())[:300]}") from error
        # Comparisons with a NaN are false.
        expected = (count_of(inputs), self.signature.classes)
        if found.shape != expected or not ((found >= -1e-3) & (found <= 1.001)).all():
            raise UnsafeModelError("The model gives numbers that are no probabilities.")
        return cast("NDArray[np.float32]", found)
