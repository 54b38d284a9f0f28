"""A trial as a value: it travels to other processes, and its digest tells it from every other one."""

import json
import pickle
from typing import Any

import pytest

from fortydays.study.trial import TrialSpec
from fortydays.train.recipe import Recipe

FIELDS: dict[str, Any] = {
    "path": "/somewhere/study.py",
    "sha256": "0" * 64,
    "variant": "network",
    "seed": 3,
    "recipe": Recipe(epochs=2, optimizer="sgd", optimizer_options={"momentum": 0.9}),
    "dataset": "digits",
    "dataset_digest": "1" * 64,
    "backend": "tensorflow",
    "threads": 2,
    "bfloat16_is_fast": False,
    "ground": "2" * 64,
}
SPEC = TrialSpec(**FIELDS)


def test_it_comes_back_from_json_and_from_a_pickle() -> None:
    assert TrialSpec.from_dict(json.loads(json.dumps(SPEC.as_dict()))) == SPEC
    assert pickle.loads(pickle.dumps(SPEC)) == SPEC


@pytest.mark.parametrize(
    "change",
    [
        {"day": 3},
        {"variant": "other"},
        {"seed": 4},
        {"recipe": FIELDS["recipe"].replace(optimizer_options={"momentum": 0.8})},
        {"dataset": "mnist"},
        {"dataset_digest": "3" * 64},
        {"backend": "jax"},
        {"threads": 1},
        {"bfloat16_is_fast": True},
        {"engine": "plain"},
        {"validation_only": True},
        {"examples": 100},
        {"ground": "3" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_may_change_the_numbers_changes_the_digest(change: dict[str, Any]) -> None:
    assert TrialSpec(**FIELDS | change).digest != SPEC.digest


def test_a_study_file_may_be_moved_and_get_a_remark() -> None:
    assert TrialSpec(**FIELDS | {"path": "/elsewhere.py", "sha256": "4" * 64}).digest == SPEC.digest
