"""Muon: steps of equal size in all directions for filters, momentum SGD for everything else."""

from typing import Any

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The coefficients of the quintic iteration, which trade exactness for speed (Jordan et al., 2024)."""


def muon(
    *,
    learning_rate: float,
    weight_decay: float | None = None,
    momentum: float = 0.6,
    steps: int = 3,
    rest_rate: float = 1.0,
    output_rate: float = 1.0,
    rest_momentum: float = 0.85,
    **options: Any,
) -> Any:
    """The optimizer Muon (Jordan et al., 2024), for convolutional networks, as a Keras optimizer.

    A filter bank's step is its momentum made orthogonal: reshaped to one row for each filter, with all singular values
    near one, by a few Newton-Schulz iterations. The bank is first scaled to the Frobenius norm √filters, as it is
    followed by a normalization that does not see its size. All else takes steps of SGD with Nesterov momentum.

    Args:
        learning_rate: of filters, at its peak.
        weight_decay: decoupled, of all but filters; None or 0 for none.
        momentum: of filters.
        steps: Newton-Schulz iterations.
        rest_rate: learning rate of vectors (biases, normalization), as a multiple of ``learning_rate``.
        output_rate: learning rate of matrices (dense layers), likewise.
        rest_momentum: of vectors and matrices.
        options: of every Keras optimizer, such as ``global_clipnorm`` and ``use_ema``.
    """
    import keras
    from keras import ops

    class Muon(keras.optimizers.Optimizer):  # type: ignore[misc]
        """Muon for filters, Nesterov SGD for the rest."""

        def build(self, variables: Any) -> None:
            """One momentum for each variable."""
            if self.built:
                return
            super().build(variables)
            self.momentums = self.add_optimizer_variables(variables, "momentum")

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """One variable's step."""
            velocity = self.momentums[self._get_variable_index(variable)]
            rate = ops.cast(learning_rate, variable.dtype)
            gradient = ops.cast(gradient, variable.dtype)
            bank = len(variable.shape) == 4 and variable.shape[-1] > 1  # a depthwise kernel is no bank of filters
            share = momentum if bank else rest_momentum
            self.assign(velocity, velocity * share + gradient)
            direction = gradient + velocity * share
            if bank:
                self.assign(variable, _moved(variable, direction, rate, steps=steps))
                return
            rate = rate * (output_rate if len(variable.shape) == 2 else rest_rate)
            decayed = (weight_decay or 0.0) if self._use_weight_decay(variable) else 0.0
            decay = ops.cast(learning_rate * decayed, variable.dtype)
            self.assign(variable, variable * (1 - decay) - rate * direction)

        def get_config(self) -> dict[str, Any]:
            """All settings, by the names above."""
            own = {"momentum": momentum, "rest_rate": rest_rate, "output_rate": output_rate}
            return {**super().get_config(), **own, "rest_momentum": rest_momentum, "weight_decay": weight_decay}

    return Muon(learning_rate=learning_rate, name="muon", **options)


def _moved(bank: Any, direction: Any, rate: Any, *, steps: int) -> Any:
    """A filter bank after a step. Its last axis has the filters, as in Conv2D and not as in Conv2DTranspose."""
    from keras import ops

    *window, filters = bank.shape
    size = ops.sqrt(ops.sum(ops.square(bank))) + 1e-7
    rows = ops.transpose(ops.reshape(direction, (-1, filters)))
    step = ops.reshape(ops.transpose(orthogonalized(rows, steps=steps)), (*window, filters))
    return bank * (filters**0.5 / size) - rate * step


def orthogonalized(matrix: Any, *, steps: int) -> Any:
    """A matrix with the same singular vectors and singular values between about 0.7 and 1.2.

    Args:
        matrix: float32, shape (rows, columns).
        steps: Newton-Schulz iterations; with few, small singular values stay smaller.
    """
    from keras import ops

    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
    for _ in range(steps):
        gram = ops.matmul(x, ops.transpose(x))
        x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
    return ops.transpose(x) if tall else x
