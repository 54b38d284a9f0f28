"""The study on paper of day 38's drills: its trials, its metrics, and what is asked of the simulation."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fortydays.lessons.day38_past_one_machine.simulation import Cluster, Trials, carried_out, made_up_trials
from fortydays.study.bench import Bench
from fortydays.tasks.metric import Metric

# The plan: 800 candidates with five seeds each. Most take some ten minutes, few an hour.
TRIALS = 4000
MEDIAN_SECONDS = 600.0
SPREAD = 0.5
EPOCHS = 20

WORKERS = (1, 50, 100, 200, 400, 700, 1000)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Failures of a worker in an hour, with and without checkpoints."""

TOLD = (0.1, 1.0)
"""Those of which it is told how many trials fail."""


def speedup(workers: int) -> Metric:
    """How many times faster the study is than in one process without a cluster."""
    return Metric(
        name=f"speedup_of_{workers}", title=f"speed-up of {workers:,} workers", unit="ratio", better="higher"
    )


def in_vain(rate: float) -> Metric:
    """The share of the training that is done again, at a rate of failures an hour."""
    per = round(1000 * rate)
    return Metric(name=f"in_vain_at_{per}", title=f"in vain, {per} failures in 1,000 h", unit="share", better="lower")


def failed(rate: float) -> Metric:
    """The share of trials of which three workers died, at a rate of failures an hour."""
    per = round(1000 * rate)
    return Metric(name=f"failed_at_{per}", title=f"failed, {per} failures in 1,000 h", unit="share", better="lower")


def planned(bench: Bench) -> Trials:
    """The trials of the plan. With one seed, they and their luck are the same for all clusters."""
    return made_up_trials(bench.random, count=TRIALS, median_seconds=MEDIAN_SECONDS, spread=SPREAD, epochs=EPOCHS)


def faster(seconds: Callable[[Trials, Cluster], float], cluster: Cluster) -> Callable[[Bench], Mapping[str, float]]:
    """A drill: the speed-up for each number of workers.

    Args:
        seconds: how long the study takes on a cluster.
        cluster: what it is like, whatever its number of workers.
    """

    def drill(bench: Bench) -> Mapping[str, float]:
        trials = planned(bench)
        one = cluster.one_process_seconds(trials)
        return {speedup(workers).name: one / seconds(trials, replace(cluster, workers=workers)) for workers in WORKERS}

    return drill


def shared(trials: Trials, cluster: Cluster) -> float:
    """Seconds if all of the work could be shared."""
    return cluster.one_process_seconds(trials) / cluster.workers


def by_amdahl(trials: Trials, cluster: Cluster) -> float:
    """Seconds if the workers' part is shared, and they all wait while the driver does its own."""
    return cluster.amdahl_seconds(trials)


def played(trials: Trials, cluster: Cluster) -> float:
    """Seconds of the study in the simulation, with the trials in their order."""
    return carried_out(trials, cluster).seconds


def longest_first(trials: Trials, cluster: Cluster) -> float:
    """Seconds of the study in the simulation, with the longest trials first."""
    return carried_out(trials.longest_first(), cluster).seconds


def with_failures(*, checkpoints: bool) -> Callable[[Bench], Mapping[str, float]]:
    """A drill: what a hundred workers do in vain, and what fails, for each rate of failures."""

    def drill(bench: Bench) -> Mapping[str, float]:
        trials, found = planned(bench), {}
        for rate in RATES:
            course = carried_out(trials, Cluster(workers=100, failures_per_hour=rate, checkpoints=checkpoints))
            found[in_vain(rate).name] = course.vain_seconds / course.busy_seconds
            if rate in TOLD:
                found[failed(rate).name] = course.failed / trials.count
        return found

    return drill
