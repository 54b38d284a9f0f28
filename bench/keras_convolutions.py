"""The convolutional days in plain Keras, and through the engine: images a second. Prints one JSON line.

Usage: python bench/keras_convolutions.py keras|engine DAY BATCH PRECISION STEPS_PER_EXECUTION IMAGES EPOCHS

The network is the headline variant of the day, without augmentation: what is compared is the training of the same
network on the same images in the same batches. The first epoch, in which both compile or warm up, is left out.
"""

import dataclasses
import json
import sys
import time
from typing import Any

import numpy as np

from fortydays.base.settings import read_settings
from fortydays.data import library
from fortydays.data.arrays import TrainingData
from fortydays.days.loading import find_study, load_study
from fortydays.train.framework import build_model, load_keras

HEADLINES = {"5": "convolution", "6": "blocks", "7": "both"}


def plain(builder: Any, images: Any, labels: Any, *, batch: int, precision: str, together: int, epochs: int) -> float:
    """Seconds of each epoch after the first, by ``keras.Model.fit`` on arrays scaled beforehand."""
    import keras

    scaled = images.astype(np.float32) / 255
    model = build_model(builder, seed=0, precision=precision, seen=lambda: scaled)
    model.compile(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=together,
    )
    marks: list[float] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))  # noqa: ARG005
    model.fit(scaled, labels, batch_size=batch, epochs=epochs, callbacks=[watch], verbose=0)
    return (marks[-1] - marks[0]) / (epochs - 1)


def ours(builder: Any, recipe: Any, data: TrainingData, *, batch: int, precision: str, epochs: int) -> float:
    """Seconds of each epoch after the first, looks at a validation split of one batch included."""
    from fortydays.train.trainer import Trainer

    changes = {"flip": "none", "shift": 0, "cutout": 0, "test_views": "none", "evaluate_every": None}
    recipe = recipe.replace(batch_size=batch, precision=precision, epochs=epochs, **changes)
    history = Trainer(builder=builder, recipe=recipe, data=data).train(seed=0).history.points
    return (history[-1].seconds - history[0].seconds) / (epochs - 1)


def main() -> None:
    """Measure one setting."""
    who, day, *numbers = sys.argv[1:]
    precision = numbers.pop(1)
    batch, together, count, epochs = map(int, numbers)
    settings = read_settings()
    load_keras(threads=settings.threads)
    study = load_study(find_study(day), threads=settings.threads).study
    variant = next(v for v in study.variants if v.name == HEADLINES[day])
    training = library.load(study.dataset, settings).training
    train = training.train.rows(slice(count))
    images, labels = np.ascontiguousarray(train.array), train.labels
    if who == "keras":
        seconds = plain(
            variant.model, images, labels, batch=batch, precision=precision, together=together, epochs=epochs
        )
    else:
        data = dataclasses.replace(training, train=train, validation=train.rows(slice(1000)))
        seconds = ours(variant.model, variant.recipe, data, batch=batch, precision=precision, epochs=epochs)
    print(json.dumps({"images_per_second": (count // batch) * batch / seconds}))


if __name__ == "__main__":
    main()
