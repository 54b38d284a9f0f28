"""A trial that continues from any epoch's checkpoint ends with the bits of one that was never stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_training import CLASSES, RECIPE, SIZE, bits, convolutional, made_up_data, with_dropout, without_times

from fortydays.data.arrays import TrainingData
from fortydays.train import checkpoint as checkpoints
from fortydays.train import trainer as trainers
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trained, Trainer

TrainerOf = Callable[..., Trainer]
LONG = RECIPE.replace(
    epochs=5, schedule="cosine", learning_rate=0.05, patience=2, monitor="validation_accuracy", evaluate_every=5
)


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "KEEP_AFTER", 0.0)


def kept_on_disk(folder: Path) -> Callable[[Checkpoint], None]:
    return lambda state: checkpoints.save(folder / f"{state.state['epoch']}.npz", state, identity="trial")


ALL_OF_IT = LONG.replace(
    optimizer="muon",
    learning_rate=0.02,
    flip="alternating",
    shift=1,
    cutout=2,
    rotation=15.0,
    zoom=0.2,
    crop=0.4,
    clip_norm=0.5,
    weight_decay=0.01,
    decayed="kernels",
    ema=0.8,
    contrast=0.3,
    mixup=0.2,
    class_weights="balanced",
    patience=None,
    epochs=3,
)


def everything() -> Any:
    """What has a state or numbers of its own: adapted statistics, averages, random numbers."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE, 1)),
            layers.Normalization(),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(4, 3, activation="gelu"),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def shown(trained: Trained) -> dict[str, Any]:
    return {
        "weights": bits(trained.variables),
        "history": without_times(trained.history.as_columns()),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
    }


@pytest.mark.parametrize(
    ("builder", "recipe"), [(with_dropout, LONG), (everything, ALL_OF_IT)], ids=["dense", "all of it"]
)
def test_from_every_epoch_on(
    builder: Any, recipe: Recipe, trainer_of: TrainerOf, data: TrainingData, pictures: TrainingData, tmp_path: Path
) -> None:
    trainer = trainer_of(builder, recipe, pictures if builder is everything else data)
    whole = trainer.train(seed=7, recipe=recipe, keep=kept_on_disk(tmp_path))
    assert whole.resumed_from_epoch == 0
    found = sorted(tmp_path.iterdir())
    assert len(found) == whole.epochs > 2
    for epoch, path in enumerate(found, start=1):
        trainer.train(seed=8, recipe=recipe)  # another trial in between
        continued = trainer.train(
            seed=7,
            recipe=recipe,
            resume=checkpoints.load(path, identity="trial"),
            keep=kept_on_disk(tmp_path / "again"),
        )
        assert continued.resumed_from_epoch == epoch
        assert shown(continued) == shown(whole)
        seconds = continued.history.as_columns()["seconds"]
        assert seconds == sorted(seconds)
        for again in sorted(tmp_path.glob("again/*.npz")):
            one, other = (checkpoints.load(p, identity="trial") for p in (again, tmp_path / again.name))
            assert one is not None
            assert other is not None
            assert bits(one.variables) == bits(other.variables)
            assert bits(one.optimizer) == bits(other.optimizer)
            assert bits(one.best) == bits(other.best)


def test_of_short_epochs_the_first_state_and_the_last_are_kept(
    trainer_of: TrainerOf, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "KEEP_AFTER", 3600.0)
    epochs: list[int] = []
    recipe = LONG.replace(patience=None)
    trainer_of(with_dropout, recipe, data).train(
        seed=7, recipe=recipe, keep=lambda state: epochs.append(state.state["epoch"])
    )
    assert epochs == [1, 5]


def test_a_finished_trial_is_not_trained_any_further(trainer_of: TrainerOf, data: TrainingData) -> None:
    trainer = trainer_of(with_dropout, LONG, data)
    states: list[Checkpoint] = []
    whole = trainer.train(seed=7, recipe=LONG, keep=states.append)
    steps: list[int] = []
    again = trainer.train(
        seed=7, recipe=LONG, resume=states[-1], report=lambda done, *_: steps.append(done), keep=states.append
    )
    assert steps == []
    assert len(states) == whole.epochs
    assert shown(again) == shown(whole)


@pytest.mark.slow
def test_in_a_new_process(tmp_path: Path) -> None:
    """The first process is killed after two epochs, the second goes on, a third was never stopped."""

    def process(*, stop_after: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, __file__, str(tmp_path), str(stop_after)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(p) for p in Path(__file__).parents[:2])},
            check=False,
        )

    killed = process(stop_after=2)
    assert killed.returncode == -9, killed.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.npz", "2.npz"]
    continued = process(stop_after=0)
    assert continued.returncode == 0, continued.stderr
    for path in tmp_path.iterdir():
        path.unlink()
    whole = process(stop_after=0)
    first, second = json.loads(continued.stdout), json.loads(whole.stdout)
    assert first.pop("resumed_from_epoch") == 2
    assert second.pop("resumed_from_epoch") == 0
    assert first == second


def main(folder: Path, stop_after: int) -> None:
    import signal

    from fortydays.train.framework import load_keras

    trainers.KEEP_AFTER = 0.0
    load_keras(threads=1)
    trainer = Trainer(builder=convolutional, recipe=LONG, data=made_up_data(channels=(1,)))
    found = checkpoints.load(folder / "2.npz", identity="trial")

    def keep(state: Checkpoint) -> None:
        kept_on_disk(folder)(state)
        if state.state["epoch"] == stop_after:
            os.kill(os.getpid(), signal.SIGKILL)

    trained = trainer.train(seed=7, recipe=LONG, resume=found, keep=keep)
    print(json.dumps({**shown(trained), "resumed_from_epoch": trained.resumed_from_epoch}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
