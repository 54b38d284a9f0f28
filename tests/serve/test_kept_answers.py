"""A long question whose answers go into a file goes on where it was interrupted."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from made_up_bundles import bundle
from PIL import Image

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.settings import read_settings
from fortydays.cli.main import execute
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.serve import kept_answers, prediction
from fortydays.serve.kept_answers import KeptAnswers, keeping, packed, unpacked
from fortydays.serve.prediction import Answered, ImageFile, answer

COUNT = 11
"""Images: two parts of four, and one of three."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "digits"
    bundle(folder)
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with eleven images, of which one is broken, and parts of four images."""
    work = tmp_path / "work"
    (work / "images").mkdir(parents=True)
    for number in range(COUNT):
        made = Image.new("L", (8, 8), 0)
        made.putpixel((0, 0), 255 * (number % 2))
        made.save(work / "images" / f"{number:02}.png")
    (work / "images" / "05.png").write_bytes(b"no picture")
    monkeypatch.chdir(work)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(prediction, "_AT_ONCE", 2)
    monkeypatch.setattr(kept_answers, "BATCHES", 2)
    return work


def parts(place: Path) -> list[str]:
    return sorted(path.name for path in (place.parent / "home" / "answers").rglob("*.part"))


def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that the model is asked about from now on."""
    found: list[str] = []

    def watched(bundle: Bundle, images: Sequence[ImageFile], *, workers: int) -> Iterator[Answered]:
        for each in answer(bundle, images, workers=workers):
            found.append(Path(each.name).name)
            yield each

    monkeypatch.setattr(kept_answers, "answer", watched)
    return found


def interrupted(monkeypatch: pytest.MonkeyPatch, model: Path, *, after: int) -> None:
    """Ask, and be stopped after so many answers."""

    def stopped(bundle: Bundle, images: Sequence[ImageFile], *, workers: int) -> Iterator[Answered]:
        nonlocal after
        for each in answer(bundle, images, workers=workers):
            if after == 0:
                raise KeyboardInterrupt
            after -= 1
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(kept_answers, "answer", stopped)
        assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 130
    assert not Path("out.csv").exists()


def whole(model: Path) -> bytes:
    """The file of a question that is answered at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_answers, "BATCHES", 1000)
        assert execute(["predict", str(model), "images", "--csv", "whole.csv"]) == 1
    return Path("whole.csv").read_bytes()


def test_a_question_goes_on_and_its_file_is_the_same(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(monkeypatch, model, after=9)
    assert parts(place) == ["000000.part", "000001.part"]
    names = asked(monkeypatch)
    capsys.readouterr()
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    said = capsys.readouterr().err
    assert "Going on: 8 of 11 have their answer already." in said
    assert "05.png" in said  # why it has no answer is told each time
    assert names == ["08.png", "09.png", "10.png"]
    assert Path("out.csv").read_bytes() == whole(model)
    assert parts(place) == []


def test_a_file_that_has_changed_is_asked_about_again(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(monkeypatch, model, after=9)
    Image.new("L", (8, 8), 0).save("images/01.png")
    os.utime("images/01.png", (1, 1))
    names = asked(monkeypatch)
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    assert len(names) == COUNT
    assert "Going on" not in capsys.readouterr().err
    assert Path("out.csv").read_bytes() == whole(model)


def test_a_damaged_part_is_told_and_computed_again(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(monkeypatch, model, after=9)
    (part,) = (place.parent / "home" / "answers").rglob("000001.part")
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    names = asked(monkeypatch)
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    assert "Kept answers are damaged, and computed again" in capsys.readouterr().err
    assert names == [f"{number:02}.png" for number in range(4, COUNT)]
    assert Path("out.csv").read_bytes() == whole(model)


def test_two_do_not_answer_the_same_question_side_by_side(
    model: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_bundle(model, threads=1)
    images = prediction.find_images(["images"]).images
    with keeping(opened, images, place.parent / "home", threads=read_settings().threads):
        assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    said = capsys.readouterr().err
    assert "Another process is asking digits about the same images." in said
    assert "goes on where it was" in said


def test_what_was_kept_can_be_removed(model: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, model, after=9)
    assert execute(["clean", "answers", "--yes"]) == 0
    assert parts(place) == []


def test_a_short_question_keeps_nothing(model: Path, place: Path) -> None:
    assert execute(["predict", str(model), "images/00.png", "images/01.png", "--csv", "out.csv"]) == 0
    assert not (place.parent / "home" / "answers").exists()


def test_another_model_is_another_question(model: Path, place: Path, tmp_path: Path) -> None:
    images = prediction.find_images(["images"]).images
    bundle(tmp_path / "other", favourite=5)
    names = []
    for folder in (model, tmp_path / "other"):
        with keeping(open_bundle(folder, threads=1), images, tmp_path / "home", threads=1) as kept:
            names.append(kept.folder.name)
    assert names[0] != names[1]


def test_answers_come_back_as_they_were(model: Path) -> None:
    opened = open_bundle(model, threads=1)
    images = prediction.find_images(["images"]).images
    before = list(answer(opened, images, workers=1))
    after = unpacked(packed(before), images, classes=len(opened.classes))
    assert after is not None
    for one, other in zip(before, after, strict=True):
        assert (one.name, one.error, one.note) == (other.name, other.error, other.note)
        assert (one.probabilities is None) == (other.probabilities is None)
        if one.probabilities is not None and other.probabilities is not None:
            assert one.probabilities.tobytes() == other.probabilities.tobytes()


def test_bytes_that_are_no_part_are_not_taken(model: Path) -> None:
    images = prediction.find_images(["images/00.png"]).images
    for content in (b"", b"\n", b"0" * 64 + b"\n{}", packed([])[:-1]):
        assert unpacked(content, images, classes=10) is None


def test_a_full_disk_is_told_and_what_was_kept_stays(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = KeptAnswers.keep

    def full(self: KeptAnswers, number: int, answers: Sequence[Answered]) -> None:
        if number == 1:
            raise files.storage_error("write", self.folder, OSError(28, "No space left on device"))
        real(self, number, answers)

    monkeypatch.setattr(KeptAnswers, "keep", full)
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert parts(place) == ["000000.part"]
    assert not Path("out.csv").exists()


def test_a_model_that_fails_is_no_other_process(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(bundle: Bundle, images: Sequence[ImageFile], *, workers: int) -> Iterator[Answered]:
        yield from answer(bundle, images[:1], workers=workers)
        raise FortydaysError("It failed.")

    monkeypatch.setattr(kept_answers, "answer", late)
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    assert "It failed." in capsys.readouterr().err
    shutil.rmtree(place.parent / "home" / "answers")
