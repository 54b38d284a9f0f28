"""Day 38's exercises: Amdahl's law, who trains what, what a failure takes, and what a cluster costs."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, number, wrong


def faster_by_amdahl(driver: float, work: float, workers: int) -> float:
    """How many times faster a study is with so many workers.

    driver: seconds that cannot be shared. work: seconds of all trials, which can.
    """
    return (driver + work) / (driver + work / workers)


def most_by_amdahl(driver: float, work: float) -> float:
    """What the speed-up stays below, however many workers there are."""
    return (driver + work) / driver


def ends_of_trials(seconds: np.ndarray, workers: int) -> np.ndarray:
    """When each trial ends, from the start of the study: (trials,).

    seconds is (trials,): how long each takes. They are begun in their order.
    """
    free = np.zeros(workers)
    found = np.zeros(len(seconds))
    for place in range(len(seconds)):
        first = np.argmin(free)
        free[first] = free[first] + seconds[place]
        found[place] = free[first]
    return found


def after_a_failure(epochs: int, seconds: float, fails_at: float, pause: float) -> tuple[float, float]:
    """How many seconds a trial takes whose worker fails once: with a checkpoint after each epoch, and without any.

    seconds is the time of one epoch. The worker fails fails_at seconds after the trial has begun. pause seconds later,
    another worker begins, and does not fail.
    """
    done = np.floor(fails_at / seconds)
    return fails_at + pause + (epochs - done) * seconds, fails_at + pause + epochs * seconds


def hours_that_are_paid() -> float:
    """How many hours of workers are paid?"""
    return 1000 * 800 / 500


def workers_at_half() -> int:
    """With how many workers is the speed-up half of their number?"""
    return 201


def _law(rng: np.random.Generator, n: int) -> tuple[float, float, int]:
    return float(rng.integers(1, 20)), float(rng.integers(50, 900)), n + int(rng.integers(2, 30))


def _law_without(rng: np.random.Generator, n: int) -> tuple[float, float]:
    return _law(rng, n)[:2]


def _queue(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    return rng.integers(1, 10, n + 3).astype(float), 2 + n % 2


def _failure(rng: np.random.Generator, n: int) -> tuple[int, float, float, float]:
    seconds = float(rng.integers(2, 9)) * 10
    begun = int(rng.integers(1, n + 1))
    return n + 2, seconds, (begun + float(rng.integers(2, 9)) / 10) * seconds, float(rng.integers(1, 9))


def _dealt_in_turn(seconds: np.ndarray, workers: int) -> np.ndarray:
    found = np.zeros(len(seconds))
    for worker in range(workers):
        found[worker::workers] = np.cumsum(seconds[worker::workers])
    return found


def _longest_first(seconds: np.ndarray, workers: int) -> np.ndarray:
    order = np.argsort(-seconds, kind="stable")
    found = np.zeros(len(seconds))
    found[order] = ends_of_trials(seconds[order], workers)
    return found


EXERCISES = (
    Exercise(
        title="How much faster",
        text="""
    S = (driver + work) / (driver + work / workers)

The driver's seconds are not shared, those of the trials are.
""",
        tasks=(
            Task(
                reference=faster_by_amdahl,
                cases=_law,
                mistakes=(
                    wrong("The driver's seconds are shared, too: only the trials are.", lambda d, w, n: float(n)),
                    wrong(
                        "This is the time with these workers, and not how many times faster it is.",
                        lambda d, w, n: d + w / n,
                    ),
                    wrong("The driver's seconds are missing below.", lambda d, w, n: (d + w) / (w / n)),
                    wrong("The driver's seconds are missing above.", lambda d, w, n: w / (d + w / n)),
                    wrong("It is upside down.", lambda d, w, n: (d + w / n) / (d + w)),
                    wrong(
                        "The trials' seconds are multiplied by the workers: divide them.",
                        lambda d, w, n: (d + w) / (d + w * n),
                    ),
                ),
            ),
            Task(
                reference=most_by_amdahl,
                cases=_law_without,
                mistakes=(
                    wrong("The driver's seconds are missing in the whole.", lambda d, w: w / d),
                    wrong("This is the share that cannot be shared: turn it upside down.", lambda d, w: d / (d + w)),
                    wrong("Divide by the driver's seconds: the trials' become zero.", lambda d, w: (d + w) / w),
                ),
            ),
        ),
        hints=("(driver + work) / (driver + work / workers).", "With endless workers, work / workers is zero."),
        afterwards="""
One second of the driver for a thousand of the trials: more than a thousand times faster it never gets.
""",
    ),
    Exercise(
        title="Who trains what",
        text="""
Trials wait in a queue. The worker that is free first takes the next one. At the start, all are free.

When does each trial end?
""",
        tasks=(
            Task(
                reference=ends_of_trials,
                cases=_queue,
                mistakes=(
                    wrong(
                        "They are dealt out in turn: the worker that is free first takes the next one.", _dealt_in_turn
                    ),
                    wrong("One worker trains all of them: there are more.", lambda s, n: np.cumsum(s)),
                    wrong("All begin at the start: a worker trains one at a time.", lambda s, n: s),
                    wrong("This is when they begin.", lambda s, n: ends_of_trials(s, n) - s),
                    wrong("The longest is begun first: keep the order.", _longest_first),
                    wrong(
                        "The worker that is free last takes the next one.",
                        lambda s, n: np.append(s[: n - 1], np.cumsum(s[n - 1 :])) if len(s) >= n else s,
                    ),
                ),
            ),
        ),
        hints=(
            "Keep an array with the time at which each worker is free.",
            "np.argmin(free) is the worker; add seconds[place] to its time.",
        ),
        afterwards="""
The largest of these times is how long the study takes. It is never less than the longest trial.
""",
    ),
    Exercise(
        title="What a failure takes",
        text="""
A worker fails in the middle of an epoch. After a pause, another worker goes on: from the last checkpoint, or,
without checkpoints, from the beginning.

Return both times, from the start of the trial to its end.
""",
        tasks=(
            Task(
                reference=after_a_failure,
                cases=_failure,
                outputs=("with checkpoints", "without"),
                mistakes=(
                    wrong(
                        "The epoch in which it fails is lost: round down.",
                        lambda e, s, f, p: f + p + (e - np.ceil(f / s)) * s,
                        "with checkpoints",
                    ),
                    wrong(
                        "With checkpoints, nothing seems lost: what came after the last one is done again.",
                        lambda e, s, f, p: p + e * s,
                        "with checkpoints",
                    ),
                    wrong(
                        "With checkpoints, the pause is missing.",
                        lambda e, s, f, p: f + (e - np.floor(f / s)) * s,
                        "with checkpoints",
                    ),
                    wrong(
                        "This is what the second worker takes: add the time before the failure.",
                        lambda e, s, f, p: p + (e - np.floor(f / s)) * s,
                        "with checkpoints",
                    ),
                    wrong(
                        "Without checkpoints, the time before the failure is missing.",
                        lambda e, s, f, p: p + e * s,
                        "without",
                    ),
                    wrong("Without checkpoints, the pause is missing.", lambda e, s, f, p: f + e * s, "without"),
                    wrong(
                        "Without checkpoints, it seems to go on from the last epoch.",
                        lambda e, s, f, p: f + p + (e - np.floor(f / s)) * s,
                        "without",
                    ),
                ),
            ),
        ),
        hints=(
            "np.floor(fails_at / seconds) epochs are kept.",
            "fails_at + pause + what is still to do, times the seconds of an epoch.",
        ),
        afterwards="""
The difference of the two is what the checkpoints keep: all whole epochs before the failure.
""",
    ),
    Exercise(
        title="What a cluster costs",
        text="""
The trials of a study take 800 hours of one worker. With 1,000 workers, it is 500 times faster. All workers are
paid from its start to its end.

In another study, the driver takes 10 seconds and the trials take 1,990. The speed-up is Amdahl's.
""",
        tasks=(
            number(
                hours_that_are_paid,
                {
                    800: "That is the work. Workers that wait are paid, too.",
                    1.6: "That is how long it takes. Each worker is paid as long.",
                    400000: "800 hours are the work of all: divide by the speed-up, and multiply by the workers.",
                    625: "Workers and speed-up are exchanged.",
                },
            ),
            number(
                workers_at_half,
                {
                    200: "That is the most that the speed-up can be.",
                    199: "That is work / driver. Write down (driver + work) / (driver + work / N) = N / 2.",
                    100: "That is the speed-up there, without the driver. The number of workers is asked.",
                    400: "That is twice the most that the speed-up can be.",
                },
            ),
        ),
        hints=(
            "A study takes work / speed-up. All workers are paid as long.",
            "(driver + work) / (driver + work / N) = N / 2 gives driver * N + work = 2 * (driver + work).",
        ),
        afterwards="""
The price of a study is that of its work, divided by speed-up over workers. Twice the workers for the same
speed-up is twice the price.
""",
    ),
)
