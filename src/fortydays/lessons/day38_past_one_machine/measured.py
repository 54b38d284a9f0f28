"""What day 38 measures on real processes: what only one process can do, and whether a cluster gives the same bits.

Both drills give this program's own commands a small study of digits. They need no dataset from elsewhere.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.lessons.day38_past_one_machine.plan import TRIALS
from fortydays.study.bench import Bench
from fortydays.tasks.metric import Metric

SAME_ON_ONE = Metric(name="same_on_1_worker", title="same bits on one worker", unit="share", better="higher")
SAME_ON_TWO = Metric(name="same_on_2_workers", title="same bits on two workers", unit="share", better="higher")

SETUP = Metric(name="setup_cpu_seconds", title="for a study", unit="seconds", better="lower", exact=False)
HAND = Metric(name="trial_cpu_seconds", title="for a trial", unit="seconds", better="lower", exact=False)
SERIAL = Metric(name="serial_cpu_seconds", title="for 4,000 trials", unit="seconds", better="lower", exact=False)

_MANY = 40
"""Trials of the larger of two studies whose costs are compared."""

_SECONDS = 1200.0
"""That a command may take: a cluster starts slowly on a machine that has other work."""

_STUDY = '''
"""Two small networks for digits, which train next to nothing."""
from keras import Input, Sequential, layers

from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe


def network(units):
    def build():
        hidden = [layers.Dense(units, activation="relu"), layers.Dropout(0.1)] if units else []
        return Sequential([Input((8, 8)), layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")])

    return build


study = Study(
    title="Two small networks",
    dataset="digits",
    variants=tuple(
        Variant(name=name, model=network(units), recipe=Recipe(epochs=EPOCHS, batch_size=64))
        for name, units in (("linear", 0), ("hidden", 16))
    ),
    claims=(),
    seeds=SEEDS,
)
'''


def same_bits(bench: Bench) -> Mapping[str, float]:
    """The share of trials whose weights have the same bits on a cluster of one's own as in one process."""
    bench.settings = dataclasses.replace(bench.settings, threads=1)  # so that two cores are enough for two workers
    seeds = (bench.seed, bench.seed + 1)
    here = _weights(_evidence(bench, "here.py", epochs=3, seeds=seeds))
    found = {}
    for metric, workers in ((SAME_ON_ONE, 1), (SAME_ON_TWO, 2)):
        name = f"on_{workers}.py"  # a study of another name begins anew
        there = _weights(_evidence(bench, name, "--on", f"local:{workers}", epochs=3, seeds=seeds))
        found[metric.name] = sum(there[trial] == digest for trial, digest in here.items()) / len(here)
    return found


def driver(bench: Bench) -> Mapping[str, float]:
    """CPU seconds of a study with next to no training: what they have in common, and what each trial adds."""
    bench.settings = dataclasses.replace(bench.settings, threads=1)
    few, many = (
        _cpu_seconds(bench, f"with_{count}.py", seeds=tuple(range(bench.seed, bench.seed + count)))
        for count in (1, _MANY)
    )
    hand = max(0.0, (many - few) / (_MANY - 1))
    setup = few - hand
    return {SETUP.name: setup, HAND.name: hand, SERIAL.name: setup + TRIALS * hand}


def _cpu_seconds(bench: Bench, name: str, *, seeds: tuple[int, ...]) -> float:
    before = os.times()
    _evidence(bench, name, "--only", "linear", epochs=1, seeds=seeds)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _evidence(bench: Bench, name: str, *arguments: str, epochs: int, seeds: tuple[int, ...]) -> dict[str, Any]:
    """The evidence of the study, run by a command of its own. Raises FortydaysError with what the command said."""
    path = bench.settings.workspace / name
    files.write_bytes(path, _STUDY.replace("EPOCHS", str(epochs)).replace("SEEDS", repr(seeds)).encode())
    done = bench.forty("run", str(path), "--no-track", "--json", *arguments, seconds=_SECONDS)
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise FortydaysError(f"`forty run {name} {' '.join(arguments)}` ended with {done.returncode}: {said[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _weights(evidence: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    return {(trial["variant"], trial["seed"]): trial["weights_digest"] for trial in evidence["trials"]}
