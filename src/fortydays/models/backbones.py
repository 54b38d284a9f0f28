"""Networks that have seen ImageNet, without their last layer: what they make of a photograph is where others begin.

A backbone takes images from 0 to 1, like every network of this journey, and brings them to the range it was trained
with itself. It is built here without its weights, layer by layer where Keras has no such network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import unknown_name

if TYPE_CHECKING:
    import keras

_EPSILON = 1e-3


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A pretrained network without its last layer.

    Attributes:
        name: what it, and its weights, are called.
        title: its name in text.
        side: pixels of the images it is best shown, upwards and sideways.
        features: how many numbers it makes of an image, averaged over the places in it.
        last_block: the layer before its last block.
        block_features: how many numbers that layer gives for each place.
        multiply_adds: what it computes for an image of that side, as :func:`fortydays.train.cost.multiply_adds`
            counts.
        block_multiply_adds: what of that is done after the layer before its last block.
        width: of a MobileNetV2; 0 for an EfficientNet-Lite0.
    """

    name: str
    title: str
    side: int
    features: int
    last_block: str
    block_features: int
    multiply_adds: int
    block_multiply_adds: int
    width: float = 0.0

    def build(self, side: int) -> "keras.Model":
        """The network, with random weights.

        Args:
            side: pixels of the images, upwards and sideways; at least 32.

        Returns:
            A model from float32 images from 0 to 1, shape (n, side, side, 3), to feature maps, shape
            (n, side / 32, side / 32, features), rounded up.
        """
        return mobilenet_v2(side, width=self.width) if self.width else efficientnet_lite0(side)


def _mobilenet_v2(
    width: float, *, block_features: int, multiply_adds: int, block_multiply_adds: int, features: int = 1280
) -> Backbone:
    return Backbone(
        name=f"mobilenetv2-{width}",
        title="MobileNetV2" if width == 1 else f"MobileNetV2, width {width}",
        side=224,
        features=features,
        last_block="block_15_add",
        block_features=block_features,
        multiply_adds=multiply_adds,
        block_multiply_adds=block_multiply_adds,
        width=width,
    )


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        each.name: each
        for each in (
            Backbone(
                name="efficientnet-lite0",
                title="EfficientNet-Lite0",
                side=224,
                features=1280,
                last_block="_blocks.14._add",
                block_features=192,
                multiply_adds=383_907_552,
                block_multiply_adds=49_479_808,
            ),
            _mobilenet_v2(
                1.4,
                features=1792,
                block_features=224,
                multiply_adds=580_403_824,
                block_multiply_adds=84_185_920,
            ),
            _mobilenet_v2(
                1.3,
                features=1664,
                block_features=208,
                multiply_adds=507_710_560,
                block_multiply_adds=72_628_192,
            ),
            _mobilenet_v2(1.0, block_features=160, multiply_adds=299_494_272, block_multiply_adds=43_072_960),
            _mobilenet_v2(0.75, block_features=120, multiply_adds=207_789_792, block_multiply_adds=28_071_120),
            _mobilenet_v2(0.5, block_features=80, multiply_adds=95_851_840, block_multiply_adds=15_891_680),
            _mobilenet_v2(0.35, block_features=56, multiply_adds=58_005_808, block_multiply_adds=9_938_768),
        )
    }
)
"""Every backbone by its name, in the order to list them: those of one kind from the largest to the smallest."""


def find_backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        UsageError: there is none; suggests near misses.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    return BACKBONES[name]


def mobilenet_v2(side: int, *, width: float) -> "keras.Model":
    """MobileNetV2 (Sandler et al., 2018), as Keras has it.

    Args:
        side: pixels of the images, upwards and sideways.
        width: how many filters there are, as a share of the original's.
    """
    import keras

    network = keras.applications.MobileNetV2((side, side, 3), alpha=width, include_top=False, weights=None)
    return _with_range(network, side, scale=2.0, offset=-1.0, name=f"mobilenetv2-{width}")


_BLOCKS = (
    # how often, kernel, stride of the first, how much wider inside, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of EfficientNet-B0 (Tan and Le, 2019, table 1)."""


def efficientnet_lite0(side: int) -> "keras.Model":
    """EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation and with ReLU6, made for small machines.

    Args:
        side: pixels of the images, upwards and sideways.
    """
    import keras
    from keras import layers

    def normalized(x: Any, name: str) -> Any:
        return layers.BatchNormalization(epsilon=_EPSILON, name=name)(x)

    def convolved(x: Any, filters: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
        return layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)

    images = keras.Input((side, side, 3))
    x = layers.ReLU(6.0)(normalized(convolved(images, 32, "_conv_stem", kernel=3, stride=2), "_bn0"))
    number = 0
    for count, kernel, first_stride, wider, filters in _BLOCKS:
        for turn in range(count):
            before, inside = x, x.shape[-1] * wider
            stride = first_stride if turn == 0 else 1
            block = f"_blocks.{number}."
            if wider != 1:
                x = layers.ReLU(6.0)(normalized(convolved(x, inside, f"{block}_expand_conv"), f"{block}_bn0"))
            x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{block}_depthwise_conv")(
                x
            )
            x = layers.ReLU(6.0)(normalized(x, f"{block}_bn1"))
            x = normalized(convolved(x, filters, f"{block}_project_conv"), f"{block}_bn2")
            if stride == 1 and before.shape[-1] == filters:
                x = layers.Add(name=f"{block}_add")([before, x])
            number += 1
    x = layers.ReLU(6.0)(normalized(convolved(x, 1280, "_conv_head"), "_bn1"))
    network = keras.Model(images, x)
    return _with_range(network, side, scale=255 / 128, offset=-127 / 128, name="efficientnet-lite0")


def _with_range(network: "keras.Model", side: int, *, scale: float, offset: float, name: str) -> "keras.Model":
    """The network behind a layer that brings images from 0 to 1 to the range it was trained with."""
    import keras
    from keras import layers

    images = keras.Input((side, side, 3), name="images")
    return keras.Model(images, network(layers.Rescaling(scale, offset)(images)), name=name)


def pretrained_part(model: "keras.Model") -> "keras.Model":
    """The network inside a backbone, to which a file of weights belongs."""
    import keras

    (found,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return found


def in_two(model: "keras.Model", backbone: Backbone) -> "tuple[keras.Model, keras.Model]":
    """A backbone cut before its last block.

    Args:
        model: from :meth:`Backbone.build`.
        backbone: which one it is.

    Returns:
        The network from images from 0 to 1 to what its last block gets, and the last block with all that follows. Both
        share the model's layers and weights.
    """
    import keras

    network = pretrained_part(model)
    border = network.get_layer(backbone.last_block).output
    images = keras.Input(model.input_shape[1:], name="images")
    _, rescaling, _ = model.layers
    return keras.Model(images, keras.Model(network.input, border)(rescaling(images))), keras.Model(
        border, network.output, name=f"{_TAIL}{backbone.name}"
    )


_TAIL = "last-block-of-"


def last_block(name: str, side: int) -> "keras.Model":
    """The last block of a backbone, and all that follows it, to be trained further: with random weights.

    Its weights are the pretrained ones once :func:`fill_last_blocks` has seen the model that it is part of. Its batch
    normalizations stay as they are: the batches of a small data set say less of the world than ImageNet did.

    Args:
        name: of the backbone.
        side: pixels of the images that it will see, upwards and sideways.

    Returns:
        A model from float32 maps, shape (n, side / 32, side / 32, block_features), to maps of the features.

    Raises:
        UsageError: there is no such backbone.
    """
    from keras import layers

    backbone = find_backbone(name)
    _, tail = in_two(backbone.build(side), backbone)
    for layer in tail.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    return tail


def fill_last_blocks(model: "keras.Model", pretrained: "keras.Model") -> None:
    """Give the last block in a model, where it has one, the weights of a pretrained network.

    Args:
        model: with a part from :func:`last_block`.
        pretrained: of the same backbone, from :meth:`Backbone.build`, with its weights.
    """
    network = pretrained_part(pretrained)
    for part in model.layers:
        if part.name.startswith(_TAIL):
            for layer in part.layers:
                if layer.weights:
                    layer.set_weights(network.get_layer(layer.name).get_weights())


_KINDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def fill_from_checkpoint(network: "keras.Model", arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give an EfficientNet-Lite0 the weights of a PyTorch checkpoint, whose names its layers have.

    Args:
        network: as :func:`pretrained_part` gives it.
        arrays: by their names in the checkpoint; those of the last layer are not used.

    Raises:
        ValueError: an array is missing, or has another shape than the layer.
    """
    from keras import layers

    for layer in network.layers:
        if not layer.weights:
            continue
        if isinstance(layer, layers.BatchNormalization):
            values = {ours: arrays.get(f"{layer.name}.{theirs}") for theirs, ours in _KINDS.items()}
        else:
            # Theirs are (filters, inputs, rows, columns); of a depthwise one, (inputs, 1, rows, columns).
            kernel = arrays.get(f"{layer.name}.weight")
            axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
            values = {"kernel": None if kernel is None else np.transpose(kernel, axes)}
        for variable in layer.weights:
            value = values.get(variable.name)
            if value is None or tuple(value.shape) != tuple(variable.shape):
                found = "nothing" if value is None else f"the shape {tuple(value.shape)}"
                raise ValueError(f"{layer.name}.{variable.name}: found {found}, expected {tuple(variable.shape)}")
            variable.assign(value)
