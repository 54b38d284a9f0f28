"""The journal's programs as plain Keras: what the engine is measured against. Prints one JSON line.

Usage: python bench/plain_keras.py day1|day3 ARRAYS.npz

The arrays are on disk before the clock of any program starts, for both sides.
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers


def network() -> keras.Model:
    """The network of days 1 and 3."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def train(optimizer: str | keras.optimizers.Optimizer, batch_size: int, arrays: dict[str, np.ndarray]) -> dict:
    """Fit for five epochs with Keras's own settings; the validation split is looked at once an epoch."""
    model = network()
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    began = time.perf_counter()
    model.fit(
        arrays["train_images"] / 255.0,
        arrays["train_labels"],
        epochs=5,
        batch_size=batch_size,
        validation_data=(arrays["validation_images"] / 255.0, arrays["validation_labels"]),
        verbose=0,
    )
    seconds = time.perf_counter() - began
    _, accuracy = model.evaluate(arrays["test_images"] / 255.0, arrays["test_labels"], verbose=0)
    return {"train_seconds": seconds, "test_accuracy": accuracy}


def main() -> None:
    """Run one of the programs."""
    what, path = sys.argv[1:]
    arrays = dict(np.load(path))
    keras.utils.set_random_seed(0)
    if what == "day1":
        results = [train("adam", 32, arrays)]
    else:
        momentum = keras.optimizers.SGD(momentum=0.9)
        results = [train(optimizer, 64, arrays) for optimizer in ("sgd", momentum, "rmsprop", "adam")]
    print(json.dumps({"train_seconds": sum(r["train_seconds"] for r in results), "results": results}))


if __name__ == "__main__":
    main()
