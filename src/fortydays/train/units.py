"""Dead units: those of a ReLU layer that give 0 for all examples, so that no example changes their weights."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.data.arrays import TrainingData
from fortydays.inputs.input import count_of, rows_of, some_of
from fortydays.train.framework import has_made_up_name, part_of

if TYPE_CHECKING:
    import keras

EARLY = 100
"""The step after which dead units are counted for the first time."""

_MOST_EXAMPLES = 500
_MOST_NUMBERS = 2**20
"""Of all examples that are looked at: those of 341 photographs of 32 x 32 pixels."""

_FEWEST_EXAMPLES = 200
"""A unit that is active on 4% of the examples is silent on fifty of them once in eight times."""

_AT_ONCE = 50


def dead_units(model: "keras.Model", data: TrainingData) -> dict[str, float]:
    """The share of dead units in each ReLU layer of a model, over at most 500 validation examples.

    A unit of a convolution is a channel. The model is computed in inference mode, outside the compiled programs. A
    layer of a reader's own may draw random numbers there, which would change how the trial goes on. So a model with
    such a layer is not looked at. A layer inside another model is not looked at either.

    Args:
        model: of float32.
        data: with the validation examples.

    Returns:
        By layer, a share from 0 to 1. A name that Keras made up is replaced by "ReLU" and a number. Empty where no
        layer can be looked at, or where the model cannot be computed.
    """
    import keras

    if not all(map(_is_known, model._flatten_layers())):
        return {}
    found = dict(_rectified(model))
    if not found:
        return {}
    most = min(_MOST_EXAMPLES, max(_FEWEST_EXAMPLES, _MOST_NUMBERS // data.input.numbers))
    examples = some_of(data.validation.inputs, most)
    try:
        part = part_of(model, list(found.values()))
        largest: list[Any] = []
        for start in range(0, count_of(examples), _AT_ONCE):
            some = data.input.in_numpy(rows_of(examples, slice(start, start + _AT_ONCE)))
            outputs = keras.tree.flatten(part(some, training=False))
            tops = [
                np.asarray(keras.ops.convert_to_numpy(keras.ops.max(o, tuple(range(o.ndim - 1))))) for o in outputs
            ]
            largest = [np.maximum(*each) for each in zip(largest, tops, strict=True)] if largest else tops
    except Exception:  # a number that is only shown must not end a trial
        return {}
    return {name: float(np.mean(top == 0)) for name, top in zip(found, largest, strict=True)}


def _is_known(layer: Any) -> bool:
    """Whether a layer, or a model, is one that draws nothing in inference mode."""
    import keras

    return type(layer).__module__.partition(".")[0] in ("keras", "fortydays") and not isinstance(
        layer, keras.layers.Lambda
    )


def _rectified(model: "keras.Model") -> Iterator[tuple[str, Any]]:
    """The name and the output of each ReLU of a Sequential or functional model, in their order."""
    import keras

    graph: Any = getattr(model, "_functional", None) or model
    by_depth = getattr(graph, "_nodes_by_depth", {})
    number = 0
    for node in (node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]):
        layer = node.operation
        is_plain_relu = type(layer) is keras.layers.ReLU and layer.max_value is None and layer.negative_slope == 0
        if is_plain_relu or getattr(layer, "activation", None) is keras.activations.relu:
            number += 1
            yield f"ReLU {number}" if has_made_up_name(layer) else layer.name, node.outputs[0]
