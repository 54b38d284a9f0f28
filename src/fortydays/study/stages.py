"""What the layers of a model make of one image: each convolution and pooling after its activation."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.train.framework import has_made_up_name

if TYPE_CHECKING:
    import keras


def weights_of(model: "keras.Model") -> Iterator[NDArray[Any]]:
    """The weights of a model layer by layer, those of models inside it in their place."""
    for layer in model.layers:
        yield from weights_of(layer) if hasattr(layer, "layers") else layer.get_weights()


def stages(model: "keras.Model", image: NDArray[np.float32]) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    """Each convolution and pooling of a model in their order, those of models inside it in their place.

    With each layer, what it and the activation after it make of one image: float32, shape (height, width, channels).
    """
    import keras

    # A Sequential model keeps its graph in a functional one.
    graph: Any = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise UsageError(
            f"The layers of the model {model.name!r} are not joined as a Sequential or functional model, "
            "so there is no telling what lies between them."
        )
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    uses: dict[int, list[Any]] = defaultdict(list)
    for node in nodes:
        for tensor in node.input_tensors:
            uses[id(tensor)].append(node)
    wanted: dict[int, tuple[Any, Any]] = {}
    for node in nodes:
        layer = node.operation
        if isinstance(layer, keras.Model):
            wanted.setdefault(id(node.input_tensors[0]), (layer, node.input_tensors[0]))
        elif is_convolution(layer) or _is_pooling(layer):
            after = _activated(node, uses)
            if len(after.shape) == 4:
                # The two paths of a residual block end in the same activation.
                wanted.setdefault(id(after), (layer, after))
    if not wanted:
        return
    outputs = keras.Model(graph.inputs, [tensor for _, tensor in wanted.values()])([image], training=False)
    # Keras gives a single output without its list.
    for (layer, _), output in zip(wanted.values(), keras.tree.flatten(outputs), strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(output), np.float32)
        if isinstance(layer, keras.Model):
            yield from stages(layer, values)
        else:
            yield layer, values[0]


def is_convolution(layer: Any) -> bool:
    """Whether a layer has filters: weights of four dimensions."""
    return hasattr(layer, "get_weights") and any(len(w.shape) == 4 for w in layer.weights)


def _is_pooling(layer: Any) -> bool:
    return "pooling" in type(layer).__module__.split(".")


def _activated(node: Any, uses: dict[int, list[Any]]) -> Any:
    """The output of the activation that follows a layer, or the layer's own where it has one or none follows."""
    own = node.outputs[0]
    activation = getattr(node.operation, "activation", None)
    if getattr(activation, "__name__", "linear") != "linear":
        return own
    while len(following := uses[id(node.outputs[0])]) == 1:
        node = following[0]
        # What works on every value alone, and sums of two paths, keep the shape.
        if node.outputs[0].shape != own.shape or is_convolution(node.operation) or _is_pooling(node.operation):
            break
        if {"activations", "nn"} & set(type(node.operation).__module__.split(".")):
            return node.outputs[0]
    return own


def names_of(layers: list[Any]) -> list[str]:
    """The name of each layer; of one whose name Keras made up, its kind and number."""
    counts: dict[str, int] = defaultdict(int)
    names = []
    for layer in layers:
        kind = "convolution" if is_convolution(layer) else "pooling"
        counts[kind] += 1
        names.append(f"{kind} {counts[kind]}" if has_made_up_name(layer) else layer.name)
    return names
