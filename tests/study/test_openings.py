"""Each opening of a test split is counted, and none is lost by a kill in the middle of a line."""

from pathlib import Path

import pytest

from fortydays.study.openings import Opening, by_dataset, largest_error, note, of_other_recipes, read


def opening(**changes: object) -> Opening:
    values = {
        "dataset": "digits", "digest": "d" * 64, "study": "tiny", "code": "c", "variant": "a", "recipe": "r" * 64,
        "seed": 0, "run": "tiny-1",
    }  # fmt: skip
    return Opening(**values | changes)


def test_openings_are_kept_in_their_order(tmp_path: Path) -> None:
    assert read(tmp_path) == ()
    first, second = opening(), opening(seed=1)
    note(tmp_path, first)
    note(tmp_path, second)
    assert read(tmp_path) == (first, second)


def test_a_line_that_was_not_ended_is_written_over_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    note(tmp_path, opening())
    with (tmp_path / "openings.jsonl").open("a") as file:
        file.write('not JSON\n["a list"]\n{"dataset": "digits"}\n{"dataset": "dig')
    note(tmp_path, opening(seed=7))
    assert [each.seed for each in read(tmp_path)] == [0, 7]


def test_openings_are_counted_by_trial_and_by_way_to_train(tmp_path: Path) -> None:
    openings = [opening(), opening(seed=1), opening(recipe="s" * 64), opening(variant="b"), opening(dataset="mnist")]
    assert by_dataset(openings) == {"digits": (4, 3), "mnist": (1, 1)}
    assert by_dataset([opening(), opening(code="changed network")]) == {"digits": (2, 2)}
    # A reader's own dataset that got other photographs has another test split.
    assert by_dataset([opening(), opening(digest="e" * 64)]) == {
        "digits (dddddddd)": (1, 1),
        "digits (eeeeeeee)": (1, 1),
    }


def test_trials_with_another_recipe_in_other_runs_are_told_from_those_of_this_one() -> None:
    now = opening(run="tiny-2")
    others = [opening(recipe="s" * 64), opening(recipe="s" * 64, seed=1)]
    same = [opening(), opening(code="changed"), opening(recipe="s" * 64, run="tiny-2")]
    elsewhere = [opening(recipe="s" * 64, **change) for change in ({"variant": "b"}, {"study": "x"}, {"digest": "e"})]
    assert of_other_recipes([*others, *same, *elsewhere], now) == 2


def test_fifty_fixed_variants_on_ten_thousand_examples_by_hand() -> None:
    # sqrt(ln(2 * 50 / 0.05) / 20,000) = sqrt(7.601 / 20,000)
    assert largest_error(10_000, 50) == pytest.approx(0.0195, abs=5e-5)
