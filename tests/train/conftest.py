"""Trainers are shared between tests, because compiling one takes about a second."""

from collections.abc import Callable
from typing import Any

import pytest
from tiny_training import made_up_data, misleading_data

from fortydays.data.arrays import TrainingData
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import FREE_FIELDS, Trainer


@pytest.fixture(scope="session")
def data() -> TrainingData:
    return made_up_data()


@pytest.fixture(scope="session")
def pictures() -> TrainingData:
    """The same examples as pictures with one channel, as convolutions take them."""
    return made_up_data(channels=(1,))


@pytest.fixture(scope="session")
def misleading() -> TrainingData:
    return misleading_data()


@pytest.fixture(scope="session")
def trainer_of(keras: Any) -> Callable[..., Trainer]:
    """Gives a trainer for a builder, a recipe and data; the one of an earlier call where it can train that too."""
    known: dict[tuple[Any, ...], Trainer] = {}

    def trainer(builder: Any, recipe: Recipe, data: TrainingData) -> Trainer:
        compiled = {name: str(value) for name, value in recipe.as_dict().items() if name not in FREE_FIELDS}
        key = (builder, tuple(compiled.items()), id(data))
        if key not in known:
            known[key] = Trainer(builder=builder, recipe=recipe, data=data)
        return known[key]

    return trainer
