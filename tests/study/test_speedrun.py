"""The speedrun on made-up pictures: what it trains on, what it opens, and what it says."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.study import speedrun
from fortydays.study.speedrun import PRESETS, SETTINGS, TUNING_SEEDS, Speedrun, find_preset, make_preset, run_speedrun

PRESET = make_preset(0.7, widths=(2, 4, 4), epochs=1, batch_size=32, test_views="flip")
SMALL = make_preset(
    0.7, widths=(2, 4), convolutions=1, whitening_bias=False, epochs=1, batch_size=48, test_views="none"
)


def pictures(count: int, *, seed: int) -> Split:
    """Pictures of two classes: dark and bright."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count).astype(np.uint8)
    images = random.integers(0, 60, (count, 32, 32, 3)) + 150 * labels[:, None, None, None]
    return Split(images=images.astype(np.uint8), labels=labels)


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
            training=TrainingData(train=pictures(96, seed=1), validation=pictures(32, seed=2), num_classes=2),
            test=SealedSplit(self._open),
        )

    def _open(self) -> Split:
        self.opened += 1
        return self._test


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def finished(keras: Any, watched: Watched) -> Speedrun:
    return run_speedrun(watched.dataset, PRESET, target=0.7, seeds=2, threads=1, loading_seconds=3.0)


@pytest.mark.slow
def test_both_splits_are_trained_on_and_the_test_split_is_opened_once_a_seed(
    finished: Speedrun, watched: Watched
) -> None:
    assert finished.trained_on == 96 + 32
    assert finished.split == "test"
    assert watched.opened == 2
    assert [r.seed for r in finished.results] == [0, 1]


@pytest.mark.slow
def test_seconds_are_training_and_evaluation_and_nothing_else(finished: Speedrun) -> None:
    for result in finished.results:
        assert result.seconds == result.training_seconds + result.evaluation_seconds
        assert min(result.training_seconds, result.evaluation_seconds) > 0
    assert finished.loading_seconds["data"] >= 3.0
    assert finished.compile_seconds > 0
    assert finished.cold_seconds > finished.results[0].seconds


@pytest.mark.slow
def test_the_document_is_json_with_a_version(finished: Speedrun) -> None:
    document = json.loads(json.dumps(finished.as_dict(), allow_nan=False))
    assert document["schema_version"] == 1
    assert document["target"] == 0.7
    assert document["preset"]["widths"] == [2, 4, 4]
    assert document["preset"]["recipe"]["optimizer"] == "muon"
    assert document["accuracy"]["n"] == document["seconds"]["n"] == 2
    assert document["seeds"][1]["seed"] == 1
    assert document["reached"] is (document["accuracy"]["mean"] >= 0.7)
    assert document["backend"] == "tensorflow"
    assert document["device"]
    assert document["precision"] in ("float32", "bfloat16")


@pytest.mark.slow
def test_the_verdict_is_of_the_mean(finished: Speedrun) -> None:
    results = tuple(dataclasses.replace(r, accuracy=a) for r, a in zip(finished.results, (0.6, 0.8), strict=True))
    assert dataclasses.replace(finished, results=results, target=0.7).reached
    assert not dataclasses.replace(finished, results=results, target=0.71).reached


@pytest.mark.slow
def test_validating_never_opens_the_test_split_and_takes_seeds_for_tuning(keras: Any) -> None:
    own = Watched()
    found = run_speedrun(own.dataset, SMALL, target=0.7, seeds=1, threads=1, validate=True)
    assert own.opened == 0
    assert found.trained_on == 96
    assert found.split == "validation"
    assert [r.seed for r in found.results] == [TUNING_SEEDS]


@pytest.mark.parametrize(("asked", "given"), [(0.5, 0.70), (0.70, 0.70), (0.701, 0.80), (0.9, 0.90), (0.94, 0.94)])
def test_an_accuracy_between_presets_takes_the_next_higher_one(asked: float, given: float) -> None:
    assert find_preset("cifar10", asked).accuracy == given


def test_above_the_highest_preset_it_says_what_exists() -> None:
    with pytest.raises(UsageError) as raised:
        find_preset("cifar10", 0.941)
    assert "0.941" in raised.value.message
    assert "0.94" in raised.value.message
    assert "0.70, 0.80, 0.90, 0.94" in raised.value.hint


@pytest.mark.parametrize("accuracy", [94.0, 1.0, 0.0, -0.5, float("nan")])
def test_an_accuracy_is_a_share(accuracy: float) -> None:
    with pytest.raises(UsageError, match=r"between 0 and 1, such as 0\.94"):
        find_preset("cifar10", accuracy)


def test_a_dataset_without_presets_is_refused() -> None:
    with pytest.raises(UsageError, match="'mnist'"):
        find_preset("mnist", 0.9)


@pytest.mark.parametrize("seeds", [0, 1001])
def test_seeds_have_a_range(seeds: int) -> None:
    with pytest.raises(UsageError, match=f"--seeds is {seeds}"):
        run_speedrun(Watched().dataset, PRESET, target=0.7, seeds=seeds, threads=1)


def test_presets_cost_more_where_they_promise_more() -> None:
    for dataset, presets in PRESETS.items():
        assert [p.accuracy for p in presets] == sorted(SETTINGS[dataset])
        costs = [p.recipe.epochs * p.widths[-1] * p.widths[0] for p in presets]
        assert costs == sorted(costs)


def test_rates_are_those_of_airbench_for_the_mean_of_the_losses() -> None:
    # airbench94_muon, its own batch of 2,000 and 256 features: rates 0.24 (filters), 0.053 (biases) and 0.67 (head,
    # for logits divided by 256) for the sum of the losses, decay 2e-6 an image, through a momentum of 0.85.
    recipe = speedrun.muon_recipe(epochs=8, batch_size=2000, features=256, test_views="none")
    options = recipe.optimizer_options
    assert recipe.learning_rate == 0.24
    assert recipe.learning_rate * options["rest_rate"] == pytest.approx(0.053 * 2000, rel=1e-3)
    assert recipe.learning_rate * options["output_rate"] == pytest.approx(0.67 * 2000 / 256**2, rel=1e-3)
    assert recipe.learning_rate * recipe.weight_decay == pytest.approx(0.004 / 0.15, rel=1e-3)
    assert (recipe.schedule, recipe.warmup, recipe.label_smoothing) == ("linear", 0.0, 0.2)


def test_a_smaller_batch_takes_smaller_steps() -> None:
    whole, quarter = (
        speedrun.muon_recipe(epochs=8, batch_size=size, features=256, test_views="none") for size in (2000, 500)
    )
    assert quarter.learning_rate == pytest.approx(whole.learning_rate / 2)
    rates = [r.learning_rate * r.optimizer_options["rest_rate"] for r in (whole, quarter)]
    assert rates[1] == pytest.approx(rates[0] / 4, rel=1e-3)
