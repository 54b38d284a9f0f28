"""The networks that made history: how deep they are, and what their parts can be exchanged for."""

from collections import Counter
from typing import Any

from fortydays.models.historical import googlenet, inception, resnet
from fortydays.train.cost import multiply_adds


def kinds(model: Any) -> Counter[str]:
    """How many layers of each kind a model has."""
    return Counter(type(layer).__name__ for layer in model.layers)


def test_a_plain_network_has_the_weights_of_the_residual_one_and_no_sums() -> None:
    residual, plain = (resnet(blocks=1, filters=16, pooled=True, shortcuts=each) for each in (True, False))
    assert (kinds(residual)["Conv2D"], kinds(residual)["Add"]) == (7, 3)
    assert (kinds(plain)["Conv2D"], kinds(plain)["Add"]) == (7, 0)
    assert [weight.shape for weight in plain.weights] == [weight.shape for weight in residual.weights]
    assert multiply_adds(plain) == multiply_adds(residual)


def test_blocks_decide_the_depth_and_pooling_the_size_of_what_follows() -> None:
    model = resnet(blocks=2, filters=16, pooled=True)
    assert kinds(model)["Conv2D"] + kinds(model)["Dense"] == 6 * 2 + 2
    assert [layer.output.shape[1:] for layer in model.layers if type(layer).__name__ == "Add"] == [
        (16, 16, 16), (16, 16, 16), (8, 8, 32), (8, 8, 32), (4, 4, 64), (4, 4, 64),
    ]  # fmt: skip
    first = next(layer for layer in resnet().layers if type(layer).__name__ == "Add")
    assert first.output.shape[1:] == (32, 32, 16)


def test_the_modules_of_googlenet_can_be_exchanged() -> None:
    asked = []

    def module(x: Any, *, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Any:
        asked.append((x.shape[1:], one + three[1] + five[1] + pooled))
        return inception(x, one=one, three=three, five=five, pooled=pooled)

    exchanged, own = googlenet(module=module), googlenet()
    assert asked == [((16, 16, 32), 80), ((8, 8, 80), 128), ((8, 8, 128), 160)]
    assert [weight.shape for weight in exchanged.weights] == [weight.shape for weight in own.weights]
