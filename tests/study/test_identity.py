"""The identity of a variant: the same after a refactor, another after each change of what is computed.

Each planted change is one line of the program, changed as a slip would change it. It must be found in the variant that
it touches, named by the right words, and not be found in the variant that it does not touch.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_study

from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.inputs.images import IMAGE, Images
from fortydays.study import identity as identities
from fortydays.study.design import Measure, Search, Study, Variant
from fortydays.study.identity import differences, identity_of
from fortydays.train import augmentation, framework, schedule, trainer
from fortydays.train.recipe import Recipe

Patch = Callable[[pytest.MonkeyPatch], None]


def convolutional() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(tiny_study.CLASSES, activation="softmax"),
        ]
    )


STOPPED = Recipe(epochs=12, batch_size=64, learning_rate=0.01, patience=3, schedule="cosine", warmup=0.1)
DENSE = Variant(
    name="dense",
    model=tiny_study.hidden,
    recipe=STOPPED,
    search=Search(field="learning_rate", values=(0.01, 0.02, 0.03, 0.04)),
)
PICTURES = Variant(
    name="pictures",
    model=convolutional,
    recipe=Recipe(
        epochs=2, batch_size=64, optimizer="sgd", optimizer_options={"momentum": 0.9}, flip="random", shift=1,
        cutout=2, learning_rate=0.1, loss="mean_squared_error", test_views="flip",
        precision="bfloat16", weight_decay=0.001,
    ),
)  # fmt: skip
STUDY = Study(
    title="Two of a kind",
    dataset="digits",
    variants=(DENSE, PICTURES),
    claims=(),
    seeds=(3,),
    targets=(0.6,),
    measures=(Measure(name="largest_weight", variants=("dense",), function=tiny_study.largest_weight),),
)


@pytest.fixture(scope="module")
def dataset(keras: Any, datasets: Any, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return library.load("digits", tiny_study.settings(tmp_path_factory.mktemp("home"), datasets=datasets))


@pytest.fixture
def found(dataset: Dataset, settings: Settings) -> Callable[..., dict[str, Any]]:
    """The identity of a variant, of which something may be replaced first."""

    def compute(variant: Variant, *, study: Study = STUDY, data: Dataset = dataset, **changes: Any) -> dict[str, Any]:
        recipe = variant.recipe.replace(**changes)
        precision = "bfloat16" if recipe.precision == "bfloat16" else "float32"
        return identity_of(
            study, variant, dataset=data, seed=3, recipe=recipe, precision=precision, settings=settings, networks={}
        )

    return compute


@pytest.fixture(scope="module")
def recorded(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    settings = tiny_study.settings(tmp_path_factory.mktemp("recorded"))
    return {
        variant.name: identity_of(
            STUDY,
            variant,
            dataset=dataset,
            seed=3,
            recipe=variant.recipe,
            precision=precision,
            settings=settings,
            networks={},
        )
        for variant, precision in ((DENSE, "float32"), (PICTURES, "bfloat16"))
    }


def replaced(owner: Any, name: str, change: Callable[[Any], Any]) -> Patch:
    return lambda patch: patch.setattr(owner, name, change(getattr(owner, name)))


def default(function: Callable[..., Any], **changed: Any) -> Callable[..., Any]:
    """The function with other values in the place of what it is given."""
    return lambda *args, **given: function(*args, **{**given, **changed})


def optimizer_with(**options: Any) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        import keras

        for name in ("Adam", "SGD"):
            kind = getattr(keras.optimizers, name)
            taken = {k: v for k, v in options.items() if k in kind.__init__.__code__.co_varnames}
            monkeypatch.setattr(keras.optimizers, name, default(kind, **taken))

    return patch


def summed_loss(build: Any) -> Any:
    def built(*args: Any, **given: Any) -> Any:
        loss = build(*args, **given)
        return lambda labels, answers: 2 * loss(labels, answers)

    return built


def later_of_equals(kind: Any) -> Any:
    class Later(kind):  # type: ignore[misc]
        def after(self, epoch: int, value: float) -> Any:
            if self.best is not None and value == self.best:
                return dataclasses.replace(self, best_epoch=epoch, waited=0)
            return super().after(epoch, value)

    return Later


def of_kept_epoch(stop: Any) -> Any:
    return lambda recipe: dataclasses.replace(stop(recipe), patience=recipe.patience and recipe.patience + 1)


def without_momentum_of_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(keras.layers, "BatchNormalization", default(keras.layers.BatchNormalization, momentum=0.9))


def dropped(share: float) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        import keras

        kind = keras.layers.Dropout
        monkeypatch.setattr(keras.layers, "Dropout", lambda _rate: kind(share))

    return patch


def other_initial_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    kind = keras.layers.Dense
    monkeypatch.setattr(keras.layers, "Dense", default(kind, kernel_initializer="he_uniform"))


def without_views(kind: Any) -> Any:
    def evaluate(self: Any, split: Any) -> Any:
        return self._validation.evaluate(split)

    return evaluate


def mirrored(drawn: Any) -> Any:
    drawn[..., :1] = 1 - drawn[..., :1]
    return drawn


class Shifted:
    """A backend that starts random numbers one seed later."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def seed(self, seed: int) -> None:
        self._real.seed(seed + 1)


def in_bfloat16(build: Any) -> Any:
    def built(*args: Any, **given: Any) -> Any:
        model = build(*args, **given)
        if given["precision"] == "bfloat16":
            model.layers[-1].dtype_policy = "mixed_bfloat16"
        return model

    return built


CHANGES: dict[str, tuple[Patch, Variant, str]] = {
    "an optimizer's epsilon": (optimizer_with(epsilon=1e-6), DENSE, "constants in the compiled training steps"),
    "Nesterov's momentum": (optimizer_with(nesterov=True), PICTURES, "the compiled training steps"),
    "weight decay left out": (optimizer_with(weight_decay=None), PICTURES, "the compiled training steps"),
    "a loss that is summed": (
        replaced(trainer, "build_training_loss", summed_loss), DENSE, "the compiled training steps",
    ),
    "a loss that is summed where it is reported": (
        replaced(trainer, "build_loss", summed_loss), DENSE, "the compiled evaluation",
    ),
    "the order's seed": (
        replaced(trainer, "batches_of_epoch", lambda f: lambda *, seed, **given: f(seed=seed + 1, **given)),
        DENSE, "the order of the examples",
    ),
    "the same order in every epoch": (
        replaced(trainer, "batches_of_epoch", lambda f: default(f, epoch=0)), DENSE, "the order of the examples",
    ),
    "a mirrored draw": (
        replaced(trainer, "draws_of_epoch", lambda f: lambda *a, **g: mirrored(f(*a, **g))),
        PICTURES, "what augmentation draws",
    ),
    "a mean colour": (
        replaced(augmentation, "mean_colour", lambda f: lambda arrays: f(arrays) + np.float32(0.01)),
        PICTURES, "constants in the compiled training steps",
    ),
    "a warm-up that is longer by a step": (
        replaced(schedule, "learning_rates", lambda f: lambda *, warmup, **g: f(warmup=warmup + 0.02, **g)),
        DENSE, "the learning rates",
    ),
    "early stopping that keeps the later of equals": (
        replaced(trainer, "Stopping", later_of_equals), DENSE, "what is made of the programs' answers",
    ),
    "patience counted otherwise": (
        replaced(trainer, "stopping_of", of_kept_epoch), DENSE, "what is made of the programs' answers",
    ),
    "the other number watched": (
        replaced(trainer, "monitored", lambda _f: lambda recipe, point: point.train_loss),
        DENSE, "what is made of the programs' answers",
    ),
    "the test split measured without its views": (
        replaced(trainer.Trainer, "evaluate", without_views), PICTURES, "what is evaluated, and when",
    ),
    "a history whose steps are counted from 0": (
        replaced(
            trainer.History, "as_columns", lambda f: lambda self: {**f(self), "step": [s - 1 for s in f(self)["step"]]}
        ),
        DENSE, "what is made of the programs' answers",
    ),
    "momentum of batch normalization": (
        without_momentum_of_layers, PICTURES, "constants in the compiled training steps",
    ),
    "the rate of dropout": (dropped(0.3), PICTURES, "constants in the compiled training steps"),
    "the initial weights": (other_initial_weights, DENSE, "the initial weights"),
    "a seed that is shifted": (
        replaced(framework.backends, "backend", lambda f: lambda *a: Shifted(f(*a))), DENSE, "the initial weights",
    ),
    "scaling by 256": (
        replaced(Images, "in_network", lambda f: lambda self, arrays, cast: f(self, arrays, cast) * (255 / 256)),
        DENSE, "the compiled training steps",
    ),
    "a rounding to bfloat16 in the last layer, too": (
        replaced(trainer, "build_model", in_bfloat16), PICTURES, "the compiled training steps",
    ),
    "a choice of the last of equals": (
        replaced(identities, "choose", lambda f: lambda s, tries: f(s, tries) | {"chosen": s.values[2]}),
        DENSE, "how a setting is chosen",
    ),
}  # fmt: skip


ALONE = ("an optimizer's epsilon", "a mirrored draw")
"""Changes of which the other variant is looked at, too: it is spared."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_change_is_found_where_it_is(
    change: str, found: Any, recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, variant, expected = CHANGES[change]
    plant(monkeypatch)
    assert expected in differences(recorded[variant.name], found(variant))
    if change in ALONE:
        other = PICTURES if variant is DENSE else DENSE
        assert differences(recorded[other.name], found(other)) == []


def test_the_same_program_has_the_same_identity(found: Any, recorded: dict[str, Any]) -> None:
    assert found(DENSE) == recorded["dense"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 11}, "the learning rates"),
        ({"label_smoothing": 0.1}, "the compiled training steps"),
        ({"mixup": 0.2}, "what augmentation draws"),
        ({"batch_size": 32}, "the compiled training steps"),
    ],
)
def test_another_recipe_has_another_identity(
    changes: dict[str, Any], expected: str, found: Any, recorded: dict[str, Any]
) -> None:
    assert expected in differences(recorded["dense"], found(DENSE, **changes))


def test_another_split_of_the_same_examples_is_found(found: Any, recorded: dict[str, Any], dataset: Dataset) -> None:
    training = dataset.training
    rolled = {IMAGE: np.roll(training.train.array, 1, axis=0)}
    swapped = dataclasses.replace(training, train=dataclasses.replace(training.train, inputs=rolled))
    other = found(DENSE, data=dataclasses.replace(dataset, training=swapped))
    assert differences(recorded["dense"], other) == [
        "the training or validation examples",
        "what is evaluated, and when",
    ]


def test_another_measure_is_found(found: Any, recorded: dict[str, Any]) -> None:
    half = Measure(name="largest_weight", variants=("dense",), function=lambda model, images: 0.5)
    assert differences(recorded["dense"], found(DENSE, study=dataclasses.replace(STUDY, measures=(half,)))) == [
        "the study's own measures"
    ]


def test_names_and_places_of_code_change_nothing(found: Any, recorded: dict[str, Any]) -> None:
    def renamed() -> Any:
        from keras import Input, Sequential, layers

        return Sequential(
            [
                Input((8, 8), name="digits"),
                layers.Flatten(name="flat"),
                layers.Dense(16, activation="relu", name="mine"),
                layers.Dropout(0.1, name="some"),
                layers.Dense(tiny_study.CLASSES, activation="softmax", name="answers"),
            ],
            name="net",
        )

    other = dataclasses.replace(DENSE, name="another name", model=renamed, description="moved")
    study = dataclasses.replace(STUDY, variants=(other, PICTURES), measures=(
        dataclasses.replace(STUDY.measures[0], variants=("another name",)),
    ))  # fmt: skip
    assert differences(recorded["dense"], found(other, study=study)) == []


@pytest.mark.parametrize("seconds", [1e-9, 1e9])
def test_how_many_steps_a_call_does_changes_nothing(
    seconds: float, found: Any, recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_REPORTS", seconds)
    assert differences(recorded["dense"], found(DENSE)) == []


def test_a_last_digit_of_another_processor_is_no_difference(recorded: dict[str, Any]) -> None:
    identity = recorded["dense"]
    near, far = (
        {**identity, "numbers": {**identity["numbers"], "initial": [x * by for x in identity["numbers"]["initial"]]}}
        for by in (1 + 1e-7, 1 + 1e-3)
    )
    assert differences(identity, near) == []
    assert differences(identity, far) == ["the initial weights"]


def test_a_measure_of_rounding_errors_may_be_another_one_on_another_processor(recorded: dict[str, Any]) -> None:
    def measured(value: float) -> dict[str, Any]:
        return {**recorded["dense"], "numbers": {**recorded["dense"]["numbers"], "measures": [value]}}

    assert differences(measured(2e-7), measured(5e-7)) == []
    assert differences(measured(2e-7), measured(3e-5)) == ["the study's own measures"]
    initial = {**recorded["dense"], "numbers": {**recorded["dense"]["numbers"], "initial": [2e-7]}}
    other = {**initial, "numbers": {**initial["numbers"], "initial": [5e-7]}}
    assert differences(initial, other) == ["the initial weights"]
