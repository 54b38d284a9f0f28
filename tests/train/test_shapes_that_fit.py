"""Whether a model takes what a dataset has."""

import pytest

from fortydays.train.checks import _takes


@pytest.mark.parametrize(
    ("shape", "given", "takes"),
    [((7,), (7,), True), ((None,), (7,), True), ((8,), (7,), False), ((None, None), (7,), False)],
)
def test_a_length_that_is_left_open_fits_any_text(
    shape: tuple[int | None, ...], given: tuple[int, ...], takes: bool
) -> None:
    assert _takes(shape, given) is takes
