"""A function on TensorFlow as an ONNX graph with one output, whose inputs and output have names of ours."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fortydays.base.errors import FortydaysError
from fortydays.inputs.input import ArraySpec

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
"""Version of the ONNX operators: the newest that the exporter writes."""


class ExportFailedError(FortydaysError):
    """A trained model could not be written as ONNX."""


def to_graph(
    function: Callable[[Mapping[str, Any]], Any],
    inputs: Sequence[ArraySpec],
    *,
    output: str,
    layers_of: "keras.Model",
) -> "onnx.ModelProto":
    """A function as an ONNX graph.

    Args:
        function: from tensors of TensorFlow by name to a tensor.
        inputs: what it takes of one example; the graph takes any number of them.
        output: the name of what it gives.
        layers_of: the model that the function calls.

    Raises:
        ExportFailedError: the graph has a part that ONNX does not know.
    """
    import tensorflow as tf
    import tf2onnx

    # Tensors that layers computed for themselves would become further inputs of the graph; arrays become constants.
    for layer in layers_of._flatten_layers():
        for name, value in list(vars(layer).items()):
            if isinstance(value, tf.Tensor):
                setattr(layer, name, value.numpy())
    signature = [tf.TensorSpec((None, *spec.shape), spec.dtype, name=spec.name) for spec in inputs]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def answer(*arrays: Any) -> Any:
        return tf.identity(function({spec.name: x for spec, x in zip(inputs, arrays, strict=True)}), name=output)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proto, _ = tf2onnx.convert.from_function(answer, input_signature=signature, opset=OPSET)
    except Exception as error:  # the exporter raises whatever it stumbles on
        raise ExportFailedError(" ".join(str(error).split())[:300]) from error
    _rename_output(proto, output)
    _spell_out_erfc(proto)
    for each in (*proto.graph.input, *proto.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "examples"
    del proto.graph.value_info[:]  # shapes on the way, in which the number of examples has other names
    proto.producer_name, proto.doc_string = "fortydays", ""
    return proto


def joined(first: "onnx.ModelProto", second: "onnx.ModelProto") -> "onnx.ModelProto":
    """Two graphs, the second one fed by the first, as one.

    Args:
        first: from :func:`to_graph`.
        second: likewise; its input has the shape and type of the first one's output.
    """
    import onnx
    from onnx import compose

    second = compose.add_prefix(second, "head/", rename_inputs=False, rename_outputs=False)
    border = (first.graph.output[0].name, second.graph.input[0].name)
    second.ir_version = first.ir_version
    whole: onnx.ModelProto = compose.merge_models(first, second, io_map=[border])
    whole.producer_name, whole.doc_string, whole.graph.name = "fortydays", "", "fortydays"
    return whole


def _rename_output(proto: Any, name: str) -> None:
    """Give the graph's output its name; the exporter takes the one of a TensorFlow operation."""
    (output,) = proto.graph.output
    before = output.name
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for position, each in enumerate(names):
                if each == before:
                    names[position] = name
    output.name = name


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
