"""Checks on every run: what a reader must know of a variant before believing a number of it.

A check looks at what the trials gave, after all are done. It changes no number and no verdict. A verdict on a variant
that did not pass a check names the check, unless the study declared with a reason that it expects this.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fortydays.base.text import counted
from fortydays.study.statistics import student_t

MARGIN = 0.05
"""How far above chance a variant must be on its own training examples to have learned anything."""

RISE = 0.005
"""A rise of the validation accuracy in the last fifth of training that says that it has not come to its end."""

_FEWEST_POINTS = 5
"""With fewer points in its history, the last of them is more than a fifth of a training."""

LAG = 0.05
"""How far a network in use may be behind the same network in training, on training examples."""

OUTLIER_RISK = 0.01
"""How often one of seeds that scatter like a normal distribution is called an outlier."""

DEAD = 0.5
"""The share of a layer's units that may be dead at the end."""

OFF_ONE = 0.05
"""How far from 1 the deviation of standardized inputs may be."""

FITS = 0.9
"""The accuracy on some of its own training examples, learned by heart, that shows that a network can learn."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check that a variant or a claim did not pass.

    Attributes:
        check: its name.
        said: what was found, with the numbers, and what was expected.
        variant: which variant; "" where it is about a claim.
        claim: the sentence of which claim; "" where it is about a variant.
        expected: why the study expects it; "" where it does not.
    """

    check: str
    said: str
    variant: str = ""
    claim: str = ""
    expected: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """One trained variant of a run, as its checks see it.

    Attributes:
        name: of the variant.
        trials: its finished trials as the evidence tells them, at least one.
        failed: how many trials ended with a loss that is no number.
        recipe: its recipe, field by field.
        search: the outcome of its search, or None.
        chance: the accuracy of who always names the largest class, or of who guesses where that is not known.
        test: how many test examples there are.
        standardized: what became of its inputs, or None; see :class:`fortydays.study.document.Standardized`.
        fits: how well it learned some of its training examples by heart, or None; see
            :class:`fortydays.study.document.Fits`.
    """

    name: str
    trials: Sequence[Mapping[str, Any]]
    recipe: Mapping[str, Any]
    search: Mapping[str, Any] | None
    chance: float
    test: int
    failed: int = 0
    standardized: Mapping[str, Any] | None = None
    fits: Mapping[str, Any] | None = None

    def values(self, metric: str) -> list[float]:
        """A metric of each trial."""
        return [t["metrics"][metric] for t in self.trials if t["metrics"].get(metric) is not None]

    @property
    def margin(self) -> float:
        """How far above chance it must be; half of the way to 1 where that is nearer."""
        return min(MARGIN, (1 - self.chance) / 2)

    @property
    def learned(self) -> list[bool]:
        """Whether each trial is better than chance on its own training examples."""
        return [value > self.chance + self.margin for value in self.values("train_accuracy")]

    def binomial(self, accuracy: float) -> float:
        """The standard error of an accuracy that the choice of the test examples alone gives; 0 if there are none."""
        return math.sqrt(accuracy * (1 - accuracy) / self.test) if self.test else 0.0


def _nothing_learned(of: Checked) -> Iterator[str]:
    if of.learned and not any(of.learned):
        mean = statistics.fmean(of.values("train_accuracy"))
        yield (
            f"its accuracy on its own training examples is {_percent(mean)}; expected more than {_percent(of.margin)} "
            f"above chance, which is {_percent(of.chance)}"
        )


def _collapses(of: Checked) -> Iterator[str]:
    """Trials that failed learned nothing either: they count as guesses in the median."""
    drawn = len(of.learned) + of.failed
    collapsed = of.learned.count(False) + of.failed
    if 0 < collapsed < drawn:
        median = statistics.median([*of.values("test_accuracy"), *[of.chance] * of.failed])
        how = f"learned nothing ({of.failed} failed)" if of.failed else "learned nothing"
        yield (
            f"{collapsed} of {counted(drawn, 'trial')} {how}; the median of the test accuracy is {_percent(median)}, "
            "and a mean says little"
        )


def _outlier(of: Checked) -> Iterator[str]:
    """The test of Grubbs (1969) for one outlier, with a risk of 1%.

    Accuracies are counts, and seeds often have equal ones. A seed that differs from such by what the choice of test
    examples explains, by two standard errors, is none.
    """
    values = of.values("test_accuracy")
    n = len(values)
    if n < 4 or len(set(values)) == 1:
        return
    mean, std = statistics.fmean(values), statistics.stdev(values)
    t = student_t(n - 2, confidence=1 - OUTLIER_RISK / n)
    critical = (n - 1) / math.sqrt(n) * math.sqrt(t * t / (n - 2 + t * t))
    farthest = max(of.trials, key=lambda trial: abs(trial["metrics"].get("test_accuracy", mean) - mean))
    value = farthest["metrics"]["test_accuracy"]
    middle = statistics.median(values)
    if abs(value - mean) > critical * std and abs(value - middle) > 2 * of.binomial(middle):
        yield f"seed {farthest['seed']} has {_percent(value)}, far from the median of {_percent(middle)}"


def _no_spread(of: Checked) -> Iterator[str]:
    values = of.values("test_accuracy")
    if len(values) > 1 and len({trial["weights_digest"] for trial in of.trials}) == 1:
        yield "all seeds gave the same weights, so they vary nothing"
    elif len(values) > 1 and len(set(values)) == 1:
        yield f"all seeds have a test accuracy of exactly {_percent(values[0])}, which cannot tell them apart"


def _small_spread(of: Checked) -> Iterator[str]:
    values = of.values("test_accuracy")
    if len(values) < 3 or len(set(values)) == 1 or not of.test:
        return
    mean, std = statistics.fmean(values), statistics.stdev(values)
    binomial = of.binomial(mean)
    if std < binomial / 4:
        yield (
            f"the seeds differ by {_points(std)} (standard deviation). Other {of.test:,} test examples would differ "
            f"by {_points(binomial)}, so more seeds do not make the accuracy much surer"
        )


def _unconverged(of: Checked) -> Iterator[str]:
    patience, epochs = of.recipe.get("patience"), of.recipe.get("epochs")
    if patience is not None and all(t["best_epoch"] == epochs for t in of.trials):
        yield f"the best epoch of each trial is the last one, {epochs}, so more epochs may be better"
    rises = [rise for t in of.trials if (rise := _late_rise(t["history"])) is not None]
    if rises and statistics.fmean(rises) > RISE:
        yield (
            f"its validation accuracy still rises by {_points(statistics.fmean(rises))} in the last fifth of "
            f"training; expected at most {_points(RISE)}"
        )


def _late_rise(history: Mapping[str, Sequence[float]]) -> float | None:
    """By how much the best validation accuracy of the last fifth of the steps is above the best before, or None."""
    steps, accuracies = history.get("step", ()), history.get("validation_accuracy", ())
    before = [a for s, a in zip(steps, accuracies, strict=True) if s <= 0.8 * steps[-1]] if steps else []
    after = [a for s, a in zip(steps, accuracies, strict=True) if s > 0.8 * steps[-1]] if steps else []
    return max(after) - max(before) if before and after and len(steps) >= _FEWEST_POINTS else None


def _stopping_unused(of: Checked) -> Iterator[str]:
    patience, epochs = of.recipe.get("patience"), of.recipe.get("epochs")
    if patience is not None and all(t["epochs"] == epochs for t in of.trials):
        yield f"it has a patience of {patience}, and no trial stopped before epoch {epochs}"


def _lag(of: Checked) -> Iterator[str]:
    behind = [
        trained - t["metrics"]["train_accuracy"]
        for t in of.trials
        if t["metrics"].get("train_accuracy") is not None and (trained := _while_training(t)) is not None
    ]
    if behind and statistics.fmean(behind) > LAG:
        yield (
            f"after training, its accuracy on training examples is {_points(statistics.fmean(behind))} lower than it "
            "was during training. The averages of batch normalization may lag behind"
        )


def _while_training(trial: Mapping[str, Any]) -> float | None:
    """The accuracy on training examples in the epoch whose weights were kept, as it was during training."""
    history = trial["history"]
    points = zip(history.get("epoch", ()), history.get("train_accuracy", ()), strict=False)
    return next((accuracy for epoch, accuracy in points if epoch == trial["best_epoch"]), None)


def _search_at_edge(of: Checked) -> Iterator[str]:
    if of.search is not None and of.search["at_edge"]:
        yield f"the best {of.search['field'].replace('_', ' ')} is the smallest or the largest that was tried"


def _search_in_noise(of: Checked) -> Iterator[str]:
    if of.search is None or len(of.search["tries"]) < 2:
        return
    # After a second round, only those that were in it are known equally well.
    most = max(t["validation_accuracy"]["n"] for t in of.search["tries"])
    last = [t["validation_accuracy"] for t in of.search["tries"] if t["validation_accuracy"]["n"] == most]
    if len(last) < 2 or any(each["std"] is None for each in last):
        return
    first, second = sorted(last, key=lambda v: -v["mean"])[:2]
    error = math.sqrt(first["std"] ** 2 / first["n"] + second["std"] ** 2 / second["n"])
    if first["mean"] - second["mean"] < error:
        yield (
            f"the two best values of {of.search['field'].replace('_', ' ')} are "
            f"{_points(first['mean'] - second['mean'])} apart, which is less than the standard error of this "
            f"difference, {_points(error)}"
        )


def _dead_units(of: Checked) -> Iterator[str]:
    """The layer with most dead units, in the mean over the trials."""
    layers = {name for trial in of.trials for name in trial.get("dead_units", {})}
    shares = {name: _mean_share(of, name, "end") for name in layers}
    worst = max(sorted(layers), key=lambda name: shares[name] or 0.0, default=None)
    end = shares[worst] if worst is not None else None
    if worst is None or end is None or end <= DEAD:
        return
    early = _mean_share(of, worst, "early")
    after = "" if early is None else f"{_percent(early)} after 100 steps and "
    others = sum((share or 0.0) > DEAD for share in shares.values())
    yield (
        f"of the units of the layer {worst!r}, {after}{_percent(end)} at the end give 0 for every example; "
        f"expected at most {_percent(DEAD)} (layers with more: {others} of {len(shares)})"
    )


def _mean_share(of: Checked, layer: str, when: str) -> float | None:
    """The mean over the trials of the share of a layer's dead units, or None where some trial does not tell it."""
    found = [trial.get("dead_units", {}).get(layer, {}).get(when) for trial in of.trials]
    return None if None in found else statistics.fmean(found)


def _not_standardized(of: Checked) -> Iterator[str]:
    if of.standardized is None:
        return
    told = [of.standardized[name] for name in ("deviation", "smallest", "largest")]
    if any(abs(each - 1) > OFF_ONE for each in told):
        deviation, smallest, largest = (f"{each:.2g}" for each in told)
        yield (
            f"its inputs have a deviation of {deviation} after the layer that standardizes them, and their columns "
            f"one of {smallest} to {largest}; expected 1 within {OFF_ONE:g}"
        )


def _depends_on_scale(of: Checked) -> Iterator[str]:
    if of.standardized is not None and of.standardized.get("any_scale") is False:
        yield (
            "the features times 1e-9 do not give the same after the layer that standardizes them; expected a layer "
            "for which their scale does not matter"
        )


def _cannot_learn(of: Checked) -> Iterator[str]:
    if of.fits is None:
        return
    accuracy, examples = of.fits["accuracy"], of.fits["examples"]
    trained = f"trained on {examples:,} of its own training examples alone"
    if accuracy is None:
        yield f"{trained}, its loss stops being a number; expected that it learns them"
    elif accuracy < FITS:
        yield (
            f"{trained} for {of.fits['steps']:,} steps, it knows {_percent(accuracy)} of them; expected at least "
            f"{_percent(FITS)}"
        )


_OF_VARIANTS: dict[str, Callable[[Checked], Iterator[str]]] = {
    "nothing learned": _nothing_learned,
    "collapsing seeds": _collapses,
    "outlier": _outlier,
    "no spread": _no_spread,
    "small spread": _small_spread,
    "not converged": _unconverged,
    "stopping unused": _stopping_unused,
    "lagging averages": _lag,
    "search at its edge": _search_at_edge,
    "search within noise": _search_in_noise,
    "dead units": _dead_units,
    "inputs not standardized": _not_standardized,
    "depends on scale": _depends_on_scale,
    "cannot learn": _cannot_learn,
}

CHECKS = tuple(_OF_VARIANTS)
"""The names of all checks."""

TOLD_ONLY = ("small spread", "stopping unused", "search within noise")
"""Checks that are told, and do not speak against a verdict."""


def check_variant(of: Checked, *, expected: Mapping[str, str] | None = None) -> list[CheckResult]:
    """The checks that a variant did not pass.

    Args:
        of: the variant.
        expected: by name of a check, the reason why the study expects that it is not passed.
    """
    return [
        CheckResult(check=check, variant=of.name, said=said, expected=(expected or {}).get(check, ""))
        for check, look in _OF_VARIANTS.items()
        for said in look(of)
    ]


def checked_variants(evidence: Mapping[str, Any]) -> list[Checked]:
    """The trained variants of an evidence document that have finished trials."""
    dataset = evidence["dataset"]
    if dataset is None:
        return []
    finished: dict[str, list[Mapping[str, Any]]] = {}
    failed = Counter(trial["variant"] for trial in evidence["trials"] if trial["status"] == "failed")
    for trial in evidence["trials"]:
        if trial["status"] == "finished" and trial["weights_digest"]:
            finished.setdefault(trial["variant"], []).append(trial)
    return [
        Checked(
            name=name,
            trials=trials,
            failed=failed[name],
            recipe=evidence["details"][name]["recipe"],
            search=evidence["details"][name]["search"],
            # Who learns from as many examples of each class knows nothing of their shares.
            chance=(not evidence["details"][name].get("examples") and dataset.get("largest_class"))
            or 1 / len(dataset["classes"]),
            test=dataset["test"],
            standardized=evidence["details"][name].get("standardized"),
            fits=evidence["details"][name].get("fits"),
        )
        for name, trials in finished.items()
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"
