"""What is found in texts before anything is learned: what is there twice, what contradicts, how it is divided."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import library
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened as opened_photographs
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.inspection import Inspection
from fortydays.data.own.texts import duplicates
from fortydays.data.own.texts.arrays import prepared
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.duplicates import near_duplicates
from fortydays.data.own.texts.kept import digest_of, kept_texts, opened
from fortydays.data.own.texts.listing import list_texts
from fortydays.data.own.texts.looking import inspect_texts
from fortydays.data.own.texts.vocabulary import Numbered, learn_vocabulary
from fortydays.inputs.ngrams import Ngrams, words_of
from made_up_texts import reviews, write_table

COUNTS = {"good": 30, "bad": 30}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home")})


def look(
    rows: Sequence[Sequence[str]],
    settings: Settings,
    tmp_path: Path,
    *,
    head: Sequence[str] = ("text", "label"),
    group: str = "",
) -> tuple[Inspection, OwnExamples]:
    table = write_table(tmp_path / "reviews.csv", rows, head=head)
    with opened("reviews", settings) as collection:
        found = inspect_texts(list_texts(table, Wanted(group=group)), collection)
        return found, own.keep(found, collection, name="reviews")


def test_all_texts_are_divided_and_counted(settings: Settings, tmp_path: Path) -> None:
    found, kept = look(reviews(COUNTS), settings, tmp_path)
    assert found.counts() == {label: {"train": 21, "validation": 3, "test": 6} for label in ("bad", "good")}
    assert found.sizes() == {"shortest": (20, 1), "median": (20, 1), "longest": (20, 1)}
    assert kept.name == f"own:reviews@{kept.digest[:12]}"
    again = own.read(kept.name, settings)
    assert (again.kind, again.contents, again.side) == (own.TEXTS, kept.contents, 0)


def test_the_same_text_is_used_once_and_under_two_labels_never(settings: Settings, tmp_path: Path) -> None:
    rows = reviews(COUNTS)
    (text, label), (other, other_label) = rows[0], rows[1]
    wrong = "bad" if other_label == "good" else "good"
    found, _ = look([*rows, (f"  {text.replace(' ', '  ')}", label), (other, wrong)], settings, tmp_path)
    assert found.exact == (("line 2", "line 62"),)
    assert found.contradictions == (("line 3", "line 63"),)
    assert len(found.used) == 59
    reasons = {each.path: each.reason for each in found.left_out}
    assert reasons["line 62"] == "it is the same text as line 2"
    assert reasons["line 3"] == reasons["line 63"] == "the same text is in 'bad' and 'good'"


def test_texts_that_are_almost_the_same_stay_together(settings: Settings, tmp_path: Path) -> None:
    rows = reviews(COUNTS)
    copies = [(f"{text} Again.", label) for text, label in rows[:12]]
    found, _ = look([*rows, *copies], settings, tmp_path)
    split = {each.path: each.split for each in found.used}
    assert len(found.near) == 12
    for group in found.near:
        assert len({split[path] for path in group}) == 1


def test_rows_of_a_group_stay_together(settings: Settings, tmp_path: Path) -> None:
    rows = [(text, label, f"author {number % 15}") for number, (text, label) in enumerate(reviews(COUNTS))]
    found, _ = look(rows, settings, tmp_path, head=("text", "label", "by"), group="by")
    author = {f"line {number}": by for number, (_, _, by) in enumerate(rows, start=2)}
    splits: dict[str, set[str]] = {}
    for each in found.used:
        splits.setdefault(author[each.path], set()).add(each.split)
    assert all(len(several) == 1 for several in splits.values())
    assert {split for several in splits.values() for split in several} == {"train", "validation", "test"}
    assert not found.near


def test_texts_keep_their_split_when_rows_are_added(settings: Settings, tmp_path: Path) -> None:
    rows = reviews(COUNTS)
    before, then = look(rows, settings, tmp_path)
    after, now = look([*reviews({"good": 20, "bad": 25}, seed=1), *rows], settings, tmp_path)
    split = {each.sha256: each.split for each in after.used}
    assert len(after.used) == len(before.used) + 45
    assert all(split[each.sha256] == each.split for each in before.used)
    assert own.was_learned(then.name, now.name, settings) == ""


def test_a_class_that_is_too_small_is_left_out_and_one_that_is_small_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    found, _ = look([*reviews({**COUNTS, "mixed": 5}), ("It is odd.", "odd")], settings, tmp_path)
    assert found.classes == ("bad", "good", "mixed")
    assert found.small == {"mixed": 5}
    assert any("The class 'odd' is left out: it has 1 text that can be used" in note for note in found.notes)


def test_texts_that_all_have_labels_of_their_own_are_refused(settings: Settings, tmp_path: Path) -> None:
    rows = [(text, f"label {number}") for number, (text, _) in enumerate(reviews(COUNTS))]
    with pytest.raises(DataError) as raised:
        look(rows, settings, tmp_path)
    assert "has no class with texts that can be used; at least two are needed" in raised.value.message
    assert "--label COLUMN" in raised.value.hint


def test_words_that_give_the_label_away_are_told(settings: Settings, tmp_path: Path) -> None:
    rows = [(f"Rated {label} thumbs: {text}", label) for text, label in reviews(COUNTS)]
    rows = [(text.replace("Rated bad thumbs", "Down"), label) for text, label in rows]
    found, _ = look(rows, settings, tmp_path)
    told = [note for note in found.notes if note.startswith("The word")]
    assert [note.partition(" is in ")[0] for note in told] == [
        f"The word '{word}'" for word in ("down", "good", "rated", "thumbs")
    ]
    assert told[1].endswith("do not have this word, remove it from these texts.")
    assert told[1].startswith("The word 'good' is in 100% of the texts of 'good' and in 0.0% of the others.")


def test_what_is_left_out_and_used_comes_in_the_order_of_its_lines(settings: Settings, tmp_path: Path) -> None:
    rows = reviews(COUNTS)
    found, _ = look([rows[0], *[("", "good")] * 12, *rows], settings, tmp_path)
    assert [each.path for each in found.left_out] == [f"line {line}" for line in range(3, 16)]
    assert found.exact == (("line 2", "line 15"),)
    assert [each.path for each in found.used] == ["line 2", *(f"line {line}" for line in range(16, 75))]


def test_no_word_is_told_where_none_gives_the_label_away(settings: Settings, tmp_path: Path) -> None:
    found, _ = look(reviews(COUNTS), settings, tmp_path)
    assert not [note for note in found.notes if note.startswith("The word")]


def test_a_name_belongs_to_texts_or_to_photographs(settings: Settings, tmp_path: Path) -> None:
    look(reviews(COUNTS), settings, tmp_path)
    with opened_photographs("pictures", settings, side=16) as collection:
        collection.keep_owner("somewhere")
    with pytest.raises(UsageError, match="The name 'pictures' belongs to photographs"), opened("pictures", settings):
        pass


# ------------------------------------------------------------------------------------------------------------- arrays


def test_arrays_are_those_of_each_text_and_of_the_training_vocabulary(settings: Settings, tmp_path: Path) -> None:
    _, kept = look(reviews(COUNTS), settings, tmp_path)
    takes, arrays = prepared(kept, settings)
    texts = kept_texts(settings.workspace / "own/reviews", kept.contents)
    for row, text in enumerate(texts):
        alone = takes.encode(text)
        assert all(np.array_equal(arrays[name][row], alone[name]) for name in alone)
    held_out = {word for place in kept.of("test") for word in words_of(texts[place])}
    trained = {word for place in kept.of("train") for word in words_of(texts[place])}
    assert not (held_out - trained) & set(takes.vocabulary)
    dataset = own.load(kept, settings)
    assert [len(dataset.training.train), len(dataset.training.validation), len(dataset.test.open())] == [42, 6, 12]


def test_a_model_with_another_vocabulary_is_given_the_same_texts(settings: Settings, tmp_path: Path) -> None:
    _, kept = look(reviews(COUNTS), settings, tmp_path)
    dataset = own.load(kept, settings)
    takes = Ngrams(length=8, longest=1, vocabulary=("number", "boring"), weights=(1.0, 2.0))
    training = library.taken_by(dataset, takes, settings)
    assert training.input == takes
    texts = kept_texts(settings.workspace / "own/reviews", [kept.contents[place] for place in kept.of("validation")])
    for row, text in enumerate(texts):
        assert training.validation.inputs["ngrams"][row].tolist() == takes.encode(text)["ngrams"].tolist()
    assert training.validation.labels.tolist() == dataset.training.validation.labels.tolist()
    assert library.taken_by(dataset, dataset.training.input, settings) is dataset.training


def test_arrays_that_are_lost_or_damaged_are_made_again(settings: Settings, tmp_path: Path) -> None:
    _, kept = look(reviews(COUNTS), settings, tmp_path)
    takes, arrays = prepared(kept, settings)
    before = {name: np.array(array) for name, array in arrays.items()}
    (path,) = (settings.workspace / "own/reviews").glob("*.ngrams/values.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again, arrays = prepared(kept, settings)
    assert again == takes
    assert all(np.array_equal(arrays[name], before[name]) for name in before)
    assert len(list((settings.workspace / "own/reviews").glob("*.damaged-*"))) == 1


def test_texts_that_the_disk_has_changed_are_found(settings: Settings, tmp_path: Path) -> None:
    _, kept = look(reviews(COUNTS), settings, tmp_path)
    path = settings.workspace / "own/reviews/texts.1.utf8"
    path.write_bytes(path.read_bytes().replace(b"film", b"filn"))
    with pytest.raises(StorageError, match="is damaged: the disk has changed it"):
        prepared(kept, settings)


def test_texts_that_are_lost_are_kept_again_with_their_splits(settings: Settings, tmp_path: Path) -> None:
    before, _ = look(reviews(COUNTS), settings, tmp_path)
    (settings.workspace / "own/reviews/texts.1.utf8").unlink()
    after, kept = look(reviews(COUNTS), settings, tmp_path)
    assert [(each.sha256, each.split) for each in after.used] == [(each.sha256, each.split) for each in before.used]
    assert len(kept_texts(settings.workspace / "own/reviews", kept.contents)) == 60


def test_of_two_classes_an_ngram_weighs_what_it_speaks_for_one_of_them() -> None:
    takes, _ = learn_vocabulary(Numbered(["a b", "a c"]), np.arange(2), np.array([0, 1]), classes=2)
    weights = dict(zip(takes.vocabulary, takes.weights, strict=True))
    # Both classes have three n-grams, and five are known: each share is counted from 1, so 2 / 8 against 1 / 8.
    assert weights["b"] == weights["c"] == weights["a b"] == pytest.approx(np.log(2), rel=1e-3)
    assert weights["a"] == 1e-3
    assert takes.length == 8


def test_of_more_classes_an_ngram_weighs_the_more_the_fewer_texts_have_it() -> None:
    takes, _ = learn_vocabulary(Numbered(["a b", "a c", "a d"]), np.arange(3), np.arange(3), classes=3)
    weights = dict(zip(takes.vocabulary, takes.weights, strict=True))
    assert weights["a"] == 1
    assert weights["b"] == pytest.approx(np.log(4 / 2) + 1, rel=1e-3)


def test_the_digest_of_a_text_is_of_its_words_and_signs() -> None:
    assert digest_of("a  b\r\n") == digest_of(" a b")
    assert digest_of("a b") != digest_of("a B")
    assert digest_of("caf\u00e9") == digest_of("cafe\u0301")


def test_near_duplicates_share_most_runs_of_three_words() -> None:
    words = [f"w{number}" for number in range(30)]
    texts = [words, [*words[:29], "x"], words[:12], [*words[:10], *reversed(words[10:])], ["w1"], ["w1"]]
    assert near_duplicates(texts).tolist() == [[0, 1], [4, 5]]
    assert near_duplicates([]).tolist() == []


def test_many_texts_are_compared_in_portions_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [words_of(text) for text, _ in reviews(COUNTS)]
    texts = [*texts, *([*words, "again"] for words in texts[::3])]
    at_once = near_duplicates(texts).tolist()
    monkeypatch.setattr(duplicates, "_AT_ONCE", 50)
    assert near_duplicates(texts).tolist() == at_once == [[place, 60 + place // 3] for place in range(0, 60, 3)]
