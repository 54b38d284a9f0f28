"""A recipe refuses what cannot be trained, in words, and is a value: comparable, hashable, JSON."""

import dataclasses
import json
import math
from typing import Any

import pytest

from fortydays.base.errors import ExitCode, UsageError
from fortydays.train.recipe import FIELDS, LOSSES, OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe

RECIPE = Recipe(epochs=5)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, "is 0; expected a whole number from 1 to 100000."),
        ("epochs", 2.0, "is 2.0; expected a whole number."),
        ("epochs", True, "is True; expected a whole number."),
        ("epochs", "5", "is '5'; expected a whole number."),
        ("epochs", None, "is None; expected a whole number."),
        ("batch_size", 0, "is 0; expected a whole number from 1 to 1000000."),
        ("batch_size", 32.5, "is 32.5; expected a whole number."),
        ("learning_rate", 0, "is 0; expected a number above 0."),
        ("learning_rate", -0.1, "is -0.1; expected a number above 0."),
        ("learning_rate", math.nan, "is nan; expected a number."),
        ("learning_rate", math.inf, "is inf; expected a number."),
        ("learning_rate", "0.1", "is '0.1'; expected a number."),
        ("learning_rate", True, "is True; expected a number."),
        ("warmup", -0.1, "is -0.1; expected a number at least 0 and below 1."),
        ("warmup", 1.0, "is 1.0; expected a number at least 0 and below 1."),
        ("weight_decay", -1, "is -1; expected a number at least 0."),
        ("label_smoothing", 1, "is 1; expected a number at least 0 and below 1."),
        ("rotation", -1, "is -1; expected a number at least 0 and at most 180."),
        ("rotation", 180.5, "is 180.5; expected a number at least 0 and at most 180."),
        ("rotation", math.nan, "is nan; expected a number."),
        ("rotation", "15", "is '15'; expected a number."),
        ("zoom", -0.1, "is -0.1; expected a number at least 0 and below 1."),
        ("zoom", 1.0, "is 1.0; expected a number at least 0 and below 1."),
        ("crop", -0.1, "is -0.1; expected a number at least 0 and below 1."),
        ("crop", 1.0, "is 1.0; expected a number at least 0 and below 1."),
        ("clip_norm", -1, "is -1; expected a number at least 0."),
        ("clip_norm", math.inf, "is inf; expected a number."),
        ("ema", 1.0, "is 1.0; expected a number at least 0 and below 1."),
        ("ema", True, "is True; expected a number."),
        ("contrast", True, "is True; expected a number."),
        ("contrast", 1, "is 1; expected a number at least 0 and below 1."),
        ("mixup", -0.2, "is -0.2; expected a number at least 0 and below 1000."),
        ("mixup", math.inf, "is inf; expected a number."),
        ("patience", 0, "is 0; expected a whole number from 1 to 100000."),
        ("patience", 1.5, "is 1.5; expected a whole number."),
        ("evaluate_every", 0, "is 0; expected a whole number from 1 to 1000000000."),
        ("evaluate_every", "often", "is 'often'; expected a whole number."),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_was_expected(field: str, value: Any, expected: str) -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.replace(**{field: value})
    assert raised.value.message == f"The recipe field {field!r} {expected}"
    assert raised.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("field", "value", "meant", "known"),
    [
        ("optimizer", "adamm", "adam", tuple(OPTIMIZERS)),
        ("schedule", "cosin", "cosine", SCHEDULES),
        ("loss", "cross_entropy", "crossentropy", LOSSES),
        ("monitor", "val_loss", "validation_loss", ("validation_loss", "validation_accuracy")),
        ("precision", "float23", "float32", PRECISIONS),
        ("class_weights", "balance", "balanced", ("none", "balanced")),
    ],
)
def test_a_name_that_does_not_exist_gets_a_suggestion_and_the_list(
    field: str, value: str, meant: str, known: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.replace(**{field: value})
    kind = {"class_weights": "kind of class weights"}.get(field, field)
    assert raised.value.message == f"There is no {kind} {value!r}. Did you mean {meant!r}?"
    assert raised.value.hint == f"Known: {', '.join(known)}."


@pytest.mark.parametrize("field", ["optimizer", "schedule", "loss", "monitor", "precision"])
@pytest.mark.parametrize("value", [None, 3, ["adam"]])
def test_a_name_that_is_no_text_is_refused_too(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"There is no {field} "):
        RECIPE.replace(**{field: value})


def test_label_smoothing_goes_with_cross_entropy_only() -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.replace(loss="mean_squared_error", label_smoothing=0.1)
    assert "'label_smoothing' is 0.1 with the loss 'mean_squared_error'" in raised.value.message
    assert raised.value.hint == "Set label_smoothing=0 or loss=crossentropy."


def test_mixing_needs_another_image_in_the_batch() -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.replace(mixup=0.2, batch_size=1)
    assert "'mixup' is 0.2 with a batch size of 1; an image is mixed with another one" in raised.value.message
    assert raised.value.hint == "Set mixup=0 or a larger batch_size."


def test_what_the_first_recipes_did_without_is_off() -> None:
    off = {
        "clip_norm": 0,
        "ema": 0,
        "decayed": "all",
        "crop": 0,
        "rotation": 0,
        "zoom": 0,
        "contrast": 0,
        "mixup": 0,
        "class_weights": "none",
    }
    assert {name: RECIPE.as_dict()[name] for name in off} == off
    assert RECIPE.replace(rotation=180).rotation == 180


def test_an_unknown_field_gets_a_suggestion_and_the_list_of_fields() -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.replace(learnign_rate=0.1)
    assert raised.value.message == "There is no recipe field 'learnign_rate'. Did you mean 'learning_rate'?"
    assert raised.value.hint == f"Known: {', '.join(FIELDS)}."
    assert "epochs" in FIELDS


@pytest.mark.parametrize(
    ("optimizer", "options", "message"),
    [
        ("sgd", {"momentun": 0.9}, "There is no option 'momentun' of the optimizer 'sgd'. Did you mean 'momentum'?"),
        ("adam", {"momentum": 0.9}, "There is no option 'momentum' of the optimizer 'adam'."),
        ("sgd", {"momentum": -1}, "'optimizer_options.momentum' is -1; expected a number at least 0 and below 1."),
        ("sgd", {"momentum": 1.5}, "'optimizer_options.momentum' is 1.5; expected a number at least 0 and below 1."),
        ("sgd", {"momentum": True}, "'optimizer_options.momentum' is True; expected a number."),
        ("sgd", {"nesterov": 0.5}, "'optimizer_options.nesterov' is 0.5; expected true or false."),
        ("adam", {"beta_1": 1.0}, "'optimizer_options.beta_1' is 1.0; expected a number at least 0 and below 1."),
        ("adam", {"epsilon": -1e-7}, "'optimizer_options.epsilon' is -1e-07; expected a number at least 0."),
        ("adam", {"epsilon": math.nan}, "'optimizer_options.epsilon' is nan; expected a number."),
    ],
)
def test_an_optimizers_options_are_checked(optimizer: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        Recipe(epochs=1, optimizer=optimizer, optimizer_options=options)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("epochs=1", "epochs", 1),
        (" epochs = 7 ", "epochs", 7),
        ("learning_rate=1e-2", "learning_rate", 0.01),
        ("learning_rate=1", "learning_rate", 1.0),
        ("optimizer=sgd", "optimizer", "sgd"),
        ("schedule=cosine", "schedule", "cosine"),
        ("rotation=15", "rotation", 15.0),
        ("zoom=.1", "zoom", 0.1),
        ("contrast=0.2", "contrast", 0.2),
        ("mixup=0.2", "mixup", 0.2),
        ("class_weights=balanced", "class_weights", "balanced"),
        ("patience=3", "patience", 3),
        ("patience=none", "patience", None),
        ("patience=off", "patience", None),
        ("evaluate_every=None", "evaluate_every", None),
        ("evaluate_every=100", "evaluate_every", 100),
        ("optimizer_options.beta_1=0.5", "optimizer_options", {"beta_1": 0.5}),
        ("optimizer_options.amsgrad=true", "optimizer_options", {"amsgrad": True}),
        ("optimizer_options.amsgrad=False", "optimizer_options", {"amsgrad": False}),
    ],
)
def test_a_field_is_set_from_text(setting: str, field: str, value: Any) -> None:
    before = Recipe(epochs=5, patience=2, evaluate_every=50)
    changed = before.with_settings([setting])
    assert changed.as_dict() == {**before.as_dict(), field: value}
    assert type(changed.as_dict()[field]) is type(value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "--set got 'epochs'; expected FIELD=VALUE."),
        ("epochs=", "--set got 'epochs='; expected FIELD=VALUE."),
        ("=3", "--set got '=3'; expected FIELD=VALUE."),
        ("", "--set got ''; expected FIELD=VALUE."),
        ("epoch=3", "There is no recipe field 'epoch'. Did you mean 'epochs'?"),
        ("epochs=many", "The recipe field 'epochs' got 'many'; expected a whole number."),
        ("epochs=1.5", "The recipe field 'epochs' got '1.5'; expected a whole number."),
        ("epochs=none", "The recipe field 'epochs' got 'none'; expected a whole number."),
        ("epochs=-1", "The recipe field 'epochs' is -1; expected a whole number from 1 to 100000."),
        ("learning_rate=fast", "The recipe field 'learning_rate' got 'fast'; expected a number."),
        ("learning_rate=nan", "The recipe field 'learning_rate' is nan; expected a number."),
        ("learning_rate=1e999", "The recipe field 'learning_rate' is inf; expected a number."),
        ("rotation=some", "The recipe field 'rotation' got 'some'; expected a number."),
        ("patience=soon", "The recipe field 'patience' got 'soon'; expected a whole number or 'none'."),
        ("optimizer_options=0.9", "'optimizer_options' is set one option at a time."),
        ("optimizer_options.momentum=0.9", "There is no option 'momentum' of the optimizer 'adam'."),
        (
            "optimizer_options.beta_1=high",
            "The recipe field 'optimizer_options.beta_1' got 'high'; expected a number.",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        RECIPE.with_settings([setting])
    assert raised.value.message == message


def test_another_optimizer_leaves_the_options_of_the_old_one_behind() -> None:
    momentum = Recipe(epochs=1, optimizer="sgd", optimizer_options={"momentum": 0.9})
    assert momentum.with_settings(["optimizer=adam"]).as_dict()["optimizer_options"] == {}
    assert momentum.with_settings(["optimizer=sgd"]) == momentum


def test_the_order_of_settings_does_not_matter() -> None:
    one = RECIPE.with_settings(["optimizer=sgd", "optimizer_options.momentum=0.9", "epochs=2"])
    other = RECIPE.with_settings(["optimizer_options.momentum=0.9", "epochs=2", "optimizer=sgd"])
    assert one == other
    assert (one.optimizer, dict(one.optimizer_options), one.epochs) == ("sgd", {"momentum": 0.9}, 2)
    assert RECIPE.with_settings([]) == RECIPE
    assert RECIPE.with_settings(["epochs=2", "epochs=3"]).epochs == 3


def test_a_setting_adds_to_the_options_there_are() -> None:
    momentum = Recipe(epochs=1, optimizer="sgd", optimizer_options={"momentum": 0.9})
    both = momentum.with_settings(["optimizer_options.nesterov=true"])
    assert dict(both.optimizer_options) == {"momentum": 0.9, "nesterov": True}
    assert dict(momentum.optimizer_options) == {"momentum": 0.9}


def test_a_recipe_cannot_be_changed_in_place() -> None:
    given = {"momentum": 0.9}
    recipe = Recipe(epochs=1, optimizer="sgd", optimizer_options=given)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        recipe.optimizer_options["momentum"] = 0.5  # type: ignore[index]
    given["momentum"] = 0.5
    assert recipe.optimizer_options["momentum"] == 0.9


def test_equal_recipes_are_equal_in_whatever_order_their_options_were_written() -> None:
    one = Recipe(epochs=1, optimizer="sgd", optimizer_options={"momentum": 0.9, "nesterov": True})
    other = Recipe(epochs=1, optimizer="sgd", optimizer_options={"nesterov": True, "momentum": 0.9})
    assert one == other
    assert hash(one) == hash(other)
    assert json.dumps(one.as_dict()) == json.dumps(other.as_dict())
    assert one != one.replace(optimizer_options={"momentum": 0.9})


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(
        epochs=3, optimizer="adam", optimizer_options={"beta_1": 0.8, "amsgrad": True}, patience=2, warmup=0.1
    )
    assert set(recipe.as_dict()) == set(FIELDS)
    assert Recipe(**json.loads(json.dumps(recipe.as_dict()))) == recipe
