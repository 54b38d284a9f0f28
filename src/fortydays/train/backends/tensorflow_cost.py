"""The multiply-adds in a TensorFlow function, counted in its graph."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.train.backends import NotCountedError

_SHAPE_ONLY = ("Rank", "Shape", "Size", "ZerosLike", "OnesLike")
"""Operations that look at the shape of their input, so that what computes it is not needed."""


def multiply_adds(function: Callable[..., Any], *arguments: NDArray[Any]) -> int:
    """See :class:`fortydays.train.backends.Backend`."""
    import tensorflow as tf

    traced = tf.function(function, autograph=False).get_concrete_function(*map(tf.constant, arguments))
    return _of_graph(traced.graph)


def _of_graph(graph: Any) -> int:
    return sum(_of_operation(operation) for operation in _needed(graph))


def _needed(graph: Any) -> set[Any]:
    """The operations that the outputs need. Keras traces a step of a recurrent layer once more, for its shape."""
    found: set[Any] = set()
    waiting = [tensor.op for tensor in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            if operation.type not in _SHAPE_ONLY:
                waiting += [tensor.op for tensor in operation.inputs]
    return found


def _of_operation(operation: Any) -> int:
    inputs = [tensor.shape for tensor in operation.inputs]
    match operation.type:
        case "MatMul":
            shared = inputs[0][0 if operation.get_attr("transpose_a") else 1]
            return int(operation.outputs[0].shape.num_elements() * shared)
        case "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3":
            shared = inputs[0][-2 if operation.get_attr("adj_x") else -1]
            return int(operation.outputs[0].shape.num_elements() * shared)
        case "Conv2D" | "Conv3D":
            return int(operation.outputs[0].shape.num_elements() * prod(inputs[1][:-1]))
        case "DepthwiseConv2dNative":
            return int(operation.outputs[0].shape.num_elements() * prod(inputs[1][:2]))
        case (
            "Conv2DBackpropInput" | "Conv3DBackpropInputV2"
        ):  # a transposed convolution: once for each place of its input
            return int(inputs[2].num_elements() * prod(inputs[1][:-1]))
        case "Einsum":
            return _of_einsum(operation.get_attr("equation").decode(), inputs)
        case "While" | "StatelessWhile":
            of_step = _of_graph(_function(operation, operation.get_attr("body")))
            return of_step and of_step * _most_steps(operation)
        case kind if kind.startswith("Cudnn"):
            raise NotCountedError(f"{operation.name} is computed by cuDNN as a whole")
        case kind:
            found = [_of_graph(_function(operation, called)) for called in _called(operation)]
            if any(found) and "PartitionedCall" not in kind:
                raise NotCountedError(f"what {operation.name} does depends on what is computed")
            return sum(found)


def _of_einsum(equation: str, shapes: list[Any]) -> int:
    """The product of the sizes of all axes that an equation such as "abc,cd->abd" names."""
    sizes: dict[str, int] = {}
    for letters, shape in zip(equation.partition("->")[0].split(","), shapes, strict=True):
        before, dots, after = letters.partition("...")
        names = [*before, *(f"...{i}" for i in range(len(shape) - len(before) - len(after), 0, -1)), *after]
        assert dots or len(names) == len(letters)
        sizes.update({n: max(size, sizes.get(n, 1)) for n, size in zip(names, shape, strict=True)})
    return prod(sizes.values())


def _most_steps(loop: Any) -> int:
    """How often a loop is repeated, where that is settled before it begins.

    Raises:
        NotCountedError: it is not.
    """
    import tensorflow as tf

    try:
        with tf.compat.v1.Session(graph=loop.graph) as session:
            steps = int(np.asarray(session.run(loop.inputs[1])))  # -1 where the loop has no bound
    except tf.errors.OpError:  # the bound depends on what is computed
        steps = -1
    if steps < 0:
        raise NotCountedError(f"how often the loop {loop.name} is repeated depends on what is computed")
    return steps


def _called(operation: Any) -> Iterator[Any]:
    for attribute in operation.op_def.attr:
        if attribute.type == "func":
            yield operation.get_attr(attribute.name)
        elif attribute.type == "list(func)":
            yield from operation.get_attr(attribute.name)


def _function(operation: Any, called: Any) -> Any:
    return operation.graph._get_function(called.name).graph
