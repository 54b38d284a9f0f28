"""How numbers are written, everywhere the same: in tables, on pages and in notes.

A share is shown in percent and a difference of shares in points (percentage points). What follows ``±`` is half the
width of the 95% interval of the mean over seeds; a single seed has none, and none is shown.
"""

import math

from fortydays.base.text import counted
from fortydays.study.judgement import Judgement
from fortydays.study.samples import NONE_DECLARED, Declared
from fortydays.study.statistics import CONFIDENCE, Interval
from fortydays.study.vocabulary import Setting
from fortydays.tasks.metric import OF_NETWORK, metric_of

MINUS = "−"

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_WORDS = {"steps": " steps", "seconds": " s", "ratio": "×"}


def plain(value: float, unit: str, *, digits: int | None = None, sign: bool = False) -> str:
    """A number without its unit: a share (of 1) as percent, others as they are.

    Args:
        value: the number.
        unit: "share", "steps", "seconds", "ratio" or "".
        digits: decimals to show; without it, the size of the number decides.
        sign: show a plus, for differences.
    """
    if unit == "share":
        value, digits = 100 * value, 1 if digits is None else digits
    elif digits is None:
        digits = _digits(value, unit)
    text = f"{value:.1e}" if digits is None else f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text.replace("-", "")
    return ("+" if sign and value > 0 else "") + text.replace("-", MINUS, 1 if value < 0 else 0)


def with_unit(value: float, unit: str, *, digits: int | None = None, difference: bool = False) -> str:
    """A number with its unit, such as "97.8%", "+0.4 points", "1,240 steps" or "3.1 s"."""
    return plain(value, unit, digits=digits, sign=difference) + _unit(unit, difference=difference)


def mean_and_spread(spread: Interval, unit: str, *, digits: int | None = None, difference: bool = False) -> str:
    """A mean with half the width of its interval, such as "97.8% ± 0.1".

    Only the mean where there is no interval: with one seed, and where all seeds gave the same, which is no proof that
    others would. An interval that is too narrow for the digits is less than the last one: "97.8% ± <0.1".
    """
    if spread.low is None or spread.high is None or spread.low == spread.high:
        return with_unit(spread.mean, unit, digits=digits, difference=difference)
    half = (spread.high - spread.low) / 2
    if digits is None:
        digits = _digits_that_show(half, spread.mean, unit)
    mean, after = plain(spread.mean, unit, digits=digits, sign=difference), plain(half, unit, digits=digits)
    if digits is not None and not after.strip("0."):
        after = f"<{10**-digits:.{digits}f}"
    if unit == "share" and not difference:
        return f"{mean}% ± {after}"
    return f"{mean} ± {after}{_unit(unit, difference=difference)}"


def claim_value(claim: Judgement) -> str:
    """What a claim rests on: its value with the interval, and over how many seeds."""
    if claim.value is None:
        return "no number"
    seeds = counted(claim.n, "seed")
    which = claim.condition.partition(" ")[0]
    if which in ("largest", "smallest"):
        # A claim about every single seed: its ends are the smallest and the largest value, not an interval.
        return f"{which} of {seeds}: {with_unit(claim.value, claim.unit)}"
    # A claim about two variants rests on their difference, which may come out either way.
    difference = claim.difference
    if claim.low is None or claim.high is None:
        return f"{with_unit(claim.value, claim.unit, difference=difference)}, {seeds}"
    digits = _digits_of_claim(claim, claim.low, claim.high)
    value = with_unit(claim.value, claim.unit, digits=digits, difference=difference)
    if claim.low == claim.high and claim.tested is not None and claim.tested.metric in OF_NETWORK:
        return f"{value}, with every seed"

    def ends(low: float, high: float) -> str:
        shown = (within(claim, end) for end in (low, high))
        return " to ".join(plain(end, claim.unit, digits=digits, sign=difference) for end in shown)

    if claim.over_both is None or claim.over_seeds is None:
        return f"{value} ({ends(claim.low, claim.high)}), {seeds}"
    both = f"{ends(claim.over_both.low, claim.over_both.high)} over {seeds} and {claim.examples:,} test examples"
    return f"{value} ({both}; {ends(claim.over_seeds.low, claim.over_seeds.high)} over the seeds alone)"


def limits_of(claim: Judgement) -> tuple[float, float] | None:
    """Between which values a claim's quantity lies, whatever its interval says; None where it may be any.

    Student's interval knows of no limits. A gap is a share that may be below zero.
    """
    if claim.unit != "share" or claim.difference:
        return None
    metric = claim.tested.metric if claim.tested else claim.condition
    return (-1.0 if "gap" in metric else 0.0), 1.0


def within(claim: Judgement, end: float) -> float:
    """An end of a claim's interval as it is shown: of a share, not beyond 0 and 100%. The verdict knows all of it."""
    limits = limits_of(claim)
    return end if limits is None else min(limits[1], max(limits[0], end))


def claim_basis(claim: Judgement) -> str:
    """What a claim rests on, what would decide it where it is undecided, how sure it is, and its note."""
    outlook = (
        ""
        if claim.seeds_needed is None
        else f"{claim.seeds_needed} fresh seeds would decide it 4 times in 5, if this is the true value"
    )
    looks = (
        "" if claim.confidence == CONFIDENCE or not claim.over_seeds else f"{100 * claim.confidence:.4g}% intervals"
    )
    marginal = f"marginal: p {_probability(claim.p)}, of all claims together {_probability(claim.adjusted_p)}"
    flags = f"flagged: {', '.join(claim.flags)}" if claim.flags else ""
    # "A is no better than B" tests B minus A: without this, its number reads like the opposite.
    sides = " minus ".join(claim.tested.variants) if claim.tested and claim.tested.kind == "not worse" else ""
    return "; ".join(
        filter(
            None, [claim_value(claim), sides, outlook, looks, marginal if claim.marginal else "", flags, claim.note]
        )
    )


def _probability(p: float | None) -> str:
    return "unknown" if p is None else f"{p:.3f}" if p >= 0.0005 else f"{p:.0e}"


def setting(value: Setting) -> str:
    """A recipe field's value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", MINUS)
    return f"{value:g}".replace("-", MINUS, 1 if value < 0 else 0) if isinstance(value, float) else value


def large(count: int) -> str:
    """A large count in three digits with the prefix of its size, such as "26.5 M"; below 10,000 as it is."""
    if abs(count) < 10_000:
        return f"{count:,}".replace("-", MINUS)
    rounded = float(f"{count:.3g}")  # before the prefix is chosen: 999,900 is 1.00 M
    size, sign = next((size, sign) for size, sign in _PREFIXES if abs(rounded) >= size)
    value = rounded / size
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f} {sign}".replace("-", MINUS)


def field_title(field: str) -> str:
    """A recipe field's name in words; an optimizer's option goes by its own name."""
    return field.removeprefix("optimizer_options.").replace("_", " ")


def metric_title(metric: str, declared: Declared = NONE_DECLARED) -> str:
    """A metric's name as a column's title, such as "test accuracy" or "steps to 95%"."""
    if metric in declared:
        return declared[metric].title
    for kind in ("steps", "seconds"):
        target = metric.removeprefix(f"{kind}_to_")
        if target != metric:
            try:
                return f"{kind} to {100 * float(target):g}%"
            except ValueError:
                break
    return {"accuracy_gap": "train-test gap", "train_seconds": "seconds"}.get(metric, metric.replace("_", " "))


def metric_unit(metric: str, declared: Declared = NONE_DECLARED) -> str:
    """A metric's unit, as :func:`plain` takes it."""
    return "" if metric == "epochs" else metric_of(metric, declared).unit


def seeds_in_words(seeds: tuple[int, ...]) -> str:
    """Seeds in few words: "0 to 4" where they follow each other, else "0, 2, 5"."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def duration(seconds: float) -> str:
    """A duration in words, such as "12.3 s", "4 min 10 s" or "2 h 5 min"."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def _unit(unit: str, *, difference: bool) -> str:
    if unit == "share":
        return " points" if difference else "%"
    return _WORDS.get(unit, "")


def _digits(value: float, unit: str) -> int | None:
    """Decimals that suit a number; None for those so small that powers of ten read better."""
    size = abs(value)
    if unit == "steps":
        return 0
    if unit == "seconds":
        return 0 if size >= 100 else 1 if size >= 1 else 2
    if unit == "ratio":
        return 2
    if value == round(value) or size >= 1000:
        return 0
    return None if size < 0.0005 else max(0, 2 - math.floor(math.log10(size)))


def _digits_of_claim(claim: Judgement, low: float, high: float) -> int | None:
    """Decimals in which an end of the interval that is not on the bound does not look as if it were."""
    digits = 2 if claim.unit == "share" else _digits_that_show((high - low) / 2, claim.value or 0.0, claim.unit)
    if digits is None:
        return None
    scale = 100 if claim.unit == "share" else 1
    for more in range(digits, digits + 3):
        ends = [round(scale * abs(end - bound), more) for end in (low, high) for bound in (claim.bound, -claim.bound)]
        if all(ends) or not any(ends):
            return more
    return digits


def _digits_that_show(half: float, mean: float, unit: str) -> int | None:
    """Decimals in which half a width is not rounded to nothing, as few as will do."""
    if unit == "steps":
        return 0
    least = 1 if unit in ("share", "seconds") else _digits(mean, unit)
    shown = 100 * half if unit == "share" else half
    if least is None or shown == 0:
        return least
    return max(least, min(-math.floor(math.log10(shown)), 4))
