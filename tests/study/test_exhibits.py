"""Pictures and tables from answers one can count."""

import base64
import io
from typing import Any

import numpy as np
import pytest

from fortydays.data.arrays import Split
from fortydays.study.design import Shown
from fortydays.study.exhibits import (
    confident_mistakes,
    confusion_matrix,
    count_confusions,
    first_layer_weights,
    png,
)

LABELS = np.array([0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.05, 0.95, 0.0], [0.6, 0.4, 0.0], [0.0, 0.3, 0.7]], np.float32
)  # the second and the fourth are wrong


class Layer:
    def __init__(self, *weights: np.ndarray) -> None:
        self._weights = list(weights)

    def get_weights(self) -> list[np.ndarray]:
        return self._weights


class Model:
    def __init__(self, *layers: Layer) -> None:
        self.layers = layers


def shown(model: Any = None, probabilities: np.ndarray = PROBABILITIES) -> Shown:
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    return Shown(
        variant="a",
        seed=7,
        model=model,
        test=Split(images=images, labels=LABELS),
        probabilities=probabilities,
        classes=("cat", "dog", "cow"),
    )


def pixels(text: str) -> list[list[int]]:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG",)) as image:
        return np.asarray(image).tolist()  # type: ignore[no-any-return]


def test_confusions_are_counted_by_hand() -> None:
    assert count_confusions(LABELS, np.array([0, 1, 1, 0, 2]), 3).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert count_confusions(np.array([1], np.uint8), np.array([0]), 2).tolist() == [[0, 0], [1, 0]]


def test_a_confusion_matrix() -> None:
    found = confusion_matrix(variant="a").make(shown())
    assert (found["kind"], found["variant"], found["seed"]) == ("matrix", "a", 7)
    assert found["rows"] == found["columns"] == ["cat", "dog", "cow"]
    assert found["values"] == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert found["caption"].endswith("The commonest mistake: cat taken for dog, 1 times.")
    perfect = confusion_matrix(variant="a").make(shown(probabilities=np.eye(3, dtype=np.float32)[LABELS]))
    assert perfect["caption"].endswith("There is no mistake.")


def test_mistakes_are_shown_from_the_surest() -> None:
    found = confident_mistakes(variant="a", count=25).make(shown())
    assert found["title"] == "The 2 most confident mistakes"
    assert "Out of 2 mistakes on 5 test images." in found["caption"]
    assert [p["label"] for p in found["pictures"]] == ["cat → dog 80%", "dog → cat 60%"]
    assert [p["index"] for p in found["pictures"]] == [1, 3]
    assert pixels(found["pictures"][0]["png"]) == [[4, 5], [6, 7]]
    assert len(confident_mistakes(variant="a", count=1).make(shown())["pictures"]) == 1
    none = confident_mistakes(variant="a").make(shown(probabilities=np.eye(3, dtype=np.float32)[LABELS]))
    assert none["pictures"] == []


def test_weights_are_shown_from_the_largest_with_grey_for_zero() -> None:
    kernel = np.array([[0.1, 2.0], [0.0, -1.0], [-0.1, 0.0], [0.05, 0.0]], np.float32)
    found = first_layer_weights(variant="a", count=32).make(shown(Model(Layer(), Layer(kernel, np.zeros(2)))))
    assert found["caption"].startswith("The 2 of 2 units with the largest weights.")
    second_unit, first_unit = (pixels(p["png"]) for p in found["pictures"])
    assert second_unit == [[255, 64], [128, 128]]
    assert first_unit == [[255, 128], [0, 191]]


def test_weights_that_are_all_zero_are_grey() -> None:
    found = first_layer_weights(variant="a", count=1).make(shown(Model(Layer(np.zeros((4, 3), np.float32)))))
    assert pixels(found["pictures"][0]["png"]) == [[128, 128], [128, 128]]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3)])
def test_images_of_one_or_three_channels_become_pictures(shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert pixels(png(image)) == image.squeeze().tolist()
