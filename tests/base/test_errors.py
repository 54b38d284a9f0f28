"""Errors are part of the interface."""

import pytest

from fortydays.base.errors import DataError, ExitCode, StudyChangedError, UsageError, unknown_name


def test_a_near_miss_gets_a_suggestion_and_the_list() -> None:
    error = unknown_name("recipe field", "Epoch", ["epochs", "batch_size"])
    assert error.message == "There is no recipe field 'Epoch'. Did you mean 'epochs'?"
    assert error.hint == "Known: epochs, batch_size."


def test_what_is_near_nothing_gets_the_list_only() -> None:
    error = unknown_name("variant", "xyz", ["relu", "sigmoid"])
    assert error.message == "There is no variant 'xyz'."
    assert error.hint == "Known: relu, sigmoid."


def test_where_nothing_exists_it_says_so_and_a_long_name_is_cut() -> None:
    error = unknown_name("run", "x" * 100, [])
    assert error.message == f"There is no run '{'x' * 57}...'."
    assert error.hint == "No run exists yet."


@pytest.mark.parametrize(
    ("kind", "code"), [(UsageError, ExitCode.USAGE), (DataError, ExitCode.FAILED), (StudyChangedError, 1)]
)
def test_a_users_mistake_is_told_apart_from_what_went_wrong(kind: type[UsageError], code: int) -> None:
    assert kind("What happened.").exit_code == code
