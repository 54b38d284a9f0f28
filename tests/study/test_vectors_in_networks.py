"""Networks that begin with pretrained vectors of words, and what there is to see in an embedding."""

from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.input import Input
from fortydays.inputs.numbers import Numbers
from fortydays.inputs.tokens import TOKENS, Tokens
from fortydays.study import word_vectors
from fortydays.study.design import Measure, Shown, Variant
from fortydays.study.exhibit_document import Lines, Table
from fortydays.study.word_vectors import (
    cosine_of_pairs,
    covered_share,
    nearest,
    principal_plane,
    vectors_in,
    with_vectors,
)
from fortydays.study.words_shown import map_of_words, nearest_words
from fortydays.tasks.classification import Classification
from fortydays.train.recipe import Recipe

TEXT = Tokens(length=4, vocabulary=("good", "bad", "film"))
GLOVE = "glove-6b-50d"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """GloVe is made up: "good" has ones, "bad" twos, and "film" is missing."""

    def made_up(_name: str, words: tuple[str, ...], *_: Any) -> tuple[np.ndarray, np.ndarray]:
        values = np.array([{"good": 1, "bad": 2}.get(word, 0) for word in words], np.float32)
        return np.tile(values[:, None], 50), values > 0

    monkeypatch.setattr(word_vectors, "vectors_of_words", made_up)
    return read_settings({})


def network(keras: Any, table: np.ndarray) -> Any:
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(*table.shape)
    summed = keras.ops.sum(embedding(tokens), axis=1)
    model = keras.Model(tokens, keras.layers.Dense(2, activation="softmax")(summed))
    embedding.set_weights([table.astype(np.float32)])
    return model


def data(input: Input = TEXT) -> TrainingData:
    texts = Split(inputs={TOKENS: np.zeros((1, 4), np.int32)}, labels=np.zeros(1, np.uint8))
    return TrainingData(input=input, task=Classification(classes=2), train=texts, validation=texts)


def test_an_embedding_begins_with_the_vectors_of_its_words(keras: Any, settings: Settings) -> None:
    build = with_vectors(lambda: network(keras, np.full((5, 50), 7)), GLOVE, TEXT, settings)

    # What fills up, an unknown word, good, bad, and film, which has no vector.
    assert vectors_in(build())[:, 0].tolist() == [0, 0, 1, 2, 0]
    assert covered_share(build(), np.array([[0, 2, 3, 4], [1, 2, 2, 2]])) == 5 / 7


def test_without_a_name_nothing_is_changed(keras: Any, settings: Settings) -> None:
    def build() -> Any:
        return network(keras, np.full((5, 50), 7))

    assert with_vectors(build, "", TEXT, settings) is build


def test_vectors_that_do_not_fit_are_refused(keras: Any, settings: Settings) -> None:
    with pytest.raises(UsageError) as raised:
        with_vectors(lambda: network(keras, np.ones((5, 8))), GLOVE, TEXT, settings)()
    assert raised.value.message == (
        "The model has no embedding of shape (5, 50) for the vectors of 'glove-6b-50d'; it has: (5, 8)."
    )
    assert raised.value.hint == "Begin it with layers.Embedding(5, 50)."
    with pytest.raises(UsageError, match="Vectors of words are for texts in tokens, but the examples are numbers"):
        with_vectors(lambda: network(keras, np.ones((5, 50))), GLOVE, Numbers(shape=(3,)), settings)


def test_a_variant_with_vectors_that_there_are_not_or_with_features_is_refused(keras: Any) -> None:
    with pytest.raises(UsageError, match="There is no collection of vectors of words 'glove'"):
        Variant(name="a", model=lambda: network(keras, np.ones((5, 50))), recipe=Recipe(epochs=1), vectors="glove")


def test_the_cosine_of_pairs_leaves_out_pairs_with_a_word_that_is_not_there(keras: Any) -> None:
    model = network(keras, np.array([[0, 0], [0, 0], [2, 0], [-3, 0], [0, 1]]))
    assert cosine_of_pairs((("good", "bad"),))(model, data()) == pytest.approx(-1)
    assert cosine_of_pairs((("good", "bad"), ("good", "film"), ("good", "dull")))(model, data()) == pytest.approx(-0.5)
    assert cosine_of_pairs((("good", "dull"),))(model, data()) == 0.0
    with pytest.raises(UsageError, match="Only texts in tokens have words to look at, but the examples are numbers"):
        cosine_of_pairs((("good", "bad"),))(model, data(Numbers(shape=(3,))))


def test_a_measure_with_data_is_given_all_that_training_may_see(keras: Any) -> None:
    seen = data()
    measure = Measure(name="m", variants=("a",), function=lambda model, given: float(given is seen), data=True)
    assert measure.of(network(keras, np.ones((5, 2))), seen) == 1.0
    with pytest.raises(UsageError, match="The measure 'm' has data=True and labels=True"):
        Measure(name="m", variants=("a",), function=lambda *_: 0.0, data=True, labels=True)


def test_the_nearest_vectors_are_those_with_the_largest_cosines() -> None:
    vectors = np.array([[1, 0], [10, 1], [0, 5], [-1, 0], [0, 0]], np.float32)
    found = nearest(vectors, 0, 9)
    assert [place for place, _ in found] == [1, 2, 4, 3]  # a vector of zeros has the cosine 0 to all
    assert [cosine for _, cosine in found] == pytest.approx([10 / 101**0.5, 0, 0, -1])


def test_the_first_direction_of_a_map_is_that_of_the_largest_differences() -> None:
    # They differ by 4 along the second number, by 2 along the third, and never along the first.
    vectors = np.array([[9, 2, 0], [9, -2, 0], [9, 0, 1], [9, 0, -1]], np.float32)
    assert principal_plane(vectors) == pytest.approx(np.array([[2, 0], [-2, 0], [0, 1], [0, -1]]), abs=1e-6) or (
        principal_plane(vectors) == pytest.approx(np.array([[2, 0], [-2, 0], [0, -1], [0, 1]]), abs=1e-6)
    )


def shown(keras: Any) -> Shown:
    table = np.array([[9, 9], [9, 9], [1, 0], [-1, 0.1], [1, 0.2]])
    return Shown(
        variant="learned",
        seed=3,
        model=network(keras, table),
        input=TEXT,
        test=data().validation,
        probabilities=np.full((1, 2), 0.5, np.float32),
        classes=("negative", "positive"),
    )


def test_a_table_tells_the_nearest_words_of_those_that_are_known(keras: Any) -> None:
    found = nearest_words(variant="learned", words=("good", "unheard"), count=2, title="Near").make(shown(keras))
    assert found["rows"] == [["good", "film 0.98, bad -1.00"]]
    assert "Of the 3 most frequent words" in found["caption"]
    Table(**{name: value for name, value in found.items() if name != "rows"}, rows=tuple(map(tuple, found["rows"])))


def test_a_map_has_a_labelled_point_for_each_known_word(keras: Any) -> None:
    groups = {"praise": ("good",), "blame": ("bad", "dull"), "things": ("film",), "none": ("unheard",)}
    found = map_of_words(variant="learned", groups=groups).make(shown(keras))
    assert [(line["name"], line["labels"]) for line in found["lines"]] == [
        ("praise", ["good"]),
        ("blame", ["bad"]),
        ("things", ["film"]),
    ]
    good, bad, film = (line["x"][0] for line in found["lines"])
    assert good * bad < 0 < good * film
    assert "keeps 100% of their variance" in found["caption"]
    assert found["kind"] == Lines.kind
    with pytest.raises(UsageError, match="A map needs three words; the vocabulary has 1"):
        map_of_words(variant="learned", groups={"a": ("good", "x", "y")}).make(shown(keras))
