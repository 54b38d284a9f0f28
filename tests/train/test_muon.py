"""Muon: orthogonal steps for filters, Nesterov momentum for everything else."""

from typing import Any

import numpy as np
import pytest

from fortydays.train.muon import muon, orthogonalized


def step(optimizer: Any, value: Any, gradient: Any, *, steps: int = 1) -> Any:
    import keras

    variable = keras.Variable(np.array(value, np.float32))
    optimizer.build([variable])
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, np.float32))], [variable])
    return np.array(variable)


def test_vectors_take_nesterov_steps_at_their_own_rate(keras: Any) -> None:
    # Momentum 0.5: velocities 2 and 3, steps 2 + 1 and 2 + 1.5, at a rate of 0.1 times 10.
    optimizer = muon(learning_rate=0.1, rest_rate=10.0, rest_momentum=0.5)
    assert step(optimizer, [0.0], [2.0], steps=2) == pytest.approx([-6.5])


def test_matrices_take_the_outputs_rate_and_decay(keras: Any) -> None:
    optimizer = muon(learning_rate=0.5, output_rate=2.0, rest_momentum=0.0, weight_decay=0.5)
    # 4 shrinks by 0.5 times 0.5 to 3, and moves by 0.5 times 2.
    assert step(optimizer, [[4.0]], [[1.0]]) == pytest.approx(np.array([[2.0]]))


def test_filters_are_scaled_and_move_the_same_distance_whatever_the_gradients_size(keras: Any) -> None:
    value = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
    gradient = np.random.default_rng(1).normal(size=value.shape)
    scaled = value * np.sqrt(4) / np.linalg.norm(value)
    moves = [
        step(muon(learning_rate=0.1, steps=5), value, size * gradient) - scaled.astype(np.float32)
        for size in (0.01, 100.0)
    ]
    assert moves[0] == pytest.approx(moves[1], abs=1e-4)
    singular = np.linalg.svd(moves[0].reshape(-1, 4) / 0.1, compute_uv=False)
    assert (singular > 0.6).all()
    assert (singular < 1.3).all()


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_a_matrix_made_orthogonal_keeps_its_directions(shape: tuple[int, int], keras: Any) -> None:
    matrix = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    u, _, v = np.linalg.svd(matrix, full_matrices=False)
    found = np.array(orthogonalized(matrix, steps=8))
    inner = u.T @ found @ v.T  # diagonal where the singular vectors are the same
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 1e-3
    assert (np.abs(np.diag(inner) - 1) < 0.35).all()
