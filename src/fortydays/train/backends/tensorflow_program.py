"""A TensorFlow function as a :class:`~fortydays.train.program.Program`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fortydays.train.backends import tensorflow_layers
from fortydays.train.program import Program, fingerprint


def program(function: Any, *arguments: Any) -> Program:
    """The operations of a function's graph, and of the functions that it calls, that something comes of.

    What nobody uses is left out: whether a program made it or not says nothing of what it computes.

    Args:
        function: a ``tf.function``.
        arguments: tensors of the shapes that it is traced for.
    """
    import tensorflow as tf

    # These keep what they were traced for, and are looser after they have met a second shape.
    for once in tensorflow_layers.TRACED_ONCE:
        once.cache_clear()
    traced = function.get_concrete_function(*arguments).graph
    graph = traced.as_graph_def()
    functions = {each.signature.name: each for each in graph.library.function}
    constants: list[Any] = []

    def lines(arguments: Iterable[str], nodes: Any, results: Iterable[str]) -> Iterator[str]:
        used = _used(nodes, results)
        kept = [node for node in nodes if node.name in used]
        places = {name: str(i) for i, name in enumerate([*arguments, *(node.name for node in kept)])}
        for node in kept:
            taken = (name.split(":") for name in node.input if name[0] != "^")
            inputs = [":".join([places[name], *rest]) for name, *rest in taken]
            # What only has to come before stands in the order of the names that were made up.
            inputs += [f"^{place}" for place in sorted(int(places[name[1:]]) for name in node.input if name[0] == "^")]
            attributes = [
                f"{k}={told(_without_threads(v) if k == 'config_proto' else v)}"
                for k, v in sorted(node.attr.items())
                if not k.startswith("_")
            ]
            yield f"{node.op}({', '.join(inputs)}) {' '.join(attributes)}"

    def told(attribute: Any) -> str:
        if attribute.HasField("tensor") and tf.dtypes.as_dtype(attribute.tensor.dtype).is_floating:
            constants.append(np.asarray(tf.make_ndarray(attribute.tensor), np.float64))
            return f"constant {attribute.tensor.dtype} {constants[-1].shape}"
        called = [attribute.func.name] if attribute.HasField("func") else [f.name for f in attribute.list.func]
        if not called:
            return str(attribute).replace("\n", " ")
        found = [functions[name] for name in called if name]
        return str([list(lines([a.name for a in f.signature.input_arg], f.node_def, _results(f))) for f in found])

    compiled = f"through XLA: {function._jit_compile}"  # its attribute has one of the names that are left out
    results = [tensor.op.name for tensor in traced.outputs] + [operation.name for operation in traced.control_outputs]
    told_lines = [compiled, *lines([], graph.node, results)]
    return Program(operations="\n".join(told_lines), constants=fingerprint(constants))


_THREADS = 2
"""What a call of a function is told to have been traced with: what published evidence was."""


def _without_threads(attribute: Any) -> Any:
    """The configuration of a call, in which TensorFlow notes the threads of the process that traces it."""
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    config = ConfigProto.FromString(attribute.s)
    for field in ("intra_op_parallelism_threads", "inter_op_parallelism_threads"):
        if getattr(config, field):
            setattr(config, field, _THREADS)
    return AttrValue(s=config.SerializeToString(deterministic=True))


def _results(function: Any) -> list[str]:
    """The operations that a function's results come from, and those that must have run."""
    return [name.split(":")[0] for name in (*function.ret.values(), *function.control_ret.values())]


def _used(nodes: Any, results: Iterable[str]) -> set[str]:
    """The names of the operations that some results depend on, arguments included."""
    inputs = {node.name: [name.removeprefix("^").split(":")[0] for name in node.input] for node in nodes}
    used: set[str] = set()
    waiting = list(results)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += inputs.get(name, ())
    return used
