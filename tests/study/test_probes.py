"""What is found out about a variant beside its trials: are its inputs standardized, and can it learn?"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_study
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings
from fortydays.data.arrays import TrainingData
from fortydays.models.heads import linear_head
from fortydays.models.standardization import standardization
from fortydays.study import probes
from fortydays.study.claims import Comparison
from fortydays.study.design import Study, Variant
from fortydays.study.probes import controls_of, fit_few, standardization_of
from fortydays.study.runner import Request, run_study
from fortydays.study.runs import RunFolder
from fortydays.train.recipe import Recipe
from made_up_data import data_of, split_of

COLUMNS = 600
HEAD = Recipe(epochs=10, batch_size=128, learning_rate=0.01, schedule="cosine", flip="random", mixup=0.2, patience=1)


def features(scale: float, *, shape: tuple[int, ...] = (1, 1, COLUMNS)) -> TrainingData:
    """Features of which four common factors are the larger part, as those of a network with random weights."""
    random = np.random.default_rng(0)
    labels = (np.arange(600) % 10).astype(np.uint8)
    numbers = random.normal(size=(600, 4)) @ random.normal(size=(4, COLUMNS)) + random.normal(size=(600, COLUMNS))
    split = split_of((scale * numbers).astype(np.float32).reshape(600, *shape), labels)
    return data_of(split, split, classes=10)


def keras_head() -> Any:
    """The linear head with Keras's own standardization."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((1, 1, COLUMNS)),
            layers.Normalization(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
        ]
    )


head = linear_head((1, 1, COLUMNS), 10)
fit = functools.partial(fit_few, seed=0, most_steps=300, task="t", progress=SILENT)


# ------------------------------------------------------------------------------------------------- standardized inputs


def test_features_of_1e_minus_10_stay_small_behind_keras_normalization(keras: Any) -> None:
    found = standardization_of(keras_head, features(1e-10), of_features=True)

    assert found is not None
    assert found["largest"] < 0.01
    assert found["smallest"] < found["deviation"] < found["largest"]
    assert found["any_scale"] is False


def test_features_of_1e_minus_10_are_standardized_by_ours(keras: Any) -> None:
    found = standardization_of(head, features(1e-10), of_features=True)

    assert found == {
        "deviation": pytest.approx(1, abs=1e-4),
        "smallest": pytest.approx(1, abs=1e-4),
        "largest": pytest.approx(1, abs=1e-4),
        "any_scale": True,
    }


def test_a_column_that_would_be_no_float32_at_a_smaller_scale_says_nothing_of_the_layer(keras: Any) -> None:
    columns = numbers(SPREAD * [1, 1e-33, 1])  # MiniLM has such

    ours, theirs = (
        standardization_of(of_layers(layer), columns, of_features=True)
        for layer in (standardization, keras.layers.Normalization)
    )

    assert ours is not None
    assert theirs is not None
    assert (ours["any_scale"], theirs["any_scale"]) == (True, False)
    assert ours["smallest"] == pytest.approx(1, abs=1e-3)


def test_of_many_examples_the_layers_adapt_to_those_that_they_are_probed_with(keras: Any) -> None:
    # With heavy tails, a thousand of five thousand examples have other deviations than all of them.
    numbers = np.random.default_rng(2).standard_t(3, (5_000, COLUMNS)).astype(np.float32)
    split = split_of(numbers.reshape(5_000, 1, 1, COLUMNS), (np.arange(5_000) % 10).astype(np.uint8))
    found = standardization_of(head, data_of(split, split, classes=10), of_features=True)

    assert found is not None
    assert (found["smallest"], found["largest"]) == (pytest.approx(1, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert found["any_scale"] is True


@pytest.mark.parametrize("scale", [1e-13, 1.0])
def test_keras_normalization_depends_on_the_scale_whether_features_are_small_already_or_not(
    scale: float, keras: Any
) -> None:
    found = standardization_of(keras_head, features(scale), of_features=True)

    assert found is not None
    assert found["any_scale"] is False


def of_layers(*layers: Any, shape: tuple[int, ...] = (3,)) -> Callable[[], Any]:
    def build() -> Any:
        import keras

        made = [layer() for layer in layers]
        return keras.Sequential([keras.Input(shape), *made, keras.layers.Flatten(), keras.layers.Dense(2)])

    return build


def numbers(array: NDArray[np.floating[Any]]) -> TrainingData:
    split = split_of(array.astype(np.float32), np.zeros(len(array), np.uint8))
    return data_of(split, split, classes=2)


SPREAD = np.random.default_rng(1).normal([0, 5, 9], [1, 2, 3], (100, 3))


def test_the_scale_is_told_of_features_alone(keras: Any) -> None:
    found = standardization_of(of_layers(keras.layers.Normalization), numbers(SPREAD), of_features=False)

    assert found is not None
    assert found["deviation"] == pytest.approx(1, abs=1e-3)
    assert found["any_scale"] is None


def test_constant_columns_are_left_out(keras: Any) -> None:
    constant = SPREAD * [1, 0, 1] + [0, 7, 0]
    found = standardization_of(of_layers(standardization), numbers(constant), of_features=False)
    nothing = standardization_of(of_layers(standardization), numbers(constant * 0), of_features=False)

    assert found is not None
    assert (found["deviation"], found["smallest"]) == (pytest.approx(1, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert nothing is not None
    assert nothing["deviation"] == 0


def test_a_layer_with_given_statistics_shows_where_they_are_not_those_of_the_examples(keras: Any) -> None:
    given = of_layers(lambda: keras.layers.Normalization(mean=[0.0, 5.0, 9.0], variance=[1.0, 1.0, 9.0]))

    found = standardization_of(given, numbers(SPREAD), of_features=True)

    assert found is not None
    assert found["largest"] == pytest.approx(2, abs=0.3)
    assert found["any_scale"] is None


def test_a_change_of_scale_or_shape_may_come_first_and_nothing_else(keras: Any) -> None:
    layers = keras.layers
    scaled = of_layers(lambda: layers.Rescaling(2.0, offset=-1.0), lambda: layers.Reshape((3, 1)), standardization)
    behind = of_layers(lambda: layers.Dense(2), standardization)

    assert standardization_of(scaled, numbers(SPREAD), of_features=False) is not None
    assert standardization_of(behind, numbers(SPREAD), of_features=False) is None
    assert standardization_of(of_layers(), numbers(SPREAD), of_features=False) is None


# ----------------------------------------------------------------------------------------------- learning 500 examples


def test_a_head_that_cannot_learn_is_told_from_one_that_can(keras: Any) -> None:
    poor, good = (fit(build, HEAD, features(1e-10)) for build in (keras_head, head))

    assert (poor["accuracy"] < 0.5, poor["examples"], poor["steps"] > 250) == (True, 500, True)
    assert good["accuracy"] > 0.95
    assert good["steps"] < poor["steps"], "it ends when it knows enough of them"


def test_the_same_is_found_again(keras: Any) -> None:
    first, again = (fit(head, HEAD, features(1.0), most_steps=27) for _ in range(2))

    assert first == again


def test_a_training_that_breaks_off_has_no_accuracy(keras: Any) -> None:
    watch = tiny_study.Watch()

    found = fit(head, HEAD.replace(learning_rate=1e38, optimizer="sgd"), features(1.0), progress=watch)

    assert found == {"accuracy": None, "examples": 500, "steps": 0}
    assert watch.notes["t"].startswith("The loss became")


def test_those_that_a_claim_compares_with_are_the_controls() -> None:
    assert controls_of(tiny_study.study) == ("linear", "one hidden")


# --------------------------------------------------------------------------------------------------------- of a run


def test_a_whole_run_tells_how_well_its_controls_learn(finished: Any) -> None:
    details = finished.evidence["details"]

    assert "fits" not in details["exploding"], "no claim compares with it"
    for name in ("linear", "one hidden"):
        fits = details[name]["fits"]
        assert fits["examples"] == 500
        assert 0 < fits["steps"] <= 200
        task = f"checking that {name} can learn"
        assert finished.progress.notes[task] == f"{100 * fits['accuracy']:.1f}% of 500 training examples"


def test_a_run_that_goes_on_does_not_look_again(
    finished: Any, interrupted_copy: Callable[[Any], RunFolder], settings: Settings
) -> None:
    run = interrupted_copy(finished)
    kept = run.path / "probes" / "linear.json"
    files.write_json(kept, {"fits": {"accuracy": 0.25, "examples": 500, "steps": 7}})
    (run.path / "probes" / "one-hidden.json").write_text("{")
    progress = tiny_study.Watch()

    _, evidence = run_study(finished.source, Request(), settings, progress=progress)

    assert evidence["details"]["linear"]["fits"]["accuracy"] == 0.25
    assert evidence["details"]["one hidden"]["fits"] == finished.evidence["details"]["one hidden"]["fits"]
    assert [task for task in progress.tasks if "can learn" in task] == ["checking that one hidden can learn"]
    assert any("the variant is probed again" in said for said in progress.warned)


def compared(model: Callable[[], Any], recipe: Recipe) -> Study:
    variants = tuple(Variant(name=name, model=model, recipe=recipe) for name in ("one", "other"))
    claim = Comparison(sentence="s", metric="test_accuracy", variant="one", than="other", direction="above")
    return Study(title="Two", dataset="digits", variants=variants, claims=(claim,), seeds=(0,))


def test_a_control_whose_trial_knows_its_training_examples_is_not_trained_again(
    keras: Any, settings: Settings
) -> None:
    study = compared(tiny_study.linear, tiny_study.RECIPE.replace(epochs=40))

    _, evidence = run_study(tiny_study.source(study), Request(), settings, progress=tiny_study.Watch())

    fits = evidence["details"]["other"]["fits"]
    accuracy = next(t["metrics"]["train_accuracy"] for t in evidence["trials"] if t["variant"] == "other")
    assert fits == {"accuracy": accuracy, "examples": evidence["dataset"]["train"], "steps": 0}
    assert accuracy > 0.95


def test_a_part_of_a_study_trains_no_control_again(keras: Any, settings: Settings) -> None:
    study = compared(tiny_study.linear, tiny_study.RECIPE.replace(epochs=1))

    for request in (Request(settings=("epochs=1",)), Request(only=("one", "other"))):
        progress = tiny_study.Watch()
        _, evidence = run_study(tiny_study.source(study), request, settings, progress=progress)
        assert "fits" not in evidence["details"]["other"]
        assert not any("can learn" in task for task in progress.tasks)


def test_a_probe_that_fails_is_told_and_fails_nothing(
    keras: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no more")

    monkeypatch.setattr(probes, "standardization_of", fail)
    progress = tiny_study.Watch()
    study = compared(tiny_study.linear, tiny_study.RECIPE.replace(epochs=1))

    run, evidence = run_study(tiny_study.source(study), Request(), settings, progress=progress)

    assert run.state() == "finished"
    assert "fits" not in evidence["details"]["other"]
    assert "'other' could not be probed: ValueError: no more" in progress.warned
    assert not list(run.path.rglob("probes/*"))  # a run that goes on looks again
