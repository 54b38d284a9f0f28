"""Recipes that do without an augmentation compile to the program they compiled to before it existed.

The digests were recorded by running this file (``PYTHONPATH=tests python tests/train/test_unchanged_programs.py``) at
the commit before rotation, zoom, contrast, mixup and class weights came. A digest is of all that decides a trial's
bits on a machine: what is drawn for each image, the pixels that are shown, and every operation of the compiled steps
with its constants.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from tiny_training import RECIPE, convolutional, linear, made_up_data, penalized, with_dropout

from fortydays.train.augmentation import Augmentation, draws_of_epoch
from fortydays.train.backends import tensorflow_layers
from fortydays.train.order import batches_of_epoch
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

CASES: Mapping[str, tuple[Callable[[], Any], Recipe]] = {
    "dense": (linear, RECIPE),
    "dense, smoothed and penalized": (penalized, RECIPE.replace(label_smoothing=0.1)),
    "dense, mirrored": (with_dropout, RECIPE.replace(flip="random")),
    "convolutional": (convolutional, RECIPE),
    "convolutional, mirrored, shifted and covered": (
        convolutional,
        RECIPE.replace(flip="alternating", shift=2, cutout=3, optimizer="sgd", loss="mean_squared_error"),
    ),
    "convolutional, shifted in bfloat16": (convolutional, RECIPE.replace(shift=1, precision="bfloat16")),
}

PIXELS: Mapping[str, str] = {
    "dense": "88311c0453cf22c6",
    "dense, smoothed and penalized": "88311c0453cf22c6",
    "dense, mirrored": "05f12563f6b0aca9",
    "convolutional": "88311c0453cf22c6",
    "convolutional, mirrored, shifted and covered": "ec16fc78bcfeb12e",
    "convolutional, shifted in bfloat16": "a38e7981c352b94b",
}
"""By case: what is drawn for an epoch and shown of its first batch, the same on every backend and machine."""

PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "tensorflow 2.21.0, keras 3.15.1": {
        "dense": "e527023b4cda1143",
        "dense, smoothed and penalized": "549be08d9cfd85c3",
        "dense, mirrored": "dbb94f0f9edb3f92",
        "convolutional": "d78edf1f26a04186",
        "convolutional, mirrored, shifted and covered": "82bb716d83801be8",
        "convolutional, shifted in bfloat16": "0b210407d8ca4327",
    },
    "jax 0.10.2, keras 3.15.1": {
        "dense": "cb88f11cad79d72a",
        "dense, smoothed and penalized": "13ed2df95c593c9e",
        "dense, mirrored": "f6c2f378d824ab88",
        "convolutional": "a9beb2c2eb27fa26",
        "convolutional, mirrored, shifted and covered": "843c4d10ba175cff",
        "convolutional, shifted in bfloat16": "fb78c7aa61c9d952",
    },
}
"""By backend with its version, and by case: the compiled steps."""


def data_for(builder: Callable[[], Any]) -> Any:
    return made_up_data(channels=(1,) if builder is convolutional else ())


def pixels(case: str) -> str:
    builder, recipe = CASES[case]
    data = data_for(builder)
    train, augmentation = data.train, Augmentation.of(data.input, recipe, data.train.inputs)
    digest = hashlib.sha256()
    for epoch in (0, 3):
        order = batches_of_epoch(seed=5, epoch=epoch, examples=len(train), batch_size=recipe.batch_size)
        shape = train.array.shape[1:]
        drawn = draws_of_epoch(recipe, seed=5, epoch=epoch, order=order, examples=len(train), shape=shape)
        seen = augmentation.augmented(train.rows(order[0]).inputs, drawn[0])
        digest.update(str((drawn.dtype, drawn.shape)).encode() + drawn.tobytes())
        # Dividing by 255, the backends differ in the last bit.
        digest.update(np.rint(255_000 * np.array(seen, np.float64)).astype(np.int32).tobytes())
    return digest.hexdigest()[:16]


def program(case: str) -> str:
    import keras

    # What these hold was traced for the shapes of other tests too, and is looser then.
    for traced in (tensorflow_layers._dropped, tensorflow_layers._gelu, tensorflow_layers._gelu_slope):
        traced.cache_clear()
    builder, recipe = CASES[case]
    trainer = Trainer(builder=builder, recipe=recipe, data=data_for(builder))
    text = {"tensorflow": tensorflow_program, "jax": jax_program}[keras.backend.backend()](trainer, recipe)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def given(trainer: Trainer, recipe: Recipe) -> tuple[Any, ...]:
    """What a call of the compiled steps is given: order, draws, rates, and which steps to do."""
    steps = trainer.steps_per_epoch
    order = np.zeros((steps, recipe.batch_size), np.int32)
    return (
        order,
        trainer._drawn(recipe, seed=0, epoch=0, order=order),
        np.zeros(steps, np.float32),
        np.int32(0),
        np.int32(0),
    )


def tensorflow_program(trainer: Trainer, recipe: Recipe) -> str:
    """Every operation of the graph and of the functions it calls, without the names that TensorFlow made up."""
    import tensorflow as tf

    arguments = [tf.constant(value) for value in given(trainer, recipe)]
    graph = trainer._epoch._run.get_concrete_function(*arguments).graph.as_graph_def()  # type: ignore[attr-defined]
    functions = {f.signature.name: f for f in graph.library.function}

    def lines(arguments: list[str], nodes: Any) -> Iterator[str]:
        places = {name: str(i) for i, name in enumerate([*arguments, *(node.name for node in nodes)])}
        for node in nodes:
            inputs = [":".join([places[n.lstrip("^")], *rest]) for n, *rest in (i.split(":") for i in node.input)]
            attributes = [f"{k}={told(v)}" for k, v in sorted(node.attr.items()) if not k.startswith("_")]
            yield f"{node.op}({', '.join(inputs)}) {' '.join(attributes)}"

    def told(attribute: Any) -> str:
        called = [attribute.func.name] if attribute.HasField("func") else [f.name for f in attribute.list.func]
        if not called:
            return str(attribute).replace("\n", " ")
        found = [functions[name] for name in called if name]
        return str([list(lines([a.name for a in f.signature.input_arg], f.node_def)) for f in found])

    return "\n".join(lines([], graph.node))


def jax_program(trainer: Trainer, recipe: Recipe) -> str:
    """The program as it is given to XLA."""
    order, drawn, *rest = given(trainer, recipe)
    groups = (trainer.model.trainable_variables, trainer.model.non_trainable_variables, trainer.optimizer.variables)
    state = tuple([v.value for v in group] for group in groups)
    train = trainer._backend.on_device(trainer._data.train)
    lowered = trainer._epoch._run.lower(state, train.inputs, train.labels, order, drawn, *rest)  # type: ignore[attr-defined]
    return str(lowered.as_text())


def backend_and_version(keras: Any) -> str:
    import importlib.metadata

    name = keras.backend.backend()
    package = {"tensorflow": "tensorflow-cpu", "jax": "jax"}[name]
    return f"{name} {importlib.metadata.version(package)}, keras {keras.__version__}"


@pytest.mark.parametrize("case", CASES)
def test_draws_and_pixels_are_those_of_before(case: str, keras: Any) -> None:
    assert pixels(case) == PIXELS[case]


@pytest.mark.parametrize("case", CASES)
def test_the_compiled_steps_are_those_of_before(case: str, keras: Any) -> None:
    recorded = PROGRAMS.get(backend_and_version(keras))
    if recorded is None:
        pytest.skip(f"recorded with {', '.join(PROGRAMS)}; another version may compile other operations")
    assert program(case) == recorded[case]


if __name__ == "__main__":
    from fortydays.train.framework import load_keras

    loaded = load_keras(threads=1)
    print(json.dumps({case: pixels(case) for case in CASES}, indent=4))
    print(json.dumps({backend_and_version(loaded): {case: program(case) for case in CASES}}, indent=4))
