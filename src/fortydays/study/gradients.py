"""How large the gradients of a network are, layer by layer: whether what it does wrong reaches its first layers.

A network whose gradients vanish on the way to its first layers does not learn there; one whose gradients grow needs a
smaller learning rate (Glorot and Bengio, 2010). At the start of training this is a property of architecture and
initial weights alone.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.study.design import Measure
from fortydays.train import backends

if TYPE_CHECKING:
    import keras

SMALLEST = 1e-40
"""A norm below this counts as this: what float32 rounds to zero has no logarithm."""


def norms_of_gradients(model: "keras.Model", examples: NDArray[Any], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The norm of the gradient of the cross-entropy with respect to each kernel of a network of classes.

    A kernel is what a layer multiplies its input with, by the name that Keras gives it: those of dense layers and
    convolutions, of attention and of recurrent layers, and no biases, embeddings or scales of normalization. The
    network computes as in training, so that batch normalization takes the statistics of the batch.

    Args:
        model: ends with probabilities. It is left as it was.
        examples: a batch as it is in the dataset: uint8 pixels, of which the network gets 0 to 1, or what it takes as
            it is, such as tokens.
        labels: uint8, shape (n,).

    Returns:
        float64, shape (kernels,), from the first to the last in the order of the model's variables. It may be 0.

    Raises:
        UsageError: the model has no kernel, or there are no examples.
    """
    import keras

    names = [variable.name for variable in model.trainable_variables]
    if not any(name.endswith("kernel") for name in names):
        raise UsageError(
            "The model has no kernel, so no gradient can be measured.", hint="Dense layers and convolutions have one."
        )
    if not len(labels):
        raise UsageError("There are no examples to take a gradient of.")
    batch = np.asarray(examples)
    # Statistics and random generators move on in training mode.
    others = [(variable, np.array(variable.numpy())) for variable in model.non_trainable_variables]
    found = backends.backend().gradients(
        model=model,
        loss=keras.losses.SparseCategoricalCrossentropy(reduction="none"),
        inputs=batch.astype(np.float32) / 255 if batch.dtype == np.uint8 else batch,
        labels=np.asarray(labels),
    )
    for variable, value in others:
        variable.assign(value)
    return np.array(
        [
            np.linalg.norm(gradient.astype(np.float64))
            for name, gradient in zip(names, found, strict=True)
            if name.endswith("kernel")
        ]
    )


def gradient_at(place: int, *, examples: int = 256) -> "Callable[..., float]":
    """A function for a measure: the size of the gradient at one kernel, as a logarithm.

    Args:
        place: 1 for the first kernel, 2 for the second; -1 for the last one.
        examples: how many, the first ones of the validation split.

    Returns:
        A function from a model, examples and labels to log10 of what :func:`norms_of_gradients` gives at that place.
        A norm below :data:`SMALLEST` counts as that, so that a gradient of zero is -40.

    Raises:
        UsageError: there is no place 0; or, by the function, the model has fewer kernels.
    """
    if place == 0:
        raise UsageError("The gradient is measured at kernel 0; expected 1 for the first one, or -1 for the last.")

    def measure(model: "keras.Model", inputs: NDArray[Any], labels: NDArray[np.uint8]) -> float:
        norms = norms_of_gradients(model, inputs[:examples], labels[:examples])
        if abs(place) > len(norms):
            raise UsageError(
                f"The gradient is measured at kernel {place}, but the model has {len(norms)}.",
                hint=f"Take a place from 1 to {len(norms)}, or -1 for the last one.",
            )
        return float(np.log10(max(norms[place - 1 if place > 0 else place], SMALLEST)))

    return measure


def gradient_measures(*places: int, variants: tuple[str, ...], at: str = "start") -> tuple[Measure, ...]:
    """The measures ``gradient_1``, ``gradient_last`` and so on of some variants, by the places of kernels.

    Args:
        places: as :func:`gradient_at` takes them.
        variants: whose trials are measured.
        at: "start" for the initial weights, "end" for those that are kept.
    """
    return tuple(
        Measure(name=name_at(each), variants=variants, function=gradient_at(each), at=at, labels=True)
        for each in places
    )


def name_at(place: int) -> str:
    """What the measure at a place is called: "gradient_2"; from the end, "gradient_last" and "gradient_last_2"."""
    if place > 0:
        return f"gradient_{place}"
    return "gradient_last" if place == -1 else f"gradient_last_{-place}"
