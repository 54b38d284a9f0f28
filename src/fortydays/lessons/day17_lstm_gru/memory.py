"""The task of day 17's drills: which symbol came first, behind so many others?"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.tokens import FIRST_WORD, TOKENS, Tokens
from fortydays.study.bench import Bench
from fortydays.tasks.classification import Classification
from fortydays.tasks.metric import Metric
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

SYMBOLS = 8
"""Symbols that can come first, and as many others that follow."""

DISTANCES = (10, 30, 100)
"""How many symbols stand behind the first one."""

RECIPE = Recipe(epochs=4, batch_size=64, optimizer="adam", learning_rate=0.001)
_COUNTS = {"train": 16_000, "validation": 1_000, "test": 2_000}


def name_of(distance: int) -> str:
    """What the metric of a distance is called."""
    return f"right_behind_{distance}"


def metric_at(distance: int) -> Metric:
    """The share of right answers at a distance."""
    return Metric(name=name_of(distance), title=f"right behind {distance} symbols", unit="share", better="higher")


def sequences(count: int, *, distance: int, random: np.random.Generator) -> Split:
    """Made-up texts: tokens, int32, shape (count, distance + 1), and the number of the first symbol of each."""
    first = random.integers(0, SYMBOLS, (count, 1), np.int32)
    others = random.integers(SYMBOLS, 2 * SYMBOLS, (count, distance), np.int32)
    return Split(
        inputs={TOKENS: FIRST_WORD + np.concatenate([first, others], axis=1)}, labels=first[:, 0].astype(np.uint8)
    )


def remembered(bench: Bench, network: Callable[[int, int], Callable[[], keras.Model]]) -> Mapping[str, float]:
    """How often a network names the first symbol, by metric, after a training at each distance.

    Args:
        bench: of the drill.
        network: from the number of words and of classes to what builds a network.
    """
    found = {}
    words = tuple(f"w{number}" for number in range(2 * SYMBOLS))
    for distance in DISTANCES:
        bench.say(f"remembering over {distance} symbols")
        made = {name: sequences(count, distance=distance, random=bench.random) for name, count in _COUNTS.items()}
        data = TrainingData(
            input=Tokens(length=distance + 1, vocabulary=words),
            task=Classification(classes=SYMBOLS),
            train=made["train"],
            validation=made["validation"],
        )
        trainer = Trainer(builder=network(len(words), SYMBOLS), recipe=RECIPE, data=data)
        trainer.train(seed=bench.seed)
        found[name_of(distance)] = trainer.evaluate(made["test"]).accuracy
    return found
