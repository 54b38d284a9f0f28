"""Day 38's cluster on paper: what it says of studies that are small enough to be played through by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fortydays.lessons.day38_past_one_machine.simulation import Cluster, Course, Trials, carried_out, made_up_trials

HOUR = 3600.0
QUICK: dict[str, Any] = {"setup_seconds": 0.0, "hand_seconds": 0.0, "start_seconds": 0.0, "replace_seconds": 0.0}


def trials_of(
    seconds: Sequence[float],
    *,
    epochs: int = 10,
    lives: Sequence[Sequence[float]] = (),
    luck: Sequence[Sequence[float]] = (),
) -> Trials:
    """Trials whose chances are given: how long each attempt's worker lives, in seconds, and its luck."""
    count = len(seconds)
    all_lives, all_luck = np.full((count, 4), 1e9), np.ones((count, 4))
    for place, row in enumerate(lives):
        all_lives[place, : len(row)] = row
    for place, row in enumerate(luck):
        all_luck[place, : len(row)] = row
    return Trials(seconds=np.array(seconds, np.float64), lives=all_lives, luck=all_luck, epochs=epochs)


def course(trials: Trials, **cluster: Any) -> Course:
    return carried_out(trials, Cluster(**{**QUICK, **cluster}))


def failing(trials: Trials, **cluster: Any) -> Course:
    """With one failure a second, so that the lives of workers are in seconds."""
    return course(trials, failures_per_hour=HOUR, **cluster)


def test_a_worker_trains_one_trial_after_another() -> None:
    assert course(trials_of([10, 20, 30]), workers=1).seconds == pytest.approx(60)


def test_a_free_worker_takes_the_next_trial() -> None:
    # 10 and 4 begin; the second worker takes the other two, until 11.
    found = course(trials_of([10, 4, 4, 3]), workers=2)
    assert found.seconds == pytest.approx(11)
    assert found.busy_seconds == pytest.approx(21)
    assert (found.vain_seconds, found.deaths, found.backups, found.failed) == (0, 0, 0, 0)


def test_the_longest_first_is_shorter_and_the_trials_keep_their_luck() -> None:
    trials = trials_of([1, 2, 9], luck=[[0.1], [0.2], [0.9]])
    assert course(trials, workers=2).seconds == pytest.approx(10)
    sorted_ = trials.longest_first()
    assert course(sorted_, workers=2).seconds == pytest.approx(9)
    assert sorted_.luck[:, 0].tolist() == [0.9, 0.2, 0.1]


def test_no_number_of_workers_is_faster_than_the_longest_trial() -> None:
    assert course(trials_of([1, 2, 9]), workers=1000).seconds == pytest.approx(9)


def test_the_study_begins_when_the_driver_is_set_up_and_workers_have_started() -> None:
    found = course(trials_of([10]), workers=1, setup_seconds=3, start_seconds=5)
    assert found.seconds == pytest.approx(18)


def test_the_driver_takes_outcomes_one_at_a_time() -> None:
    # Three trials end at 10; the driver is done with them at 12, 14 and 16.
    assert course(trials_of([10, 10, 10]), workers=3, hand_seconds=2).seconds == pytest.approx(16)


def test_a_worker_waits_until_the_driver_has_its_outcome() -> None:
    assert course(trials_of([10, 10]), workers=1, hand_seconds=2).seconds == pytest.approx(24)


def test_a_trial_goes_on_from_its_newest_checkpoint() -> None:
    # Ten epochs of 10 s. The worker dies at 35: three epochs are kept, 5 s are in vain, seven epochs are left.
    found = failing(trials_of([100], lives=[[35]]), workers=1)
    assert (found.deaths, found.failed) == (1, 0)
    assert found.vain_seconds == pytest.approx(5)
    assert found.seconds == pytest.approx(105)
    assert found.busy_seconds == pytest.approx(105)


def test_a_second_failure_loses_what_came_after_the_second_checkpoint() -> None:
    # It goes on at 35 with its fourth epoch and dies at 60: two more epochs are kept, 5 s more are in vain.
    found = failing(trials_of([100], lives=[[35, 25]]), workers=1)
    assert (found.deaths, found.failed) == (2, 0)
    assert found.vain_seconds == pytest.approx(10)
    assert found.seconds == pytest.approx(110)


def test_without_checkpoints_it_begins_anew() -> None:
    found = failing(trials_of([100], lives=[[35]]), workers=1, checkpoints=False)
    assert found.vain_seconds == pytest.approx(35)
    assert found.seconds == pytest.approx(135)


def test_another_machine_has_to_come_and_to_start() -> None:
    found = failing(trials_of([100], lives=[[35]]), workers=1, replace_seconds=30, start_seconds=5)
    assert found.seconds == pytest.approx(5 + 35 + 35 + 70)


def test_a_lost_trial_goes_to_a_worker_that_is_free() -> None:
    # The second worker is free at 20 and waits; at 35 it takes the trial, before another machine comes.
    found = failing(trials_of([100, 20], lives=[[35]]), workers=2, replace_seconds=500)
    assert found.seconds == pytest.approx(105)


def test_a_lost_trial_is_begun_before_those_that_wait() -> None:
    # At 35 it is begun again, with 70 s left; the third trial is begun at 40.
    assert failing(trials_of([100, 40, 60], lives=[[35]]), workers=2).seconds == pytest.approx(105)


def test_the_third_death_ends_a_trial_and_the_study_goes_on() -> None:
    found = failing(trials_of([100, 10], lives=[[5, 5, 5]]), workers=1)
    assert (found.deaths, found.failed) == (3, 1)
    assert found.vain_seconds == pytest.approx(15)
    assert found.seconds == pytest.approx(25)


def test_a_slow_attempt_takes_so_many_times_as_long() -> None:
    trials = trials_of([100, 100], luck=[[0.01], [0.9]])
    assert course(trials, workers=2, slow_share=0.02).seconds == pytest.approx(400)
    assert course(trials, workers=2, slow_share=0.02, slow_times=2).seconds == pytest.approx(200)
    assert course(trials, workers=2, slow_share=0.005).seconds == pytest.approx(100)


def test_a_backup_goes_on_from_the_checkpoint_and_the_first_result_counts() -> None:
    # The slow one has epochs of 40 s. The other worker is free at 100, where two are kept: eight of 10 s are left.
    trials = trials_of([100, 100], luck=[[0.01], [0.9]])
    found = course(trials, workers=2, slow_share=0.02, backups=True)
    assert found.backups == 1
    assert found.seconds == pytest.approx(180)
    assert found.vain_seconds == pytest.approx(80)  # both trained the same from 100 to 180
    assert found.busy_seconds == pytest.approx(180 + 100 + 80)


def test_of_two_slow_trials_the_one_that_would_end_last_gets_the_first_backup() -> None:
    # At 100, nine epochs of 20 s are left of the one that would end at 800, until 280. Then three of 10 s are left of
    # the other one.
    trials = trials_of([100, 200, 100], luck=[[0.01], [0.01], [0.9]])
    found = course(trials, workers=3, slow_share=0.02, backups=True)
    assert found.backups == 2
    assert found.seconds == pytest.approx(310)


def test_without_checkpoints_a_backup_begins_anew_and_all_of_the_slow_one_is_in_vain() -> None:
    trials = trials_of([100, 100], luck=[[0.01], [0.9]])
    found = course(trials, workers=2, slow_share=0.02, backups=True, checkpoints=False)
    assert found.seconds == pytest.approx(200)
    assert found.vain_seconds == pytest.approx(200)


def test_no_backup_is_begun_that_would_end_later() -> None:
    # The other worker is free at 380, and the slow one ends at 400: a backup would take until 480.
    trials = trials_of([100, 380], luck=[[0.01], [0.9]])
    assert course(trials, workers=2, slow_share=0.02, backups=True, checkpoints=False).backups == 0


def test_a_backup_that_is_slow_too_does_no_harm() -> None:
    trials = trials_of([100, 100], luck=[[0.01, 0.01], [0.9]])
    found = course(trials, workers=2, slow_share=0.02, backups=True)
    assert found.backups == 1
    assert found.seconds == pytest.approx(400)


def test_the_backup_goes_on_when_the_worker_of_the_slow_attempt_dies() -> None:
    trials = trials_of([100, 100], luck=[[0.01], [0.9]], lives=[[150]])
    found = failing(trials, workers=2, slow_share=0.02, backups=True)
    assert (found.deaths, found.failed) == (1, 0)
    assert found.seconds == pytest.approx(180)
    assert found.vain_seconds == pytest.approx(50)  # from 100, when the backup began, to 150


def test_one_seed_gives_one_course() -> None:
    def played(seed: int) -> Course:
        trials = made_up_trials(np.random.default_rng(seed), count=60, median_seconds=600, spread=0.5, epochs=20)
        return carried_out(trials, Cluster(workers=7, failures_per_hour=1, slow_share=0.1, backups=True))

    assert played(3) == played(3)
    assert played(3) != played(4)


def test_made_up_trials_have_the_median_and_the_spread_that_were_asked_for() -> None:
    trials = made_up_trials(np.random.default_rng(0), count=20_000, median_seconds=600, spread=0.5, epochs=20)
    assert np.median(trials.seconds) == pytest.approx(600, rel=0.02)
    assert np.log(trials.seconds).std() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_faster_than_all_work_shared_and_graham_bounds_the_rest(seed: int) -> None:
    trials = made_up_trials(np.random.default_rng(seed), count=50, median_seconds=60, spread=0.8, epochs=5)
    for workers in (1, 3, 10, 50):
        seconds = course(trials, workers=workers).seconds
        best = max(trials.seconds.sum() / workers, trials.seconds.max())
        assert best * (1 - 1e-9) <= seconds <= (2 - 1 / workers) * best * (1 + 1e-9)


def test_amdahls_law_shares_the_trials_and_not_the_driver() -> None:
    cluster = Cluster(workers=4, setup_seconds=10, hand_seconds=1)
    trials = trials_of([100, 100])
    assert cluster.one_process_seconds(trials) == 212
    assert cluster.amdahl_seconds(trials) == 62
