"""Exercises that ask for a study: what a reader's study measured, and what it has to be.

Such a study has drills, which take a second in the laboratory of :mod:`fortydays.exercises.lab`. The reader's process
carries them out and tells their numbers. The claims are judged here, as those of every study are.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.study.bench import Bench, checked
from fortydays.study.claims import Claim
from fortydays.study.design import Study
from fortydays.study.drills import Drill
from fortydays.study.fields import check_fields
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.samples import findings_of
from fortydays.tasks.metric import Metric

if TYPE_CHECKING:
    from fortydays.exercises.design import Task

MOST_SEEDS, MOST_DRILLS, MOST_CLAIMS, MOST_METRICS = 50, 6, 6, 12
_MOST = {"seeds": MOST_SEEDS, "drills": MOST_DRILLS, "claims": MOST_CLAIMS, "metrics": MOST_METRICS}

_NO_SPREAD = "Every repetition gives the same number, so it is one trial and not many: use bench.seed."
_ASKED = "Do the drills train and measure as the text asks?"
_CLAIMS = {kind.__name__: kind for kind in get_args(Claim)}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a study is and what its drills gave, as far as a judge needs it.

    Attributes:
        seeds: of the study, in their order.
        metrics: by drill, what it measures.
        numbers: by drill, its numbers by metric, for each seed.
        claims: the study's.
    """

    seeds: tuple[int, ...]
    metrics: Mapping[str, tuple[Metric, ...]]
    numbers: Mapping[str, tuple[Mapping[str, float], ...]]
    claims: tuple[Claim, ...]

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """What the numbers say of each claim."""
        trials = [
            {"status": "finished", "variant": name, "seed": seed, "metrics": metrics}
            for name, found in self.numbers.items()
            for seed, metrics in zip(self.seeds, found, strict=True)
        ]
        declared = {metric.name: metric for metrics in self.metrics.values() for metric in metrics}
        return tuple(claim.judge(findings_of(trials, declared=declared)) for claim in self.claims)

    def claim(self, kind: type, **fields: object) -> Claim | None:
        """The first claim of a kind with these fields, or None."""
        alike = (
            claim
            for claim in self.claims
            if isinstance(claim, kind) and all(getattr(claim, name) == value for name, value in fields.items())
        )
        return next(alike, None)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a study has to be, told where it is not.

    Attributes:
        says: what is missing, told to the reader.
        holds: whether a study is that.
    """

    says: str
    holds: Callable[[Carried], bool]


def carried_out(study: Study) -> dict[str, Any]:
    """Carry out the drills of a study with all of its seeds; JSON values that :func:`read_carried` reads.

    Raises:
        FortydaysError: it is no study of drills alone, is too large, or a drill gave something else than its metrics.
    """
    if not isinstance(study, Study):
        raise FortydaysError(f"`study` is {type(study).__name__}; expected a Study.")
    if study.variants or not study.drills:
        raise FortydaysError("The study is to have drills and no variants: a judge has no time to train with Keras.")
    _check_size(seeds=study.seeds, drills=study.drills, claims=study.claims)
    numbers = {drill.name: [_done(drill, seed) for seed in study.seeds] for drill in study.drills}
    return {
        "seeds": list(study.seeds),
        "drills": {each.name: [dataclasses.asdict(metric) for metric in each.measured] for each in study.drills},
        "numbers": numbers,
        "claims": [{"kind": type(each).__name__, **dataclasses.asdict(each)} for each in study.claims],
    }


def _check_size(**parts: Sized) -> None:
    """Raises FortydaysError where a study has more seeds, drills or claims than a judge has time for."""
    for name, part in parts.items():
        if len(part) > _MOST[name]:
            raise FortydaysError(f"The study has {len(part)} {name}; the judge takes at most {_MOST[name]}.")


def _done(drill: Drill, seed: int) -> dict[str, float]:
    """What a drill gives for a seed, on a bench without a workspace: it only computes."""
    nowhere = Path("no-workspace")
    settings = Settings(workspace=nowhere, datasets=nowhere, mirror=None, offline=True, threads=1, tracking_uri="")
    numbers, _ = checked(drill, drill.do(Bench(seed=seed, settings=settings, say=lambda _: None)))
    return numbers


def read_carried(document: Mapping[str, Any]) -> Carried:
    """What a reader's process has told, checked: that process may have put anything in the place of our own code.

    What it says has to be a study that could be written down, and no larger than :func:`carried_out` allows.

    Raises:
        ValueError: it is not what :func:`carried_out` gives.
    """
    try:
        seeds, told, given = document["seeds"], document["drills"], document["numbers"]
        _check_size(seeds=seeds, drills=told, claims=document["claims"])
        metrics = {name: _metrics(found) for name, found in told.items()}
        claims = tuple(map(_claim, document["claims"]))
        drills = tuple(Drill(name=name, do=_nothing, metrics=found) for name, found in metrics.items())
        study = Study(title="judged", drills=drills, claims=claims, seeds=tuple(seeds))
        numbers = {
            name: tuple({m.name: float(found[m.name]) for m in metrics[name]} for found in given[name])
            for name in metrics
        }
        finite = all(math.isfinite(value) for found in numbers.values() for each in found for value in each.values())
        if not finite or any(len(found) != len(seeds) for found in numbers.values()):
            raise ValueError("numbers are missing")
        carried = Carried(seeds=study.seeds, metrics=metrics, numbers=numbers, claims=claims)
        _ = carried.judgements  # here, because what cannot be judged is no failure of the judge
        return carried
    except (KeyError, TypeError, AttributeError, ArithmeticError, FortydaysError) as error:
        raise ValueError(f"no study: {error}") from error


def _metrics(told: Sequence[Mapping[str, Any]]) -> tuple[Metric, ...]:
    _check_size(metrics=told)
    found = tuple(Metric(**fields) for fields in told)
    for metric in found:
        check_fields(metric)
    return found


def _claim(told: Mapping[str, Any]) -> Claim:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    claim: Claim = _CLAIMS[fields.pop("kind")](**fields)
    check_fields(claim)
    return claim


def _nothing(_bench: Bench) -> dict[str, float]:
    return {}


def what_is_wrong(task: "Task", carried: Carried) -> str:
    """The first thing that is wrong with a study, or "" where it is what is asked for."""
    for demand in task.demands:
        if not demand.holds(carried):
            return demand.says
    differs = _differs(task.reference(), carried)
    if differs:
        demanded = {demand.says for demand in task.demands}
        others = (mistake for mistake in task.mistakes if mistake.says not in demanded)
        told = (mistake.says for mistake in others if not _differs(mistake.function(), carried))
        return next(told, _NO_SPREAD if _is_constant(carried) else f"{differs} {_ASKED}")
    judgement = carried.judgements[0]
    if judgement.verdict is Verdict.SUPPORTED:
        return ""
    more = f" {judgement.note[0].upper()}{judgement.note[1:]}." if judgement.note else ""
    return f"The claim is {judgement.word}, not supported: {_value(carried)}.{more}"


def passed(carried: Carried) -> str:
    """What is told of a study that is right."""
    return f"the claim is supported by {counted(len(carried.seeds), 'seed')}: {_value(carried)}"


def _value(carried: Carried) -> str:
    """The number that the first claim rests on, with its interval."""
    judgement = carried.judgements[0]
    if judgement.value is None:
        return "there is no number"
    factor, unit = (100, " points") if judgement.unit == "share" else (1, f" {carried.claims[0].metric}")
    value, *ends = (
        f"{factor * number:+,.4g}" for number in (judgement.value, judgement.low, judgement.high) if number is not None
    )
    return f"{value}{unit}{f' ({ends[0]} to {ends[1]})' if ends else ''}"


def _is_constant(carried: Carried) -> bool:
    """Whether no drill gives another number for another seed."""
    return len(carried.seeds) > 1 and all(each == found[0] for found in carried.numbers.values() for each in found)


def _differs(study: Study, carried: Carried) -> str:
    """Where the reader's drills give other numbers than those of a study, a sentence; else ""."""
    for drill in study.drills:
        for seed, given in zip(carried.seeds, carried.numbers.get(drill.name, ()), strict=False):
            for name, value in _done(drill, seed).items():
                found = given.get(name, math.nan)
                if not math.isclose(found, value, rel_tol=1e-9):
                    return f'With the seed {seed}, the drill "{drill.name}" gives {found:g} {name}, not {value:g}.'
    return ""


# ------------------------------------------------------------------------------------------------------------- demands


def has_drills(*names: str, metric: str) -> Demand:
    """The study has drills of these names, each with a metric."""
    said = " and ".join(f'"{name}"' for name in names)

    def holds(carried: Carried) -> bool:
        return all(metric in {m.name for m in carried.metrics.get(name, ())} for name in names)

    return Demand(says=f'It is to have the drills {said}, each with the metric "{metric}".', holds=holds)


def has_seeds(least: int) -> Demand:
    """The study reports at least so many seeds."""
    return Demand(
        says=f"It has too few seeds: at least {least} are to decide the claim.",
        holds=lambda carried: len(carried.seeds) >= least,
    )


def claims_first(says: str, kind: type, **fields: object) -> Demand:
    """The first claim of the study is of a kind, with these fields."""

    def holds(carried: Carried) -> bool:
        return bool(carried.claims) and carried.claims[0] is carried.claim(kind, **fields)

    return Demand(says=says, holds=holds)
