"""What `fd.load` gives, and what a model says of images or of texts."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
from made_up_bundles import CONFIDENCE, bundle, text_bundle

import fortydays as fd
from fortydays.inputs.tokens import Tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model of 8 x 8 pixels that says 3 where the first one is bright, and nothing sure elsewhere."""
    place = tmp_path_factory.mktemp("bundles") / "sure"
    bundle(place, confidence=CONFIDENCE)
    return place


@pytest.fixture
def model(folder: Path) -> fd.Model:
    return fd.load(str(folder), quiet=True)


def pixels(first: int) -> Any:
    made = np.zeros((8, 8), np.uint8)
    made[0, 0] = first
    return made


def test_a_model_says_what_it_is(model: fd.Model) -> None:
    assert (model.name, model.version, model.classes) == ("digits", 1, tuple("0123456789"))
    assert repr(model) == "<Model digits@1: takes a picture of 8 x 8 grey pixels, tells 10 classes apart>"
    assert "# digits" in model.card


def test_an_array_of_one_image_or_of_several_is_answered(model: fd.Model) -> None:
    one = model.predict(pixels(255))
    assert one.labels == ("3",)
    assert one.probabilities.shape == (1, 10)
    both = model.predict(np.stack([pixels(255), pixels(0)]).astype(np.int64))
    assert both.labels[0] == "3"
    assert both.unknown == (False, True)
    assert both.probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert both.frame.columns.tolist() == ["file", "class", "probability", "unknown", "error"]
    assert both.frame["probability"].tolist() == pytest.approx(both.probabilities.max(axis=1).tolist())
    assert len(both) == 2


def test_files_and_folders_are_answered_in_their_order(model: fd.Model, tmp_path: Path) -> None:
    Image.fromarray(pixels(255)).save(tmp_path / "bright.png")
    Image.fromarray(pixels(0)).save(tmp_path / "dark.png")
    assert model.predict(tmp_path / "bright.png").labels == ("3",)
    assert model.predict(tmp_path).names == (f"{tmp_path}/bright.png", f"{tmp_path}/dark.png")
    (tmp_path / "broken.png").write_text("none")
    some = model.predict([tmp_path / "bright.png", str(tmp_path / "broken.png"), tmp_path / "nothing.png"])
    assert some.labels == ("3", "", "")
    assert some.errors[0] == ""
    assert some.errors[2] == "There is no such file."
    assert np.isnan(some.probabilities[1]).all()
    assert some.unknown == (False, None, None)
    assert "<table" in some._repr_html_()


def test_the_only_image_that_cannot_be_read_is_an_error(model: fd.Model, tmp_path: Path) -> None:
    with pytest.raises(fd.FortydaysError, match=r"nothing\.png: There is no such file\."):
        model.predict(tmp_path / "nothing.png")
    with pytest.raises(fd.FortydaysError, match="There is no image to answer"):
        model.predict(tmp_path)
    with pytest.raises(fd.FortydaysError, match="There is no image to answer"):
        model.predict([])


@pytest.mark.parametrize(
    "array",
    [
        pixels(255) / 255,
        np.zeros((9, 8), np.uint8),
        np.zeros((0, 8, 8), np.uint8),
        np.full((8, 8), 256),
        np.full((8, 8), -1),
        np.zeros((), np.uint8),
    ],
)
def test_an_array_of_something_else_is_refused_with_what_is_expected(model: fd.Model, array: Any) -> None:
    with pytest.raises(fd.FortydaysError) as caught:
        model.predict(array)
    assert str(caught.value) == (
        f"The array is {array.dtype} of shape {array.shape}; expected whole numbers from 0 to 255 of shape (8, 8) or "
        "(images, 8, 8): digits@1 takes a picture of 8 x 8 grey pixels.\n"
        "Numbers from 0 to 1 become these with: (255 * array).round().astype('uint8')"
    )


@pytest.mark.parametrize("images", [5, [pixels(1)], Image.new("L", (8, 8))])
def test_what_is_no_file_and_no_array_is_told(model: fd.Model, images: Any) -> None:
    with pytest.raises(fd.FortydaysError, match="Images are files, or one array of pixels; this is a"):
        model.predict(images)


def test_a_model_is_loaded_inside_an_event_loop_as_notebooks_have_one(folder: Path) -> None:
    async def cell() -> fd.Model:
        return fd.load(str(folder), quiet=True)

    assert asyncio.run(cell()).name == "digits"


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(fd.FortydaysError, match="There is no folder"):
        fd.load(f"{tmp_path}/nothing")
    with pytest.raises(fd.FortydaysError, match="A model is named by a text such as 'mnist@champion'; this is a int"):
        fd.load(3)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------------------- texts


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory: pytest.TempPathFactory) -> fd.Model:
    """A model of texts that says "good" where a lovely word is among the first eight."""
    place = tmp_path_factory.mktemp("texts") / "one"
    goodness = {"awful": -1.0, "lovely": 2.0}
    text_bundle(place, Tokens(length=8, vocabulary=(*goodness, "film"), masked=True), goodness)
    return fd.load(str(place), quiet=True)


def test_a_text_or_several_are_answered_in_their_order(of_texts: fd.Model) -> None:
    assert of_texts.predict(texts="A lovely film.").labels == ("good",)
    some = of_texts.predict(texts=["An awful film.", "lovely", ""])
    assert some.labels == ("bad", "good", "")
    assert some.names == ("0", "1", "2")
    assert some.errors == ("", "", "It is empty; expected one text file.")
    assert some.probabilities.shape == (3, 2)
    assert some.probabilities[1].tolist() == pytest.approx([1 / (1 + np.exp(4)), 1 / (1 + np.exp(-4))])
    column = some.frame["class"][:2]
    assert of_texts.predict(texts=column.replace({"good": "lovely", "bad": "awful"})).labels == ("bad", "good")


def test_files_folders_and_the_rows_of_tables_of_texts_are_answered(of_texts: fd.Model, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("A lovely film.")
    table = tmp_path / "new.csv"
    table.write_text("id,said,note\n1,An awful film,lovely\n2,lovely,awful\n3,too,many,cells\n")
    found = of_texts.predict([tmp_path / "folder", table], text="said")
    assert found.names == (f"{tmp_path}/folder/a.txt", f"{table}, line 2", f"{table}, line 3")
    assert found.labels == ("good", "bad", "good")
    assert [each.partition(": ")[0] for each in found.left_out] == [f"{table}, line 4"]
    with pytest.raises(fd.FortydaysError, match="There is no column 'words'"):
        of_texts.predict(table, text="words")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"files": np.zeros((8, 8), np.uint8)}, r"This is an array of shape \(8, 8\); reviews@1 takes"),
        ({"files": 5}, r"Texts are files, or texts=\[...\]; this is a int"),
        ({"texts": ["lovely", float("nan")]}, "A text is a str; number 1 of texts is a float"),
        ({"texts": 5}, "A text is a str; number 0 of texts is a int"),
        ({"texts": []}, "There is no text to answer"),
        ({"texts": ""}, "0: It is empty"),
        ({}, r"There is nothing to answer\.\nGive texts=\[...\], or files of texts"),
        ({"files": "a.txt", "texts": "lovely"}, "Both files and texts are given"),
    ],
)
def test_a_model_of_texts_says_what_it_takes(of_texts: fd.Model, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(fd.FortydaysError, match=said):
        of_texts.predict(**asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"texts": ["lovely"]}, "texts= is for models of texts; digits@1 takes a picture of 8 x 8 grey pixels"),
        ({"files": "new.csv", "text": "said"}, "text= is for models of texts; digits@1 takes a picture"),
        ({}, r"There is nothing to answer\.\nGive an image file, a folder of them, or an array of pixels"),
    ],
)
def test_a_model_of_images_takes_no_texts(model: fd.Model, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(fd.FortydaysError, match=said):
        model.predict(**asked)
