"""A cluster on paper: trials, workers that are slow or fail, one driver. It plays through a study in virtual time.

It is a simulation of discrete events (Law, 2015, *Simulation Modeling and Analysis*, chapter 1): the clock jumps from
one event to the next. The rules are those of the executor in ``fortydays.cluster``: a worker trains one trial at a
time, a trial goes on from its newest checkpoint, and the third death of a trial ends it. Backups are a rule that the
executor does not have.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_DEATHS = 3
"""Workers that may die of one trial before it counts as failed; as in ``fortydays.cluster.executor``."""

_MOST_ATTEMPTS = MOST_DEATHS + 1
"""Of one trial: one of them may be a backup."""

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """The trials of a study, and what chance holds ready for each.

    Attributes:
        seconds: of training on a worker of usual speed; float64, shape (trials,).
        lives: how long a worker lives that trains it, in mean lives; float64, shape (trials, attempts).
        luck: from 0 to 1; below the share of slow attempts, an attempt is slow; float64, shape (trials, attempts).
        epochs: of each trial. There is a checkpoint after each.
    """

    seconds: NDArray[np.float64]
    lives: NDArray[np.float64]
    luck: NDArray[np.float64]
    epochs: int

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.seconds)

    def longest_first(self) -> "Trials":
        """The same trials in the order of their times, for a driver that knows them in advance."""
        order = np.argsort(-self.seconds, kind="stable")
        return Trials(seconds=self.seconds[order], lives=self.lives[order], luck=self.luck[order], epochs=self.epochs)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Workers, and one driver that hands out trials and takes their outcomes.

    Attributes:
        workers: that work at the same time.
        failures_per_hour: of one worker that trains.
        slow_share: of the attempts, from 0 to 1.
        slow_times: by how many times a slow attempt takes longer.
        checkpoints: whether a trial goes on from its newest checkpoint. Otherwise it begins anew.
        backups: whether a worker for which no trial is left begins a slow one a second time.
        setup_seconds: of the driver, before the first trial.
        hand_seconds: of the driver, for each trial.
        start_seconds: until a new worker can train.
        replace_seconds: until there is a machine in the place of one that failed.
    """

    workers: int
    failures_per_hour: float = 0.0
    slow_share: float = 0.0
    slow_times: float = 4.0
    checkpoints: bool = True
    backups: bool = False
    setup_seconds: float = 10.0
    hand_seconds: float = 0.1
    start_seconds: float = 20.0
    replace_seconds: float = 120.0

    def driver_seconds(self, trials: int) -> float:
        """What the driver alone can do for so many trials. No worker shortens it."""
        return self.setup_seconds + self.hand_seconds * trials

    def one_process_seconds(self, trials: Trials) -> float:
        """How long the study takes in one process without a cluster, where nothing goes wrong."""
        return self.driver_seconds(trials.count) + float(trials.seconds.sum())

    def amdahl_seconds(self, trials: Trials) -> float:
        """How long the study takes by Amdahl's law: the trials' seconds are shared, the driver's are not."""
        return self.driver_seconds(trials.count) + float(trials.seconds.sum()) / self.workers


@dataclass(frozen=True, kw_only=True)
class Course:
    """What became of a study.

    Attributes:
        seconds: from its start to its last outcome.
        busy_seconds: of all workers, in training.
        vain_seconds: of these, work that was done again, or done twice at the same time.
        deaths: of workers that trained.
        backups: trials that were begun a second time because they were slow.
        failed: trials of which three workers died.
    """

    seconds: float
    busy_seconds: float
    vain_seconds: float
    deaths: int
    backups: int
    failed: int


def made_up_trials(
    random: np.random.Generator, *, count: int, median_seconds: float, spread: float, epochs: int
) -> Trials:
    """Trials whose times are log-normal.

    Args:
        random: draws all of it. The same generator gives the same trials, whatever cluster trains them.
        count: of the trials.
        median_seconds: of their times.
        spread: standard deviation of the logarithm of their times.
        epochs: of each.
    """
    return Trials(
        seconds=median_seconds * np.exp(spread * random.standard_normal(count)),
        lives=random.standard_exponential((count, _MOST_ATTEMPTS)),
        luck=random.random((count, _MOST_ATTEMPTS)),
        epochs=epochs,
    )


@dataclass(kw_only=True, eq=False)
class _Trial:
    number: int
    epoch_seconds: float
    kept: int = 0  # epochs in the newest checkpoint
    attempts: int = 0
    deaths: int = 0
    backed_up: bool = False
    running: "list[_Attempt]"


@dataclass(kw_only=True, eq=False)
class _Attempt:
    trial: _Trial
    begun: float
    first_epoch: int
    epoch_seconds: float
    slow: bool
    dies: float
    stopped: bool = False

    def ends(self, epochs: int) -> float:
        return self.begun + (epochs - self.first_epoch) * self.epoch_seconds

    def epochs_at(self, now: float) -> int:
        return self.first_epoch + int((now - self.begun) / self.epoch_seconds)

    def twice(self, other: "_Attempt", now: float, *, checkpoints: bool) -> float:
        """How long it worked for nothing because ``other`` does the same. What it kept before served the other."""
        return now - (max(self.begun, other.begun) if checkpoints else self.begun)


def carried_out(trials: Trials, cluster: Cluster) -> Course:
    """Play a study through on a cluster.

    Args:
        trials: of the study. They are handed out in their order.
        cluster: that trains them.
    """
    return _Play(trials, cluster).course()


class _Play:
    """One study on one cluster. An event is an end or a death of an attempt, or (None) a worker that becomes free."""

    def __init__(self, trials: Trials, cluster: Cluster) -> None:
        self._trials, self._cluster = trials, cluster
        per_epoch = (trials.seconds / trials.epochs).tolist()
        self._waiting = deque(
            _Trial(number=number, epoch_seconds=seconds, running=[]) for number, seconds in enumerate(per_epoch)
        )
        self._unfinished = trials.count
        self._slow: dict[_Attempt, None] = {}  # in the order in which they began
        self._idle = 0
        self._driver = cluster.setup_seconds  # until when it is busy
        self._order = itertools.count()  # of equal times, what was planned first comes first
        self._events: list[tuple[float, int, _Attempt | None]] = []
        self._busy = self._vain = 0.0
        self._deaths = self._backups = self._failed = 0

    def course(self) -> Course:
        begin = self._cluster.setup_seconds + self._cluster.start_seconds
        for _ in range(min(self._cluster.workers, self._trials.count)):
            self._plan(begin, None)
        while self._unfinished:
            now, _, attempt = heapq.heappop(self._events)
            if attempt is None:
                self._idle += 1
            elif attempt.stopped:
                continue
            elif attempt.dies == now:
                self._died(attempt, now)
            else:
                self._ended(attempt, now)
            self._hand_out(now)
        return Course(
            seconds=self._driver,
            busy_seconds=self._busy,
            vain_seconds=self._vain,
            deaths=self._deaths,
            backups=self._backups,
            failed=self._failed,
        )

    def _plan(self, when: float, attempt: _Attempt | None) -> None:
        heapq.heappush(self._events, (when, next(self._order), attempt))

    def _hand_out(self, now: float) -> None:
        while self._idle and self._waiting:
            self._begin(self._waiting.popleft(), now)
        while self._idle and self._cluster.backups:
            found = self._slowest(now)
            if found is None:
                return
            trial = found.trial
            if self._cluster.checkpoints:
                trial.kept = found.epochs_at(now)
            trial.backed_up = True
            self._backups += 1
            self._begin(trial, now)

    def _slowest(self, now: float) -> _Attempt | None:
        """The slow attempt that would end last, of those whose backup is expected to end earlier."""
        epochs = self._trials.epochs
        worth = []
        for attempt in self._slow:
            kept = attempt.epochs_at(now) if self._cluster.checkpoints else 0
            usual = now + (epochs - kept) * attempt.trial.epoch_seconds
            if not attempt.trial.backed_up and usual < attempt.ends(epochs):
                worth.append(attempt)
        return max(worth, key=lambda attempt: attempt.ends(epochs), default=None)

    def _begin(self, trial: _Trial, now: float) -> None:
        place = (trial.number, trial.attempts)
        trial.attempts += 1
        slow = bool(self._trials.luck[place] < self._cluster.slow_share)
        rate = self._cluster.failures_per_hour / _HOUR
        attempt = _Attempt(
            trial=trial,
            begun=now,
            first_epoch=trial.kept,
            epoch_seconds=trial.epoch_seconds * (self._cluster.slow_times if slow else 1.0),
            slow=slow,
            # A worker that trains is as likely to fail in each second, so that its age does not matter.
            dies=now + float(self._trials.lives[place]) / rate if rate else np.inf,
        )
        self._idle -= 1
        trial.running.append(attempt)
        if slow:
            self._slow[attempt] = None
        self._plan(min(attempt.ends(self._trials.epochs), attempt.dies), attempt)

    def _left(self, attempt: _Attempt, now: float) -> None:
        """An attempt is over, however."""
        attempt.stopped = True
        attempt.trial.running.remove(attempt)
        self._slow.pop(attempt, None)
        self._busy += now - attempt.begun

    def _told(self, now: float) -> float:
        """When the driver has dealt with an outcome: it deals with one at a time."""
        self._driver = max(self._driver, now) + self._cluster.hand_seconds
        self._unfinished -= 1
        return self._driver

    def _ended(self, attempt: _Attempt, now: float) -> None:
        self._left(attempt, now)
        free = self._told(now)
        self._plan(free, None)
        for other in attempt.trial.running[:]:  # a backup, or what it was a backup of
            self._left(other, now)
            self._vain += other.twice(attempt, now, checkpoints=self._cluster.checkpoints)
            self._plan(free, None)

    def _died(self, attempt: _Attempt, now: float) -> None:
        trial = attempt.trial
        self._left(attempt, now)
        self._deaths += 1
        trial.deaths += 1
        self._plan(now + self._cluster.replace_seconds + self._cluster.start_seconds, None)
        if trial.running:  # its backup goes on
            self._vain += attempt.twice(trial.running[0], now, checkpoints=self._cluster.checkpoints)
            return
        self._vain += now - attempt.begun
        if self._cluster.checkpoints:
            done = attempt.epochs_at(now)
            self._vain -= (done - attempt.first_epoch) * attempt.epoch_seconds
            trial.kept = done
        if trial.deaths == MOST_DEATHS:
            self._failed += 1
            self._told(now)
        else:
            self._waiting.appendleft(trial)
