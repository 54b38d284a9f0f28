"""The gates: conditions that a model version must pass before an alias moves to it, each with its numbers.

A candidate is set against limits that hold for any model and, where there is a champion, against that one on the same
validation images. The limits are stated in :class:`Limits` and shown with each result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.text import counted
from fortydays.registry.evaluation import REFERENCE_MILLISECONDS, Measured

RESAMPLES = 10_000

_Said = tuple[bool, str, str]
"""Whether a gate is passed, what was found, and what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the gates ask for.

    Attributes:
        confidence: of the interval of the difference to the champion.
        calibration_error: the most that it may be, from 0 to 1.
        calibration_margin: how much more than the champion's it may be at most.
        class_spread: how far the worst class may be below the accuracy, from 0 to 1; below chance it may not be.
        class_margin: how far the worst class may be below the champion's worst.
        onnx_difference: the most that a probability from ONNX may differ from Keras's.
        int8_agreement: share of images whose most probable class an int8 model must share with Keras.
        milliseconds: the most that one image may take on one thread, on a machine that has nothing else to do.
        megabytes: the most that the model's file may have.
        same_answers: share of images whose answer must stay when the image changes in a way that means nothing.
    """

    confidence: float = 0.95
    calibration_error: float = 0.1
    calibration_margin: float = 0.02
    class_spread: float = 0.3
    class_margin: float = 0.03
    onnx_difference: float = 1e-4
    int8_agreement: float = 0.98
    milliseconds: float = 50.0
    megabytes: float = 100.0
    same_answers: float = 0.95


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What one gate says: whether the version may pass, what was found, and what was asked for."""

    gate: str
    passed: bool
    found: str
    asked: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Champion:
    """The version that the candidate would replace.

    It was measured on the candidate's validation data, or there is a problem: why the two cannot be compared.
    """

    version: int
    measured: Measured | None
    problem: str = ""


def judge(
    measured: Measured,
    *,
    facts: Mapping[str, Any],
    classes: Sequence[str],
    champion: Champion | None,
    limits: Limits,
    noun: str = "image",
) -> list[GateResult]:
    """Set a candidate against all gates: a result for each, in the order to show them.

    ``facts`` are what was found when it was registered: its study's ``claims`` and how its ``onnx`` compares with
    Keras. The champion is the version it would replace, or None if there is none. The noun is that of one example.
    """
    said = {
        "claims": _claims(facts["claims"]),
        "accuracy": _accuracy(measured, champion, limits, noun),
        "calibration": _calibration(measured, champion, limits, noun),
        "worst class": _worst_class(measured, champion, limits, classes),
        "onnx is keras": _onnx(facts["onnx"], limits, noun),
        "latency": _latency(measured, limits, noun),
        "size": (
            measured.bytes <= limits.megabytes * 1e6,
            f"{measured.bytes / 1e6:.2f} MB",
            f"at most {limits.megabytes:g} MB",
        ),
    }
    for each in measured.behaviours:
        said[f"stable, {each.change}"] = (
            each.same >= limits.same_answers,
            f"the same answer for {100 * each.same:.1f}% of {counted(each.images, noun)}, each changed once",
            f"at least {100 * limits.same_answers:.0f}%",
        )
    return [
        GateResult(gate=gate, passed=passed, found=found, asked=asked) for gate, (passed, found, asked) in said.items()
    ]


def difference_interval(
    candidate: NDArray[np.bool_], champion: NDArray[np.bool_], *, confidence: float
) -> tuple[float, float, float]:
    """Candidate minus champion in accuracy on the same images, and the ends of its paired bootstrap interval.

    Images are drawn with replacement (Efron, 1979), each with what both models made of it. All that matters of an
    image is whether the candidate alone was right, the champion alone, or neither alone; so the counts of these three
    are drawn, which is the same.

    Args:
        candidate: bool, shape (n,), which images the candidate answers rightly.
        champion: likewise.
        confidence: of the interval.
    """
    n = len(candidate)
    gained = int(np.sum(candidate & ~champion))
    lost = int(np.sum(champion & ~candidate))
    # The seed is part of the method: the same two models always get the same interval.
    drawn = np.random.default_rng(0).multinomial(n, [gained / n, lost / n, 1 - (gained + lost) / n], size=RESAMPLES)
    differences = (drawn[:, 0] - drawn[:, 1]) / n
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    return (gained - lost) / n, float(low), float(high)


def _claims(claims: Sequence[Mapping[str, str]]) -> _Said:
    open_claims = [c for c in claims if c["verdict"] != "supported"]
    if not claims:
        found = "the study makes no claim about this variant"
    elif open_claims:
        found = "; ".join(f"{c['verdict']}: {c['claim']}" for c in open_claims)
    else:
        found = f"{len(claims)} of {len(claims)} supported"
    return bool(claims) and not open_claims, found, "the study's claims about the variant are supported"


def _accuracy(measured: Measured, champion: Champion | None, limits: Limits, noun: str) -> _Said:
    here = f"{100 * measured.accuracy:.2f}% of {counted(measured.images, noun)}"
    low, _ = share_interval(int(measured.right.sum()), measured.images, confidence=limits.confidence)
    than_guessing = f"clearly more than the {100 * measured.largest_share:.1f}% that naming one class always would get"
    if low <= measured.largest_share:
        return False, here, than_guessing
    if champion is None:
        return True, f"{here}; there is no champion yet", than_guessing
    asked = "better than the champion, or within noise of it"
    if champion.measured is None:
        return False, champion.problem, asked
    difference, low, high = difference_interval(measured.right, champion.measured.right, confidence=limits.confidence)
    found = (
        f"{here}, {100 * difference:+.2f} points against version {champion.version} "
        f"({100 * limits.confidence:.0f}% interval {100 * low:+.2f} to {100 * high:+.2f})"
    )
    return high >= 0, found, asked


def share_interval(count: int, n: int, *, confidence: float) -> tuple[float, float]:
    """The interval of a share that was seen ``count`` times in ``n`` (Wilson, 1927)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (count + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(count * (n - count) / n + z * z / 4))
    return middle - half, middle + half


def _calibration(measured: Measured, champion: Champion | None, limits: Limits, noun: str) -> _Said:
    most, why = limits.calibration_error, ""
    if champion is not None and champion.measured is not None:
        relative = champion.measured.calibration_error + limits.calibration_margin
        if relative < most:
            most, why = relative, f": the champion's and {limits.calibration_margin:g}"
    if measured.calibration_chance > most:
        most = measured.calibration_chance
        why = f", which {counted(measured.images, noun)} give by chance to a model whose confidence is right"
    asked = f"an expected calibration error of at most {most:.3f}{why}"
    return measured.calibration_error <= most, f"{measured.calibration_error:.3f}", asked


def _worst_class(measured: Measured, champion: Champion | None, limits: Limits, classes: Sequence[str]) -> _Said:
    bounds = {
        f"{100 * limits.class_spread:.0f} points below the accuracy": measured.accuracy - limits.class_spread,
        "chance": 1 / len(classes),
    }
    if champion is not None and champion.measured is not None:
        worst_there = champion.measured.class_accuracy[champion.measured.worst_class]
        said = f"the champion's worst class less {100 * limits.class_margin:.0f} points"
        bounds[said] = worst_there - limits.class_margin
    why, least = max(bounds.items(), key=lambda item: item[1])
    worst = measured.worst_class
    value, images = measured.class_accuracy[worst], measured.class_images[worst]
    # Of few images a share says little: the gate closes where its whole interval is below.
    _, high = share_interval(round(value * images), images, confidence=limits.confidence)
    passed = value >= least or high >= least
    within_chance = f", which may be {100 * high:.1f}%" if passed and value < least else ""
    found = f"{classes[worst]}: {100 * value:.1f}% of {images:,}{within_chance}"
    return passed, found, f"at least {100 * least:.1f}%: {why}"


def _onnx(onnx: Mapping[str, Any], limits: Limits, noun: str) -> _Said:
    images = counted(onnx["images"], noun)
    if onnx["precision"] == "int8":
        found = f"int8: the same class on {100 * onnx['agreement']:.1f}% of {images}"
        asked = f"the same class on at least {100 * limits.int8_agreement:.0f}%"
        return onnx["agreement"] >= limits.int8_agreement, found, asked
    found = f"largest difference {onnx['difference']:.1e} on {images}"
    return onnx["difference"] <= limits.onnx_difference, found, f"at most {limits.onnx_difference:.0e}"


def _latency(measured: Measured, limits: Limits, noun: str) -> _Said:
    # What slows the reference graph down slows the model down as well, and is not the model's fault.
    reference = measured.reference_milliseconds
    most = limits.milliseconds * max(1.0, reference / REFERENCE_MILLISECONDS)
    asked = f"at most {most:.3g} ms; the reference graph takes {reference:.2f} ms now"
    if most > limits.milliseconds:
        asked += f", and {REFERENCE_MILLISECONDS:g} ms, with a limit of {limits.milliseconds:g} ms, on an idle machine"
    return measured.milliseconds <= most, f"{measured.milliseconds:.2f} ms for one {noun} on one thread", asked
