"""What a traced program is told as, so that two of them can be compared."""

from typing import Any

import numpy as np
import pytest

from fortydays.train.backends import backend


@pytest.fixture(autouse=True)
def on_tensorflow(keras: Any) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("of TensorFlow's graphs")


def test_what_nobody_uses_is_left_out() -> None:
    import tensorflow as tf

    def plain(x: Any) -> Any:
        return tf.cast(x, "float32") * 2.0

    def wasteful(x: Any) -> Any:
        tf.exp(tf.cast(x, "float32"))
        return tf.cast(x, "float32") * 2.0

    given = np.zeros((2, 3), np.uint8)
    assert backend().program_of(wasteful, given) == backend().program_of(plain, given)


def test_what_changes_a_variable_is_told_though_nothing_depends_on_it() -> None:
    import tensorflow as tf

    seen = tf.Variable(0.0)

    def counting(x: Any) -> Any:
        seen.assign_add(1.0)
        return x

    def silent(x: Any) -> Any:
        return x

    given = np.zeros(2, np.float32)
    told = backend().program_of(counting, given)
    assert "AssignAddVariableOp" in told.operations
    assert told != backend().program_of(silent, given)


def test_what_a_loop_changes_is_told() -> None:
    import tensorflow as tf

    seen = tf.Variable(0.0)

    def looping(x: Any) -> Any:
        def body(i: Any) -> tuple[Any]:
            seen.assign_add(3.0)
            return (i + 1,)

        tf.while_loop(lambda i: i < 3, body, (tf.constant(0),))
        return x

    assert "AssignAddVariableOp" in backend().program_of(looping, np.zeros(2, np.float32)).operations
