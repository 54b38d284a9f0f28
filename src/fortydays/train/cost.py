"""What a network costs to run, counted as papers count it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.base.errors import in_words
from fortydays.train import backends

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Count:
    """The multiply-adds of a model.

    Attributes:
        multiply_adds: for one example; None where they cannot be counted.
        reason: why not, as a sentence without its full stop; "" where they were counted.
    """

    multiply_adds: int | None
    reason: str = ""


def count_of(model: "keras.Model", *, shape: tuple[int, ...] = ()) -> Count:
    """Multiplications, each with its addition, that a model does for one example, without training.

    Matrix products and convolutions are counted, in every step of a loop, whichever layer does them. Biases,
    normalization, activations and pooling, which cost next to nothing beside them, are not (He and Sun, 2015, count
    likewise). A layer that is called twice is counted twice.

    Args:
        model: of Keras.
        shape: of one example. An input that takes any length is as long as this: a text of so many tokens.

    Nothing is raised: a reader's own layers may do anything, and a number that is only shown must not end a study.
    """
    import keras

    def answer(*arrays: Any) -> Any:
        inputs = arrays[0] if len(arrays) == 1 else keras.tree.pack_sequence_as(model.input, list(arrays))
        return model(inputs, training=False)

    try:
        shapes = [_filled(tuple(tensor.shape[1:]), shape) for tensor in model.inputs]
        if any(None in shape for shape in shapes):
            return Count(multiply_adds=None, reason=f"its input has no fixed size: {shapes}")
        examples = [np.zeros((1, *shape), tensor.dtype) for shape, tensor in zip(shapes, model.inputs, strict=True)]
        return Count(multiply_adds=backends.backend().multiply_adds(answer, *examples))
    except backends.NotCountedError as error:
        return Count(multiply_adds=None, reason=str(error))
    except Exception as error:
        return Count(multiply_adds=None, reason=in_words(error).rstrip("."))


def multiply_adds(model: "keras.Model", *, shape: tuple[int, ...] = ()) -> int | None:
    """The number that :func:`count_of` tells; None where there is none."""
    return count_of(model, shape=shape).multiply_adds


def _filled(shape: tuple[Any, ...], known: tuple[int, ...]) -> tuple[Any, ...]:
    """A shape whose unknown sizes are those at the same place of a known one."""
    return tuple(known[i] if size is None and i < len(known) else size for i, size in enumerate(shape))
