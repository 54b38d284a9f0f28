"""Which images are asked about, and what is answered: as the service does, in order, whatever else is among them."""

import io
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_bundles import bundle
from PIL import Image

from fortydays.base.errors import UsageError
from fortydays.data.own.listing import FORMATS
from fortydays.inputs.images import Images, OpenedImage
from fortydays.inputs.input import Bounds, count_of, stacked
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.serve import prediction
from fortydays.serve.prediction import ImageFile, answer, find_images, names_in

BRIGHT, DARK = "3", "0"
"""What the model says where the first pixel is bright, and where all are dark."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "one"
    bundle(folder)
    return open_bundle(folder, threads=1)


def image(*, bright: bool = True) -> Image.Image:
    made = Image.new("L", (8, 8), 0)
    if bright:
        made.putpixel((0, 0), 255)
    return made


def saved(path: Path, *, bright: bool = True, kind: str = "PNG") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    image(bright=bright).save(path, kind)
    return str(path)


def asked(opened: Bundle, *names: str, workers: int = 2) -> list[tuple[str, str]]:
    """Each image's name, and its class or why it has none."""
    found = []
    for each in answer(opened, [ImageFile(name=name) for name in names], workers=workers):
        best = "" if each.probabilities is None else opened.classes[int(each.probabilities.argmax())]
        found.append((each.name, each.error or best))
    return found


def test_a_name_without_a_letter_is_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "here.png")

    assert [each.name for each in find_images([""]).images] == [""]


def test_files_are_taken_whatever_they_are_called_and_folders_for_their_images(tmp_path: Path) -> None:
    saved(tmp_path / "folder" / "b.png")
    saved(tmp_path / "folder" / "a" / "z.PNG")
    saved(tmp_path / "folder" / ".hidden" / "x.png")
    (tmp_path / "folder" / "notes.txt").write_text("x")
    (tmp_path / "folder" / "link.png").symlink_to(tmp_path / "folder" / "b.png")
    single = saved(tmp_path / "picture")
    (tmp_path / "named.png").symlink_to(single)
    folder, named = str(tmp_path / "folder"), str(tmp_path / "named.png")

    question = find_images([named, folder, single, f"{tmp_path}/nowhere.png"])

    names = [each.name for each in question.images]
    assert names == [named, f"{folder}/a/z.PNG", f"{folder}/b.png", single, f"{tmp_path}/nowhere.png"]
    assert [(each.path, each.reason) for each in question.left_out] == [
        (f"{folder}/link.png", "it is a link, and links are not followed"),
        (f"{folder}/notes.txt", "its name does not end like an image's"),
    ]


def test_a_list_has_one_name_a_line_or_ends_them_with_zeros() -> None:
    assert names_in(io.BytesIO(b"a b.png\n\n\xc3\xa9\n-\n"), null=False) == ["a b.png", "é", "./-"]
    assert names_in(io.BytesIO(b"a\nb\0c\0"), null=True) == ["a\nb", "c"]
    assert os.fsencode(names_in(io.BytesIO(b"\xff.png"), null=False)[0]) == b"\xff.png"


@pytest.mark.parametrize(
    "content",
    [
        b"a.png\r\nin/b c.png\r\n",
        b"\xef\xbb\xbfa.png\r\n\r\nin/b c.png",
        b"a.png\rin/b c.png\r",
        b"a.png  \n  in/b c.png\t\n   \n",
        b"a.png\nin\\b c.png\n",
        b".\\a.png\r\n.\\in\\b c.png\r\n",
        "a.png\r\nin\\b c.png\r\n".encode("utf-16"),
    ],
)
def test_a_list_of_another_system_names_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.png")
    saved(tmp_path / "in/b c.png")

    names = names_in(io.BytesIO(content), null=False)

    assert [os.path.normpath(name) for name in names] == ["a.png", "in/b c.png"]


def test_what_a_list_names_as_it_is_there_is_taken_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png\r", "a.png", " b.png", "b.png", "c\\d.png"):
        saved(tmp_path / name)

    assert names_in(io.BytesIO(b"a.png\r\n b.png\nc\\d.png\nnone.png\r\n"), null=False) == [
        "a.png\r", " b.png", "c\\d.png", "none.png",
    ]  # fmt: skip


def test_a_list_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "LARGEST_LIST", 5)
    assert names_in(io.BytesIO(b"1234\n"), null=False) == ["1234"]
    endless = io.BytesIO(b"12345\n" * 10)
    with pytest.raises(UsageError, match=r"The list of files has more than 5 bytes\."):
        names_in(endless, null=False)
    assert endless.tell() == 6


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_can_be_learned_from_can_be_asked_about(opened: Bundle, tmp_path: Path, kind: str) -> None:
    size = {"JPEG": (16, 16)}.get(kind, (8, 8))  # JPEG blurs a single pixel away
    made = Image.new("L", size, 0)
    made.paste(255, (0, 0, size[0] // 8, size[1] // 8))
    path = tmp_path / "image"
    if kind == "HEIF":  # which is only read here; the left half of this one is clear, and so white
        shutil.copy(Path(__file__).parents[1] / "data/own/heic/alpha.heic", path)
    else:
        made.save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    (found,) = asked(opened, str(path))
    assert found == (str(path), BRIGHT)


@pytest.mark.parametrize("strokes", [False, True])
def test_the_pixels_are_those_of_the_service(tmp_path: Path, strokes: bool) -> None:
    bundle(tmp_path / "bundle", strokes=strokes)
    opened = open_bundle(tmp_path / "bundle", threads=1)
    path = tmp_path / "photograph.png"
    Image.effect_noise((90, 60), 80).save(path)
    inputs = Images(shape=(8, 8), strokes=strokes).prepare(path.read_bytes(), Bounds())

    (found,) = answer(opened, [ImageFile(name=str(path))], workers=1)

    np.testing.assert_array_equal(found.probabilities, opened.model.predict(stacked([inputs]))[0])


def test_what_gives_no_pixels_has_its_reason_and_the_others_are_answered_in_order(
    opened: Bundle, tmp_path: Path
) -> None:
    first, last = saved(tmp_path / "first.png"), saved(tmp_path / "last.png", bright=False)
    noise = tmp_path / "noise.png"
    Image.effect_noise((64, 64), 90).save(noise)
    wrong = {
        "no image": (
            b"hello",
            "This is no image that can be read; expected PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF or HEIC.",
        ),
        "empty": (b"", "It is empty; expected one image file."),
        "cut off": (noise.read_bytes()[:2000], "The image cannot be decoded: it is damaged or cut off."),
    }
    for name, (content, _) in wrong.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")  # that nobody writes into
    others = {
        "nowhere": "There is no such file.", "first.png/below": "There is no such file.",
        "a\0b": "There is no such file.", "x" * 300: "It cannot be read: File name too long.",
        "pipe": "It is no file.", ".": "It is no file.",
    }  # fmt: skip
    expected = {name: message for name, (_, message) in wrong.items()} | others
    paths = [f"{tmp_path}/{name}" for name in expected]

    found = asked(opened, first, *paths, last)

    assert found[0] == (first, BRIGHT)
    assert found[-1] == (last, DARK)
    assert dict(found[1:-1]) == dict(zip(paths, expected.values(), strict=True))


def test_a_file_or_an_image_that_is_too_large_is_not_read(
    opened: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png")
    monkeypatch.setattr(prediction, "_BOUNDS", Bounds(pixels=63))
    assert asked(opened, path) == [(path, "The image has 8 x 8 pixels; expected at most 63 in all.")]
    monkeypatch.setattr(prediction, "LARGEST_FILE", 20)
    assert asked(opened, path) == [(path, "It has more than 20 bytes.")]


@pytest.mark.parametrize("limit", ["_LARGE_FILE", "_LARGE"])
def test_large_ones_are_decoded_one_after_the_other(
    opened: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    names = [saved(tmp_path / f"{number}.png") for number in range(8)]
    monkeypatch.setattr(prediction, limit, 0)
    at_work = threading.Semaphore(1)
    before = OpenedImage.arrays

    def arrays(self: OpenedImage) -> Any:
        assert at_work.acquire(blocking=False)
        threading.Event().wait(0.01)
        at_work.release()
        return before(self)

    monkeypatch.setattr(OpenedImage, "arrays", arrays)
    assert asked(opened, *names, workers=4) == [(name, BRIGHT) for name in names]


def test_many_are_answered_in_their_order_and_few_are_in_memory(opened: Bundle, tmp_path: Path) -> None:
    bright, dark = saved(tmp_path / "bright.png"), saved(tmp_path / "dark.png", bright=False)
    names = [bright if number % 3 == 0 else dark for number in range(1000)]
    taken = 0

    class Watched(list[ImageFile]):
        def __iter__(self) -> Iterator[ImageFile]:
            nonlocal taken
            for each in list.__iter__(self):
                taken += 1
                yield each

    answers = answer(opened, Watched(ImageFile(name=name) for name in names), workers=2)
    found = [next(answers).name]
    assert taken <= 128  # two batches
    found += [each.name for each in answers]
    assert found == names


def test_one_that_is_stopped_leaves_the_rest_undone(opened: Bundle, tmp_path: Path) -> None:
    name = saved(tmp_path / "a.png")
    answers = answer(opened, [ImageFile(name=name)] * 500, workers=2)
    next(answers)
    answers.close()
    for thread in threading.enumerate():
        if thread.name.startswith("decode"):
            thread.join(10)
            assert not thread.is_alive()


def test_images_of_a_large_model_are_computed_a_few_at_a_time(
    opened: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(prediction, "_MOST_BYTES_AT_ONCE", 3 * 64)
    before = opened.model.predict

    def predict(inputs: Any, **options: Any) -> Any:
        sizes.append(count_of(inputs))
        return before(inputs, **options)

    monkeypatch.setattr(opened.model, "predict", predict)
    asked(opened, *[saved(tmp_path / "a.png")] * 7)
    assert sizes == [3, 3, 1]
