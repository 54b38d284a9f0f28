"""The fast network: whitening, filters that begin as the identity, and how both are kept in a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fortydays.models.speed import channel_statistics, objects, speed_network, whitening_filters


def smooth_images(count: int = 60) -> NDArray[np.float32]:
    """Images whose neighbouring pixels and channels resemble each other, as in photographs."""
    random = np.random.default_rng(0)
    rough = random.normal(size=(count, 13, 13, 3))
    smooth = rough[:, :-1, :-1] + rough[:, 1:, :-1] + rough[:, :-1, 1:] + rough[:, 1:, 1:]
    shared = smooth + 0.8 * smooth.mean(axis=-1, keepdims=True)
    return (0.5 + 0.1 * shared).astype(np.float32)


def patches(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """All patches of 2 x 2 pixels, as rows of numbers in the order of a filter's."""
    rows = [
        images[:, y : y + 2, x : x + 2].reshape(len(images), -1)
        for y in range(images.shape[1] - 1)
        for x in range(images.shape[2] - 1)
    ]
    return np.concatenate(rows).astype(np.float64)


def adapted(keras: Any, images: NDArray[np.float32], **options: Any) -> Any:
    model = keras.Sequential([keras.Input(images.shape[1:]), objects()["Whitening"](**options)])
    model.layers[0].adapt(images)
    return model


def test_channel_statistics_are_those_of_all_pixels() -> None:
    images = smooth_images(250)
    mean, deviation = channel_statistics(images)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(deviation, images.std(axis=(0, 1, 2)), rtol=1e-4)


def test_a_channel_without_variance_is_not_divided_by_zero() -> None:
    _, deviation = channel_statistics(np.full((2, 4, 4, 3), 0.25, np.float32))
    assert (deviation > 0).all()


def test_the_answers_to_patches_are_uncorrelated_with_variance_one(keras: Any) -> None:
    images = smooth_images()
    model = adapted(keras, images, use_bias=False, epsilon=0.0)
    answers = np.asarray(model(images)).reshape(-1, 24).astype(np.float64)[:, :12]
    raw = patches(images)
    assert np.abs(np.corrcoef(raw.T) - np.eye(12)).max() > 0.5, "the patches must be correlated for this to say much"
    np.testing.assert_allclose(answers.T @ answers / len(answers), np.eye(12), atol=2e-3)


def test_a_filter_is_a_pattern_over_the_root_of_its_variance_and_epsilon() -> None:
    images = smooth_images() - np.float32(0.5)
    raw = patches(images)
    variances = np.linalg.eigvalsh(raw.T @ raw / len(raw))[::-1]
    for epsilon in (0.0, 0.01):
        filters = whitening_filters(images, epsilon=epsilon).reshape(12, 24)
        lengths = np.linalg.norm(filters, axis=0)[:12]
        np.testing.assert_allclose(lengths, 1 / np.sqrt(variances + epsilon), rtol=1e-2)


def test_each_filter_has_its_opposite_in_the_second_half() -> None:
    filters = whitening_filters(smooth_images())
    assert filters.shape == (2, 2, 3, 24)
    np.testing.assert_array_equal(filters[..., :12], -filters[..., 12:])


def test_only_the_bias_of_whitening_is_trained(keras: Any) -> None:
    images = smooth_images()
    model = adapted(keras, images)
    layer = model.layers[0]
    assert [v.name for v in layer.trainable_variables] == ["bias"]
    assert adapted(keras, images, use_bias=False).layers[0].trainable_variables == []
    height, width = images.shape[1:3]
    assert model.output_shape == (None, height - 1, width - 1, 24)


def test_the_first_filters_pass_their_channel_on(keras: Any) -> None:
    images = np.random.default_rng(1).normal(size=(2, 6, 6, 3)).astype(np.float32)
    layer = keras.layers.Conv2D(5, 3, padding="same", use_bias=False, kernel_initializer=objects()["IdentityFirst"]())
    answers = np.asarray(layer(images))
    np.testing.assert_allclose(answers[..., :3], images, rtol=1e-6)
    others = np.asarray(layer.kernel)[..., 3:]
    assert 0 < np.abs(others).max() <= 27**-0.5
    assert np.abs(others).std() > 0


def test_filters_that_are_fewer_than_the_channels_pass_on_the_first(keras: Any) -> None:
    kernel = np.asarray(objects()["IdentityFirst"]()((3, 3, 4, 2)))
    assert kernel.sum() == 2
    assert kernel[1, 1, 0, 0] == kernel[1, 1, 1, 1] == 1


def test_random_filters_follow_the_seed(keras: Any) -> None:
    first, second, other = (np.asarray(objects()["IdentityFirst"](seed=s)((3, 3, 2, 4))) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_the_network_has_the_parts_of_the_paper(keras: Any) -> None:
    model = speed_network(widths=(64, 256, 256))()
    assert model.output_shape == (None, 10)
    # Six convolutions, a head without bias, six biases of normalization and that of whitening.
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trained == convolutions + 256 * 10 + 2 * (64 + 256 + 256) + 24
    assert not any("gamma" in v.path for v in model.variables)


def test_widths_and_depth_can_be_chosen(keras: Any) -> None:
    model = speed_network(widths=(2, 4), convolutions=1, whitening_bias=False, input_shape=(8, 8, 1), classes=3)()
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == kinds.count("MaxPooling2D") == 2
    assert model(np.zeros((5, 8, 8, 1), np.float32)).shape == (5, 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_saved_network_answers_as_before(keras: Any, tmp_path: Path, precision: str) -> None:
    from fortydays.train.framework import build_model

    images = (255 * smooth_images(20).clip(0, 1)).astype(np.uint8)
    builder = speed_network(widths=(2, 4), input_shape=(12, 12, 3))
    shown = images.astype(np.float32) / 255
    model = build_model(builder, seed=0, precision=precision, seen=lambda: shown)
    before = np.asarray(model(shown))
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-5)
    model.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", custom_objects=objects())
    np.testing.assert_array_equal(before, np.asarray(loaded(shown)))


def test_whitening_may_leave_out_every_second_patch(keras: Any) -> None:
    images = smooth_images(3).astype(np.float32)
    whole, half = (objects()["Whitening"](use_bias=False, strides=strides) for strides in (1, 2))
    for layer in (whole, half):
        layer.build(images.shape)
        layer.adapt(images)

    found = np.asarray(half(images))

    np.testing.assert_allclose(found, np.asarray(whole(images))[:, ::2, ::2], rtol=1e-5, atol=1e-6)
