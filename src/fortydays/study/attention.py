"""What the attention layers of a model do: where each of their heads takes its values from."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.train.framework import part_of

if TYPE_CHECKING:
    import keras


def attention_layers(model: "keras.Model") -> "list[keras.layers.Layer]":
    """Keras's attention layers with several heads, in the order of the model."""
    import keras

    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def attention_of(
    model: "keras.Model", layer: Any, examples: NDArray[np.float32] | list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """How each head of an attention layer spreads its attention.

    Args:
        model: functional, with trained weights. It computes as in use.
        layer: one of :func:`attention_layers`, used once.
        examples: float32, as the network gets them, shape (n, ...); of a network with several inputs, one of each.

    Returns:
        float32, shape (n, heads, places that ask, places asked). The last axis adds up to 1.
    """
    import keras

    query, value, *key = layer._inbound_nodes[0].input_tensors
    asked = dict(zip(("value", "key"), (value, *key), strict=False))
    found = part_of(model, [query, *asked.values()])(examples, training=False)
    others = dict(zip(asked, found[1:], strict=True))
    _, scores = layer(found[0], **others, return_attention_scores=True, training=False)
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(scores, "float32")))


def grid_of(places: int, *, height: int, width: int) -> tuple[int, int]:
    """The rows and columns in which so many square patches cover an image, read row by row.

    Raises:
        UsageError: there is no such grid.
    """
    rows = round(math.sqrt(places * height / width))
    if not rows or places % rows or rows * width != places // rows * height:
        raise UsageError(
            f"{places} places do not cover an image of {height} × {width} pixels with square patches, row by row."
        )
    return rows, places // rows
