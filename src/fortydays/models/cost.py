"""What a network costs to run, counted as papers count it."""

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def multiply_adds(model: "keras.Model") -> int:
    """Multiplications, each with its addition, that a model does for one image.

    Convolutions and dense layers are counted; biases, normalization, activations and pooling, which cost next to
    nothing beside them, are not (He and Sun, 2015, count likewise).
    """
    return sum(_of_layer(layer) for layer in model._flatten_layers(recursive=True))


def _of_layer(layer: Any) -> int:
    kernels = [getattr(layer, name, None) for name in ("kernel", "depthwise_kernel", "pointwise_kernel")]
    if not any(k is not None for k in kernels):
        return 0
    positions = prod(layer.output.shape[1:-1])
    return int(sum(positions * prod(k.shape) for k in kernels if k is not None))
