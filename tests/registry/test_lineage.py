import json
from typing import Any

import pytest

from fortydays.registry.lineage import changed_since

THEN: dict[str, Any] = {
    "dataset": {"digest": "d1", "split_version": 1},
    "recipe": {"epochs": 5, "optimizer": "adam"},
    "code": {"study": "s1", "engine": "e1", "commit": "a" * 40, "clean": True},
    "packages": {"keras": "3.15.1", "tensorflow-cpu": "2.21.0"},
    "machine": {
        "cpu_model": "EPYC", "flags": ["avx2"], "python": "3.11.7", "threads": 2, "backend": "tensorflow",
        "accelerator": None,
    },
}  # fmt: skip


def changed(group: str, **fields: Any) -> list[str]:
    today = json.loads(json.dumps(THEN))
    today[group] |= fields
    return changed_since(THEN, today)


def test_where_nothing_differs_nothing_is_said() -> None:
    assert changed_since(THEN, THEN) == []


@pytest.mark.parametrize(
    ("group", "fields", "expected"),
    [
        ("dataset", {"digest": "d2"}, ["the dataset has changed"]),
        ("dataset", {"split_version": 2}, ["the splits of the dataset have changed"]),
        ("code", {"study": "s2"}, ["the study has changed"]),
        ("code", {"engine": "e2"}, ["the training engine has changed"]),
        ("code", {"commit": "b" * 40}, ["the commit is bbbbbbbbbbbb and was aaaaaaaaaaaa"]),
        ("code", {"clean": False}, ["today's checkout has changes that are not committed"]),
        ("machine", {"backend": "jax"}, ["the backend is jax and was tensorflow"]),
        ("machine", {"threads": 4}, ["the number of threads is 4 and was 2"]),
        ("machine", {"cpu_model": "M1"}, ["the processor is M1 and was EPYC"]),
        ("machine", {"flags": []}, ["the processor has other instructions"]),
        ("machine", {"accelerator": "H200"}, ["the accelerator is H200 and was none"]),
        ("machine", {"python": "3.12.1"}, ["Python is 3.12.1 and was 3.11.7"]),
        ("recipe", {"epochs": 6}, ["the recipe has changed in epochs"]),
        ("packages", {"keras": "3.16"}, ["keras is 3.16 and was 3.15.1"]),
        ("packages", {"jax": "0.10"}, ["jax is 0.10 and was absent"]),
    ],
)
def test_each_thing_that_differs_is_named(group: str, fields: dict[str, Any], expected: list[str]) -> None:
    assert changed(group, **fields) == expected


def test_a_field_that_recipes_got_since_is_a_change_only_at_another_value_than_its_default() -> None:
    assert changed("recipe", mixup=0.0, class_weights="none", optimizer_options={}) == []
    assert changed("recipe", mixup=0.2, class_weights="none") == ["the recipe has changed in mixup"]


def test_a_model_from_a_checkout_with_changes_can_never_be_sure() -> None:
    then = {**THEN, "code": {**THEN["code"], "clean": False}}

    assert "it was trained from a checkout with changes that were not committed" in changed_since(then, THEN)
