"""Pretrained networks: built right, filled right, and given images in the range they were trained with."""

import functools
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.models.backbones import BACKBONES, fill_from_checkpoint, find_backbone, in_two, pretrained_part
from fortydays.train.cost import multiply_adds


def checkpoint_of(network: Any) -> dict[str, Any]:
    """Made-up weights, named and shaped as PyTorch has them."""
    random = np.random.default_rng(0)
    arrays = {}
    for layer in network.layers:
        kind = type(layer).__name__
        for variable in layer.weights:
            values = random.uniform(0.5, 1.0, variable.shape).astype(np.float32)
            if kind == "BatchNormalization":
                theirs = {
                    "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
                }[variable.name]  # fmt: skip
                arrays[f"{layer.name}.{theirs}"] = values
            else:
                axes = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (3, 2, 0, 1)
                arrays[f"{layer.name}.weight"] = np.transpose(values, axes)
    return arrays


@functools.cache
def built(name: str) -> Any:
    """A backbone for images of its own side. Building it takes seconds: no test may change it."""
    return BACKBONES[name].build(BACKBONES[name].side)


@pytest.mark.parametrize(
    ("name", "parameters"),
    # Tan and Le's table has 4.65 million for EfficientNet-Lite0, 1.28 million of them in the last layer; Keras's
    # documentation has these for MobileNetV2 without its own.
    [
        ("efficientnet-lite0", 3_413_024),
        ("mobilenetv2-1.4", 4_363_712),
        ("mobilenetv2-1.3", 3_766_048),
        ("mobilenetv2-1.0", 2_257_984),
        ("mobilenetv2-0.75", 1_382_064),
        ("mobilenetv2-0.5", 706_224),
        ("mobilenetv2-0.35", 410_208),
    ],
)
def test_a_backbone_has_its_published_size_and_computes_what_it_is_said_to(
    keras: Any, name: str, parameters: int
) -> None:
    backbone, model = find_backbone(name), built(name)

    _, tail = in_two(model, backbone)

    assert model.count_params() == parameters
    assert tuple(model.input_shape) == (None, 224, 224, 3)
    assert tuple(model.output_shape) == (None, 7, 7, backbone.features)
    assert (backbone.multiply_adds, backbone.block_multiply_adds) == (multiply_adds(model), multiply_adds(tail))
    assert tail.input_shape[1:] == (7, 7, backbone.block_features)
    assert tail.output_shape[1:] == (7, 7, backbone.features)


def test_every_backbone_has_its_published_size_in_the_test_above() -> None:
    (marks,) = test_a_backbone_has_its_published_size_and_computes_what_it_is_said_to.pytestmark  # type: ignore[attr-defined]
    assert [name for name, _ in marks.args[1]] == list(BACKBONES)


def test_efficientnet_lite0_halves_the_image_where_the_original_does(keras: Any) -> None:
    network = pretrained_part(built("efficientnet-lite0"))
    sides = {layer.name: layer.output.shape[1] for layer in network.layers if layer.name.endswith("_project_conv")}

    assert list(sides.values()) == [112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7, 7, 7, 7]


def test_images_from_0_to_1_come_in_the_range_of_training(keras: Any) -> None:
    for name, lowest, highest in (("efficientnet-lite0", -127 / 128, 1.0), ("mobilenetv2-0.35", -1.0, 1.0)):
        model = built(name)
        seen = model.layers[1](np.array([0.0, 1.0], np.float32))
        assert np.asarray(seen).tolist() == pytest.approx([lowest, highest], abs=1e-6)


def test_weights_of_a_checkpoint_fill_every_layer(keras: Any) -> None:
    network = pretrained_part(BACKBONES["efficientnet-lite0"].build(32))
    arrays = checkpoint_of(network)

    fill_from_checkpoint(network, {**arrays, "_fc.weight": np.zeros((1000, 1280))})

    stem = network.get_layer("_conv_stem").kernel
    assert (np.asarray(stem)[1, 2, 0] == arrays["_conv_stem.weight"][:, 0, 1, 2]).all()
    depthwise = network.get_layer("_blocks.3._depthwise_conv").kernel
    assert (np.asarray(depthwise)[4, 0, :, 0] == arrays["_blocks.3._depthwise_conv.weight"][:, 0, 4, 0]).all()
    norm = network.get_layer("_blocks.3._bn2")
    assert (np.asarray(norm.moving_variance) == arrays["_blocks.3._bn2.running_var"]).all()


def test_a_checkpoint_that_lacks_or_bends_an_array_is_refused(keras: Any) -> None:
    network = pretrained_part(BACKBONES["efficientnet-lite0"].build(32))
    arrays = checkpoint_of(network)
    without = {name: array for name, array in arrays.items() if name != "_bn1.weight"}

    with pytest.raises(ValueError, match=r"_bn1.gamma: found nothing, expected \(1280,\)"):
        fill_from_checkpoint(network, without)
    with pytest.raises(ValueError, match=r"_bn0.gamma: found the shape \(31,\), expected \(32,\)"):
        fill_from_checkpoint(network, {**arrays, "_bn0.weight": np.zeros(31)})


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no backbone 'mobilenetv2-0.36'. Did you mean 'mobilenetv2-0.35'"):
        find_backbone("mobilenetv2-0.36")
