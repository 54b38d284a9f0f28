"""Public texts: read from either file, freed of doubles, divided, numbered by the training words, and kept."""

import dataclasses
import io
import json
import lzma
import tarfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import texts
from fortydays.data.arrays import Reading
from fortydays.data.layouts import DamagedSourceError
from fortydays.data.review_files import Review, read_json_lines, read_review_folders
from fortydays.data.splits import SplitSizes
from fortydays.data.texts import digest_of_reviews, digest_of_texts, prepare

OTHERS = ("plot", "cast", "music", "light", "sound", "story", "scene", "end")


def review(part: str, label: int, number: int, text: str) -> Review:
    return Review(part=part, label=label, number=number, stars=9 if label else 2, text=text)


def reviews() -> list[Review]:
    """Ten training and four test reviews of each class, all different."""
    return [
        review(
            part,
            label,
            number,
            f"{('bad', 'good')[label]} {OTHERS[number % 8]} {OTHERS[number // 8 + 3]} number {part}{label}{number}",
        )
        for part, count in (("train", 10), ("test", 4))
        for label in (0, 1)
        for number in range(count)
    ]


def json_lines(path: Path, rows: list[Review]) -> Path:
    with lzma.open(path, "wt", encoding="utf-8") as stream:
        for each in reversed(rows):  # in any order
            row = dataclasses.asdict(each)
            stream.write(json.dumps({"split": row["part"], "id": row["number"], **row}) + "\n")
    return path


def folders(path: Path, rows: list[Review]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in [
            *((f"{r.part}/{('neg', 'pos')[r.label]}/{r.number}_{r.stars}.txt", r.text) for r in rows),
            ("train/unsup/0_0.txt", "not labelled"),
            ("README", "what it is"),
        ]:
            content = text.encode()
            member = tarfile.TarInfo(f"aclImdb/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_both_published_forms_give_the_same_reviews(tmp_path: Path) -> None:
    rows = reviews()

    one = read_json_lines(json_lines(tmp_path / "all.jsonl.xz", rows), classes=2)
    other = read_review_folders(folders(tmp_path / "all.tar.gz", rows), classes=2)

    assert one == other == rows
    assert digest_of_reviews(one) == digest_of_reviews(other)
    assert digest_of_reviews(one) != digest_of_reviews([*rows[:-1], dataclasses.replace(rows[-1], text="other")])


def test_control_characters_are_what_windows_means_by_them(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "one.jsonl.xz", [review("train", 1, 0, "Yes \x96 it\x92s good\x85")])

    assert read_json_lines(path, classes=2)[0].text == "Yes \u2013 it\u2019s good\u2026"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "is damaged: Expecting value"),
        ('{"split": "train"}', "is damaged: 'label'"),
        (
            '{"split": "train", "label": 2, "id": 0, "stars": 1, "text": "x"}',
            "a review lacks its part, class, number, stars or text",
        ),
        (
            '{"split": "dev", "label": 1, "id": 0, "stars": 1, "text": "x"}',
            "a review lacks its part, class, number, stars or text",
        ),
        ("", "there are no reviews in it"),
    ],
)
def test_a_file_that_holds_no_reviews_is_damaged(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "reviews.jsonl.xz"
    path.write_bytes(lzma.compress(line.encode()))

    with pytest.raises(DamagedSourceError, match=said):
        read_json_lines(path, classes=2)


def test_a_file_that_is_no_archive_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "all.tar.gz"
    path.write_bytes(b"<html>not found</html>" * 100)

    with pytest.raises(DamagedSourceError, match=r"all\.tar\.gz is damaged"):
        read_review_folders(path, classes=2)


def test_training_texts_that_are_tested_with_are_left_out_and_of_doubles_the_first_stays() -> None:
    rows = reviews()
    rows[3] = dataclasses.replace(rows[3], text=rows[0].text.upper())  # a double in other letters
    rows[12] = dataclasses.replace(rows[12], text=rows[-1].text)  # also a test text

    found = prepare(rows, digest="x", split_version=1)

    assert found.left_out == 2
    assert len(found.parts["training"].labels) == 18
    assert len(found.parts["test"].labels) == 8


def test_words_are_ranked_by_the_training_split_alone() -> None:
    rows = [
        *(
            review("train", label, i, "the film " + ("good" if label else "bad"))
            for label in (0, 1)
            for i in range(10)
        ),
        review("test", 0, 0, "the unseen unseen film"),
    ]
    rows = [dataclasses.replace(r, text=f"{r.text} only{r.label}{r.number}") for r in rows[:20]] + rows[20:]

    found = prepare(rows, digest="x", split_version=1, sizes=SplitSizes(train=18, validation=2, test=1))

    assert found.vocabulary == ("film", "the", "bad", "good")  # equally frequent ones in alphabetical order
    assert found.parts["test"].tokens.tolist() == [3, 1, 1, 2]  # 1: a word that training texts do not have twice


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> texts.TextsSpec:
    """A made-up collection; the mirror has its file."""
    rows = reviews()
    json_lines(tmp_path / "films.jsonl.xz", rows)
    digest = digest_of_reviews(rows)
    made = prepare(rows, digest=digest, split_version=1)
    imdb = texts.TEXTS["imdb"]
    source = imdb.sources[0]
    found = dataclasses.replace(
        imdb,
        name="films",
        folder="films",
        digest=digest,
        training_digest=digest_of_texts(made.parts["training"], made.vocabulary),
        test_digest=digest_of_texts(made.parts["test"], ()),
        length=6,
        words=len(made.vocabulary),
        sizes=SplitSizes(train=18, validation=2, test=8),
        sources=(dataclasses.replace(source, file=dataclasses.replace(source.file, name="films.jsonl.xz")),),
    )
    (tmp_path / "mirror" / "films").mkdir(parents=True)
    (tmp_path / "films.jsonl.xz").rename(tmp_path / "mirror" / "films" / "films.jsonl.xz")
    monkeypatch.setattr(texts, "TEXTS", MappingProxyType({"films": found}))
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_MIRROR": str(tmp_path / "mirror")})


def test_texts_are_read_as_a_recipe_says(spec: texts.TextsSpec, settings: Settings) -> None:
    dataset = texts.load(spec, settings)
    whole = dataset.training.input
    assert (len(dataset.training.train), len(dataset.training.validation), len(dataset.test.open())) == (18, 2, 8)
    first = {"tokens": dataset.training.train.inputs["tokens"][0]}
    assert whole.words(first) == "bad plot light number ?"

    short = dataset.read_as(Reading(vocabulary=1, length=3, truncation="end"))

    assert short.training.train.inputs["tokens"].shape == (18, 3)
    assert short.training.train.inputs["tokens"][0].tolist() == [1, 1, 1]  # "bad plot light", of which it knows none
    assert short.training.input.as_dict()["vocabulary"] == ["number"]
    assert short.test.open().inputs["tokens"].shape == (8, 3)


def test_more_words_than_the_texts_have_are_refused(spec: texts.TextsSpec, settings: Settings) -> None:
    with pytest.raises(UsageError) as raised:
        texts.load(spec, settings).read_as(Reading(vocabulary=60_000))
    assert raised.value.message == f"The recipe's vocabulary has 60,000 words, but 'films' knows {spec.words}."


def test_a_damaged_cache_is_set_aside_and_made_again(spec: texts.TextsSpec, settings: Settings) -> None:
    folder = texts.get(spec, settings)
    assert texts.verify(spec, settings).right
    words = folder / "vocabulary.txt"
    words.write_text(words.read_text().replace("bad", "sad"))

    assert "the training texts have digest" in texts.verify(spec, settings).problems[0]
    texts.load(spec, settings)

    assert texts.verify(spec, settings).right
    aside = [each for each in folder.parent.iterdir() if each.is_dir() and each != folder]
    assert len(aside) == 1, "what was damaged is kept"
    assert "sad" in (aside[0] / "vocabulary.txt").read_text()


def test_a_file_with_other_texts_is_refused(spec: texts.TextsSpec, settings: Settings) -> None:
    assert settings.mirror is not None
    json_lines(settings.mirror / "films" / "films.jsonl.xz", reviews()[:-1])

    with pytest.raises(DataError, match=r"its content has digest [0-9a-f]{64}, expected"):
        texts.load(spec, settings)
    assert not texts.cached(spec, settings)


def test_other_examples_than_texts_are_read_in_one_way_only(spec: texts.TextsSpec, settings: Settings) -> None:
    images = dataclasses.replace(texts.load(spec, settings), texts=None)

    assert images.read_as(Reading()) is images
    with pytest.raises(UsageError, match="The recipe says how texts are read, but the examples of 'films'"):
        images.read_as(Reading(length=3))


def test_the_stars_and_the_length_of_each_text_are_known_and_no_network_is_given_them(
    spec: texts.TextsSpec, settings: Settings
) -> None:
    dataset = texts.load(spec, settings).read_as(Reading(length=3))
    for split in (dataset.training.train, dataset.training.validation, dataset.test.open()):
        assert split.about["stars"].tolist() == [9 if label else 2 for label in split.labels]
        assert split.about["words"].tolist() == [5] * len(split)  # also where the network sees three of them
        assert list(split.inputs) == ["tokens"]
    some = dataset.training.train.rows(np.array([0, 17]))
    assert some.about["stars"].tolist() == [9 if label else 2 for label in some.labels]


PIECES_OF_WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "bad", "good", "plot", "number", "train", "##00")


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder knows a few pieces."""
    monkeypatch.setattr(texts.published, "vocabulary_of", lambda *_: PIECES_OF_WORDS)


@pytest.mark.usefixtures("pieces")
def test_texts_are_read_as_pieces_of_words_in_the_same_order(spec: texts.TextsSpec, settings: Settings) -> None:
    words = texts.load(spec, settings)

    found = words.read_as(Reading(units="wordpieces", length=7))

    assert found.training.input.summary() == {"kind": "wordpieces", "length": 7, "pieces": 10}
    first = found.training.train.inputs["tokens"][0]
    assert first.tolist() == [2, 4, 6, 1, 7, 8, 3]  # of "bad plot light number train00" the first five pieces
    for ours, theirs in (
        (found.training.train, words.training.train),
        (found.training.validation, words.training.validation),
        (found.test.open(), words.test.open()),
    ):
        assert ours.labels.tolist() == theirs.labels.tolist()
        assert ours.inputs["tokens"].shape == (len(theirs), 7)
        is_good = ours.inputs["tokens"][:, 1] == PIECES_OF_WORDS.index("good")
        assert is_good.tolist() == (theirs.labels == 1).tolist()


@pytest.mark.usefixtures("pieces")
def test_damaged_pieces_are_set_aside_and_made_again(spec: texts.TextsSpec, settings: Settings) -> None:
    reading = Reading(units="wordpieces", length=7)
    before = texts.load(spec, settings).read_as(reading).training.train.inputs["tokens"]
    (path,) = texts.path(spec, settings).parent.glob("*.wordpieces-*/training_pieces.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    again = texts.load(spec, settings).read_as(reading).training.train.inputs["tokens"]

    assert again.tolist() == before.tolist()
    assert path.read_bytes() != content
    assert len(list(path.parent.parent.glob(f"{path.parent.name}.damaged-*"))) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"length": 513}, "Texts are to have 513 pieces of words; expected a whole number from 3 to 512."),
        ({"length": 2}, "Texts are to have 2 pieces of words; expected a whole number from 3 to 512."),
        ({"vocabulary": 5}, "The recipe says which words are read, but the texts are read as pieces of words."),
        ({"truncation": "end"}, "The recipe says which words are read, but the texts are read as pieces of words."),
    ],
)
@pytest.mark.usefixtures("pieces")
def test_a_reading_that_no_encoder_has_is_refused(
    spec: texts.TextsSpec, settings: Settings, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        texts.load(spec, settings).read_as(Reading(units="wordpieces", **asked))
    assert raised.value.message == said
