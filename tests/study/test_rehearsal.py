"""A slip in a study's own code costs seconds and not the training; one that shows later costs one number."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_study
from tiny_study import PAIR, PLAIN, RECIPE, Watch, linear, source

from fortydays.base.arrays import load_arrays
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.days.loading import find_study, load_study
from fortydays.report.results import read_results
from fortydays.report.terminal import failures
from fortydays.study.claims import InEverySeed
from fortydays.study.design import Exhibit, Measure, Study, Variant
from fortydays.study.exhibits import first_filters
from fortydays.study.features import Features
from fortydays.study.rehearsal import rehearse
from fortydays.study.runner import Request, run_study
from fortydays.study.runs import RunState

FILE = """\
from keras import Input, Sequential, layers

from fortydays.study.design import Exhibit, Measure, Study, Variant
from fortydays.train.recipe import Recipe


def model():
    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


def sparsity(model, images):
    weights = model.get_weights()[0]
    return (weights == 0).mean()


def shown(trial):
    return {"kind": "text", "text": trial.classes[0]}


study = Study(
    title="Mine",
    dataset="digits",
    variants=(Variant(name="one", model=model, recipe=Recipe(epochs=1, batch_size=64, learning_rate=0.01)),),
    claims=(),
    seeds=(0,),
    measures=(Measure(name="sparsity", variants=("one",), function=sparsity),),
    exhibits=(Exhibit(variant="one", make=shown),),
)
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            ".mean()\n",
            ".mean(weight)\n",
            "The measure 'sparsity' of 'one' fails. mine.py, line 13: The name 'weight' is not defined.",
        ),
        (
            "return (weights",
            "return {}\n    (weights",
            "The measure 'sparsity' of 'one' fails. It gives dict; expected a number.",
        ),
        (
            "trial.classes[0]",
            "trial.classes[99]",
            "An exhibit of 'one' fails. mine.py, line 17: IndexError: tuple index out of range",
        ),
        (
            "trial.classes[0]",
            "trial.probabilities",
            "An exhibit of 'one' fails. TypeError: Object of type ndarray is not JSON serializable",
        ),
    ],
)
def test_a_slip_in_a_study_file_is_told_with_its_line_before_anything_is_trained(
    keras: Any, settings: Settings, tmp_path: Path, monkeypatch: Any, before: str, after: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert before in FILE
    (tmp_path / "mine.py").write_text(FILE.replace(before, after))
    found = load_study(find_study("mine.py"), threads=1)
    with pytest.raises(UsageError) as raised:
        run_study(found, Request(), settings, progress=Watch())
    assert raised.value.message.startswith(message)
    assert raised.value.hint == "It was called before training, on an untrained model, so nothing is lost."
    assert not settings.runs.exists()


def of_eleven() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(11, activation="softmax")])


def only_while_training() -> Any:
    from keras import Input, Sequential, layers, ops

    class Odd(layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if training:
                raise ValueError("never mind")
            return ops.abs(inputs)

    return Sequential([Input((8, 8)), Odd(name="odd"), layers.Flatten(), layers.Dense(10, activation="softmax")])


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (
            Variant(name="last", model=of_eleven, recipe=RECIPE),
            r"output has shape \(None, 11\); expected \(None, 10\)",
        ),
        (Variant(name="last", model=only_while_training, recipe=RECIPE), r"at the layer 'odd' \(Odd\): .*never mind"),
        (
            Variant(name="last", model=linear, recipe=RECIPE.replace(batch_size=50), examples=4),
            "The batch size is 50, but the training split has 40 images",
        ),
    ],
    ids=["shape", "layer", "batch"],
)
def test_a_mistake_in_the_last_variant_is_told_before_the_first_is_trained(
    keras: Any, settings: Settings, last: Variant, message: str
) -> None:
    study = Study(title="Two", dataset="digits", variants=(PLAIN, last), claims=(), seeds=(0,))
    with pytest.raises(UsageError, match=message):
        run_study(source(study), Request(), settings, progress=Watch())
    assert not settings.runs.exists()


def test_measures_and_exhibits_get_what_they_will_get_later(keras: Any, settings: Settings) -> None:
    dataset = library.load("digits", settings)
    seen: list[Any] = []

    def measure(model: Any, images: Any) -> float:
        seen.append((images.shape, images.dtype, model.predict_on_batch(images[:3]).shape))
        return float("nan")  # which an untrained model may well give

    def make(shown: Any) -> dict[str, Any]:
        seen.append((shown.variant, shown.test.array.shape, len(shown.test), shown.probabilities.shape))
        assert np.allclose(shown.probabilities.sum(axis=1), 1)
        return {}

    shape = (1, 1, 1280)

    def head() -> Any:
        return keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Normalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )

    features = Variant(name="head", model=head, recipe=RECIPE, features=Features(backbone="mobilenetv2-0.35", side=32))
    study = Study(
        title="Both",
        dataset="digits",
        variants=(PLAIN, features),
        claims=(),
        measures=(Measure(name="mine", variants=("linear", "head"), function=measure),),
        exhibits=(Exhibit(variant="head", make=make),),
    )
    rehearse(study, study.variants, dataset, threads=1)
    validation, train = len(dataset.training.validation), len(dataset.training.train)
    assert seen == [
        ((validation, 8, 8), np.uint8, (3, 10)),
        ((validation, *shape), np.float32, (3, 10)),
        ("head", (train, 8, 8), train, (train, 10)),
    ]
    seen.clear()
    rehearse(study, study.variants[:1], dataset, threads=1)
    assert len(seen) == 1


def test_an_exhibit_of_ours_that_does_not_fit_the_model_is_refused_with_its_reason(
    keras: Any, settings: Settings
) -> None:
    study = dataclasses.replace(tiny_study.study, exhibits=(first_filters(variant="linear"),))
    with pytest.raises(UsageError, match=r"^An exhibit of 'linear' fails\. The model of 'linear' "):
        run_study(source(study), Request(), settings, progress=Watch())


class _Screen:
    def text(self, said: str, *_: Any) -> str:
        return said


def test_a_measure_that_fails_after_training_and_a_model_that_keras_cannot_save_cost_themselves_alone(
    keras: Any, settings: Settings
) -> None:
    def of_untrained(model: Any, images: Any) -> float:
        weights = model.get_weights()[1]
        return 1.0 if not weights.any() else 1 / 0

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.function = function

        def call(self, inputs: Any) -> Any:
            return self.function(inputs)

    def model() -> Any:
        return keras.Sequential(
            [
                keras.Input((8, 8)),
                keras.layers.Flatten(),
                Own(object.__new__(type("Same", (), {"__call__": lambda self, x: x}))),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )

    study = Study(
        title="Late",
        dataset="digits",
        variants=(Variant(name="own", model=model, recipe=RECIPE),),
        claims=(InEverySeed(sentence="It is small", variant="own", metric="mine", at_most=1),),
        seeds=(0, 1),
        measures=(
            Measure(name="mine", variants=("own",), function=of_untrained),
            Measure(name="other", variants=("own",), function=lambda model, images: 3),
        ),
    )
    progress = Watch()
    run, evidence = run_study(source(study), Request(), settings, progress=progress)
    trial = evidence["trials"][0]
    assert trial["status"] == "finished"
    assert trial["error"] == "The measure 'mine' failed: ZeroDivisionError: division by zero."
    assert trial["metrics"]["other"] == 3
    assert trial["metrics"]["test_accuracy"] > 0.3
    assert "mine" not in trial["metrics"]
    folder = run.trial_of("own", 0)
    assert len(load_arrays(folder.weights)) == 2
    assert progress.warned[0] == f"own, seed 0: {trial['error']} The trial and its weights are kept: {folder.path}"
    assert progress.warned[-1].startswith("The best model is not kept as a file, its weights are: ")
    assert not run.best_model.exists()
    assert run.state() is RunState.FAILED
    assert evidence["variants"]["own"]["test_accuracy"]["n"] == 2
    assert [(c["verdict"], c["note"]) for c in evidence["claims"]] == [
        ("undecided", "2 of 2 trials failed, so the numbers are of the others only")
    ]
    told = [text for group in failures(read_results(evidence), _Screen()) for text in group.renderables]
    assert told[0] == f"✗ own, seed 0: {trial['error']}"


def test_multiply_adds_that_cannot_be_counted_are_told_before_training(tmp_path: Path) -> None:
    def of_any_size() -> Any:
        from keras import Input, Sequential, layers, ops

        def until_small(x: Any) -> Any:
            shrink = ops.eye(10) / 10
            return ops.while_loop(lambda x: ops.max(x) > 1, lambda x: (ops.matmul(x, shrink),), (x,))[0]

        return Sequential(
            [Input((8, 8)), layers.Flatten(), layers.Dense(10), layers.Lambda(until_small), layers.Softmax()]
        )

    told = Watch()
    data = library.load("digits", tiny_study.settings(tmp_path), told)
    odd = dataclasses.replace(PLAIN, name="odd", model=of_any_size)
    study = dataclasses.replace(PAIR, variants=(PLAIN, odd))
    rehearse(study, study.variants, data, threads=1, progress=told)
    (warning,) = told.warned
    assert warning.startswith("odd: the multiply-adds are not counted: ")
    assert warning.endswith("depends on what is computed.")
