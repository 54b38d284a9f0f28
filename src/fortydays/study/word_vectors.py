"""Networks whose embedding begins with pretrained vectors of words, and what there is to see in an embedding."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import TrainingData
from fortydays.data.word_vectors import find_collection, vectors_of_words
from fortydays.inputs.input import Input
from fortydays.inputs.tokens import FIRST_WORD, PADDING, Tokens

if TYPE_CHECKING:
    import keras

    from fortydays.train.framework import ModelBuilder


def with_vectors(
    builder: "ModelBuilder", name: str, input: Input, settings: Settings, progress: Progress = SILENT
) -> "ModelBuilder":
    """A builder of the same models, whose embedding has the pretrained vectors of the input's words.

    The tokens that fill texts up and those of unknown words get zeros, and so do words without a vector. Whether the
    embedding is trained further is the model's to say. The vectors are read when a model is first built.

    Args:
        builder: of models with a ``keras.layers.Embedding`` that has a row for each token.
        name: of one of :data:`~fortydays.data.word_vectors.COLLECTIONS`; "" changes nothing.
        input: what the network is given.
        settings: the workspace.
        progress: told of the work.

    Raises:
        UsageError: there is no such collection, or the input is no text in tokens; when a model is built, it has no
            such embedding.
    """
    if not name:
        return builder
    width = find_collection(name).width
    if not isinstance(input, Tokens):
        raise UsageError(
            f"Vectors of words are for texts in tokens, but the examples are {input.KIND}.",
            hint="Leave the variant's vectors unset.",
        )
    text = input

    @cache
    def rows() -> NDArray[np.float32]:
        found, _ = vectors_of_words(name, text.vocabulary, settings, progress)
        return np.concatenate([np.zeros((FIRST_WORD, width), np.float32), found])

    def build() -> "keras.Model":
        model = builder()
        layer = next((each for each in _embeddings(model) if each.embeddings.shape == (text.size, width)), None)
        if layer is None:
            shapes = ", ".join(str(tuple(each.embeddings.shape)) for each in _embeddings(model)) or "none"
            raise UsageError(
                f"The model has no embedding of shape ({text.size}, {width}) for the vectors of {name!r}; it has: "
                f"{shapes}.",
                hint=f"Begin it with layers.Embedding({text.size}, {width}).",
            )
        layer.embeddings.assign(rows())
        return model

    return build


def _embeddings(model: "keras.Model") -> "list[keras.layers.Embedding]":
    import keras

    return [each for each in model._flatten_layers() if isinstance(each, keras.layers.Embedding)]


def vectors_in(model: "keras.Model") -> NDArray[np.float32]:
    """The vectors of all tokens in the first embedding of a model: float32, shape (tokens, width)."""
    import keras

    first = _embeddings(model)[0]
    return np.asarray(keras.ops.convert_to_numpy(first.embeddings), np.float32)


def covered_share(model: "keras.Model", tokens: NDArray[np.int32]) -> float:
    """A measure: the share of all tokens of texts, without those that fill up, whose vector is not zero.

    At the start of training this is how much of the texts a collection of vectors covers.
    """
    words = np.asarray(tokens)[np.asarray(tokens) != PADDING]
    return float(np.any(vectors_in(model) != 0, axis=1)[words].mean()) if len(words) else 0.0


def cosine_of_pairs(pairs: Sequence[tuple[str, str]]) -> "Callable[[keras.Model, TrainingData], float]":
    """A measure of a model and its data: the mean cosine of the vectors of pairs of words.

    A pair with a word that the vocabulary lacks is left out; without any pair the measure is 0.
    """

    def measure(model: "keras.Model", data: TrainingData) -> float:
        words = tokens_of_words(data.input)
        known = [(words[a], words[b]) for a, b in pairs if a in words and b in words]
        units = directions(vectors_in(model))
        return float(np.mean([units[a] @ units[b] for a, b in known])) if known else 0.0

    return measure


def directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1, shape (n, width); a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def nearest(vectors: NDArray[np.float32], place: int, count: int) -> list[tuple[int, float]]:
    """The places of the vectors with the largest cosines to one of them, and the cosines; itself is left out.

    Args:
        vectors: shape (n, width).
        place: of the one.
        count: at most how many.
    """
    units = directions(vectors)
    cosines = units @ units[place]
    cosines[place] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(count, len(vectors) - 1)]
    return [(int(each), float(cosines[each])) for each in order]


def principal_plane(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Principal component analysis: where vectors lie along the two directions in which they differ most.

    The first coordinate has the larger variance. Its sign, which is arbitrary, makes the first vector's not negative.

    Args:
        vectors: shape (n, width), at least two of each.

    Returns:
        float64, shape (n, 2), with mean zero.
    """
    centered = np.asarray(vectors, np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    found: NDArray[np.float64] = centered @ axes[:2].T
    return np.asarray(found * np.where(found[0] < 0, -1.0, 1.0))


def tokens_of_words(input: Input) -> dict[str, int]:
    """The token of each word of the vocabulary. Raises UsageError where the examples are no texts in tokens."""
    if not isinstance(input, Tokens):
        raise UsageError(f"Only texts in tokens have words to look at, but the examples are {input.KIND}.")
    return {word: token for token, word in enumerate(input.vocabulary, FIRST_WORD)}
