"""The learning rate of every step, by hand."""

import math

import numpy as np
import pytest

from fortydays.train.recipe import SCHEDULES
from fortydays.train.schedule import learning_rates


def test_constant_stays_at_the_peak() -> None:
    rates = learning_rates(peak=0.1, schedule="constant", warmup=0.0, total_steps=3)
    assert rates.dtype == np.float32
    assert rates.tolist() == pytest.approx([0.1, 0.1, 0.1])


def test_linear_falls_by_the_same_amount_and_would_reach_zero_one_step_later() -> None:
    rates = learning_rates(peak=1.0, schedule="linear", warmup=0.0, total_steps=4)
    assert rates.tolist() == [1.0, 0.75, 0.5, 0.25]


def test_cosine_is_half_a_period_of_the_cosine() -> None:
    rates = learning_rates(peak=2.0, schedule="cosine", warmup=0.0, total_steps=4)
    assert rates.tolist() == pytest.approx([2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)])


def test_warmup_rises_to_the_peak_and_then_the_schedule_begins() -> None:
    # Half of 6 steps: 1/4, 2/4 and 3/4 of the peak; then linear over the other 3.
    rates = learning_rates(peak=1.0, schedule="linear", warmup=0.5, total_steps=6)
    assert rates.tolist() == pytest.approx([0.25, 0.5, 0.75, 1.0, 2 / 3, 1 / 3])
    rates = learning_rates(peak=1.0, schedule="constant", warmup=0.5, total_steps=4)
    assert rates.tolist() == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_no_step_is_wasted_and_the_peak_is_reached_once_the_warmup_is_over(
    schedule: str, warmup: float, steps: int
) -> None:
    rates = learning_rates(peak=0.3, schedule=schedule, warmup=warmup, total_steps=steps)
    assert rates.shape == (steps,)
    assert (rates > 0).all()
    assert rates.max() == np.float32(0.3)
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="schedule is 'step'"):
        learning_rates(peak=1.0, schedule="step", warmup=0.0, total_steps=2)
