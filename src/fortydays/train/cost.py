"""What a network costs to run, counted as papers count it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.train import backends

if TYPE_CHECKING:
    import keras


def multiply_adds(model: "keras.Model") -> int | None:
    """Multiplications, each with its addition, that a model does for one example, without training.

    Matrix products and convolutions are counted, in every step of a loop, whichever layer does them. Biases,
    normalization, activations and pooling, which cost next to nothing beside them, are not (He and Sun, 2015, count
    likewise).

    Returns:
        The number; None where the model does not say how large its inputs are, or how often it repeats a loop.
    """
    import keras

    def answer(*arrays: Any) -> Any:
        inputs = arrays[0] if len(arrays) == 1 else keras.tree.pack_sequence_as(model.input, list(arrays))
        return model(inputs, training=False)

    try:
        examples = [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
        return backends.backend().multiply_adds(answer, *examples)
    except Exception:  # a reader's own layers may do anything; a number that is only shown must not end a study
        return None
