"""Networks that read reviews in plain Keras, and through the engine: texts a second. Prints one JSON line.

Usage: python bench/keras_words.py keras|engine NETWORK LENGTH TEXTS EPOCHS

Both train the same network on the same texts of IMDB, filled up to LENGTH words, in batches of 32 by Adam. The first
epoch, in which both compile or warm up, is left out.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fortydays.base.settings import read_settings
from fortydays.data import library
from fortydays.data.arrays import Reading, TrainingData
from fortydays.inputs.tokens import FIRST_WORD, TOKENS
from fortydays.models.words import mean_of_words
from fortydays.train.framework import load_keras
from fortydays.train.recipe import Recipe

WORDS, WIDTH, BATCH = 10_000, 64, 32


def network(name: str) -> Callable[[], Any]:
    """What builds the network of this name: ``lstm``, ``simple rnn``, ``all states`` or ``mean of words``."""

    def build() -> Any:
        import keras
        from keras import layers

        tokens = keras.Input((None,), dtype="int32")
        vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
        if name == "mean of words":
            read = mean_of_words(vectors, tokens)
        elif name == "all states":
            read = mean_of_words(layers.SimpleRNN(WIDTH, return_sequences=True)(vectors), tokens)
        else:
            read = {"lstm": layers.LSTM, "simple rnn": layers.SimpleRNN}[name](WIDTH)(vectors)
        return keras.Model(tokens, layers.Dense(2, activation="softmax")(read))

    return build


def plain(build: Callable[[], Any], tokens: Any, labels: Any, *, epochs: int) -> float:
    """Seconds of each epoch after the first, by ``keras.Model.fit``."""
    import keras

    keras.utils.set_random_seed(0)
    model = build()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    marks: list[float] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))  # noqa: ARG005
    model.fit(tokens, labels, batch_size=BATCH, epochs=epochs, callbacks=[watch], verbose=0)
    return (marks[-1] - marks[0]) / (epochs - 1)


def ours(build: Callable[[], Any], data: TrainingData, *, epochs: int) -> float:
    """Seconds of each epoch after the first, looks at a small validation split included."""
    from fortydays.train.trainer import Trainer

    recipe = Recipe(epochs=epochs, batch_size=BATCH, optimizer="adam", learning_rate=0.001)
    history = Trainer(builder=build, recipe=recipe, data=data).train(seed=0).history.points
    return (history[-1].seconds - history[0].seconds) / (epochs - 1)


def main() -> None:
    """Measure one setting."""
    who, name, *numbers = sys.argv[1:]
    length, count, epochs = map(int, numbers)
    settings = read_settings()
    load_keras(threads=settings.threads)
    training = library.load("imdb", settings).read_as(Reading(vocabulary=WORDS, length=length)).training
    train = training.train.rows(slice(count))
    if who == "keras":
        tokens = np.ascontiguousarray(train.inputs[TOKENS])
        seconds = plain(network(name), tokens, np.asarray(train.labels), epochs=epochs)
    else:
        data = dataclasses.replace(training, train=train, validation=train.rows(slice(100)))
        seconds = ours(network(name), data, epochs=epochs)
    print(json.dumps({"texts_per_second": (count // BATCH) * BATCH / seconds}))


if __name__ == "__main__":
    main()
