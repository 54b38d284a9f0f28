"""The parts of the README that quote results, and its picture: written from evidence, never by hand.

``python bench/readme.py`` (``make readme``) renews them in a source checkout; a test fails while the README
says something else than the evidence.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.privacy import share
from fortydays.report.numbers import claim_basis
from fortydays.report.palette import WITHDRAWN, verdict
from fortydays.report.results import Results, read_results
from fortydays.study.judgement import Verdict
from fortydays.study.openings import largest_error
from fortydays.study.statistics import CONFIDENCE, benjamini_hochberg

PICTURE_OF_DAY = 2
_UNITS = {"ratio": "x", "seconds": " s", "ms": " ms", "MiB": " MiB", "MB": " MB"}


def fill(readme: str, results: Sequence[Results], benchmarks: Mapping[str, Any]) -> str:
    """The README with its results and speed written anew.

    Args:
        readme: its text, with the markers ``<!-- results: ... -->``, ``<!-- results end -->`` and the same for speed.
        results: the published evidence, by day.
        benchmarks: the content of ``bench/results.json``.

    Raises:
        FortydaysError: a marker is missing.
    """
    readme = _between(readme, "results", f"{results_table(results)}\n\n{course(results)}\n\n{openings(results)}")
    return _between(readme, "speed", speed_table(benchmarks))


def results_table(results: Sequence[Results]) -> str:
    """Every claim of every day with its verdict, or with why it is withdrawn, as a Markdown table."""
    lines = ["| day | claim | verdict | measured |", "|---|---|---|---|"]
    for day in results:
        rows = [(claim.claim, verdict(claim), claim_basis(claim)) for claim in day.claims]
        rows += [(withdrawal.claim, WITHDRAWN, withdrawal.reason) for withdrawal in day.withdrawn]
        for index, row in enumerate(rows):
            cells = [f"{day.day}. {day.title}" if index == 0 else "", *row]
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines)


def course(results: Sequence[Results]) -> str:
    """How many verdicts stand when all claims of all days are looked at together, and which do not."""
    tested = [(f"{day.day}.{n}", c) for day in results for n, c in enumerate(day.claims, 1) if c.p is not None]
    adjusted = benjamini_hochberg([claim.p for _, claim in tested if claim.p is not None])
    decided = [
        (name, q) for (name, claim), q in zip(tested, adjusted, strict=True) if claim.verdict is not Verdict.UNDECIDED
    ]
    fallen = [name for name, q in decided if q > 1 - CONFIDENCE]
    marginal = [name for name, claim in tested if claim.marginal]
    stand = f"{len(decided) - len(fallen)} of {len(decided)} verdicts stand when the claims of all days are tested"
    exceptions = f": all but {', '.join(fallen)}" if fallen else ""
    return (
        f"{stand} together (Benjamini and Hochberg, 5%){exceptions}. "
        f"Marginal within their day (Holm, 5%): {', '.join(marginal) or 'none'}. "
        "A flag names a check that a claim, or a variant of it, did not pass: see docs/claims.md."
    )


def openings(results: Sequence[Results]) -> str:
    """How often the published trials have opened each test split, and what that allows to say of them."""
    trials: dict[str, int] = {}
    variants: dict[str, int] = {}
    examples: dict[str, int] = {}
    for day in results:
        if day.dataset is not None:
            name = day.dataset.name
            examples[name] = day.dataset.test
            trials[name] = trials.get(name, 0) + sum(len(v.finished) for v in day.trained)
            variants[name] = variants.get(name, 0) + len(day.trained)
    said = [
        f"{name} ({examples[name]:,} examples) by {trials[name]} trials of {variants[name]} variants: "
        f"±{100 * largest_error(examples[name], variants[name]):.1f} points"
        for name in trials
    ]
    bound = (
        "The points are how far the accuracies of all these variants may be off at once, if each was fixed before the "
        "split was opened (Hoeffding's inequality, 95%). Some were not: see [how claims are judged](docs/claims.md)."
    )
    return f"The published trials have opened these test splits: {'; '.join(said)}. {bound}"


def speed_table(benchmarks: Mapping[str, Any]) -> str:
    """Every benchmark with its target and the figures that the target speaks of, as a Markdown table."""
    if not benchmarks:
        return "Not measured yet: `make bench`."
    lines = ["| what | target | median (range) |", "|---|---|---|"]
    measured: dict[str, list[str]] = {}
    for found in benchmarks.values():
        missed = "" if found["met"] else " **(missed)**"
        lines.append(f"| {_cell(found['question'])} | {found['target']}{missed} | {_cell(_judged(found))} |")
        machine = f"{found['machine']['cpu_model']}, {found['machine']['cores']} cores"
        measured.setdefault(machine, []).append(found["measured"][:10])
    where = "; ".join(f"{machine}, {_days(days)}" for machine, days in sorted(measured.items()))
    more = "How each was measured, and what else was, is in [bench/RESULTS.md](bench/RESULTS.md)."
    return "\n".join([*lines, "", f"Measured on {where}. {more}"])


def _judged(found: Mapping[str, Any]) -> str:
    """The figures that the target speaks of, with their names where their unit does not say it."""
    said = []
    for name in found["judged"]:
        measure, _, which = name.partition(", ")  # such as "seconds, again"
        unit = _UNITS.get(measure, "")
        shown = which if unit else name
        named = f"{shown} " if shown and len(found["judged"]) > 1 else ""
        said.append(f"{named}{_figure(found['figures'][name], unit)}")
    return "; ".join(said)


def _figure(figure: Mapping[str, float] | float, unit: str) -> str:
    """The median and the range of several measurements, or the one that was made."""
    if not isinstance(figure, Mapping):
        return f"{_number(figure)}{unit}"
    median = f"{_number(figure['median'])}{unit}"
    least, most = _number(figure["min"]), _number(figure["max"])
    return median if least == most else f"{median} ({least} to {most})"


def _days(days: Sequence[str]) -> str:
    first, last = min(days), max(days)
    return first if first == last else f"{first} to {last}"


def picture(results: Results) -> str:
    """The README's picture as SVG: validation accuracy of the day's variants, a line for each seed."""
    from fortydays.report.chart import learning_chart, standalone

    drawn = learning_chart(results.variants, "validation_accuracy")
    if drawn is None:
        raise FortydaysError(f"The evidence of day {results.day} has no curve to draw.")
    ink = "svg{color:#1d1f22}@media(prefers-color-scheme:dark){svg{color:#e4e4e1}}"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{standalone(drawn, style=ink)}\n'


def renew(root: Path) -> list[Path]:
    """Write README and picture of a source checkout anew.

    Args:
        root: the checkout.

    Returns:
        The files written.
    """
    by_day = read_all(root)
    readme, drawing = root / "README.md", root / "docs" / "pictures" / f"day{PICTURE_OF_DAY:02}.svg"
    benchmarks = root / "bench" / "results.json"
    with files.storage_errors("read", readme):
        text = readme.read_text("utf-8")
    files.write_text(readme, fill(text, by_day, files.read_json(benchmarks) if benchmarks.exists() else {}))
    files.write_text(drawing, picture(next(r for r in by_day if r.day == PICTURE_OF_DAY)))
    for path in (readme, drawing):
        share(path)
    return [readme, drawing]


def read_all(root: Path) -> list[Results]:
    """The published evidence of a source checkout, by day."""
    return [read_results(files.read_json(path)) for path in sorted((root / "evidence").glob("day[0-9][0-9].json"))]


def _between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- {name} end -->)", re.DOTALL)
    if not pattern.search(text):
        raise FortydaysError(f"The README has no part marked {name!r}.")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def _number(value: float) -> str:
    """Three digits, but never the form 1e+03."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for written in renew(Path(__file__).parents[1]):
        print(written)
