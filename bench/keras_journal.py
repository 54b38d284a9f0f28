"""The journal's programs of days 5 and 6 as plain Keras. Prints one JSON line.

Usage: python bench/keras_journal.py day5|day6
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers

from fortydays.base.settings import read_settings
from fortydays.data import library

EPOCHS = {"day5": 5, "day6": 15}
BATCH = 64


def network(day: str) -> keras.Model:
    """The journal's network of a day."""
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (32, 64):
        for _ in range(1 if day == "day5" else 2):
            model.add(layers.Conv2D(filters, 3, padding="same" if day == "day6" else "valid", activation="relu"))
        model.add(layers.MaxPooling2D(2))
        if day == "day6":
            model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(64 if day == "day5" else 512, activation="relu"))
    if day == "day6":
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    return model


def main() -> None:
    """Train one of them as the journal does, and look at the test split once, after the last epoch."""
    day = sys.argv[1]
    keras.utils.set_random_seed(0)
    dataset = library.load("cifar10", read_settings())
    train = dataset.training.train
    images, labels = np.asarray(train.array, np.float32) / 255, np.asarray(train.labels)
    model = network(day)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    began = time.perf_counter()
    model.fit(images, labels, epochs=EPOCHS[day], batch_size=BATCH, verbose=0)
    seconds = time.perf_counter() - began
    test = dataset.test.open()
    _, accuracy = model.evaluate(np.asarray(test.array, np.float32) / 255, test.labels, verbose=0)
    print(json.dumps({"train_seconds": seconds, "test_accuracy": accuracy}))


if __name__ == "__main__":
    main()
