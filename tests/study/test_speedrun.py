"""The speedrun on made-up pictures: what it trains on, what it opens, and what it says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Dataset, SealedSplit, Split
from fortydays.study import openings
from fortydays.study.speedrun import PRESETS, TUNING_SEEDS, Preset, _in_memory, find_preset, run_speedrun
from fortydays.train.recipe import Recipe
from made_up_data import data_of, split_of

PRESET = Preset(
    network={"widths": (2, 4), "convolutions": 1},
    recipe=Recipe(epochs=1, batch_size=32, optimizer="muon", learning_rate=0.05, test_views="flip"),
)


def pictures(count: int, *, seed: int) -> Split:
    """Pictures of two classes: dark and bright."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count).astype(np.uint8)
    images = random.integers(0, 60, (count, 32, 32, 3)) + 150 * labels[:, None, None, None]
    return split_of(images.astype(np.uint8), labels)


class Watched:
    """A made-up dataset that counts how often its test split was opened."""

    def __init__(self) -> None:
        self.opened = 0
        self._test = pictures(40, seed=3)
        self.dataset = Dataset(
            name="made up",
            digest="0" * 64,
            split_version=1,
            classes=("dark", "bright"),
            training=data_of(pictures(96, seed=1), pictures(32, seed=2), classes=2),
            test=SealedSplit(self._open),
        )

    def _open(self) -> Split:
        self.opened += 1
        return self._test


def run(dataset: Dataset, **options: Any) -> dict[str, Any]:
    return run_speedrun(dataset, PRESET, threads=1, **{"target": 0.7, "seeds": 2, **options})


def test_what_is_timed_reads_nothing_from_disk(tmp_path: Path) -> None:
    split = pictures(6, seed=1)
    np.save(tmp_path / "images.npy", split.array)
    on_disk = split_of(np.load(tmp_path / "images.npy", mmap_mode="r"), split.labels)

    for parts in ((on_disk,), (on_disk, split)):
        found = _in_memory(*parts)
        assert not isinstance(found.array, np.memmap)
        assert not np.shares_memory(found.array, on_disk.array)
        assert (found.array == np.concatenate([part.array for part in parts])).all()
        assert len(found.labels) == len(found.array)


@pytest.mark.slow
def test_both_splits_are_trained_on_and_the_test_split_is_opened_once_a_seed(keras: Any, tmp_path: Path) -> None:
    watched = Watched()

    found = json.loads(json.dumps(run(watched.dataset, workspace=tmp_path), allow_nan=False))

    noted = openings.read(tmp_path)
    assert [(each.study, each.dataset, each.seed) for each in noted] == [
        ("speedrun", "made up", 0),
        ("speedrun", "made up", 1),
    ]

    assert (found["trained_on"], found["split"]) == (96 + 32, "test")
    assert watched.opened == 2
    assert [each["seed"] for each in found["seeds"]] == [0, 1]
    assert min(each["seconds"] for each in found["seeds"]) > 0
    assert found["accuracy"]["mean"] == pytest.approx(sum(each["accuracy"] for each in found["seeds"]) / 2)
    assert found["reached"] is (found["accuracy"]["mean"] >= 0.7)
    assert found["network"]["widths"] == [2, 4]


@pytest.mark.slow
def test_validating_never_opens_the_test_split_and_takes_seeds_for_tuning(keras: Any, tmp_path: Path) -> None:
    watched = Watched()

    found = run(watched.dataset, validate=True, seeds=1, target=0.99999, workspace=tmp_path)

    assert openings.read(tmp_path) == ()

    assert watched.opened == 0
    assert (found["trained_on"], found["split"]) == (96, "validation")
    assert [each["seed"] for each in found["seeds"]] == [TUNING_SEEDS]


@pytest.mark.parametrize(("asked", "given"), [(0.5, 0.70), (0.70, 0.70), (0.701, 0.80), (0.9, 0.90), (0.94, 0.94)])
def test_an_accuracy_between_presets_takes_the_next_higher_one(asked: float, given: float) -> None:
    assert find_preset("cifar10", asked) is PRESETS[given]


def test_above_the_highest_preset_it_says_what_exists() -> None:
    with pytest.raises(UsageError) as raised:
        find_preset("cifar10", 0.941)
    assert "0.941" in raised.value.message
    assert "0.94" in raised.value.message
    assert "0.70, 0.80, 0.90, 0.94" in raised.value.hint


@pytest.mark.parametrize("accuracy", [94.0, 1.0, 0.0, -0.5, float("nan")])
def test_an_accuracy_is_a_share(accuracy: float) -> None:
    with pytest.raises(UsageError, match=r"above 0 and up to 0\.94, such as 0\.8"):
        find_preset("cifar10", accuracy)


def test_a_dataset_without_presets_is_refused() -> None:
    with pytest.raises(UsageError, match="'mnist'"):
        find_preset("mnist", 0.9)


@pytest.mark.parametrize("seeds", [0, 1001])
def test_seeds_have_a_range(seeds: int) -> None:
    with pytest.raises(UsageError, match=f"--seeds is {seeds}"):
        run(Watched().dataset, seeds=seeds)


def test_presets_cost_more_where_they_promise_more() -> None:
    assert list(PRESETS) == sorted(PRESETS)
    costs = [p.recipe.epochs * p.network["widths"][-1] * p.network["widths"][0] for p in PRESETS.values()]
    assert costs == sorted(costs)


def test_rates_are_those_of_airbench_for_the_mean_of_the_losses() -> None:
    # airbench94_muon, its own batch of 2,000 and 256 features: rates 0.24 (filters), 0.053 (biases) and 0.67 (head,
    # for logits divided by 256) for the sum of the losses, decay 2e-6 an image, through a momentum of 0.85.
    recipe = PRESETS[0.94].recipe
    options = recipe.optimizer_options
    assert recipe.learning_rate == 0.24
    assert recipe.learning_rate * options["rest_rate"] == pytest.approx(0.053 * 2000, rel=1e-3)
    assert recipe.learning_rate * options["output_rate"] == pytest.approx(0.67 * 2000 / 256**2, rel=1e-3)
    assert recipe.learning_rate * recipe.weight_decay == pytest.approx(0.004 / 0.15, rel=1e-3)
    assert (recipe.schedule, recipe.warmup, recipe.label_smoothing) == ("linear", 0.0, 0.2)
