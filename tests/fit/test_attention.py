"""What a trained head answers and where it looks, on models and maps small enough to multiply by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny_backbone

from fortydays.fit.attention import (
    SHARE,
    class_activation,
    feature_maps,
    overlay,
    pictures_to_look_at,
    weights_of,
)
from fortydays.fit.head import logits_of
from fortydays.inputs.numbers import NUMBERS, Numbers
from fortydays.models.heads import linear_head
from fortydays.models.standardization import standardization
from fortydays.registry.calibration import as_logits, softmax
from fortydays.study.features import Features


def test_the_map_of_a_class_is_what_each_place_adds_to_its_logit() -> None:
    maps = np.array([[[1, 0], [0, 1]], [[2, 2], [0, 0]]], np.float32)
    weights = np.array([[1, -1], [2, 1]], np.float32)

    # For class 0 the places add 1, 2, 6 and 0; for class 1 -1, 1, 0 and 0.
    assert class_activation(maps, weights, 0) == pytest.approx(np.array([[1 / 6, 2 / 6], [1, 0]]))
    assert class_activation(maps, weights, 1) == pytest.approx(np.array([[0, 1], [0, 0]]))
    assert class_activation(maps, weights, 0).dtype == np.float32


def test_where_nothing_speaks_for_a_class_the_map_is_empty() -> None:
    maps, weights = np.ones((2, 3, 1), np.float32), np.array([[-1.0]], np.float32)

    assert class_activation(maps, weights, 0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_overlay_is_lightest_where_the_map_is_highest_and_keeps_the_photograph_below() -> None:
    grey = np.full((40, 60, 3), 100, np.uint8)

    shown = overlay(grey, np.array([[0, 1]], np.float32))

    assert (shown.shape, shown.dtype) == ((40, 60, 3), np.uint8)
    lightness = shown.astype(float).mean(axis=2)
    steps = np.diff(lightness[20])
    assert steps.min() >= 0
    assert steps.max() < 8
    assert lightness[20, -1] > lightness[20, 0] + 50
    darker = overlay(np.zeros((40, 60, 3), np.uint8), np.array([[0, 1]], np.float32))
    assert np.ptp(shown.astype(int) - darker) <= 2
    assert (shown.astype(int) - darker).mean() == pytest.approx(100 * (1 - SHARE), abs=1)


def head() -> Any:
    """Two features with deviations 1 and 2, weighed with 3 and 4 for the first class."""
    model = linear_head((1, 1, 2), 2)()
    model.layers[0].adapt(np.array([[0.0, 0.0], [2.0, 4.0]], np.float32).reshape(2, 1, 1, 2))
    model.layers[-1].set_weights([np.array([[3, 0], [4, 0]], np.float32), np.zeros(2, np.float32)])
    return model


def test_logits_are_those_of_the_model_but_for_a_constant(keras: Any) -> None:
    features = np.array([[1.0, 2.0], [2.0, 2.0]], np.float32).reshape(2, 1, 1, 2)

    found = logits_of(head(), Numbers(shape=(1, 1, 2)), {NUMBERS: features})

    # The first image is the mean of all: nothing speaks for either class. The second is one deviation to the right.
    assert found[:, 0] - found[:, 1] == pytest.approx([0, 3], abs=1e-4)
    assert softmax(found).sum(axis=1) == pytest.approx([1, 1])


def test_probabilities_of_nothing_have_a_logit_too() -> None:
    found = as_logits(np.array([[1.0, 0.0]], np.float32))

    assert np.isfinite(found).all()
    assert softmax(found)[0, 0] == pytest.approx(1)


def test_weights_are_those_of_the_features_as_they_are(keras: Any) -> None:
    assert weights_of(head()) == pytest.approx(np.array([[3 / 1, 0], [4 / 2, 0]]))
    tiny = keras.Sequential([keras.Input((2,)), standardization(), keras.layers.Dense(1)])
    tiny.layers[0].adapt(np.array([[0.0, 5.0], [2e-10, 5.0]], np.float32))  # the second feature is constant
    tiny.layers[-1].set_weights([np.array([[3], [4]], np.float32), np.zeros(1, np.float32)])
    assert weights_of(tiny) == pytest.approx(np.array([[3e10], [0]]))
    plain = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    plain.layers[-1].set_weights([np.array([[3, 0], [4, 0]], np.float32), np.zeros(2, np.float32)])
    assert weights_of(plain).tolist() == [[3, 0], [4, 0]]


def test_maps_are_what_is_averaged_into_the_features(keras: Any, tmp_path: Path) -> None:
    features = Features(backbone="efficientnet-lite0", side=224)
    frozen = tiny_backbone.network_in(tmp_path)(features, (64, 64, 3))
    images = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3)).astype(np.uint8)

    maps = feature_maps(frozen, head(), images, threads=1)

    assert (maps.shape, maps.dtype) == ((20, 2, 2, 1280), np.float32)
    assert maps.mean(axis=(1, 2), keepdims=True) == pytest.approx(frozen.session(threads=1)(images), abs=1e-4)
    corner = images[0, :32, 32:].reshape(-1, 3).mean(axis=0)
    mixtures = onnx.numpy_helper.to_array(onnx.load(frozen.path).graph.initializer[0])
    assert maps[0, 0, 1] == pytest.approx(corner @ mixtures, abs=1e-3)


def test_maps_with_channels_first_are_turned(keras: Any, tmp_path: Path) -> None:
    """As the exporter leaves them where a convolution made them so."""
    from onnx import helper

    from fortydays.study.features import AT_ONCE

    frozen = tiny_backbone.network_in(tmp_path)(Features(backbone="efficientnet-lite0", side=224), (64, 64, 3))
    proto = onnx.load(frozen.path)
    nodes = list(proto.graph.node)
    turned = helper.make_node("Transpose", ["maps"], ["turned"], perm=[0, 3, 1, 2])
    averaged = helper.make_node("GlobalAveragePool", ["turned"], ["averaged"])
    back = helper.make_node("Transpose", ["averaged"], ["features"], perm=[0, 2, 3, 1])
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes[:-1], turned, averaged, back])
    images = np.random.default_rng(0).integers(0, 256, (AT_ONCE + 1, 64, 64, 3)).astype(np.uint8)
    expected = feature_maps(frozen, head(), images, threads=1)
    onnx.checker.check_model(proto, full_check=True)
    frozen.path.write_bytes(proto.SerializeToString())

    assert feature_maps(frozen, head(), images, threads=1) == pytest.approx(expected, abs=1e-5)


def test_maps_of_a_tuned_block_are_what_that_block_makes(keras: Any) -> None:
    from types import SimpleNamespace

    block = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Rescaling(2.0)])
    model = keras.Sequential([keras.Input((2, 2, 3)), block, keras.layers.GlobalAveragePooling2D()])
    frozen: Any = SimpleNamespace(
        features=Features(backbone="efficientnet-lite0", side=64, before_last_block=True),
        session=lambda threads: lambda images: images.astype(np.float32) + 1,
    )
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)

    assert feature_maps(frozen, model, images, threads=1).tolist() == (2.0 * (images + 1.0)).tolist()


def test_shown_are_a_usual_right_answer_of_each_class_and_the_surest_mistakes() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    confidence = [0.9, 0.8, 0.7, 0.9, 0.6, 0.55, 0.99, 0.95]
    answers = [0, 0, 0, 1, 1, 1, 1, 0]  # the last two are wrong
    probabilities = np.array([[c, 1 - c] if a == 0 else [1 - c, c] for c, a in zip(confidence, answers, strict=True)])

    found = pictures_to_look_at(labels, probabilities.astype(np.float32))

    assert list(found) == [1, 4, 6, 7]
    assert list(pictures_to_look_at(labels, probabilities.astype(np.float32), most=3)) == [1, 4, 6]
