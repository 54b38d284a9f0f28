"""A TensorFlow function as a :class:`~fortydays.train.program.Program`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fortydays.train.backends import tensorflow_layers
from fortydays.train.program import Program, fingerprint


def program(function: Any, *arguments: Any) -> Program:
    """Every operation of a function's graph and of the functions that it calls.

    Args:
        function: a ``tf.function``.
        arguments: tensors of the shapes that it is traced for.
    """
    import tensorflow as tf

    # These keep what they were traced for, and are looser after they have met a second shape.
    for traced in tensorflow_layers.TRACED_ONCE:
        traced.cache_clear()
    graph = function.get_concrete_function(*arguments).graph.as_graph_def()
    functions = {each.signature.name: each for each in graph.library.function}
    constants: list[Any] = []

    def lines(arguments: Iterable[str], nodes: Any) -> Iterator[str]:
        places = {name: str(i) for i, name in enumerate([*arguments, *(node.name for node in nodes)])}
        for node in nodes:
            taken = (name.split(":") for name in node.input if name[0] != "^")
            inputs = [":".join([places[name], *rest]) for name, *rest in taken]
            # What only has to come before stands in the order of the names that were made up.
            inputs += [f"^{place}" for place in sorted(int(places[name[1:]]) for name in node.input if name[0] == "^")]
            attributes = [f"{k}={told(v)}" for k, v in sorted(node.attr.items()) if not k.startswith("_")]
            yield f"{node.op}({', '.join(inputs)}) {' '.join(attributes)}"

    def told(attribute: Any) -> str:
        if attribute.HasField("tensor") and tf.dtypes.as_dtype(attribute.tensor.dtype).is_floating:
            constants.append(np.asarray(tf.make_ndarray(attribute.tensor), np.float64))
            return f"constant {attribute.tensor.dtype} {constants[-1].shape}"
        called = [attribute.func.name] if attribute.HasField("func") else [f.name for f in attribute.list.func]
        if not called:
            return str(attribute).replace("\n", " ")
        found = [functions[name] for name in called if name]
        return str([list(lines([a.name for a in f.signature.input_arg], f.node_def)) for f in found])

    compiled = f"through XLA: {function._jit_compile}"  # its attribute has one of the names that are left out
    return Program(operations="\n".join([compiled, *lines([], graph.node)]), constants=fingerprint(constants))
