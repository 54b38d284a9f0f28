"""From a table of texts to findings, with a registry that only takes notes; what is asked for and what is refused."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_fitting import Kept

sys.path.insert(0, str(Path(__file__).parents[1]))
from fortydays.base.errors import UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.texts.vocabulary import Counted, Numbered, Runs, learn_vocabulary, usual_runs
from fortydays.fit import fitting, learning_curve, text_study
from fortydays.fit.fitting import Fitted, fit
from fortydays.fit.linear_texts import SPARSE, sparse
from fortydays.fit.request import FitRequest
from fortydays.fit.text_study import CHARACTERS, EMBEDDED, FEW_RATES, LINEAR, RATES, SHORT, TextPlan, planned
from fortydays.fit.text_study import text_study as written
from fortydays.inputs.input import Bounds
from fortydays.inputs.ngrams import Ngrams, runs_of
from fortydays.report.fitted import make_page, sentence
from fortydays.study.runs import RunFolder
from made_up_texts import TELLING, misspelled, reviews, without_spaces, write_table

COUNTS = {"good": 60, "bad": 90}
LESS = (
    (learning_curve, "SHARES", (1 / 2, 1.0)),
    (learning_curve, "DRAWS", 1),
    (text_study, "RATES", (0.01,)),
    (text_study, "_MOST_EPOCHS", 8),
    (text_study, "MOST_ENCODED", 0),
)
"""These texts need no more; what the heads tell has tests of its own."""


@dataclass(kw_only=True)
class Desk:
    """Where a reader fits: a table, a workspace, and what was done on the way."""

    table: Path
    home: Path
    kept: Kept = field(default_factory=Kept)
    trained: list[Path] = field(default_factory=list)
    less: Sequence[tuple[Any, str, Any]] = LESS

    @property
    def settings(self) -> Settings:
        return read_settings({"FORTYDAYS_HOME": str(self.home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"})

    def fit(self, **asked: Any) -> Fitted:
        request = FitRequest(**{"source": str(self.table), "name": "reviews", **asked})
        with pytest.MonkeyPatch.context() as patch:
            for module, name, less in self.less:
                patch.setattr(module, name, less)
            patch.setattr(fitting, "register", self.kept.register)
            patch.setattr(fitting, "promote", self.kept.promote)
            return fit(
                request,
                self.settings,
                progress=SILENT,
                run_study=self.run_study,
                registry=lambda: self.kept,  # type: ignore[arg-type, return-value]
            )

    def run_study(self, study: Path, fresh: bool) -> tuple[RunFolder, dict[str, Any]]:
        from fortydays.days.loading import find_study, load_study
        from fortydays.study.runner import Request, run_study

        self.trained.append(study)
        source = load_study(find_study(str(study)), threads=1)
        return run_study(source, Request(), self.settings, progress=SILENT, fresh=fresh)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Fitted]:
    """One fit of texts of which four bear a wrong label."""
    place = tmp_path_factory.mktemp("texts")
    desk = Desk(table=write_table(place / "reviews.csv", reviews(COUNTS, mistaken=4)), home=place / "home")
    return desk, desk.fit()


def test_texts_are_learned_and_the_best_trial_is_registered(first: tuple[Desk, Fitted]) -> None:
    desk, done = first
    found = done.findings
    assert (found.noun, found.classes, found.model, found.alias) == ("text", ("bad", "good"), "reviews@1", "champion")
    assert found.backbone is None
    assert found.attention == ()
    assert found.test.images == sum(each.test for each in found.per_class) == 31
    assert found.test.accuracy >= 0.8
    assert found.chosen.variant in (LINEAR, CHARACTERS, EMBEDDED)
    (asked,) = desk.kept.registered
    assert (asked["name"], asked["variant"]) == ("reviews", found.chosen.variant)


class _StoppedError(Exception):
    """Stops a fit where it would begin to learn."""


def test_few_texts_are_warned_of_before_anything_is_learned(tmp_path: Path) -> None:
    class Told(type(SILENT)):  # type: ignore[misc]
        def __init__(self) -> None:
            self.warned: list[str] = []

        def warn(self, text: str) -> None:
            self.warned.append(text)

    def stopped(_study: Path, _fresh: bool) -> Any:
        raise _StoppedError

    told = {}
    for each in (3, 90):
        home, told[each] = tmp_path / f"home {each}", Told()
        table = write_table(tmp_path / f"{each}.csv", reviews({"good": each, "bad": each}))
        settings = read_settings({"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"})
        with pytest.raises(_StoppedError):
            fit(
                FitRequest(source=str(table), name="few"),
                settings,
                progress=told[each],
                run_study=stopped,
                registry=Kept,  # type: ignore[arg-type]
            )
    assert told[3].warned == [
        "6 texts are very few: with 2 to test on, the results prove nothing. Of about 100, 20 are tested on."
    ]
    assert not told[90].warned


def test_words_that_decide_are_those_of_the_class(first: tuple[Desk, Fitted]) -> None:
    found = first[1].findings
    for each in found.words:
        telling = [word.strip("_") for word, _ in each.words[:3]]
        assert all(any(part in word for word in TELLING[each.name]) for part in telling), telling
        assert [added for _, added in each.words] == sorted((added for _, added in each.words), reverse=True)


def test_wrong_labels_are_found_and_shown_with_their_texts(first: tuple[Desk, Fitted]) -> None:
    found = first[1].findings
    first_suspects = {each.file for each in found.label_errors[:4]}
    assert len(first_suspects & {"line 2", "line 3", "line 4", "line 5"}) >= 3
    assert all(each.text for each in found.label_errors)
    for each in found.mistakes:
        assert each.text
        assert each.because


def test_the_page_shows_texts_and_no_picture(first: tuple[Desk, Fitted]) -> None:
    def none(_row: int) -> Any:
        raise AssertionError("a text has no picture")

    page = make_page(first[1].findings, none)
    assert "A classifier of texts" in page
    assert "Words that decide" in page
    assert "data:image/jpeg" not in page
    assert "photograph" not in page
    assert "Of 31 texts that it had never seen" in sentence("headline", first[1].findings)


def test_the_same_request_is_over_at_once(first: tuple[Desk, Fitted]) -> None:
    desk, done = first
    trained = len(desk.trained)
    again = desk.fit()
    assert again.reused
    assert again.findings == done.findings
    assert len(desk.trained) == trained


def test_the_table_is_as_it_was_and_has_nothing_beside_it(first: tuple[Desk, Fitted]) -> None:
    assert [path.name for path in sorted(first[0].table.parent.iterdir())] == ["home", "reviews.csv"]


def test_another_table_of_the_same_name_is_refused(first: tuple[Desk, Fitted], tmp_path: Path) -> None:
    other = write_table(tmp_path / "reviews.csv", reviews(COUNTS, seed=7))
    with pytest.raises(UsageError) as raised:
        first[0].fit(source=str(other))
    assert "holds other texts" in raised.value.message
    assert "--name" in raised.value.hint


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"backbone": "mobilenetv2-1.0"}, "--backbone is for photographs, and these are texts."),
        ({"fine_tune": True, "fixed_camera": True}, "--fine-tune and --fixed-camera are for photographs"),
        ({"label": "stars"}, "There is no column 'stars' of reviews.csv"),
    ],
)
def test_options_that_do_not_fit_are_refused(asked: dict[str, Any], said: str, tmp_path: Path) -> None:
    desk = Desk(table=write_table(tmp_path / "reviews.csv", reviews(COUNTS)), home=tmp_path / "home")
    with pytest.raises(UsageError) as raised:
        desk.fit(**asked)
    assert said in raised.value.message


def test_columns_of_a_folder_of_photographs_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").write_bytes(b"")
    desk = Desk(table=tmp_path, home=tmp_path / "home")
    with pytest.raises(Exception, match="no text with a label"):
        desk.fit(text="text")


# ---------------------------------------------------------------------------------------------------------- the study


TAKES = Ngrams(length=64, longest=2, vocabulary=("good", "bad"), weights=(1.0, 1.0))


def plan_of(**asked: Any) -> tuple[TextPlan, list[str]]:
    usual = {"texts": 1_000, "classes": 2, "seconds": None, "target": None, "balanced": False, "threads": 2}
    return planned(TAKES, **{**usual, **asked})


def test_both_variants_are_tried_where_there_is_time() -> None:
    plan, notes = plan_of()
    assert (plan.embedded, plan.rates, notes) == (True, RATES, [])


def test_runs_of_characters_are_tried_on_short_texts_where_there_is_time() -> None:
    plan, notes = plan_of(runs=(SHORT, 512))
    assert (plan.characters, plan.embedded, notes) == (True, True, [])
    assert not plan_of()[0].characters
    assert not plan_of(runs=(SHORT + 1, 512))[0].characters
    plan, notes = plan_of(texts=100_000, seconds=310.0, runs=(100, 512))
    assert (plan.characters, plan.embedded) == (False, False)
    assert notes[0].startswith("Runs of characters are not tried: all would take about ")
    plan, _ = plan_of(texts=20_000, seconds=109.0, runs=(50, 64))
    assert (plan.characters, plan.embedded) == (True, False)


def test_with_less_time_less_is_tried_and_that_is_said() -> None:
    plan, notes = plan_of(texts=100_000, seconds=310.0)
    assert (plan.embedded, plan.rates) == (False, RATES)
    assert notes[0].startswith("Embeddings are not tried: all would take about ")
    plan, notes = plan_of(texts=100_000, seconds=10.0)
    assert (plan.embedded, plan.rates) == (False, FEW_RATES)
    assert notes[1] == "One learning rate is used, 0.003: there is no time to try others."


def test_the_study_is_python_that_says_what_is_tried() -> None:
    texts = own.OwnExamples(
        collection="reviews", kind=own.TEXTS, digest="0123456789abcdef" * 4, side=0, classes=("bad", "good"),
        paths=tuple(map(str, range(10))), contents=tuple(map(str, range(10))),
        labels=np.array([0] * 7 + [1] * 3), splits=np.array([0] * 4 + [1, 2, 2] + [0, 1, 2]), rows=np.arange(10),
    )  # fmt: skip
    plan = TextPlan(embedded=True, rates=RATES, target=0.9, balanced=True)
    text = written(texts, TAKES, plan)
    compile(text, "study.py", "exec")
    assert 'dataset="own:reviews@0123456789ab"' in text
    assert 'class_weights="balanced"' in text
    assert "LENGTH, NGRAMS = 64, 4" in text
    assert text.count("is right on at least 90% of the test texts") == 2
    assert "at_least=0.8" in text
    assert CHARACTERS not in text
    assert EMBEDDED not in written(texts, TAKES, TextPlan(embedded=False, rates=RATES, target=None, balanced=False))
    runs = Ngrams(length=80, longest=5, vocabulary=(" go",), weights=(1.0,), units="characters")
    text = written(texts, TAKES, plan, runs)
    compile(text, "study.py", "exec")
    assert f'name="{CHARACTERS}",\n            model=linear_ngrams(80, 3, CLASSES),' in text
    assert 'recipe=RECIPE.replace(units="characters"),' in text
    assert text.count("is right on at least 90% of the test texts") == 3


# --------------------------------------------------------------------------------------------------------- the units


SETS = {
    "misspelled": misspelled(reviews({"good": 150, "bad": 150})),
    "without spaces": without_spaces({"good": 150, "bad": 150}),
}


def head_accuracy(counted: Counted, texts: list[str], labels: np.ndarray) -> float:
    """Of a linear model on the n-grams of the first 200 texts, for the others."""
    train = np.arange(200)
    takes, lookup = learn_vocabulary(counted, train, labels[train], classes=2)
    encoded = [takes.encode(text) for text in texts]
    # What a service makes of a text is what was learned from.
    for place, each in enumerate(encoded):
        learned = takes.arrays_of(lookup.numbers(counted.keys(place)))
        assert all(np.array_equal(learned[name], each[name]) for name in learned)
    features = sparse({name: np.stack([each[name] for each in encoded]) for name in encoded[0]}, takes.size)
    answered = SPARSE.learned(features, labels, train, features[200:], classes=2, spread=30.0)
    return float(np.mean(answered.argmax(axis=1) == labels[200:]))


@pytest.mark.parametrize("name", SETS)
def test_runs_of_characters_say_more_of_some_texts_than_words(name: str) -> None:
    texts, labels = [text for text, _ in SETS[name]], np.array([int(label == "good") for _, label in SETS[name]])
    words, runs = head_accuracy(Numbered(texts), texts, labels), head_accuracy(Runs(texts), texts, labels)
    assert runs >= 0.95
    assert runs >= words + 0.03


def test_the_runs_that_are_counted_are_those_of_the_text() -> None:
    texts = ["A caf\u00e9 in \U0001f600 \u597d\u770b, isn\u2019t it?<br />", "Incomprehensible", "x", "x x x"]
    runs = Runs(texts)
    for place, text in enumerate(texts):
        named = runs.most_frequent(runs.keys(place), np.ones(len(runs.keys(place)), np.int64), np.array([place]))
        assert {run for _, run, _ in named} == set(runs_of(text))
    assert usual_runs(["ab", "ab", "abc"])[0] == len(set(runs_of("ab")))


@pytest.mark.slow
def test_a_fit_chooses_runs_of_characters_where_words_are_misspelled(tmp_path: Path) -> None:
    table = write_table(tmp_path / "reviews.csv", misspelled(reviews({"good": 300, "bad": 300})))
    desk = Desk(table=table, home=tmp_path / "home")
    found = desk.fit().findings
    assert found.chosen.variant == CHARACTERS
    assert found.test.accuracy >= 0.95
    assert all(each.words for each in found.words)
    assert any("_" in word for each in found.words for word, _ in each.words)


# --------------------------------------------------------------------------------------------------------- the heads


def test_heads_on_texts_tell_classes_apart_that_have_words_of_their_own() -> None:
    texts = ["good"] * 20 + ["bad"] * 20
    labels = np.array([0] * 20 + [1] * 20)
    features = sparse(TAKES.from_json(texts, Bounds()), TAKES.size)
    assert features.shape == (40, 4)
    assert features.indices.dtype == np.int32
    found = SPARSE.learned(features, labels, np.arange(40), features[[0, 39]], classes=2, spread=100.0)
    assert found.argmax(axis=1).tolist() == [0, 1]
    assert found.sum(axis=1) == pytest.approx([1, 1])
    alone = SPARSE.learned(features, labels, np.arange(20), features[:1], classes=2, spread=100.0)
    assert alone.tolist() == [[1, 0]]
