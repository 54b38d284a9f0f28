"""A question that workers answer in parts: the same file to the byte, whoever answers, and whatever is in between.

The workers are played in this process. What is sent to them, and what comes back, is pickled as it is on the way.
"""

import os
import pickle
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_up_bundles import bundle, text_bundle
from PIL import Image

from fortydays.base.errors import FortydaysError
from fortydays.cli import predict as command
from fortydays.cli.main import execute
from fortydays.cluster import shards
from fortydays.cluster.place import Place, parse_place
from fortydays.cluster.shards import Job
from fortydays.inputs.tokens import Tokens
from fortydays.registry.contents import open_bundle
from fortydays.registry.package import DamagedPackageError
from fortydays.serve import kept_answers, parts, prediction
from fortydays.serve.parts import PartWorker, Piece, contents_of, pieces_of
from fortydays.serve.prediction import ImageFile, answer

COUNT = 11
"""Images: two parts of four, and one of three."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "digits"
    bundle(folder)
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with eleven images, of which one is broken, and batches of two images."""
    work = tmp_path / "work"
    (work / "images").mkdir(parents=True)
    for number in range(COUNT):
        made = Image.new("L", (8, 8), 0)
        made.putpixel((0, 0), 20 * number)
        made.save(work / "images" / f"{number:02}.png")
    (work / "images" / "05.png").write_bytes(b"no picture")
    monkeypatch.chdir(work)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setattr(prediction, "_AT_ONCE", 2)
    monkeypatch.setattr(kept_answers, "BATCHES", 2)
    return work


class Played:
    """Workers in another folder of this process, which give their parts back from the last to the first."""

    def __init__(self, *, stop_after: int = 1000) -> None:
        self.stop_after = stop_after
        self.sent: list[Piece] = []
        self.numbers: list[int] = []

    def __call__(
        self, _place: Place, job: Job, numbers: Sequence[int], **_: Any
    ) -> Generator[tuple[int, Any], None, None]:
        there = Path.cwd() / "there"
        there.mkdir(exist_ok=True)
        arguments = pickle.loads(pickle.dumps(tuple(job.arguments)))
        worker = PartWorker(*arguments)
        for number in reversed(numbers):
            if len(self.numbers) == self.stop_after:
                raise KeyboardInterrupt
            found = b""
            for each in job.pieces(number):
                assert found == b""
                piece = pickle.loads(pickle.dumps(each))
                self.sent.append(piece)
                with pytest.MonkeyPatch.context() as patch:
                    patch.chdir(there)
                    found = pickle.loads(pickle.dumps(worker.do(*piece)))
            self.numbers.append(number)
            yield number, found


def asked(model: Path, *arguments: str, played: Played | None = None, on: str = "local:2") -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "checked_place", lambda text, _settings: parse_place(text) if text else None)
        patch.setattr(shards, "done_on", played or Played())
        return execute(["predict", str(model), *arguments, "--on", on])


def whole(model: Path, *arguments: str) -> bytes:
    """The file of a question that this process answers."""
    assert execute(["predict", str(model), *arguments, "--csv", "whole.csv", "--overwrite"]) in (0, 1)
    return Path("whole.csv").read_bytes()


def part_files(place: Path) -> list[str]:
    return sorted(path.name for path in (place.parent / "home" / "answers").rglob("*.part"))


@pytest.mark.parametrize("on", ["local:2", "ray://192.0.2.7:10001"])
def test_the_file_is_the_same_to_the_byte(
    model: Path, place: Path, on: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["images", "images/none.png", "images/../images/03.png", ""]
    expected = whole(model, *names)
    said_here = capsys.readouterr()
    monkeypatch.setattr(parts, "PIECE_BYTES", 150)  # two images at most
    played = Played()
    assert asked(model, *names, "--csv", "out.csv", played=played, on=on) == 1
    said = capsys.readouterr()
    assert Path("out.csv").read_bytes() == expected
    assert said.out.replace("out.csv", "whole.csv") == said_here.out
    assert re.sub("Asking .*\n", "", said.err) == re.sub("Asking .*\n", "", said_here.err)
    assert played.numbers == [3, 2, 1, 0]
    assert part_files(place) == []


def test_a_worker_on_this_machine_reads_the_files_and_another_is_sent_them_some_at_a_time(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PIECE_BYTES", 150)
    here, there = Played(), Played()
    asked(model, "images", "--csv", "a.csv", played=here)
    asked(model, "images", "--csv", "b.csv", played=there, on="192.0.2.7:6379")
    assert [len(images) for images, *_ in here.sent] == [3, 4, 4]
    assert all(
        image.content is None and Path(image.name).is_absolute() for images, *_ in here.sent for image in images
    )
    assert len(there.sent) > 3
    for images, *_ in there.sent:
        sizes = [len(image.content or b"") for image in images]
        assert len(sizes) == 1 or sum(sizes) <= 150
        assert all(sizes)


def test_a_question_goes_on_where_it_was_stopped(model: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = whole(model, "images")
    assert asked(model, "images", "--csv", "out.csv", played=Played(stop_after=2)) == 130
    assert not Path("out.csv").exists()
    assert part_files(place) == ["000001.part", "000002.part"]
    capsys.readouterr()
    rest = Played()
    assert asked(model, "images", "--csv", "out.csv", played=rest) == 1
    assert rest.numbers == [0]
    assert "Going on: 7 of 11 have their answer already." in capsys.readouterr().err
    assert Path("out.csv").read_bytes() == expected


def test_what_was_begun_on_a_cluster_can_be_ended_here(model: Path, place: Path) -> None:
    expected = whole(model, "images")
    assert asked(model, "images", "--csv", "out.csv", played=Played(stop_after=1)) == 130
    assert part_files(place) == ["000002.part"]
    assert execute(["predict", str(model), "images", "--csv", "out.csv"]) == 1
    assert Path("out.csv").read_bytes() == expected


def test_with_other_threads_it_begins_anew(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(model, "images", "--csv", "out.csv", played=Played(stop_after=1)) == 130
    monkeypatch.setenv("FORTYDAYS_THREADS", "2")
    again = Played()
    assert asked(model, "images", "--csv", "out.csv", played=again) == 1
    assert again.numbers == [2, 1, 0]
    assert "Going on" not in capsys.readouterr().err


def test_a_damaged_part_is_told_and_answered_again(
    model: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = whole(model, "images")
    assert asked(model, "images", "--csv", "out.csv", played=Played(stop_after=2)) == 130
    (part,) = (place.parent / "home" / "answers").rglob("000001.part")
    part.write_bytes(part.read_bytes()[:-1])
    again = Played()
    assert asked(model, "images", "--csv", "out.csv", played=again) == 1
    assert again.numbers == [1, 0]
    assert re.search("Kept answers are damaged, and computed again: .*, part 2", capsys.readouterr().err)
    assert Path("out.csv").read_bytes() == expected


def test_even_a_short_question_goes_to_the_place(model: Path) -> None:
    played = Played()
    assert asked(model, "images/01.png", "--csv", "out.csv", played=played) == 0
    assert played.numbers == [0]
    assert Path("out.csv").read_bytes() == whole(model, "images/01.png")


def test_texts_are_answered_there_too(tmp_path: Path) -> None:
    takes = Tokens(vocabulary=("good", "bad", "film"), length=4, masked=True)
    text_bundle(tmp_path / "reviews", takes, {"good": 1.0, "bad": -1.0})
    Path("new.csv").write_text("text\n" + "".join(f"a {'good' if n % 2 else 'bad'} film {n}\n" for n in range(9)))
    expected = whole(tmp_path / "reviews", "new.csv", "--text", "text")
    played = Played()
    assert asked(tmp_path / "reviews", "new.csv", "--text", "text", "--csv", "out.csv", played=played) == 0
    assert len(played.numbers) == 3
    assert Path("out.csv").read_bytes() == expected


def test_without_a_file_for_the_answers_it_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(model), "images", "--on", "local:2"]) == 2
    said = capsys.readouterr().err
    assert "--on answers in parts, which are kept until the file of all answers is whole. No file is named." in said
    assert "Add --csv OUT.csv." in said


def test_a_mistake_in_on_is_told_before_anything_is_asked(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(model), "images", "--csv", "out.csv", "--on", "there"]) == 2
    assert "Error: --on is 'there'; expected local:N, HOST:PORT or ray://HOST:PORT." in capsys.readouterr().err


def answered_by(
    results: Iterator[tuple[int, bytes]],
) -> Callable[..., Generator[tuple[int, bytes], None, None]]:
    def done_on(*_: Any, **__: Any) -> Generator[tuple[int, bytes], None, None]:
        yield from results

    return done_on


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "What answers has ended without part 1 of 3 parts."),
        ([(0, b"")], "What came back for part 1 are no answers to its 4 files."),
        ([(0, kept_answers.packed([]))], "What came back for part 1 are no answers to its 4 files."),
    ],
)
def test_what_is_no_answer_is_not_kept(
    model: Path, place: Path, results: list[tuple[int, bytes]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    played: Any = answered_by(iter(results))
    assert asked(model, "images", "--csv", "out.csv", played=played) == 1
    assert said in capsys.readouterr().err
    assert part_files(place) == []


def test_what_a_part_is_called(model: Path, tmp_path: Path) -> None:
    images = tuple(ImageFile(name=f"{n}\n.png") for n in range(9))
    with kept_answers.keeping(open_bundle(model, threads=1), images, tmp_path / "home", threads=1) as kept:
        assert parts.named(kept, 1, "image") == "part 2 (images 5 to 8: 4?.png to 7?.png)"
        assert parts.named(kept, 2, "image") == "part 3 (image 9: 8?.png)"


# --------------------------------------------------------------------------------------------------------- the worker


def test_pieces_end_anywhere_and_the_batches_are_the_same(model: Path) -> None:
    opened = open_bundle(model, threads=1)
    seen: list[int] = []
    real = opened.model.predict

    def predict(inputs: Any, *, at_once: int) -> Any:
        seen.append(at_once)
        return real(inputs, at_once=at_once)

    images = prediction.find_images(["images"]).images
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened.model, "predict", predict)
        expected = kept_answers.packed(list(answer(opened, images, workers=1)))
        batches, seen[:] = list(seen), []
        for size in (1, 3, 5, 11):
            asking = prediction.Asking(opened, workers=1)
            found = []
            for start in range(0, COUNT, size):
                found += list(asking.ask(images[start : start + size], last=start + size >= COUNT))
            asking.close()
            assert kept_answers.packed(found) == expected
            assert seen == batches
            seen.clear()


def test_a_part_that_was_given_up_leaves_nothing_behind(model: Path) -> None:
    opened = open_bundle(model, threads=1)
    worker = PartWorker(contents_of(model, opened.manifest), opened.manifest.digest, 1)
    images = prediction.find_images(["images"]).images
    assert worker.do(images[:3], True, False) == b""
    found = worker.do(images[4:7], True, True)
    assert found == kept_answers.packed(list(answer(opened, images[4:7], workers=1)))


def test_another_bundle_than_was_sent_is_refused(model: Path, tmp_path: Path) -> None:
    manifest = open_bundle(model, threads=1).manifest
    content = contents_of(model, manifest)
    with pytest.raises(DamagedPackageError, match=r"model\.onnx (has .* bytes instead of|has changed)"):
        PartWorker({**content, "model.onnx": content["model.onnx"] + b"x"}, manifest.digest, 1)
    with pytest.raises(DamagedPackageError, match="no path in a bundle"):
        PartWorker({"../../escaped": b"", **content}, manifest.digest, 1)
    other = bundle(tmp_path / "other", favourite=5)
    with pytest.raises(
        DamagedPackageError, match=f"has the digest {other.digest[:12]}; expected {manifest.digest[:12]}"
    ):
        PartWorker(contents_of(tmp_path / "other", other), manifest.digest, 1)


def test_a_bundle_that_has_changed_since_it_was_opened_is_not_sent(tmp_path: Path) -> None:
    manifest = bundle(tmp_path / "digits")
    (tmp_path / "digits" / "model.onnx").write_bytes(b"x")
    with pytest.raises(DamagedPackageError, match=r"the content of model\.onnx has changed"):
        contents_of(tmp_path / "digits", manifest)
    (tmp_path / "digits" / "model.onnx").unlink()
    with pytest.raises(FortydaysError, match="Could not read"):
        contents_of(tmp_path / "digits", manifest)


def test_a_file_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setattr(prediction, "LARGEST_FILE", 20)
    (piece,) = pieces_of([ImageFile(name="images/01.png")], read_there=False)
    assert piece == ((ImageFile(name="images/01.png", error="It has more than 20 bytes."),), True, True)


def test_a_file_that_cannot_be_read_is_told_as_here(model: Path) -> None:
    os.mkfifo("pipe.png")
    images = [ImageFile(name=name) for name in ("none.png", "images", "pipe.png", "a\0b", "")]
    opened = open_bundle(model, threads=1)
    expected = [each.error for each in answer(opened, images, workers=1)]
    ((sent, *_),) = pieces_of(images, read_there=False)
    assert [image.error for image in sent] == expected
    assert [each.error for each in answer(opened, sent, workers=1)] == expected
    ((named, *_),) = pieces_of(images, read_there=True)
    assert [each.error for each in answer(opened, named, workers=1)] == expected
