"""The decoder of day 23: an LSTM that writes a caption word by word, with an encoder's features as its first state."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.tokens import words_of

if TYPE_CHECKING:
    import keras

WIDTH = 192
"""Numbers of a word's vector, and units of the LSTM."""

PADDING, UNKNOWN, START, END, FIRST_WORD = range(5)
"""The tokens before those of words: fills up, a rare word, begins a caption, ends it."""

FEWEST_TIMES = 2
"""How often a word must occur in the training captions to get a token."""

LONGEST = 16
"""Words of a caption that is learned from, or written: more are cut off."""

DROPOUT = 0.5
LEARNING_RATE = 0.002
BATCH = 64
EPOCHS = 12


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The words of the training captions that have a token, the most frequent first."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, captions: Sequence[Sequence[str]]) -> "Vocabulary":
        """The words that captions, each a list of words, have at least :data:`FEWEST_TIMES`."""
        counts = Counter(word for words in captions for word in words)
        return cls(
            words=tuple(sorted((w for w in counts if counts[w] >= FEWEST_TIMES), key=lambda w: (-counts[w], w)))
        )

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return FIRST_WORD + len(self.words)

    def tokens(self, captions: Sequence[Sequence[str]]) -> NDArray[np.int32]:
        """Captions from START to END, filled up behind: int32, shape (captions, LONGEST + 2)."""
        token_of = {word: FIRST_WORD + place for place, word in enumerate(self.words)}
        found = np.full((len(captions), LONGEST + 2), PADDING, np.int32)
        for row, words in zip(found, captions, strict=True):
            tokens = [START, *(token_of.get(word, UNKNOWN) for word in words[:LONGEST]), END]
            row[: len(tokens)] = tokens
        return found

    def caption(self, tokens: Sequence[int]) -> list[str]:
        """The words of tokens, up to the end."""
        written = list(tokens)
        written = written[: written.index(END)] if END in written else written
        return [self.words[token - FIRST_WORD] for token in written if token >= FIRST_WORD]


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoder:
    """One network in three forms, which share their weights.

    Attributes:
        whole: from features, float32 (n, features), and tokens, int32 (n, length), to the probabilities of the token
            behind each of them, float32 (n, length, tokens). It is trained.
        begin: from features to the first state: two arrays, float32 (n, WIDTH).
        step: from a token, int32 (n,), and a state to the probabilities of the next token, float32 (n, tokens), and
            the next state. It writes, and it is what is exported.
    """

    whole: "keras.Model"
    begin: "keras.Model"
    step: "keras.Model"


def build(*, features: int, tokens: int) -> Decoder:
    """A decoder with random weights.

    Args:
        features: numbers that an encoder makes of a photograph.
        tokens: how many there are.
    """
    import keras
    from keras import layers

    seen = keras.Input((features,), name="features")
    image = layers.Dropout(DROPOUT)(layers.LayerNormalization()(seen))
    h = layers.Dense(WIDTH, activation="tanh")(image)
    c = layers.Dense(WIDTH, activation="tanh")(image)

    said = keras.Input((None,), dtype="int32", name="tokens")
    embedding, lstm = layers.Embedding(tokens, WIDTH), layers.LSTM(WIDTH, return_sequences=True)
    answer = layers.Dense(tokens, activation="softmax")
    read = lstm(layers.Dropout(DROPOUT)(embedding(said)), initial_state=[h, c])
    whole = keras.Model([seen, said], answer(layers.Dropout(DROPOUT)(read)))

    # One step of the LSTM is its cell: no loop, so that the exported graph has none either.
    token = keras.Input((), dtype="int32", name="token")
    before = [keras.Input((WIDTH,), name=name) for name in ("h", "c")]
    output, after = lstm.cell(embedding(token), before)
    step = keras.Model([token, *before], [answer(output), *after])
    return Decoder(whole=whole, begin=keras.Model(seen, [h, c]), step=step)


def train(
    decoder: Decoder,
    *,
    train: tuple[NDArray[np.float32], NDArray[np.int32]],
    validation: tuple[NDArray[np.float32], NDArray[np.int32]],
    random: np.random.Generator,
    epochs: int = EPOCHS,
) -> list[tuple[float, float]]:
    """Train a decoder on pairs of features and tokens, and keep the weights of the best epoch on the validation pairs.

    Args:
        decoder: is changed.
        train: features, float32 (captions, features), and tokens from :meth:`Vocabulary.tokens`.
        validation: the same of the photographs that choose the epoch.
        random: draws the order of each epoch.
        epochs: at most; the rate falls to zero along half a cosine.

    Returns:
        Of each epoch, the mean cross-entropy of a token in training (with dropout) and in validation.
    """
    import keras

    features, tokens = train
    steps = len(tokens) // BATCH or 1
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps * epochs)
    decoder.whole.compile(
        keras.optimizers.Adam(rate, clipnorm=5.0), keras.losses.SparseCategoricalCrossentropy(ignore_class=PADDING)
    )
    best, kept, history = np.inf, decoder.whole.get_weights(), []
    for _ in range(epochs):
        order, losses = random.permutation(len(tokens)), []
        for batch in np.array_split(order[: steps * BATCH], steps):
            told = decoder.whole.train_on_batch([features[batch], tokens[batch, :-1]], tokens[batch, 1:])
            losses.append(float(told))
        loss = loss_of(decoder, *validation)
        history.append((float(np.mean(losses)), loss))
        if loss < best:
            best, kept = loss, decoder.whole.get_weights()
    decoder.whole.set_weights(kept)
    return history


def loss_of(decoder: Decoder, features: NDArray[np.float32], tokens: NDArray[np.int32]) -> float:
    """The mean cross-entropy of a token behind those before it, padding left out."""
    found = []
    for start in range(0, len(tokens), BATCH):
        some = tokens[start : start + BATCH]
        probabilities = np.asarray(decoder.whole.predict_on_batch([features[start : start + BATCH], some[:, :-1]]))
        right = np.take_along_axis(probabilities, some[:, 1:, np.newaxis], axis=-1)[..., 0]
        found.append(-np.log(np.maximum(right[some[:, 1:] != PADDING], 1e-12)))
    return float(np.mean(np.concatenate(found)))


def in_words(captions: Sequence[Sequence[str]]) -> list[list[list[str]]]:
    """The captions of photographs, each as its words in lower case."""
    return [[words_of(caption) for caption in of_one] for of_one in captions]
