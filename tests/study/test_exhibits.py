"""Pictures and tables from answers one can count."""

import base64
import io
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.inputs.images import IMAGE, Images
from fortydays.study.design import Shown
from fortydays.study.exhibits import (
    augmentation_sheet,
    before_and_after,
    confident_mistakes,
    confusion_matrix,
    count_confusions,
    feature_maps,
    first_filters,
    first_layer_weights,
)
from fortydays.study.pictures import png
from fortydays.train.augmentation import Augmentation, draws_of_epoch
from fortydays.train.recipe import Recipe
from made_up_data import input_of, split_of

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


def shown(model: Any = None, probabilities: np.ndarray = PROBABILITIES, images: np.ndarray | None = None) -> Shown:
    if images is None:
        images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    return Shown(
        variant="a",
        seed=7,
        model=model,
        input=input_of(images),
        test=split_of(images, LABELS),
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
    assert found["caption"].endswith("The commonest mistake: cat taken for dog, 1 time.")
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


def test_pictures_of_large_images_are_reduced_by_a_whole_number() -> None:
    blocks = np.repeat(np.repeat(np.array([[10, 20], [30, 40]], np.uint8), 4, axis=0), 4, axis=1)
    images = np.stack([blocks] * 5)
    found = confident_mistakes(variant="a", side=2).make(shown(images=images))
    assert pixels(found["pictures"][0]["png"]) == [[10, 20], [30, 40]]
    # Less than twice as large as asked for: left as it is.
    assert (
        pixels(confident_mistakes(variant="a", side=5).make(shown(images=images))["pictures"][0]["png"])
        == blocks.tolist()
    )


def test_weights_are_shown_from_the_largest_with_grey_for_zero() -> None:
    kernel = np.array([[0.1, 2.0], [0.0, -1.0], [-0.1, 0.0], [0.05, 0.0]], np.float32)
    found = first_layer_weights(variant="a", count=32).make(shown(Model(Layer(), Layer(kernel, np.zeros(2)))))
    assert found["caption"].startswith("The 2 of 2 units with the largest weights.")
    second_unit, first_unit = (pixels(p["png"]) for p in found["pictures"])
    assert second_unit == [[255, 64], [128, 128]]
    assert first_unit == [[255, 128], [0, 191]]


def test_the_weights_of_the_only_layer_are_a_template_of_each_class_by_name() -> None:
    kernel = np.zeros((4, 3), np.float32)
    kernel[0, 2] = 5.0  # of the class with the largest weights, which stays where the classes have it
    found = first_layer_weights(variant="a", count=1).make(shown(Model(Layer(kernel, np.zeros(3)))))
    assert found["title"] == "The template of each class"
    assert [p["label"] for p in found["pictures"]] == ["cat", "dog", "cow"]
    assert pixels(found["pictures"][2]["png"]) == [[255, 128], [128, 128]]


def test_images_are_shown_before_and_after_a_layer(keras: Any) -> None:
    images = np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3)
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Rescaling(2.0, name="double")])
    found = before_and_after(variant="a", layer="double", count=2).make(shown(model, images=images))
    before, after = (np.array(pixels(p["png"]))[::2, :4:2] for p in found["pictures"])
    # In a row of pictures 0 stands for the gap between them, so that black is 1.
    assert before.tolist() == images[0].clip(1).tolist()
    assert after.tolist() == (2 * images[0]).clip(1).tolist()
    assert [p["label"] for p in found["pictures"]] == ["2 test images", "after double"]


def test_a_layer_that_is_not_there_or_gives_no_images_is_refused(keras: Any) -> None:
    images = np.zeros((5, 2, 2, 3), np.uint8)
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(name="flat")])
    with pytest.raises(UsageError, match="There is no layer 'flut' of the model of 'a'") as refused:
        before_and_after(variant="a", layer="flut").make(shown(model, images=images))
    assert "flat" in refused.value.message + refused.value.hint
    with pytest.raises(UsageError, match=r"The layer 'flat' of 'a' gives \(5, 12\), which are no images\."):
        before_and_after(variant="a", layer="flat").make(shown(model, images=images))


def test_weights_that_are_all_zero_are_grey() -> None:
    found = first_layer_weights(variant="a", count=1).make(shown(Model(Layer(np.zeros((4, 3), np.float32)))))
    assert pixels(found["pictures"][0]["png"]) == [[128, 128], [128, 128]]


def test_color_filters_are_color_pictures_enlarged_each_on_its_own_scale() -> None:
    kernel = np.zeros((2, 2, 3, 3), np.float32)
    kernel[0, 0, :, 0] = 0.1, 0.0, -0.1  # the weak filter: red against blue, in one corner
    kernel[1, 1, 1, 2] = -4.0  # the strong one: against green
    found = first_filters(variant="a").make(shown(Model(Layer(), Layer(kernel, np.zeros(3)))))
    assert (found["kind"], found["columns"], found["seed"]) == ("pictures", 8, 7)
    assert found["caption"].startswith("All 3 filters, those with the largest weights first, 2 × 2 pixels each")
    strong, weak, silent = (np.array(pixels(p["png"])) for p in found["pictures"])
    assert strong.shape == (24, 24, 3)
    grey = [128, 128, 128]
    assert (strong[:12, :12] == grey).all()
    assert (strong[12:, 12:] == [128, 0, 128]).all()
    assert (weak[:12, :12] == [255, 128, 0]).all()
    assert (weak[12:, 12:] == grey).all()
    assert (silent == grey).all()


def test_grey_filters_are_grey_pictures_and_the_weakest_may_be_left_out() -> None:
    kernel = np.zeros((1, 2, 1, 2), np.float32)
    kernel[0, :, 0, 1] = 1.0, -1.0
    found = first_filters(variant="a", count=1).make(shown(Model(Layer(kernel))))
    assert found["caption"].startswith("The 1 of 2 filters with the largest weights, 1 × 2 pixels each")
    (picture,) = found["pictures"]
    assert pixels(picture["png"]) == [[255] * 12 + [0] * 12] * 12


def test_filters_of_a_model_inside_a_model_are_found() -> None:
    inner = Model(Layer(np.ones((1, 1, 3, 2), np.float32)))
    assert len(first_filters(variant="a").make(shown(Model(Layer(), inner)))["pictures"]) == 2


def test_filters_that_cannot_be_shown_are_refused_with_the_reason() -> None:
    dense = Model(Layer(np.ones((4, 3), np.float32)))
    with pytest.raises(UsageError, match="The model of 'a' has no convolution") as caught:
        first_filters(variant="a").make(shown(dense))
    assert "first_layer_weights" in caught.value.hint
    with pytest.raises(UsageError, match="first convolution of 'a' looks at 24 channels"):
        first_filters(variant="a").make(shown(Model(Layer(np.ones((3, 3, 24, 2), np.float32)))))


# Five images of one color each, 4 x 4: the third is the only one that is all red.
COLORS = np.zeros((5, 4, 4, 3), np.uint8)
COLORS[2, :, :, 0] = 255
COLORS[:, 0, 0, 1] = 102


def taking_colors_apart(keras: Any, *, name: str | None = None) -> Any:
    """A convolution whose maps are red, green, and the negative of all three colors together."""
    kernel = np.array([[[[1, 0, -1], [0, 1, -1], [0, 0, -1]]]], np.float32)

    def initial(shape: Any, dtype: Any = None) -> Any:
        return keras.ops.convert_to_tensor(kernel)

    return keras.layers.Conv2D(3, 1, name=name, kernel_initializer=initial)


def labels_of(found: dict[str, Any]) -> list[str]:
    return [p["label"] for p in found["pictures"]]


def maps_of(found: dict[str, Any], row: int, *, maps: int) -> list[np.ndarray]:
    """The maps in a row of pictures, each 32 pixels wide with gaps of 2."""
    strip = np.array(pixels(found["pictures"][row]["png"]))
    assert strip.shape == (32, 34 * maps - 2)
    return [strip[:, 34 * k : 34 * k + 32] for k in range(maps)]


def test_feature_maps_are_shown_layer_by_layer_from_the_strongest(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            taking_colors_apart(keras),
            layers.ReLU(),
            layers.MaxPooling2D(2, name="shrink"),
            layers.Conv2D(5, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    found = feature_maps(variant="a", image=2, maps=3).make(shown(model, images=COLORS))
    assert labels_of(found) == [
        "the photograph",
        "convolution 1: 4 × 4, 3 maps",
        "shrink: 2 × 2, 3 maps",
        "convolution 2: 2 × 2, 5 maps",
    ]
    assert found["columns"] == 1
    assert "Test image 2, dog; the model says dog, 95% sure." in found["caption"]
    assert "mid-grey" not in found["caption"]
    assert np.array(pixels(found["pictures"][0]["png"])).shape == (8, 8, 3)
    red, green, none = maps_of(found, 1, maps=3)
    assert (red == 255).all()
    assert (green[:8, :8] == 255).all()  # a scale of its own, though green is 0.4 of red
    assert (green[8:] == 1).all()
    assert (none == 1).all()
    _, green, _ = maps_of(found, 2, maps=3)
    assert (green[:16, :16] == 255).all()


def test_without_an_activation_maps_may_be_negative_and_zero_is_grey(keras: Any) -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), taking_colors_apart(keras), keras.layers.Flatten()])
    found = feature_maps(variant="a", image=2).make(shown(model, images=COLORS))
    assert "in a layer that has negative values, zero is mid-grey" in found["caption"]
    red, green, together = maps_of(found, 1, maps=3)
    assert (red == 255).all()
    assert (green[8:] == 128).all()
    assert together.min() == 1  # stands for black; 0 is what lets the page through


def test_the_activation_is_looked_for_behind_normalization_and_the_sum_of_a_block(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((4, 4, 3))
    x = layers.BatchNormalization()(taking_colors_apart(keras, name="long way")(inputs))
    short = layers.Conv2D(3, 1, name="short way", kernel_initializer="zeros")(inputs)
    x = layers.Activation("relu")(layers.Add()([x, short]))
    x = layers.AveragePooling2D(4)(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))
    found = feature_maps(variant="a", image=2).make(shown(model, images=COLORS))
    # Both ways end in one activation, which is shown once.
    assert labels_of(found)[1:] == ["long way: 4 × 4, 3 maps", "pooling 1: 1 × 1, 3 maps"]
    assert "mid-grey" not in found["caption"]


def test_models_inside_models_are_gone_through(keras: Any) -> None:
    layers = keras.layers
    block = keras.Sequential(
        [keras.Input((4, 4, 3)), taking_colors_apart(keras), layers.ReLU(), layers.MaxPooling2D()]
    )
    model = keras.Sequential([keras.Input((4, 4, 3)), block, layers.Conv2D(2, 1, activation="relu"), layers.Flatten()])
    assert labels_of(feature_maps(variant="a").make(shown(model, images=COLORS)))[1:] == [
        "convolution 1: 4 × 4, 3 maps",
        "pooling 1: 2 × 2, 3 maps",
        "convolution 2: 2 × 2, 2 maps",
    ]


def test_the_photograph_is_the_first_that_the_model_names_rightly(keras: Any) -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), taking_colors_apart(keras), keras.layers.Flatten()])
    probabilities = PROBABILITIES[[1, 1, 2, 3, 4]]  # the first two are wrong
    found = feature_maps(variant="a").make(shown(model, probabilities, images=COLORS))
    assert found["pictures"][0]["index"] == 2
    with pytest.raises(UsageError, match="There is no test image 5; the split has 5, counted from 0"):
        feature_maps(variant="a", image=5).make(shown(model, images=COLORS))


def test_of_many_layers_some_are_shown_with_the_first_and_the_last(keras: Any) -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), *(keras.layers.Conv2D(1, 1, name=f"c{k}") for k in range(7))])
    found = feature_maps(variant="a", layers=3).make(shown(model, images=COLORS))
    assert labels_of(found)[1:] == ["c0: 4 × 4, 1 map", "c3: 4 × 4, 1 map", "c6: 4 × 4, 1 map"]
    assert found["caption"].endswith("3 of 7 layers are shown.")


def test_grey_images_have_feature_maps_too(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4, 4)), layers.Reshape((4, 4, 1)), layers.Conv2D(2, 1, activation="relu"), layers.Flatten()]
    )
    found = feature_maps(variant="a").make(shown(model, images=COLORS[..., 0]))
    assert labels_of(found) == ["the photograph", "convolution 1: 4 × 4, 2 maps"]


def test_a_model_without_convolutions_has_no_feature_maps(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(UsageError, match="The model of 'a' has no convolution, so there are no feature maps to show"):
        feature_maps(variant="a").make(shown(model))


def test_a_model_without_a_graph_is_refused(keras: Any) -> None:
    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def call(self, images: Any) -> Any:
            return images

    with pytest.raises(UsageError, match="are not joined as a Sequential or functional model"):
        feature_maps(variant="a").make(shown(Own(name="own"), images=COLORS))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3)])
def test_images_of_one_or_three_channels_become_pictures(shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert pixels(png(image)) == image.squeeze().tolist()


AS_IT_IS = Recipe(epochs=1)
PHOTOGRAPHS = np.zeros((5, 2, 3, 3), np.uint8)
PHOTOGRAPHS[..., 0] = np.arange(5)[:, np.newaxis, np.newaxis] * 50  # all of one red, the next one brighter
PHOTOGRAPHS[:, :, 0, 1] = 200  # with a green left edge


def pictures_of(found: dict[str, Any], row: int, *, times: int) -> np.ndarray:
    """The pictures in a row of the sheet, each 3 pixels wide with gaps of 2."""
    strip = np.array(pixels(found["pictures"][row]["png"]))
    assert strip.shape[:2] == (2, 5 * times - 2)
    assert (strip[:, 3:5] == 0).all()
    return np.stack([strip[:, 5 * k : 5 * k + 3] for k in range(times)])


def test_a_photograph_is_shown_as_each_recipe_would_show_it_epoch_by_epoch(keras: Any) -> None:
    kinds = {"mirrored in turn": AS_IT_IS.replace(flip="alternating"), "as it is": AS_IT_IS}
    found = augmentation_sheet(variant="a", kinds=kinds, image=2, times=4).make(shown(images=PHOTOGRAPHS))
    assert (found["kind"], found["columns"], found["seed"]) == ("pictures", 1, 7)
    assert labels_of(found) == ["the photograph", "mirrored in turn", "as it is"]
    assert found["pictures"][0]["index"] == 2
    assert pixels(found["pictures"][0]["png"]) == PHOTOGRAPHS[2].tolist()
    assert "Test image 2, dog, as 4 epochs would show it" in found["caption"]
    plain = np.maximum(PHOTOGRAPHS[2], 1)  # what is all black is a gap, so nothing else is
    assert (pictures_of(found, 2, times=4) == plain).all()
    mirrored = pictures_of(found, 1, times=4)
    first = 0 if (mirrored[0] == plain).all() else 1
    for epoch in range(4):
        assert (mirrored[epoch] == (plain if epoch % 2 == first else plain[:, ::-1])).all()


def test_the_gaps_between_pictures_let_the_page_through(keras: Any) -> None:
    from PIL import Image

    for images in (PHOTOGRAPHS, PHOTOGRAPHS[..., 0]):
        found = augmentation_sheet(variant="a", kinds={"": AS_IT_IS}, image=0, times=2).make(shown(images=images))
        with Image.open(io.BytesIO(base64.b64decode(found["pictures"][1]["png"]))) as image:
            opacity = np.asarray(image.convert("RGBA"))[:, :, 3]
        assert (opacity == [255, 255, 255, 0, 0, 255, 255, 255]).all()


def test_the_sheet_shows_what_training_with_that_seed_would(keras: Any) -> None:
    recipe = AS_IT_IS.replace(rotation=40.0, zoom=0.3, contrast=0.5)
    found = augmentation_sheet(variant="a", kinds={"turned": recipe}, image=4, times=3).make(shown(images=PHOTOGRAPHS))
    augmentation = Augmentation(input=Images(shape=(2, 3, 3)), recipe=recipe, fill=np.zeros(3, np.float32))
    for epoch, picture in enumerate(pictures_of(found, 1, times=3)):
        order = np.array([[4, 0, 1, 2, 3]], np.int32)
        drawn = draws_of_epoch(recipe, seed=7, epoch=epoch, order=order, examples=5, shape=(2, 3, 3))[0, :1]
        seen = augmentation.augmented({IMAGE: PHOTOGRAPHS[4:]}, drawn)
        assert (picture == np.maximum(np.rint(255 * np.array(seen)[0]), 1)).all()


def test_what_is_mixed_into_a_photograph_is_one_that_follows_it(keras: Any) -> None:
    recipe = AS_IT_IS.replace(mixup=100.0)  # nearly halves
    found = augmentation_sheet(variant="a", kinds={"mixed": recipe}, image=0, times=12).make(shown(images=PHOTOGRAPHS))
    reds = pictures_of(found, 1, times=12)[:, 0, 1, 0]  # of a black image and one of 50, 100, 150 or 200
    assert all(min(abs(red - half) for half in (25, 50, 75, 100)) <= 20 for red in reds)
    assert reds.min() >= 15


def test_the_photograph_is_the_first_that_is_named_rightly_unless_given(keras: Any) -> None:
    wrong_first = PROBABILITIES[[1, 0, 2, 3, 4]]
    found = augmentation_sheet(variant="a", kinds={}).make(shown(images=PHOTOGRAPHS, probabilities=wrong_first))
    assert found["pictures"][0]["index"] == 1
    with pytest.raises(UsageError, match="There is no test image 5; the split has 5, counted from 0"):
        augmentation_sheet(variant="a", kinds={}, image=5).make(shown(images=PHOTOGRAPHS))


@pytest.mark.parametrize("exhibit", [augmentation_sheet(variant="a", kinds={}), confident_mistakes(variant="a")])
def test_numbers_cannot_be_shown_as_photographs(exhibit: Any) -> None:
    with pytest.raises(UsageError, match=r"The test split holds numbers, no images that can be shown\."):
        exhibit.make(shown(images=np.zeros((5, 1, 1, 8), np.float32)))


def test_a_photograph_with_fewer_colors_is_nearly_the_same_and_smaller() -> None:
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (40, 40, 1)).repeat(3, axis=2).astype(np.uint8)
    image[:, :, 1] //= 2
    with Image.open(io.BytesIO(base64.b64decode(png(image, colors=64)))) as opened:
        few = np.asarray(opened.convert("RGB"))
    assert len(np.unique(few.reshape(-1, 3), axis=0)) == 64
    assert np.abs(few.astype(int) - image).mean() < 4
    assert len(png(image, colors=64)) < 0.7 * len(png(image))
