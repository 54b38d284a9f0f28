"""The study that `forty fit` writes: Python that can be loaded, named by its content, the same for the same plan."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.base.settings import Settings, read_settings
from fortydays.data.own.dataset import OwnExamples
from fortydays.days.loading import LONGEST_NAME, find_study, load_study
from fortydays.fit.study_file import FINE_TUNED, HEAD, Plan, study_text, write_study
from fortydays.models.backbones import BACKBONES
from fortydays.study.design import Study

BACKBONE = BACKBONES["efficientnet-lite0"]


def photographs(*counts: int, name: str = "pets", classes: tuple[str, ...] = ()) -> OwnExamples:
    """So many photographs to learn from of each class, and one of each in the other splits."""
    labels = [label for label, count in enumerate(counts) for _ in range(count + 2)]
    splits = [split for count in counts for split in (*([0] * count), 1, 2)]
    return OwnExamples(
        collection=name,
        digest="0123456789abcdef" * 4,
        side=224,
        classes=classes or tuple(f"class {label}" for label in range(len(counts))),
        paths=tuple(f"{place}.png" for place in range(len(labels))),
        contents=tuple(f"{place:064x}" for place in range(len(labels))),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, np.int64),
        rows=np.arange(len(labels)),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path), "FORTYDAYS_THREADS": "1"})


def loaded(text: str, settings: Settings, *, name: str = "pets") -> Study:
    return load_study(find_study(str(write_study(text, name, settings))), threads=1).study


def test_a_head_is_learned_from_features_and_a_setting_is_chosen(settings: Settings, keras: Any) -> None:
    study = loaded(study_text(photographs(30, 90), Plan(backbone=BACKBONE)), settings)

    (head,) = study.variants
    assert (study.title, study.dataset, study.seeds) == ("pets", "own:pets@0123456789ab", (0, 1, 2))
    assert head.name == HEAD
    assert head.features is not None
    assert head.features.as_dict() == {
        "backbone": "efficientnet-lite0", "side": 224, "before_last_block": False, "pretrained": True,
    }  # fmt: skip
    assert head.model().input_shape[1:] == head.features.shape == (1, 1, 1280)
    assert head.model().output_shape == (None, 2)
    assert (head.recipe.batch_size, head.recipe.optimizer, head.recipe.class_weights) == (64, "adam", "none")
    assert head.search is not None
    assert head.search.values == (0.0001, 0.0003, 0.001)
    assert [claim.sentence for claim in study.claims] == [
        "The model is right more often than naming the most frequent class always would be"
    ]
    assert study.claims[0].at_least == 0.75  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("counts", "batch", "epochs"),
    [
        ((1, 1), 2, 200),  # a step each; more than 200 epochs are not worth it
        ((200, 184), 64, 200),  # 6 steps: 1,200 of them
        ((5_000, 5_000), 64, 8),  # 156 steps
        ((50_000, 50_000), 64, 5),  # 1,562 steps; fewer than 5 epochs are too few
    ],
)
def test_there_are_about_as_many_steps_however_many_photographs(
    counts: tuple[int, ...], batch: int, epochs: int, settings: Settings, keras: Any
) -> None:
    (head,) = loaded(study_text(photographs(*counts), Plan(backbone=BACKBONE)), settings).variants

    assert (head.recipe.batch_size, head.recipe.epochs) == (batch, epochs)


def test_a_target_is_a_claim_and_so_a_gate(settings: Settings, keras: Any) -> None:
    study = loaded(study_text(photographs(10, 10), Plan(backbone=BACKBONE, target=0.955)), settings)

    wanted = study.claims[1]
    assert wanted.sentence == "The model is right on at least 95.5% of the test photographs"
    assert (wanted.metric, wanted.at_least) == ("test_accuracy", 0.955)  # type: ignore[attr-defined]


def test_uneven_classes_are_weighted(settings: Settings, keras: Any) -> None:
    (head,) = loaded(study_text(photographs(10, 1), Plan(backbone=BACKBONE, balanced=True)), settings).variants

    assert head.recipe.class_weights == "balanced"


def test_fine_tuning_is_a_second_variant_with_claims_of_its_own(settings: Settings, keras: Any) -> None:
    plan = Plan(backbone=BACKBONE, fine_tuning_epochs=3, target=0.9)
    study = loaded(study_text(photographs(10, 30), plan), settings)

    head, tuned = study.variants
    assert (head.name, tuned.name) == (HEAD, FINE_TUNED)
    assert tuned.features is not None
    assert tuned.features.before_last_block
    assert tuned.model().input_shape[1:] == tuned.features.shape == (7, 7, 192)
    assert (tuned.recipe.epochs, tuned.recipe.batch_size, tuned.search) == (3, 32, None)
    assert head.description == "a linear head on the features of EfficientNet-Lite0"
    assert tuned.description == "the last block of EfficientNet-Lite0 trained further"
    assert [(claim.variants, claim.sentence) for claim in study.claims] == [
        ((name,), f"The {name} model is right {what}")
        for name in (HEAD, FINE_TUNED)
        for what in (
            "more often than naming the most frequent class always would be",
            "on at least 90% of the test photographs",
        )
    ]


def test_names_of_classes_are_no_part_of_the_program(settings: Settings, keras: Any) -> None:
    evil = ('"""\nimport os', "{0}", "\N{SUNFLOWER}\n")

    text = study_text(photographs(3, 3, 3, classes=evil), Plan(backbone=BACKBONE))

    assert "import os" not in text
    assert text.isascii()
    assert loaded(text, settings).variants[0].model().output_shape == (None, 3)


@pytest.mark.parametrize("name", ["a", "a_b-c", "x" * 63, f"{'x' * 27}--{'y' * 20}"])
def test_runs_of_it_are_called_by_its_name_and_content(name: str, settings: Settings) -> None:
    text = study_text(photographs(3, 3, name=name), Plan(backbone=BACKBONE))

    path = write_study(text, name, settings)
    other = write_study(f"{text}\n", name, settings)

    assert path.parent == settings.workspace / "own" / name / "studies"
    assert path.read_text("utf-8") == text
    assert find_study(str(path)).name == path.stem.replace("_", "-")
    assert len(path.stem) <= LONGEST_NAME
    assert find_study(str(other)).name != find_study(str(path)).name


def test_a_plan_that_is_the_same_has_the_same_file_which_is_not_written_again(settings: Settings) -> None:
    plan = Plan(backbone=BACKBONE)
    path = write_study(study_text(photographs(3, 3), plan), "pets", settings)
    before = path.stat().st_mtime_ns

    again = write_study(study_text(photographs(3, 3), dataclasses.replace(plan)), "pets", settings)

    assert (again, path.stat().st_mtime_ns) == (path, before)
    assert write_study(study_text(photographs(3, 4), plan), "pets", settings) != path


def test_a_study_that_its_reader_changed_is_kept_aside_and_not_run_in_its_place(settings: Settings) -> None:
    text = study_text(photographs(3, 3), Plan(backbone=BACKBONE))
    path = write_study(text, "pets", settings)
    path.write_text("changed", "utf-8")

    assert write_study(text, "pets", settings) == path

    assert path.read_text("utf-8") == text
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_text("utf-8") == "changed"
