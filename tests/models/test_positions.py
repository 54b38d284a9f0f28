"""Learned positions: a vector for each place, the same in every example."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.models.positions import learned_positions, objects

ROWS = np.random.default_rng(0).uniform(size=(3, 5, 4)).astype(np.float32)


def test_each_place_has_a_vector_of_its_own_that_every_example_gets(keras: Any) -> None:
    layer = learned_positions(name="positions")
    added = np.asarray(layer(ROWS)) - ROWS
    (vectors,) = layer.get_weights()
    assert vectors.shape == (5, 4)
    assert np.allclose(added, vectors, atol=1e-6)
    assert len(np.unique(vectors.round(6), axis=0)) == 5


def test_they_are_small_at_the_start_and_are_trained(keras: Any) -> None:
    layer = learned_positions()
    layer.build((None, 100, 64))
    (variable,) = layer.trainable_variables
    assert np.asarray(variable).std() == pytest.approx(0.02, rel=0.1)
    assert abs(np.asarray(variable).mean()) < 0.002
    assert not variable.name.endswith("kernel")  # weight decay on kernels leaves them out


def test_without_them_attention_cannot_tell_two_orders_apart(keras: Any) -> None:
    attention = keras.layers.MultiHeadAttention(2, 2)
    turned = ROWS[:, ::-1]

    def mean(rows: Any) -> np.ndarray:
        return np.asarray(attention(rows, rows)).mean(axis=1)

    assert np.allclose(mean(ROWS), mean(turned), atol=1e-5)
    positions = learned_positions()
    positions.build((None, 5, 4))
    positions.set_weights([np.arange(20.0).reshape(5, 4) / 10])
    assert not np.allclose(mean(positions(ROWS)), mean(positions(turned)), atol=1e-3)


@pytest.mark.parametrize("shape", [(4,), (None, 4), (2, 3, 4)])
def test_what_has_no_fixed_places_in_a_row_is_refused_with_its_shape(keras: Any, shape: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"has the shape \(None, .*expected \(batch, places, width\)"):
        learned_positions()(keras.Input(shape))


def test_a_saved_model_has_the_same_positions(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((5, 4)), learned_positions(name="positions")])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, custom_objects=objects())
    assert loaded.output_shape == (None, 5, 4)
    assert np.array_equal(loaded.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0))
