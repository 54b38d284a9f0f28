"""Variants whose seeds draw what they learn from: a trial is what its seed says, whoever trained before."""

import dataclasses
from collections import deque
from typing import Any

import numpy as np
import pytest
import tiny_study
from tiny_study import Watch

from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.study import executor as executors
from fortydays.study import identity as identities
from fortydays.study.design import Study, Variant
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.features import Features
from fortydays.study.identity import differences, identity_of
from fortydays.study.plan import Request, make_plan
from fortydays.study.runner import run_study
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=20, learning_rate=0.02)


def normalized() -> Any:
    from keras import Input, Sequential, layers

    dense = layers.Dense(tiny_study.CLASSES, activation="softmax")
    return Sequential([Input((8, 8)), layers.Flatten(), layers.Normalization(), dense])


DRAWN = Variant(name="drawn", model=normalized, recipe=RECIPE, examples=6, redrawn=True)
COVERED = dataclasses.replace(DRAWN, name="covered", recipe=RECIPE.replace(cutout=2))
STUDY = Study(title="Drawn", dataset="digits", variants=(DRAWN, COVERED), claims=(), seeds=(0, 1))


@pytest.fixture(scope="module")
def dataset(keras: Any, datasets: Any, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return library.load("digits", tiny_study.settings(tmp_path_factory.mktemp("home"), datasets=datasets))


def digests(study: Study, variant: str, seeds: list[int], settings: Settings, progress: Any = None) -> list[str]:
    """The weights that a fresh executor gives for seeds, one after another."""
    plan = make_plan(tiny_study.source(study), Request(), settings, Watch())
    recipe = next(each.recipe for each in plan.variants if each.name == variant)
    executor = InProcess(study=study, dataset=plan.dataset, settings=settings, progress=progress or Watch())
    specs = deque(plan.spec(variant, seed, recipe) for seed in seeds)
    outcomes = executor.map(specs, Callbacks(started=lambda *_: None, report=lambda *_: None))
    return [outcome.result["weights_digest"] for outcome in outcomes]


@pytest.mark.parametrize(("variant", "compiled"), [("drawn", 1), ("covered", 2)])
def test_a_trial_is_the_same_after_others_and_alone(
    variant: str, compiled: int, dataset: Dataset, settings: Settings
) -> None:
    progress = Watch()
    first, second = digests(STUDY, variant, [0, 1], settings, progress)

    assert progress.said == [f"Compiling {variant}"] * compiled
    assert digests(STUDY, variant, [1], settings) == [second]
    assert first != second


def test_each_trial_is_measured_on_the_examples_that_it_learned_from(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = executors.run_trial
    monkeypatch.setattr(
        executors, "run_trial", lambda spec, **given: seen.append(given["dataset"]) or real(spec, **given)
    )

    digests(STUDY, "drawn", [0, 1, 0], settings)

    first, second, third = (each.training.train for each in seen)
    assert (first.array == third.array).all()
    assert not (first.array == second.array).all()
    for split in (first, second):
        assert np.bincount(split.labels).tolist() == [6] * 10
    assert seen[0].training.validation is seen[1].training.validation


def test_evidence_says_that_examples_were_redrawn(dataset: Dataset, settings: Settings) -> None:
    plain = dataclasses.replace(DRAWN, name="plain", redrawn=False)
    study = Study(title="Drawn", dataset="digits", variants=(DRAWN, plain), claims=(), seeds=(0, 1))

    _, evidence = run_study(tiny_study.source(study), Request(), settings, progress=Watch())

    details = evidence["details"]
    assert (details["drawn"]["examples"], details["drawn"]["redrawn"]) == (6, True)
    assert "redrawn" not in details["plain"]


def test_the_identity_tells_which_examples_are_drawn(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(variant: Variant) -> dict[str, Any]:
        return identity_of(
            STUDY,
            variant,
            dataset=dataset,
            seed=1,
            recipe=RECIPE,
            precision="float32",
            settings=settings,
            networks={},
        )

    recorded = found(DRAWN)
    assert differences(recorded, found(DRAWN)) == []
    first = differences(recorded, found(dataclasses.replace(DRAWN, redrawn=False)))
    assert "the training or validation examples" in first
    assert "which training examples a seed draws" in first
    # Where features stand in for images, a shadow may see no fewer examples than are drawn.
    monkeypatch.setattr(identities, "_stand_ins", lambda *_: (DRAWN.model, dataset))
    recorded = found(DRAWN)
    monkeypatch.setattr("fortydays.study.features._SUBSET", 4)
    assert differences(recorded, found(DRAWN)) == ["which training examples a seed draws"]


def test_each_seed_has_a_random_network_of_its_own(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Features | None] = []
    real = executors.prepare

    def noted(*arguments: Any, features: Features | None, **given: Any) -> Any:
        asked.append(features)
        return real(*arguments, features=None, **given)  # pixels in the place of features

    monkeypatch.setattr(executors, "prepare", noted)
    random = Features(backbone="mobilenetv2-0.35", side=32, pretrained=False)
    for redrawn, expected in ((True, [random, dataclasses.replace(random, seed=1)]), (False, [random])):
        variant = Variant(name="random", model=normalized, recipe=RECIPE, features=random, redrawn=redrawn)
        digests(dataclasses.replace(STUDY, variants=(variant,)), "random", [0, 1], settings)
        assert asked == expected
        asked.clear()


def test_large_features_are_made_of_the_drawn_examples_alone_and_the_trials_are_the_same(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, asked = digests(STUDY, "drawn", [0, 1], settings), list[tuple[int | None, int | None]]()
    real = executors.prepare

    def noted(*arguments: Any, features: Features | None, **given: Any) -> Any:
        asked.append((given["examples"], given["seed"]))
        return real(*arguments, features=None, **given)  # pixels in the place of features

    monkeypatch.setattr(executors, "prepare", noted)
    before_block = Features(backbone="mobilenetv2-0.35", side=32, before_last_block=True)
    variant = dataclasses.replace(DRAWN, features=before_block)

    assert digests(dataclasses.replace(STUDY, variants=(variant,)), "drawn", [0, 1], settings) == expected
    assert asked == [(6, 0), (6, 1)]
