"""Which value a search chooses, from made-up tries."""

from typing import Any

from fortydays.study.search import Search, choose

SEARCH = Search(field="learning_rate", values=(0.1, 0.2, 0.3))


def tries(*accuracies: list[float | None]) -> list[dict[str, Any]]:
    """Tries of 0.1, 0.2 and 0.3, each with seeds 1000 and 1001."""
    return [
        {"value": value, "seed": 1000 + k, "validation_accuracy": accuracy}
        for value, found in zip(SEARCH.values, accuracies, strict=False)
        for k, accuracy in enumerate(found)
    ]


def test_the_best_mean_wins() -> None:
    found = choose(SEARCH, tries([0.5, 0.75], [1.0, 0.75], [0.75, 0.75]))
    assert (found["chosen"], found["at_edge"], found["failed"]) == (0.2, False, [])
    assert [t["value"] for t in found["tries"]] == [0.1, 0.2, 0.3]
    assert found["tries"][1]["validation_accuracy"]["mean"] == 0.875
    assert (found["field"], found["seeds"]) == ("learning_rate", [1000, 1001])


def test_of_equals_the_first_wins() -> None:
    assert choose(SEARCH, tries([0.5, 0.5], [1.0, 0.5], [0.75, 0.75]))["chosen"] == 0.2


def test_the_first_or_last_value_is_at_the_edge() -> None:
    assert choose(SEARCH, tries([0.9, 0.9], [0.5, 0.5], [0.5, 0.5]))["at_edge"]
    assert choose(SEARCH, tries([0.5, 0.5], [0.5, 0.5], [0.9, 0.9]))["at_edge"]
    assert not choose(Search(field="learning_rate", values=(0.1,)), tries([0.9, 0.9]))["at_edge"]


def test_a_value_that_failed_with_one_seed_has_lost() -> None:
    found = choose(SEARCH, tries([0.5, 0.6], [0.99, None], [0.4, 0.4]))
    assert (found["chosen"], found["failed"]) == (0.1, [0.2])
    assert [t["value"] for t in found["tries"]] == [0.1, 0.3]


def test_where_everything_failed_the_first_is_taken() -> None:
    found = choose(SEARCH, tries([None, None], [None, 0.5], [None, None]))
    assert (found["chosen"], found["tries"], found["failed"]) == (0.1, [], [0.1, 0.2, 0.3])
