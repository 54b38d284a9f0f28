"""Heads on features, and a backbone cut before its last block, which is filled again with its weights."""

import functools
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.models.backbones import (
    BACKBONES,
    fill_last_blocks,
    find_backbone,
    in_two,
    last_block,
    pretrained_part,
)
from fortydays.models.encoders import Encoder, fill_last_layers
from fortydays.models.heads import fine_tuned_head, linear_head, tuned_encoder

SIDE = 32
IMAGES = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3)).astype(np.float32)


SMALL = Encoder(name="small", title="Small", pieces=11, features=8, layers=2, heads=2, inside=12, longest=16)


@functools.cache
def lively(name: str) -> Any:
    """A backbone with random weights, through which an image is still seen after so many layers; not to be changed."""
    import keras

    keras.utils.set_random_seed(3)
    model = find_backbone(name).build(SIDE)
    for layer in pretrained_part(model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 0.03)
    return model


def test_a_linear_head_begins_undecided_and_has_one_weight_for_each_feature_and_class(keras: Any) -> None:
    model = linear_head((1, 1, 8), 3)()

    answers = np.asarray(model(np.random.default_rng(0).normal(size=(4, 1, 1, 8)).astype(np.float32)))

    assert answers == pytest.approx(np.full((4, 3), 1 / 3))
    assert int(sum(np.prod(v.shape) for v in model.trainable_variables)) == 8 * 3 + 3


def test_a_linear_head_standardizes_the_features(keras: Any) -> None:
    model = linear_head((1, 1, 1), 2)()
    model.layers[0].adapt(np.array([1.0, 3.0], np.float32).reshape(2, 1, 1, 1))  # mean 2, deviation 1
    model.layers[-1].set_weights([np.array([[1.0, 0.0]], np.float32), np.zeros(2, np.float32)])

    (answer,) = np.asarray(model(np.full((1, 1, 1, 1), 5.0, np.float32)))

    assert answer[0] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-5)


def test_the_scale_of_the_features_changes_no_answer_of_a_linear_head(keras: Any) -> None:
    features = np.random.default_rng(0).normal(1.0, 1.0, (20, 1, 1, 3)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)

    def answers(scale: float) -> Any:
        model = linear_head((1, 1, 3), 2)()
        model.layers[0].adapt(features * np.float32(scale))
        model.layers[-1].set_weights([weights, np.zeros(2, np.float32)])
        return np.asarray(model(features * np.float32(scale)))

    assert np.ptp(answers(1.0)[:, 0]) > 0.5, "the examples must be told apart for this to say much"
    assert answers(1e-10) == pytest.approx(answers(1.0), abs=1e-4)


def test_dropout_is_part_of_a_head_that_asks_for_it(keras: Any) -> None:
    plain, other = linear_head((1, 1, 4), 2)(), linear_head((1, 1, 4), 2, dropout=0.5)()

    assert [type(layer).__name__ for layer in plain.layers] == ["Standardization", "Flatten", "Dense"]
    assert [type(layer).__name__ for layer in other.layers] == ["Standardization", "Flatten", "Dropout", "Dense"]


@pytest.mark.parametrize("name", ["efficientnet-lite0", "mobilenetv2-0.35"])
def test_a_backbone_in_two_answers_as_in_one_piece(name: str, keras: Any) -> None:
    backbone, model = find_backbone(name), lively(name)

    first, last = in_two(model, backbone)

    maps = first(IMAGES, training=False)
    assert tuple(maps.shape) == (2, 1, 1, backbone.block_features)
    whole = np.asarray(model(IMAGES, training=False))
    assert np.abs(whole[0] - whole[1]).max() > 0.01, "the images must be told apart for this to say much"
    assert np.asarray(last(maps, training=False)) == pytest.approx(whole, abs=1e-5)


def test_the_last_block_begins_as_it_was_pretrained_and_its_normalizations_stay_so(keras: Any) -> None:
    backbone, pretrained = BACKBONES["mobilenetv2-0.35"], lively("mobilenetv2-0.35")
    first, _ = in_two(pretrained, backbone)
    head = fine_tuned_head(backbone.name, SIDE, (1, 1, backbone.block_features), 3)()
    block = head.layers[0]
    maps, whole = first(IMAGES, training=False), np.asarray(pretrained(IMAGES, training=False))
    assert np.abs(np.asarray(block(maps, training=False)) - whole).max() > 0.01, "it is built with other weights"

    fill_last_blocks(head, pretrained)

    assert np.asarray(block(maps, training=False)) == pytest.approx(whole, abs=1e-5)
    assert tuple(head.output_shape) == (None, 3)
    trained = {type(layer).__name__ for layer in block.layers if layer.trainable_weights}
    assert trained == {"Conv2D", "DepthwiseConv2D"}
    assert block.name == "last-block-of-mobilenetv2-0.35"


def test_a_model_without_a_last_block_is_left_as_it_is(keras: Any) -> None:
    model = linear_head((1, 1, 4), 2)()
    before = [weights.tolist() for weights in model.get_weights()]

    fill_last_blocks(model, lively("mobilenetv2-0.35"))

    assert [weights.tolist() for weights in model.get_weights()] == before


def test_the_last_block_of_an_unknown_backbone_is_refused(keras: Any) -> None:
    with pytest.raises(UsageError, match=r"There is no backbone 'resnet50'"):
        last_block("resnet50", SIDE)


@pytest.mark.parametrize(("count", "shape", "trained"), [(1, (6, 8), 1), (2, (6,), 2)])
def test_an_encoder_that_is_trained_further_begins_undecided_and_with_pretrained_layers(
    count: int, shape: tuple[int, ...], trained: int, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fortydays.models.encoders.find_encoder", lambda _: SMALL)
    keras.utils.set_random_seed(1)
    pretrained, model = SMALL.build(6), tuned_encoder("small", 6, count, 3)()
    fill_last_layers(model, pretrained)

    assert model.input_shape == (None, *shape)
    assert np.asarray(model(np.ones((2, *shape), np.int32))) == pytest.approx(np.full((2, 3), 1 / 3))
    names = {layer.name for part in model.layers if isinstance(part, keras.Model) for layer in part.layers}
    assert ({"1.query", "1.outside"} <= names, "0.query" in names) == (True, trained == 2)
    (part,) = [part for part in model.layers if isinstance(part, keras.Model)]
    assert (part.get_layer("1.query").get_weights()[0] == pretrained.get_layer("1.query").get_weights()[0]).all()
