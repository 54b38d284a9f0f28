"""What the engine puts in the place of a Keras layer, where the same function can be computed faster.

The reader's model, the saved model and the tests' reference keep the plain Keras layers. A substitute has the same
variables in the same order, computes the same function, and is tested against the layer it stands for. Which layers
have one is the backend's to say (:class:`fortydays.train.backends.Backend`); the order of ReLU and max-pooling is
changed for every backend, here.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fortydays.train.backends import Replacements

if TYPE_CHECKING:
    import keras


def substituted(model: "keras.Model", *, replacements: Replacements) -> "keras.Model":
    """A model that computes the same with faster layers.

    It shares every layer that is not replaced with ``model``. A replaced one with weights has weights of its own, at
    the same places in ``variables`` and with the same values. Random generators start from seeds of their own.

    Only Sequential and functional models can be taken apart, those nested in one another included. One that is
    code (a subclass), whose parts share a layer, or whose layers Keras cannot make again from their configuration, is
    given back as it is; so is one in which there is nothing to replace.

    Args:
        model: the reader's model.
        replacements: for a type of Keras layer, what makes the substitute; a layer that it gives back stays.
    """
    if not _can_be_taken_apart(model) or _shares_layers_between_models(model):
        return model
    return _substituted(model, replacements)


def _substituted(model: Any, replacements: Replacements) -> Any:
    import keras

    if not _can_be_taken_apart(model):
        return model
    try:
        reordered = dict(_relu_after_max_pooling(model))
        instead: dict[int, Any] = {}
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                found = _substituted(layer, replacements)
            else:
                make = reordered.get(id(layer)) or replacements.get(type(layer))
                found = make(layer) if make else layer
            if found is not layer:
                instead[id(layer)] = found
        if not instead:
            return model
        result = keras.models.clone_model(model, clone_function=lambda layer: instead.get(id(layer), layer))
    except (TypeError, ValueError):  # a reader's own initializer, say, that Keras cannot make again
        return model
    for new, old in zip(result.weights, model.weights, strict=True):
        if new is not old:
            new.assign(old)
    return result


def _can_be_taken_apart(model: Any) -> bool:
    """Whether a model's layers say all it does; a reader's subclass may do more in its own ``call``."""
    import keras

    return type(model) is keras.Sequential or type(model) is _functional()


def _shares_layers_between_models(model: Any) -> bool:
    """Whether a layer is part of two models that are nested in one another, whose copies would go separate ways."""
    uses = Counter(id(layer) for layers in _layers_by_model(model) for layer in layers)
    return any(count > 1 for count in uses.values())


def _layers_by_model(model: Any) -> Iterator[list[Any]]:
    import keras

    yield model.layers
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_by_model(layer)


@functools.cache
def _functional() -> type:
    import keras

    inputs = keras.Input((1,))
    return type(keras.Model(inputs, inputs))


def _relu_after_max_pooling(model: Any) -> Iterator[tuple[int, Callable[[Any], Any]]]:
    """What to make of the layers in each pair of a ReLU and the max-pooling that alone uses it.

    ReLU does not change which of two numbers is the larger, so the largest of the rectified is the largest,
    rectified, and pooling by 2 x 2 leaves a quarter of the numbers to rectify. The slope is the same too: where
    the largest is positive, it and its ties are the same before and after ReLU, and otherwise both slopes are zero.

    Each layer is changed at its own place, so that the order of the model's variables stays.
    """
    import keras

    for first, pooling in _used_once(model):
        if type(pooling) is keras.layers.MaxPooling2D and _is_rectified(first):
            yield id(first), _without_relu
            yield id(pooling), _then_relu


def _used_once(model: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of layers, each called once, of which the second alone uses the output of the first."""
    import keras

    if type(model) is keras.Sequential:
        times = Counter(map(id, model.layers))  # the same ReLU may stand in two places
        for first, second in zip(model.layers, model.layers[1:], strict=False):
            if times[id(first)] == times[id(second)] == 1:
                yield first, second
        return
    nodes = [node for level in model._nodes_by_depth.values() for node in level]
    calls = Counter(id(node.operation) for node in nodes)
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in model.outputs)
    makers = {id(tensor): node.operation for node in nodes for tensor in node.outputs}
    for node in nodes:
        for tensor in node.input_tensors:
            first = makers[id(tensor)]
            if uses[id(tensor)] == calls[id(first)] == calls[id(node.operation)] == 1:
                yield first, node.operation


def _is_rectified(layer: Any) -> bool:
    """Whether the last that a layer does is a plain ReLU, of which it can be relieved."""
    import keras

    if layer.activity_regularizer is not None:  # a penalty on what ReLU gives
        return False
    if type(layer) is keras.layers.ReLU:
        return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
    return type(layer) in (keras.layers.Conv2D, keras.layers.Activation) and layer.activation is keras.activations.relu


def _without_relu(layer: Any) -> Any:
    import keras

    if type(layer) is keras.layers.Conv2D:
        return keras.layers.Conv2D.from_config({**layer.get_config(), "activation": "linear"})
    return keras.layers.Activation("linear", name=layer.name, dtype=layer.dtype_policy)


def _then_relu(layer: Any) -> Any:
    return _rectified_max_pooling().from_config(layer.get_config())


@functools.cache
def _rectified_max_pooling() -> Any:
    import keras

    class RectifiedMaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
        """Max-pooling, and ReLU of the result."""

        def call(self, inputs: Any) -> Any:
            return keras.activations.relu(super().call(inputs))

    return RectifiedMaxPooling2D
