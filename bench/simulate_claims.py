"""How often the rules for claims are right, in made-up studies whose truth is known.

``python bench/simulate_claims.py`` simulates for some minutes, keeps the figures in ``bench/claims.json`` and writes
them into the tables of ``docs/claims.md``. Every figure is a share of made-up studies, from a fixed seed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.study.statistics import Sample, confidence_of_look, fresh_seeds, interval, student_t

ROOT = Path(__file__).parent.parent
PAGE, FIGURES = ROOT / "docs" / "claims.md", ROOT / "bench" / "claims.json"

STUDIES = 2000
EXAMPLES = 1000
RESAMPLES = 500

# Standard deviations of the seeds and of the examples, beside a rest of 1, in what decides whether an answer is right.
WORLDS = {
    "seeds differ little": (0.01, 1.5),
    "both alike": (0.1, 1.5),
    "seeds differ most": (0.4, 1.5),
}


def coverage() -> list[dict[str, Any]]:
    """In which share of studies each interval has the true accuracy, over all seeds and examples."""
    rng = np.random.default_rng(1)
    found = []
    for world, (of_seeds, of_examples) in WORLDS.items():
        for seeds in (3, 5, 10):
            mean = 1.5 * math.sqrt(1 + of_seeds**2 + of_examples**2)
            truth = _normal(1.5)
            draws = _Draws.of(rng, seeds)
            inside = dict.fromkeys(("alone", "bootstrap", "crossed", "judged"), 0)
            for _ in range(STUDIES):
                answers = _answers(rng, seeds, mean, of_seeds, of_examples)
                sample = Sample(values=list(answers.mean(axis=1)), examples=answers, share=True)
                assert sample.over_both is not None
                limits = {
                    "alone": sample.over_seeds.limits(),
                    "crossed": sample.over_both.limits(),
                    "judged": sample.limits(),
                }
                low, high = draws.percentiles(answers)
                inside["bootstrap"] += low <= truth <= high
                for name, each in limits.items():
                    inside[name] += each.low <= truth <= each.high
            shares = {name: count / STUDIES for name, count in inside.items()}
            found.append({"world": world, "seeds": seeds, **shares})
    return found


class _Draws:
    """Seeds and examples drawn anew with replacement, as how often each was drawn: the pigeonhole bootstrap."""

    def __init__(self, seeds: NDArray[np.float64], examples: NDArray[np.float64]) -> None:
        self._seeds, self._examples = seeds, examples

    @classmethod
    def of(cls, rng: np.random.Generator, seeds: int) -> "_Draws":
        of_seeds = rng.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES) / seeds
        of_examples = rng.multinomial(EXAMPLES, [1 / EXAMPLES] * EXAMPLES, RESAMPLES) / EXAMPLES
        return cls(of_seeds, of_examples)

    def percentiles(self, answers: NDArray[np.float64]) -> tuple[float, float]:
        means = np.einsum("rs,sr->r", self._seeds, answers @ self._examples.T)
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)


def _answers(
    rng: np.random.Generator, seeds: int, mean: float, of_seeds: float, of_examples: float
) -> NDArray[np.float64]:
    """Right answers of made-up trials, shape (seeds, examples)."""
    ease = mean + of_examples * rng.standard_normal(EXAMPLES) + of_seeds * rng.standard_normal((seeds, 1))
    return (ease + rng.standard_normal((seeds, EXAMPLES)) > 0).astype(np.float64)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def odd_seeds() -> list[dict[str, Any]]:
    """Coverage of Student's interval where some seeds collapse to chance."""
    rng = np.random.default_rng(2)
    found = []
    for share in (0.0, 0.1):
        for seeds in (5, 10):
            truth, inside = 0.9 * (1 - share) + 0.1 * share, 0
            for _ in range(STUDIES):
                values = np.where(rng.random(seeds) < share, 0.1, 0.9 + 0.005 * rng.standard_normal(seeds))
                each = interval(values.tolist())
                inside += (each.low or 0) <= truth <= (each.high or 0)
            found.append({"collapsing": share, "seeds": seeds, "covered": inside / STUDIES})
    return found


def power() -> list[dict[str, Any]]:
    """After a pilot of five seeds that decided nothing: in which share of studies the fresh seeds decide rightly."""
    rng = np.random.default_rng(3)
    found = []
    for distance in (0.1, 0.2, 0.3, 0.5, 1.0, 1.5):
        asked, decided, before, pilots = [], 0, 0, 0
        while pilots < STUDIES:
            pilot = interval((distance + rng.standard_normal(5)).tolist())
            assert pilot.low is not None and pilot.high is not None
            if not pilot.low < 0 < pilot.high:
                continue
            pilots += 1
            count = fresh_seeds(pilot.mean, pilot.std, 5)
            if count is not None:
                asked.append(count)
                decided += _decides(distance, count, rng)
                before += _decides(distance, _seeds_of_before(pilot.mean, pilot.std or 0.0), rng)
        found.append(
            {
                "distance": distance,
                "asked": float(np.median(asked)),
                "told": len(asked) / pilots,
                "decided": decided / len(asked),
                "before": before / len(asked),
            }
        )
    return found


def _decides(distance: float, count: int, rng: np.random.Generator) -> bool:
    each = interval((distance + rng.standard_normal(count)).tolist())
    return each.low is not None and each.low > 0


def _seeds_of_before(mean: float, std: float) -> int:
    """The rule that fortydays had: the smallest number with which these very numbers would decide."""
    counts = range(2, 1001)
    return next((n for n in counts if student_t(n - 1, confidence=0.95) * std / math.sqrt(n) < abs(mean)), 1000)


def looks() -> dict[str, float]:
    """The true value is on the bound, so each verdict is false: how often one comes, adding seeds up to six times."""
    rng = np.random.default_rng(4)
    false = {"always 95%": 0, "by the number of looks": 0}
    for rule in false:
        for _ in range(STUDIES):
            values = rng.standard_normal(5).tolist()
            for look in range(6):
                confidence = confidence_of_look(look) if rule == "by the number of looks" else 0.95
                each = interval(values, confidence=confidence)
                assert each.low is not None and each.high is not None
                if not each.low < 0 < each.high:
                    false[rule] += 1
                    break
                more = min(1000, max(len(values) + 1, _seeds_of_before(each.mean, each.std or 0.0)))
                values += rng.standard_normal(more - len(values)).tolist()
    return {rule: count / STUDIES for rule, count in false.items()}


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the page, by name, as Markdown."""
    covered = [
        "| made-up studies | seeds | seeds alone | bootstrap | crossed | both together |",
        "|---|---|---|---|---|---|",
    ]
    for row in figures["coverage"]:
        shares = (_percent(row[name]) for name in ("alone", "bootstrap", "crossed", "judged"))
        covered.append(f"| {row['world']} | {row['seeds']} | {' | '.join(shares)} |")
    odd = ["| seeds that collapse | seeds | covered |", "|---|---|---|"]
    odd += [f"| {_percent(r['collapsing'])} | {r['seeds']} | {_percent(r['covered'])} |" for r in figures["odd_seeds"]]
    decided = [
        "| true distance, in standard deviations | told | fresh seeds, median | decided | by the rule of before |",
        "|---|---|---|---|---|",
    ]
    decided += [
        f"| {r['distance']:g} | {_percent(r['told'])} | {r['asked']:.0f} "
        f"| {_percent(r['decided'])} | {_percent(r['before'])} |"
        for r in figures["power"]
    ]
    false = ["| each look at | false verdicts |", "|---|---|"]
    false += [f"| {rule} | {_percent(share)} |" for rule, share in figures["looks"].items()]
    found = {"coverage": covered, "odd": odd, "power": decided, "looks": false}
    return {name: "\n".join(lines) for name, lines in found.items()}


def fill(page: str, figures: Mapping[str, Any]) -> str:
    """The page with its tables between their markers."""
    for name, table in tables(figures).items():
        begin, end = f"<!-- {name} -->\n", f"<!-- {name} end -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"{PAGE} has no markers of the table {name!r}")
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def main() -> None:
    """Simulate, keep the figures, and write the page."""
    figures = {"coverage": coverage(), "odd_seeds": odd_seeds(), "power": power(), "looks": looks()}
    FIGURES.write_text(json.dumps({"studies": STUDIES, **figures}, indent=1) + "\n", "utf-8")
    PAGE.write_text(fill(PAGE.read_text("utf-8"), figures), "utf-8")


if __name__ == "__main__":
    main()
