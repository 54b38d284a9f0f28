"""The first epochs of a trial are those of the whole one, and what is told of them differs where they do."""

import dataclasses
from typing import Any

import pytest
import tiny_study

from fortydays.base.machine import describe_machine
from fortydays.base.settings import Settings
from fortydays.data import store
from fortydays.data.arrays import TrainingData
from fortydays.study.first_epochs import digest, first_epochs, first_examples
from fortydays.study.runner import make_trainer
from fortydays.study.side_by_side import PARTS
from fortydays.study.trial import digest_of_arrays
from fortydays.train import backends
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe

pytestmark = pytest.mark.slow  # each trains

FAST = backends.backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)


@pytest.fixture
def training(keras: Any, settings: Settings) -> TrainingData:
    return store.load("digits", settings).training


def told(training: TrainingData, *, variant: Any = tiny_study.PAIR.variants[0], **changes: Any) -> Any:
    asked = {
        "study": tiny_study.study,
        "variant": variant,
        "training": training,
        "builder": variant.model,
        "recipe": variant.recipe,
        "seed": 0,
        "epochs": 1,
        "bfloat16_is_fast": FAST,
        "tell": lambda event: None,
    }
    return first_epochs(**(asked | changes))


def test_a_stopped_trial_is_at_the_point_where_the_whole_one_passed(training: TrainingData) -> None:
    (variant,) = tiny_study.PAIR.variants
    states: list[Checkpoint] = []
    whole = make_trainer(
        "compiled", builder=variant.model, recipe=variant.recipe, data=training, bfloat16_is_fast=FAST
    ).train(seed=0, keep=states.append)

    for passed in (1, 2):
        epochs, parts = told(training, epochs=passed)
        assert (epochs, parts["end"]) == (passed, "stopped")
        assert parts["variables"] == digest(states[passed - 1].variables)
        assert parts["optimizer"] == digest(states[passed - 1].optimizer)
        assert "kept" not in parts
    epochs, parts = told(training, epochs=9)
    assert (epochs, parts["end"]) == (3, "over")
    assert parts["kept"] == digest(whole.variables) == digest_of_arrays(whole.variables)


def test_the_same_trial_gives_the_same_in_every_part_and_times_do_not_count(training: TrainingData) -> None:
    one, again = told(training), told(training)
    assert one == again
    assert {*one[1], "data", "kept"} == {*PARTS}


def test_the_first_examples_are_looked_at_alone_and_a_tenth_as_many_to_validate(training: TrainingData) -> None:
    few = first_examples(training, 640)
    assert (len(few.train), len(few.validation)) == (640, 64)
    assert (few.train.images == training.train.images[:640]).all()
    assert (few.validation.labels == training.validation.labels[:64]).all()
    assert first_examples(training, None) is training


def test_another_trial_gives_other_variables_history_and_answers(training: TrainingData) -> None:
    _, one = told(training)
    _, other = told(training, seed=1)
    assert {name for name in one if one[name] != other[name]} >= {
        "history", "variables", "optimizer", "stopping", "probabilities", "evaluation",
    }  # fmt: skip


def test_answers_are_those_over_the_test_views(training: TrainingData) -> None:
    recipe = tiny_study.RECIPE.replace(epochs=3)
    _, one = told(training, recipe=recipe)
    _, mirrored = told(training, recipe=recipe.replace(test_views="flip"))
    assert {name for name in one if one[name] != mirrored[name]} == {"probabilities", "evaluation"}


def test_measures_of_the_study_are_taken_and_may_fail(training: TrainingData) -> None:
    assert told(training)[1]["measures"] == "{}"
    _, measured = told(training, variant=tiny_study.PLAIN)
    assert '"largest_weight": "0x' in measured["measures"]

    def broken(model: Any, images: Any) -> float:
        raise ValueError("too early")

    (measure,) = tiny_study.study.measures
    study = dataclasses.replace(tiny_study.study, measures=(dataclasses.replace(measure, function=broken),))
    assert told(training, variant=tiny_study.PLAIN, study=study)[1]["measures"] == (
        '{"largest_weight": "ValueError: too early"}'
    )


def test_a_trial_that_fails_has_that_for_its_end(training: TrainingData) -> None:
    epochs, parts = told(training, variant=tiny_study.EXPLODING)
    assert epochs == 1
    assert parts["end"].startswith("failed: The loss became ")
    assert set(parts) <= {"precision", "end"}


def test_steps_are_told_up_to_where_it_is_stopped(training: TrainingData) -> None:
    events: list[Any] = []
    told(training, epochs=2, tell=events.append)
    assert events[0] == {"done": 0, "total": 40}
    assert events[-1] == {"done": 40, "total": 40}


def test_a_recipe_of_old_evidence_may_lack_fields(training: TrainingData) -> None:
    fields = tiny_study.PAIR.variants[0].recipe.as_dict()
    del fields["test_views"], fields["cutout"]
    assert told(training, recipe=Recipe(**fields)) == told(training)
