"""Which value a search chooses, from made-up tries."""

from typing import Any

import pytest

from fortydays.base.errors import UsageError
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
    # By size, in whatever order the values are tried.
    unordered = Search(field="learning_rate", values=(0.01, 0.1, 0.001))
    found = {value: [0.9 if value == 0.1 else 0.5] * 2 for value in unordered.values}
    told = [
        {"value": value, "seed": seed, "validation_accuracy": accuracy}
        for value, accuracies in found.items()
        for seed, accuracy in zip(unordered.seeds, accuracies, strict=True)
    ]
    assert choose(unordered, told)["at_edge"]


def test_a_value_that_failed_with_one_seed_has_lost() -> None:
    found = choose(SEARCH, tries([0.5, 0.6], [0.99, None], [0.4, 0.4]))
    assert (found["chosen"], found["failed"]) == (0.1, [0.2])
    assert [t["value"] for t in found["tries"]] == [0.1, 0.3]


def test_where_everything_failed_the_first_is_taken() -> None:
    found = choose(SEARCH, tries([None, None], [None, 0.5], [None, None]))
    assert (found["chosen"], found["tries"], found["failed"]) == (0.1, [], [0.1, 0.2, 0.3])


FINALS = Search(field="learning_rate", values=(0.1, 0.2, 0.3), finals=(1002, 1003, 1004))


def final_tries(value: float, *accuracies: float | None) -> list[dict[str, Any]]:
    return [
        {"value": value, "seed": seed, "validation_accuracy": accuracy}
        for seed, accuracy in zip(FINALS.finals, accuracies, strict=True)
    ]


def test_the_two_best_values_have_a_second_round_when_the_first_is_over() -> None:
    first = tries([0.5, 0.5], [0.8, 0.8], [0.7, 0.7])
    assert FINALS.due(first[:-1]) == FINALS.places
    assert FINALS.due(first)[6:] == [(value, seed) for value in (0.2, 0.3) for seed in (1002, 1003, 1004)]
    assert FINALS.due(first) == FINALS.due(first + final_tries(0.2, 0.8, 0.8, 0.8))
    assert len(FINALS.due(first)) == FINALS.most_tries == 12
    assert SEARCH.due(first) == SEARCH.places


def test_after_a_second_round_all_tries_of_its_two_values_count() -> None:
    first = tries([0.9, 0.0], [0.8, 0.8], [0.7, 0.7])
    found = choose(FINALS, first + final_tries(0.2, 0.4, 0.4, 0.4) + final_tries(0.3, 0.7, 0.7, 0.7))
    # 0.2 has (2 * 0.8 + 3 * 0.4) / 5 = 0.56 now, and 0.3 has 0.7.
    assert (found["chosen"], found["seeds"], found["finals"]) == (0.3, [1000, 1001], [1002, 1003, 1004])
    assert [t["validation_accuracy"]["n"] for t in found["tries"]] == [2, 5, 5]


def test_a_value_outside_the_second_round_is_not_chosen_however_the_others_fare_there() -> None:
    first = tries([0.6, 0.6], [0.8, 0.8], [0.7, 0.7])
    found = choose(FINALS, first + final_tries(0.2, 0.1, 0.1, 0.1) + final_tries(0.3, 0.2, 0.2, 0.2))
    assert found["chosen"] == 0.3


def test_a_value_that_fails_in_the_second_round_has_lost() -> None:
    first = tries([0.5, 0.5], [0.8, 0.8], [0.7, 0.7])
    found = choose(FINALS, first + final_tries(0.2, 0.9, None, 0.9) + final_tries(0.3, 0.6, 0.6, 0.6))
    assert (found["chosen"], found["failed"]) == (0.3, [0.2])


def test_one_value_that_alone_did_not_fail_needs_no_second_round() -> None:
    assert FINALS.due(tries([None, 0.5], [0.8, 0.8], [0.7, None])) == FINALS.places


def test_without_a_second_round_a_search_is_told_as_before_there_was_one() -> None:
    assert SEARCH.as_dict() == {"field": "learning_rate", "values": [0.1, 0.2, 0.3], "seeds": [1000, 1001]}
    assert "finals" not in choose(SEARCH, tries([0.5, 0.5], [0.8, 0.8], [0.7, 0.7]))
    assert FINALS.as_dict()["finals"] == [1002, 1003, 1004]


def test_a_seed_is_not_in_both_rounds() -> None:
    with pytest.raises(UsageError, match=r"has the seeds 1001 in both rounds\.") as refused:
        Search(field="learning_rate", values=(0.1, 0.2), finals=(1001, 1002))
    assert "finals=" in refused.value.hint
