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


def test_how_many_threads_trace_a_program_is_no_part_of_it() -> None:
    import tensorflow as tf
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    from fortydays.train.backends import tensorflow_program

    def told(**threads: int) -> Any:
        config = ConfigProto(device_count={"CPU": 1, "GPU": 0}, allow_soft_placement=True, **threads)
        return tensorflow_program._without_threads(AttrValue(s=config.SerializeToString()))

    one = told(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    many = told(intra_op_parallelism_threads=8, inter_op_parallelism_threads=4)
    assert one == many == told(intra_op_parallelism_threads=2, inter_op_parallelism_threads=2)
    assert one != told()

    # TensorFlow notes the threads of this process where a function calls another one.
    inner = tf.function(lambda x: x + 1.0)
    found = backend().program_of(lambda x: inner(x) * 2.0, np.zeros(2, np.float32)).operations
    noted = ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=2).SerializeToString()
    assert "config_proto=" in found
    assert "".join(f"\\\\{byte:03o}" for byte in noted[:2]).replace("\\\\", "\\") in found
