"""A function on TensorFlow as an ONNX graph whose inputs and outputs have names of ours.

Of Keras's backends, TensorFlow alone exports every layer of this journey to a graph that ONNX Runtime takes. So an
export is done in a process of its own, whatever the caller computes with: :func:`export_elsewhere` starts the module
that :func:`answer` is the main program of.
"""

import contextlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.process import child_environment, end_with_parent
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.inputs.input import ArraySpec

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
"""Version of the ONNX operators: the newest that the exporter writes."""


_LONGEST_SECONDS = 600


class ExportFailedError(FortydaysError):
    """A model could not be written as ONNX."""


def export_elsewhere(module: str, request: Mapping[str, Any], scratch: Path, *, title: str) -> None:
    """Have a module export what a request says, in a process of its own on TensorFlow.

    Args:
        module: its main program is :func:`answer`.
        request: JSON values.
        scratch: an empty folder for what the two processes tell each other.
        title: of what is exported, for messages.

    Raises:
        ExportFailedError: it cannot be exported; the message says why.
        StorageError: the folder cannot be written.
    """
    files.write_json(scratch / "request.json", request)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, str(scratch / "request.json")],
            env=child_environment(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3"),
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ExportFailedError(f"The export of {title!r} took more than {_LONGEST_SECONDS} s.") from None
    if done.returncode == 0:
        return
    try:
        said = files.read_json(scratch / "failure.json")
    except StorageError:
        last = " ".join(done.stderr.split())[-300:]
        raise ExportFailedError(
            f"The process that exports {title!r} ended with status {done.returncode}: {last}"
        ) from None
    raise ExportFailedError(f"{title!r} cannot be exported to ONNX: {said['message']}", hint=str(said["hint"]))


def answer(work: Callable[[dict[str, Any]], None]) -> NoReturn:
    """Do what the file that is named on the command line asks for, and exit. A failure is told beside that file."""
    end_with_parent()
    path = Path(sys.argv[1])
    try:
        work(files.read_json(path))
    except FortydaysError as error:
        files.write_json(path.with_name("failure.json"), {"message": error.message, "hint": error.hint})
        sys.exit(1)
    sys.exit(0)


def to_graph(
    function: Callable[[Mapping[str, Any]], Any],
    inputs: Sequence[ArraySpec],
    *,
    output: str | tuple[str, ...],
    layers_of: "keras.Model",
    weights_apart: bool = False,
) -> "onnx.ModelProto":
    """A function as an ONNX graph.

    Args:
        function: from tensors of TensorFlow by name to a tensor, or to as many as there are outputs.
        inputs: what it takes of one example; the graph takes any number of them.
        output: the name of what it gives, or the names.
        layers_of: the model that the function calls.
        weights_apart: whether the exporter sees no weights, which come into the graph afterwards. It copies all that
            it sees again and again: 90 MB of weights took 5 GB and a minute. Nothing is made of constants then.

    Raises:
        ExportFailedError: the graph has a part that ONNX does not know.
    """
    keep_onnx_runtime_silent()
    import tensorflow as tf
    import tf2onnx

    # Tensors that layers computed for themselves would become further inputs of the graph; arrays become constants.
    for layer in layers_of._flatten_layers():
        for name, value in list(vars(layer).items()):
            if isinstance(value, tf.Tensor):
                setattr(layer, name, value.numpy())
    signature = [tf.TensorSpec((None, *spec.shape), spec.dtype, name=spec.name) for spec in inputs]
    weights = {f"{_WEIGHT}{n}": variable for n, variable in enumerate(layers_of.variables)} if weights_apart else {}
    signature += [tf.TensorSpec(variable.shape, variable.dtype, name=name) for name, variable in weights.items()]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def named(*arrays: Any) -> Any:
        given = {spec.name: x for spec, x in zip(inputs, arrays[: len(inputs)], strict=True)}
        with _in_place_of(weights.values(), arrays[len(inputs) :]):
            found = function(given)
            return {output: found} if isinstance(output, str) else dict(zip(output, found, strict=True))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proto, _ = tf2onnx.convert.from_function(named, input_signature=signature, opset=OPSET)
    except Exception as error:  # the exporter raises whatever it stumbles on
        raise ExportFailedError(" ".join(str(error).split())[:300]) from error
    _spell_out_erfc(proto)
    _add_weights(proto, weights)
    for each in (*proto.graph.input, *proto.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "examples"
    del proto.graph.value_info[:]  # shapes on the way, in which the number of examples has other names
    proto.producer_name, proto.doc_string = "fortydays", ""
    return proto


_WEIGHT = "weight_"


def _in_place_of(variables: Iterable[Any], tensors: Sequence[Any]) -> "contextlib.AbstractContextManager[Any]":
    """Within the block, tensors stand in the place of a model's variables."""
    import keras

    pairs = list(zip(variables, tensors, strict=True))
    return keras.StatelessScope(state_mapping=pairs) if pairs else contextlib.nullcontext()


def _add_weights(proto: Any, weights: Mapping[str, Any]) -> None:
    """Make constants of the inputs that stand for weights."""
    from onnx import numpy_helper

    others = [each for each in proto.graph.input if each.name not in weights]
    used = {name for node in proto.graph.node for name in node.input}
    del proto.graph.input[:]
    proto.graph.input.extend(others)
    proto.graph.initializer.extend(
        numpy_helper.from_array(variable.numpy(), name) for name, variable in weights.items() if name in used
    )


def joined(first: "onnx.ModelProto", second: "onnx.ModelProto") -> "onnx.ModelProto":
    """Two graphs of :func:`to_graph` as one. The second one takes the shape and type that the first one gives."""
    import onnx
    from onnx import compose

    second = compose.add_prefix(second, "head/", rename_inputs=False, rename_outputs=False)
    border = (first.graph.output[0].name, second.graph.input[0].name)
    second.ir_version = first.ir_version
    whole: onnx.ModelProto = compose.merge_models(first, second, io_map=[border])
    whole.producer_name, whole.doc_string, whole.graph.name = "fortydays", "", "fortydays"
    return whole


def _spell_out_erfc(proto: Any) -> None:
    """Replace what ONNX has no operation for by operations that it has: erfc(x) = 1 - erf(x), in Keras's GELU."""
    import onnx
    from onnx import helper

    nodes = []
    for node in proto.graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        name = node.output[0]
        nodes.append(helper.make_node("Erf", list(node.input), [f"{name}/erf"], name=f"{node.name}/erf"))
        nodes.append(helper.make_node("Sub", [_ONE, f"{name}/erf"], [name], name=f"{node.name}/sub"))
    if len(nodes) > len(proto.graph.node):
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        proto.graph.initializer.append(helper.make_tensor(_ONE, onnx.TensorProto.FLOAT, [], [1.0]))


_ONE = "fortydays/one"
