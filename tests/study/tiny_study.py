"""A study of seconds: small networks on the 8 x 8 digits that scikit-learn carries.

Other processes import it too, so it names its study as a file of a reader's own would.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base.settings import Settings
from fortydays.study.claims import Best, Comparison, InEverySeed, Threshold
from fortydays.study.design import Measure, Search, Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix, first_layer_weights
from fortydays.study.overviews import CurveOverview, SearchOverview
from fortydays.study.runner import StudySource
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=2, batch_size=64, learning_rate=0.01)
CLASSES = 10


def linear() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")])


def hidden() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((8, 8)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def largest_weight(model: Any, images: np.ndarray) -> float:
    assert images.dtype == np.uint8
    return float(max(np.abs(w).max() for w in model.get_weights()))


PLAIN = Variant(name="linear", model=linear, recipe=RECIPE, group="plain", description="no hidden layer")
SEARCHED = Variant(
    name="one hidden",
    model=hidden,
    recipe=RECIPE,
    group="deep",
    search=Search(field="learning_rate", values=(0.0001, 0.02, 1e30)),
)
EXPLODING = Variant(name="exploding", model=hidden, recipe=RECIPE.replace(learning_rate=1e30), group="deep")

study = Study(
    title="Small networks",
    dataset="digits",
    variants=(PLAIN, SEARCHED, EXPLODING),
    claims=(
        Threshold(sentence="Anything beats guessing", variant="linear", metric="test_accuracy", at_least=0.2),
        Comparison(
            sentence="A hidden layer is slower", metric="steps_to_0.5", variant="one hidden", than="linear",
            direction="above",
        ),
        Best(sentence="Fire is best", metric="test_accuracy", variant="exploding", among=("linear", "one hidden")),
        InEverySeed(sentence="No weight is huge", variant="linear", metric="largest_weight", at_most=100),
    ),
    seeds=(0, 1),
    targets=(0.5, 0.999),
    measures=(Measure(name="largest_weight", variants=("linear",), function=largest_weight),),
    first=(
        SearchOverview(title="Rates", caption="Tried.", variants=("one hidden",), x_label="rate"),
        CurveOverview(
            title="Fire", caption="None.", variants=("linear", "exploding"), fields=("train_loss",), y_label="loss"
        ),
    ),
    exhibits=(
        confusion_matrix(variant="linear"),
        confident_mistakes(variant="one hidden", count=3),
        first_layer_weights(variant="one hidden", count=4),
        confusion_matrix(variant="exploding"),
    ),
)  # fmt: skip

PAIR = Study(
    title="Two seeds of one",
    dataset="digits",
    variants=(Variant(name="one hidden", model=hidden, recipe=RECIPE.replace(epochs=3)),),
    claims=(),
    seeds=(0, 1),
)
"""The study that is interrupted and killed: six epochs, three of each trial."""


def source(content: Study = study, *, path: Path = Path(__file__), day: int | None = None) -> StudySource:
    return StudySource(day=day, name="tiny", path=path, study=content)


def settings(home: Path, *, datasets: Path | None = None) -> Settings:
    return Settings(
        workspace=home,
        datasets=datasets or home / "datasets",
        mirror=None,
        offline=True,
        threads=1,
        tracking_uri="",
    )


class Watch:
    """A progress that remembers what it was told, and calls ``at`` with each task and how much of it is done."""

    def __init__(self, at: Callable[[str, float], object] = lambda task, done: None) -> None:
        self.at = at
        self.said: list[str] = []
        self.warned: list[str] = []
        self.tasks: list[str] = []
        self.notes: dict[str, str] = {}
        self.running: dict[str, float | None] = {}
        self.done: dict[str, float] = {}

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        assert task not in self.running
        self.tasks.append(task)
        self.running[task] = total

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        total = self.running[task]
        assert total is None or done <= total
        assert done >= self.done.get(task, 0.0)
        self.done[task] = done
        self.at(task, done)

    def finish(self, task: str, *, note: str = "") -> None:
        del self.running[task]
        self.notes[task] = note

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)
