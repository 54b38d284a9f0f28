"""The multiply-adds in a JAX function, counted in its jaxpr."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from numpy.typing import NDArray

from fortydays.train.backends import NotCountedError


def multiply_adds(function: Callable[..., Any], *arguments: NDArray[Any]) -> int:
    """See :class:`fortydays.train.backends.Backend`."""
    import jax

    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: Any) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: Any) -> int:
    inputs, parameters = [each.aval for each in equation.invars], equation.params
    match equation.primitive.name:
        case "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            return int(equation.outvars[0].aval.size * prod(inputs[0].shape[axis] for axis in contracted))
        case "conv_general_dilated":
            numbers, kernel = parameters["dimension_numbers"], inputs[1]
            if max(parameters["lhs_dilation"], default=1) > 1:  # a transposed convolution: for each place of its input
                return int(inputs[0].size * prod(kernel.shape)) // int(inputs[0].shape[numbers.lhs_spec[1]])
            return int(equation.outvars[0].aval.size * prod(kernel.shape)) // int(kernel.shape[numbers.rhs_spec[0]])
        case "scan":
            of_step = _of_jaxpr(parameters["jaxpr"].jaxpr)
            return of_step and of_step * int(parameters["length"])
        case name:
            found = [_of_jaxpr(each) for each in _inside(parameters)]
            if name in ("while", "cond") and any(found):
                raise NotCountedError(f"what a {name} does depends on what is computed")
            return sum(found)


def _inside(parameters: Any) -> Iterator[Any]:
    for value in parameters.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            inner = getattr(each, "jaxpr", each)
            if hasattr(inner, "eqns"):
                yield inner
