"""One trial: the test split is opened once, after training, and the engine has no way to it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import TrainingFailedError, UsageError
from fortydays.data.arrays import Dataset, SealedSplit, Split
from fortydays.study.design import Measure, Study, Variant
from fortydays.study.trial import TrialSpec, digest_of_arrays, run_trial, trial_result
from fortydays.train.evaluation import Evaluation
from fortydays.train.history import History, Point
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trained, Trainer
from made_up_data import data_of, split_of

RECIPE = Recipe(epochs=2, batch_size=8)
SPEC = TrialSpec(
    variant="a",
    seed=3,
    recipe=RECIPE,
    dataset="made up",
    dataset_digest="0" * 64,
    backend="tensorflow",
    threads=1,
    bfloat16_is_fast=False,
)


def split(count: int) -> Split:
    labels = (np.arange(count) % 2).astype(np.uint8)
    return split_of(np.repeat(labels * 200, 4).reshape(count, 2, 2).astype(np.uint8), labels)


def dataset(test: SealedSplit) -> Dataset:
    return Dataset(
        name="made up",
        digest="0" * 64,
        split_version=1,
        classes=("dark", "light"),
        training=data_of(split(32), split(16), classes=2),
        test=test,
    )


def model() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((2, 2)), layers.Flatten(), layers.Dense(2, activation="softmax")])


def study(*measures: Measure, targets: tuple[float, ...] = ()) -> Study:
    return Study(
        title="Made up",
        dataset="made up",
        variants=tuple(Variant(name=name, model=model, recipe=RECIPE) for name in ("a", "b")),
        claims=(),
        measures=measures,
        targets=targets,
    )


def point(step: int, accuracy: float) -> Point:
    return Point(
        step=step, epoch=step // 4, train_loss=1.0, train_accuracy=0.5, validation_loss=0.5,
        validation_accuracy=accuracy, learning_rate=0.1, seconds=step / 8,
    )  # fmt: skip


class MadeUpTrainer:
    """Learns nothing; tells what it was asked to do, in order."""

    precision, compile_seconds, steps_per_epoch, num_parameters = "float32", 0.0, 4, 1
    model = "the model with substitutes"

    def __init__(self, losses: dict[int, float] | None = None) -> None:
        self.asked: list[str] = []
        self._losses = losses or {}

    def train(self, **_: Any) -> Trained:
        self.asked.append("train")
        points = (point(4, 0.6), point(8, 0.9))
        return Trained(
            history=History(points=points),
            variables=[np.array([1.0], np.float32)],
            epochs=2,
            best_epoch=1,
            train_seconds=3.0,
            resumed_from_epoch=1,
        )

    def reader_model(self) -> Any:
        return "the model"

    def evaluate(self, split: Split) -> Evaluation:
        self.asked.append(f"evaluate {len(split)}")
        return Evaluation(
            loss=self._losses.get(len(split), 0.25),
            metrics={"accuracy": len(split) / 64},
            outputs=np.full((len(split), 2), 0.5, np.float32),
        )


def trial(trainer: Any, found: Study, test: SealedSplit, **arguments: Any) -> Any:
    return run_trial(SPEC, study=found, dataset=dataset(test), trainer=trainer, **arguments)


def test_the_test_split_is_opened_once_and_last() -> None:
    trainer = MadeUpTrainer()

    def open_it() -> Split:
        trainer.asked.append("open the test split")
        return split(8)

    trial(trainer, study(), SealedSplit(open_it))
    assert trainer.asked == ["train", "evaluate 32", "evaluate 16", "open the test split", "evaluate 8"]


def test_the_engine_trains_without_a_way_to_the_test_split(keras: Any) -> None:
    def open_it() -> Split:
        events.append("open")
        raise AssertionError("the test split was opened")

    events: list[str] = []
    sealed = dataset(SealedSplit(open_it))
    trainer = Trainer(builder=model, recipe=RECIPE, data=sealed.training)
    with pytest.raises(AssertionError, match="the test split was opened"):
        trial(
            trainer,
            study(),
            sealed.test,
            keep=lambda state: events.append(f"epoch {state.state['epoch']}"),
            report=lambda done, *_: events.append(f"step {done}"),
        )
    assert events == ["step 4", "epoch 1", "step 8", "epoch 2", "open"]


def test_the_metrics_by_hand() -> None:
    found = trial(MadeUpTrainer(), study(targets=(0.5, 0.9, 0.99)), SealedSplit(lambda: split(8))).result
    assert found["metrics"] == {
        "train_accuracy": 0.5,
        "train_loss": 0.25,
        "validation_accuracy": 0.25,
        "validation_loss": 0.25,
        "test_accuracy": 0.125,
        "test_loss": 0.25,
        "accuracy_gap": 0.375,
        "steps_to_0.5": 4.0,
        "steps_to_0.5_limit": 8.0,
        "seconds_to_0.5": 0.5,
        "seconds_to_0.5_limit": 1.0,
        "steps_to_0.9": 8.0,
        "steps_to_0.9_limit": 8.0,
        "seconds_to_0.9": 1.0,
        "seconds_to_0.9_limit": 1.0,
        "steps_to_0.99": None,
        "steps_to_0.99_limit": 8.0,
        "seconds_to_0.99": None,
        "seconds_to_0.99_limit": 1.0,
    }
    assert (found["variant"], found["seed"], found["status"], found["error"]) == ("a", 3, "finished", "")
    assert (found["epochs"], found["best_epoch"], found["resumed_from_epoch"]) == (2, 1, 1)
    assert found["history"]["step"] == [4, 8]
    assert found["train_seconds"] == 3.0


def test_measures_see_the_model_and_the_validation_images_of_their_variants_only() -> None:
    seen: list[Any] = []

    def measure(model: Any, images: np.ndarray) -> float:
        seen.append((model, images.shape, images.dtype))
        return 7

    mine = Measure(name="mine", variants=("a",), function=measure)
    other = Measure(name="other", variants=("b",), function=lambda model, images: 1 / 0)
    found = trial(MadeUpTrainer(), study(mine, other), SealedSplit(lambda: split(8))).result
    assert found["metrics"]["mine"] == 7.0
    assert "other" not in found["metrics"]
    assert seen == [("the model", (16, 2, 2), np.uint8)]


def test_a_measure_at_the_start_sees_the_initial_weights_and_changes_nothing(keras: Any) -> None:
    from fortydays.train.framework import build_model

    def weights_and_labels(model: Any, images: np.ndarray, labels: np.ndarray) -> float:
        seen.append((model.get_weights(), len(images), labels))
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])  # what it does to its model is its own
        return float(len(seen))

    data = dataset(SealedSplit(lambda: split(8)))

    def result(*measures: Measure, resume: Any = None) -> Any:
        trainer = Trainer(builder=model, recipe=RECIPE, data=data.training)
        return run_trial(SPEC, study=study(*measures), dataset=data, trainer=trainer, resume=resume, keep=kept.append)

    seen: list[Any] = []
    kept: list[Any] = []
    last = Measure(name="last", variants=("a",), function=weights_and_labels, labels=True)
    first = Measure(name="first", variants=("a",), function=weights_and_labels, at="start", labels=True)
    plain = result()
    measured = result(last, first)
    assert measured.result["weights_digest"] == plain.result["weights_digest"]
    # Taken in the order of time, told in that of the study.
    metrics = measured.result["metrics"]
    assert (metrics["first"], metrics["last"], list(metrics)[-2:]) == (1, 2, ["last", "first"])
    (initial, count, labels), (trained, _, _) = seen
    assert count == 16
    assert labels.tolist() == data.training.validation.labels.tolist()
    fresh = build_model(model, seed=SPEC.seed, precision="float32").get_weights()
    assert digest_of_arrays(initial) == digest_of_arrays(fresh)
    assert digest_of_arrays(trained) == digest_of_arrays(measured.variables)
    # A trial that goes on where it was killed measures its start again, and gives the same.
    seen.clear()
    assert result(last, first, resume=kept[0]).result["metrics"]["first"] == 1
    assert digest_of_arrays(seen[0][0]) == digest_of_arrays(fresh)
    assert digest_of_arrays(seen[1][0]) == digest_of_arrays(trained)


def test_an_unknown_time_of_a_measure_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        Measure(name="mine", variants=("a",), function=lambda model, images: 0.0, at="middle")
    assert error.value.message == "There is no time of a measure 'middle', which the measure 'mine' names."
    assert error.value.hint == "Known: start, end."


def no_such_layer(model: object, images: object) -> float:
    raise ValueError("no such layer")


def told(model: object, images: object) -> float:
    raise UsageError("mine.py, line 3: no.")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda model, images: float("nan"), "The measure 'mine' gave nan."),
        (lambda model, images: float("inf"), "The measure 'mine' gave inf."),
        (no_such_layer, "The measure 'mine' failed: ValueError: no such layer."),
        (told, "The measure 'mine' failed: mine.py, line 3: no."),
    ],
    ids=["no number", "infinite", "broken", "told"],
)
def test_a_measure_that_fails_costs_its_number_alone(function: Any, error: str) -> None:
    measures = [Measure(name=name, variants=("a",), function=function) for name in ("mine", "mine")]
    right = Measure(name="right", variants=("a",), function=lambda model, images: 2)
    found = trial(MadeUpTrainer(), study(*measures, right), SealedSplit(lambda: split(8)))
    assert (found.result["status"], found.result["error"]) == ("finished", f"{error} {error}")
    assert found.result["metrics"]["right"] == 2
    assert "mine" not in found.result["metrics"]
    assert found.result["metrics"]["test_accuracy"] == 8 / 64
    assert len(found.variables) == 1


@pytest.mark.parametrize(("examples", "name"), [(32, "train"), (16, "validation"), (8, "test")])
def test_a_loss_that_is_no_number_after_training_fails_the_trial(examples: int, name: str) -> None:
    trainer = MadeUpTrainer(losses={examples: float("nan")})
    with pytest.raises(TrainingFailedError, match=f"The {name} loss is nan after training"):
        trial(trainer, study(), SealedSplit(lambda: split(8)))


def test_a_failed_trial_keeps_its_reason_and_has_no_numbers() -> None:
    found = trial_result(SPEC, status="failed", error="It broke.")
    assert (found["variant"], found["seed"], found["status"], found["error"]) == ("a", 3, "failed", "It broke.")
    assert found["metrics"] == found["history"] == {}
    finished = trial(MadeUpTrainer(), study(), SealedSplit(lambda: split(8))).result
    assert found.keys() == finished.keys()


def test_the_digest_of_arrays_sees_bytes_types_shapes_and_order() -> None:
    one, two = np.array([1, 2], np.float32), np.array([3, 4], np.float32)

    def distinct(*groups: Sequence[np.ndarray]) -> int:
        return len({digest_of_arrays(group) for group in groups})

    assert distinct([one, two], [two, one], [one], [], [one.reshape(1, 2), two], [one.astype(np.float64), two]) == 6
    assert distinct([one], [one.copy()], [np.array([[1, 9], [2, 9]], np.float32)[:, 0]]) == 1
    assert distinct([np.array([0.0])], [np.array([-0.0])]) == 2
