"""The journal's program of day 10 as plain Keras: MobileNetV2 frozen, augmentation in the model, ten epochs.

Usage: python bench/keras_flowers.py FOLDER

FOLDER has the folders train and val, each with one for each class. Prints one JSON line.
"""

import json
import sys
import time
from pathlib import Path

import keras
from keras import layers

from fortydays.base.settings import read_settings
from fortydays.data.weights import obtain

EPOCHS, BATCH, SIDE = 10, 32, 224


def main() -> None:
    """Train as the journal does, and look at the folder that was held out after the last epoch."""
    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    train, test = (
        keras.utils.image_dataset_from_directory(
            folder / part, image_size=(SIDE, SIDE), batch_size=BATCH, verbose=False
        )
        for part in ("train", "val")
    )
    classes = len(train.class_names)
    backbone = keras.applications.MobileNetV2((SIDE, SIDE, 3), include_top=False, weights=None)
    backbone.load_weights(obtain("mobilenetv2-1.0", read_settings()).path)
    backbone.trainable = False
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.Rescaling(1 / 127.5, offset=-1),
            backbone,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, epochs=EPOCHS, verbose=0)
    seconds = time.perf_counter() - began
    _, accuracy = model.evaluate(test, verbose=0)
    print(json.dumps({"seconds": seconds, "test_accuracy": accuracy}))


if __name__ == "__main__":
    main()
