"""Where attention heads look, and how alike positions are, from networks whose attention one can compute by hand."""

import base64
import io
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.models.positions import learned_positions
from fortydays.study.attention import attention_layers, attention_of, grid_of
from fortydays.study.design import Shown
from fortydays.study.exhibits import attention_maps, position_similarity
from fortydays.study.fields import FieldError
from made_up_data import input_of, split_of

LABELS = np.array([0, 1, 2], np.uint8)
PROBABILITIES = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.7, 0.3]], np.float32)

# Three photographs of 2 x 2 pixels, each a place of its own. In the last one, one pixel is red.
IMAGES = np.zeros((3, 2, 2, 3), np.uint8)
IMAGES[2, 1, 0, 0] = 255


def shown(model: Any, images: np.ndarray = IMAGES) -> Shown:
    return Shown(
        variant="a",
        seed=7,
        model=model,
        input=input_of(images),
        test=split_of(images, LABELS),
        probabilities=PROBABILITIES,
        classes=("cat", "dog", "cow"),
    )


def pixels(found: dict[str, Any], picture: int) -> np.ndarray:
    from PIL import Image

    content = base64.b64decode(found["pictures"][picture]["png"])
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        return np.asarray(image)


def transformer(keras: Any, *, red: float = 0.0, blocks: int = 1, side: int = 2) -> Any:
    """Two heads. The first looks at all places alike, the second at red ones with a score of ``red``.

    Every place asks with a constant 1, so that the score of a place is its key alone.
    """
    layers = keras.layers
    pixels = keras.Input((side, side, 3))
    x = layers.Reshape((side * side, 3))(pixels)
    attentions = []
    for _ in range(blocks):
        attention = layers.MultiHeadAttention(2, 1)
        attentions.append(attention)
        x = attention(x, x)
    for attention in attentions:
        query, query_bias, key, *rest = (np.zeros_like(w) for w in attention.get_weights())
        query_bias[:] = 1
        key[0, 1, 0] = red
        attention.set_weights([query, query_bias, key, *rest])
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(pixels, outputs)


def test_attention_is_that_of_the_layer_for_each_head(keras: Any) -> None:
    model = transformer(keras, red=np.log(5.0))
    (layer,) = attention_layers(model)
    found = attention_of(model, layer, IMAGES.astype(np.float32) / 255)
    assert found.shape == (3, 2, 4, 4)
    assert np.allclose(found[:, 0], 0.25)
    # A score of log 5 is five times as much as one of 0: 5 / 8 against 1 / 8.
    assert np.allclose(found[2, 1], [[1 / 8, 1 / 8, 5 / 8, 1 / 8]] * 4, atol=1e-6)
    assert np.allclose(found[:2, 1], 0.25)


def test_attention_to_something_else_than_what_asks(keras: Any) -> None:
    layers = keras.layers
    one, other = keras.Input((2, 3)), keras.Input((5, 3))
    attention = layers.MultiHeadAttention(1, 4)
    model = keras.Model([one, other], attention(one, other))
    rng = np.random.default_rng(0)
    asking, asked = rng.normal(size=(4, 2, 3)).astype(np.float32), rng.normal(size=(4, 5, 3)).astype(np.float32)
    found = attention_of(model, attention, [asking, asked])
    query, query_bias, key, key_bias, *_ = attention.get_weights()
    scores = (asking @ query[:, 0] + query_bias) @ (asked @ key[:, 0] + key_bias).transpose(0, 2, 1) / 2
    powers = np.exp(scores)
    assert np.allclose(found[:, 0], powers / powers.sum(axis=2, keepdims=True), atol=1e-5)


def test_each_photograph_stands_beside_a_map_for_each_head(keras: Any) -> None:
    found = attention_maps(variant="a", count=3).make(shown(transformer(keras, red=np.log(5.0))))
    assert (found["kind"], found["variant"], found["seed"], found["columns"]) == ("pictures", "a", 7, 1)
    assert [p["label"] for p in found["pictures"]] == ["cat → cat 90%", "dog → dog 80%", "cow → dog 70%"]
    assert [p["index"] for p in found["pictures"]] == [0, 1, 2]
    assert "each of the 2 heads of attention layer 1 of 1" in found["caption"]
    assert "each place would get 25.0%; the largest share in these maps is 62.5%" in found["caption"]
    row = pixels(found, 2)
    assert row.shape == (32, 2 + 2 + 32 + 2 + 32, 3)
    assert row[:2, :2].tolist() == np.maximum(IMAGES[2], 1).tolist()
    assert (row[2:, :2] == 0).all()  # below the photograph, and between the maps, the page shows through
    assert (row[:, 36:38] == 0).all()
    assert (row[:, 4:36] == 255).all()
    second = row[:, 38:, 0]
    assert (second[16:, :16] == 255).all()
    # A fifth of the largest, in 32 steps: 6 / 32.
    assert (second[:16] == round(6 * 255 / 32)).all()


def test_as_many_photographs_as_asked_for_and_the_layer_that_is_named(keras: Any) -> None:
    model = transformer(keras, blocks=2)
    found = attention_maps(variant="a", block=1, count=2).make(shown(model))
    assert len(found["pictures"]) == 2
    assert "attention layer 1 of 2" in found["caption"]
    assert "attention layer 2 of 2" in attention_maps(variant="a").make(shown(model))["caption"]
    with pytest.raises(
        UsageError, match="The attention layer 3 of 'a' is to be shown; the model has 2 attention layers"
    ):
        attention_maps(variant="a", block=3).make(shown(model))


def test_a_model_without_attention_has_no_maps(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(UsageError, match="The model of 'a' has no attention layer, so there are no maps to show"):
        attention_maps(variant="a").make(shown(model))


@pytest.mark.parametrize("options", [{"count": 0}, {"block": 0}, {"block": -1}, {"count": 1.5}])
def test_counts_that_are_none_are_refused_when_the_study_is_made(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(FieldError, match=f"The argument '{name}' of attention_maps is .*; expected a whole number"):
        attention_maps(variant="a", **options)


@pytest.mark.parametrize(
    ("places", "height", "width", "grid"), [(64, 32, 32, (8, 8)), (6, 20, 30, (2, 3)), (1, 5, 5, (1, 1))]
)
def test_square_patches_cover_an_image_in_one_way(places: int, height: int, width: int, grid: tuple[int, int]) -> None:
    assert grid_of(places, height=height, width=width) == grid


@pytest.mark.parametrize(("places", "height", "width"), [(65, 32, 32), (8, 32, 32), (6, 30, 30), (1, 1, 9)])
def test_places_that_are_no_patches_are_refused_with_their_number(places: int, height: int, width: int) -> None:
    with pytest.raises(UsageError, match=f"{places} places do not cover an image of {height} × {width} pixels"):
        grid_of(places, height=height, width=width)


def with_positions(keras: Any, vectors: Any) -> Any:
    """A network with these vectors of its places, which are pixels of an image with two columns."""
    values = np.array(vectors, np.float32)
    inputs = keras.Input((len(values) // 2, 2, values.shape[1]))
    positions = learned_positions(name="positions")
    outputs = positions(keras.layers.Reshape(values.shape)(inputs))
    positions.set_weights([values])
    return keras.Model(inputs, outputs)


def test_positions_are_compared_by_their_cosines(keras: Any) -> None:
    # Places 1 and 2 point the same way, place 3 the other way, and place 4 is at a right angle to all.
    model = with_positions(keras, [[1.0, 0, 0], [5.0, 0, 0], [-2.0, 0, 0], [0.0, 0, 3.0]])
    found = position_similarity(variant="a").make(shown(model))
    assert (found["kind"], found["title"]) == ("pictures", "How alike the positions are")
    assert "White is 1, black is -1 and mid-grey 0." in found["caption"]
    # Side by side: 1 with 2 (1), 1 with 3 (-1), 2 with 4 and 3 with 4 (0). The others: 1 with 4 (0), 2 with 3 (-1).
    assert "it is 0.00 for places side by side, and -0.50 for all others" in found["caption"]
    (picture,) = found["pictures"]
    assert picture["label"] == "a map for each of 2 × 2 places"
    grid = pixels(found, 0)
    assert grid.shape == (66, 66)
    assert (grid[32:34] == 0).all()
    assert (grid[:, 32:34] == 0).all()
    corners = ((8, 24) * 2, (8, 8, 24, 24))

    def map_of(row: int, column: int) -> list[int]:
        part = grid[34 * row : 34 * row + 32, 34 * column : 34 * column + 32]
        return [int(part[y, x]) for x, y in zip(*corners, strict=True)]

    assert map_of(0, 0) == map_of(0, 1) == [255, 255, 1, 128]
    assert map_of(1, 0) == [1, 1, 255, 128]
    assert map_of(1, 1) == [128, 128, 128, 255]


def test_positions_without_negative_cosines_have_black_for_zero(keras: Any) -> None:
    model = with_positions(keras, [[1.0, 0, 0], [0.0, 1, 0], [0.0, 0, 1], [0.0, 0, 0]])
    found = position_similarity(variant="a").make(shown(model))
    assert "White is 1, black is 0." in found["caption"]
    assert pixels(found, 0)[0, 0] == 255
    assert (pixels(found, 0)[34:, 34:] == 1).all()  # a vector of zeros is like none, and not even like itself


def test_positions_that_are_not_there_are_refused_with_what_there_is(keras: Any) -> None:
    model = with_positions(keras, np.ones((4, 3)))
    with pytest.raises(UsageError, match="There is no layer 'places' of the model of 'a'") as refused:
        position_similarity(variant="a", layer="places").make(shown(model))
    assert "positions" in refused.value.message + refused.value.hint
    dense = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Dense(4, name="positions")])
    expected = r"The layer 'positions' of 'a' has \(3, 4\), \(4,\); expected one weight of shape \(places, width\)\."
    with pytest.raises(UsageError, match=expected):
        position_similarity(variant="a").make(shown(dense))
    empty = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(name="flat")])
    with pytest.raises(UsageError, match="The layer 'flat' of 'a' has no weights; expected one weight"):
        position_similarity(variant="a", layer="flat").make(shown(empty))
