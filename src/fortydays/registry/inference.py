"""An ONNX model as a function from pixels to probabilities. Imports no training framework.

The file is checked before ONNX Runtime sees it: one input of pixels, one output of probabilities, only operators of
the standard, and every number inside the file itself, because a path to others could lead to any file of the machine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.registry.operators import STANDARD, problem_of

if TYPE_CHECKING:
    import onnx

INPUT = "image"
OUTPUT = "probabilities"
LARGEST = 2**30
"""Bytes of a model's file: more is not even looked into."""

_DOMAINS = {*STANDARD, "ai.onnx.ml"}
_MOST_NESTED = 8
_UINT8, _FLOAT32 = 2, 1  # as ONNX numbers its types


class UnsafeModelError(FortydaysError):
    """An ONNX file that this program did not write, or that was changed since."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model takes and gives.

    Attributes:
        image: shape of one image, (height, width) or (height, width, channels); its pixels are uint8.
        classes: how many probabilities, float32, it gives for each image.
        opset: version of the ONNX operators it is written in.
    """

    image: tuple[int, ...]
    classes: int
    opset: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, in the words of the Open Inference Protocol; -1 is any number of images."""
        return {
            "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *self.image]}],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, self.classes]}],
            "opset": self.opset,
        }


def read_signature(content: bytes) -> Signature:
    """What an ONNX file takes and gives, after checking that nothing leads out of it.

    Args:
        content: the file.

    Raises:
        UnsafeModelError: it is no ONNX file, not one with this program's input and output, or refers to other files.
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
    if problem := problem_of(model.graph.node, image=INPUT):
        raise UnsafeModelError(problem)
    opset = next((int(d.version) for d in model.opset_import if d.domain in STANDARD), 0)
    inputs, outputs = model.graph.input, model.graph.output
    expected = f"expected one input {INPUT!r} of uint8 and one output {OUTPUT!r} of float32."
    if [i.name for i in inputs] != [INPUT] or [o.name for o in outputs] != [OUTPUT]:
        raise UnsafeModelError(f"The ONNX model has other inputs or outputs; {expected}")
    given, answered = inputs[0].type.tensor_type, outputs[0].type.tensor_type
    shape = [d.dim_value for d in given.shape.dim]
    answer = [d.dim_value for d in answered.shape.dim]
    if (given.elem_type, answered.elem_type) != (_UINT8, _FLOAT32) or len(shape) not in (3, 4) or len(answer) != 2:
        raise UnsafeModelError(f"The ONNX model has an input or output of another type; {expected}")
    if shape[0] or answer[0]:
        raise UnsafeModelError("The ONNX model takes a fixed number of images; expected any number.")
    if min(shape[1:]) < 1 or answer[1] < 1:
        raise UnsafeModelError("The ONNX model does not say the size of its images or its number of classes.")
    return Signature(image=tuple(shape[1:]), classes=answer[1], opset=opset)


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
"""Pixels times channels of the images that are computed together at most: while it answers, EfficientNet-Lite0 holds
some 4 GB for 250 photographs of 224 x 224 pixels, and a tenth of that for the 27 that these numbers allow."""


class OnnxModel:
    """A model that answers.

    Args:
        content: the ONNX file.
        threads: to compute with.
        signature: what :func:`read_signature` says of it, where it was asked before.

    Raises:
        UnsafeModelError: the file is not one to run, see :func:`read_signature`.
    """

    def __init__(self, content: bytes, *, threads: int, signature: Signature | None = None) -> None:
        self.signature = signature or read_signature(content)
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

    def predict(self, images: NDArray[np.uint8], *, at_once: int = 250) -> NDArray[np.float32]:
        """The probability of every class for every image.

        Args:
            images: uint8, shape (n, *signature.image).
            at_once: images that are computed together at most; of large ones it is fewer, see
                :data:`NUMBERS_AT_ONCE`.

        Returns:
            float32, shape (n, classes).

        Raises:
            ValueError: the images have another type or shape.
            UnsafeModelError: the model fails, or its answers are no probabilities.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.signature.image:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape[1:]}; expected uint8 of {self.signature.image}"
            )
        answers = [np.zeros((0, self.signature.classes), np.float32)]
        at_once = min(at_once, max(1, NUMBERS_AT_ONCE // max(1, int(np.prod(self.signature.image)))))
        for start in range(0, len(images), at_once):
            given = np.ascontiguousarray(images[start : start + at_once])
            try:
                (some,) = self._session.run([OUTPUT], {INPUT: given})
            except Exception as error:  # as above
                raise UnsafeModelError(f"The model fails: {' '.join(str(error).split())[:300]}") from error
            # Comparisons with a NaN are false.
            if some.shape != (len(given), self.signature.classes) or not np.all((some >= -1e-3) & (some <= 1.001)):
                raise UnsafeModelError("The model gives numbers that are no probabilities.")
            answers.append(some)
        return np.concatenate(answers)


def load_model(path: Path, *, threads: int) -> OnnxModel:
    """Read an ONNX file and make it ready to answer.

    Raises:
        StorageError: it cannot be read.
        UnsafeModelError: it is not one to run.
    """
    with files.storage_errors("read", path):
        content = path.read_bytes()
    return OnnxModel(content, threads=threads)
