"""What the README and the pages of results and speed quote, and the README's picture: from evidence, never by hand.

``python bench/readme.py`` (``make readme``) renews them in a source checkout; a test fails while one of them
says something else than the evidence.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.privacy import share
from fortydays.days.journey import JOURNEY, is_draft
from fortydays.report.numbers import claim_basis, claim_value
from fortydays.report.palette import WITHDRAWN, qualified, verdict
from fortydays.report.results import Results, read_results
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.openings import largest_error
from fortydays.study.statistics import CONFIDENCE, benjamini_hochberg

PICTURE_OF_DAY = 2

HIGHLIGHTS = (
    (1, "The hidden layer makes the network more accurate than a linear classifier"),
    (2, "ReLU reaches 95% validation accuracy in fewer steps than sigmoid"),
    (3, "At default settings, Adam is the best of the four optimizers"),
    (4, "With 1,000 training images, dropout makes the network more accurate"),
    (5, "Convolutions lose accuracy when pixels are shuffled"),
    (6, "Two convolutions in a block are more accurate than one"),
    (7, "With normalization already there, dropout makes the network more accurate"),
    (8, "In 150 epochs, all seven changes together make the network more accurate"),
    (9, "Features of ImageNet are better than random features, raw pixels and random convolutions"),
    (10, "100 photographs of each flower are enough for 90%"),
)
"""Which claims the README shows: day and sentence. Chosen for what they teach, whatever their verdict is."""

SCOPE = (
    "Each verdict is about the split and the test examples of its dataset, others like them, and these recipes. Seeds "
    "vary initial weights, order and random layers, and nothing else."
)
"""What a verdict speaks of, above the table of all of them."""

_UNITS = {"ratio": "x", "seconds": " s", "ms": " ms", "MiB": " MiB", "MB": " MB"}


def fill_readme(text: str, results: Sequence[Results]) -> str:
    """The README with its highlights written anew.

    Args:
        text: it, with the markers ``<!-- highlights: ... -->`` and ``<!-- highlights end -->``.
        results: the published evidence, by day.

    Raises:
        FortydaysError: a marker is missing, or a claim of :data:`HIGHLIGHTS` is not in the evidence.
    """
    return _between(text, "highlights", f"{highlights(results)}\n\n{openings_in_short(results)}")


def fill_results(text: str, results: Sequence[Results]) -> str:
    """The page of all results, likewise, between the markers of ``results``."""
    parts = (SCOPE, results_table(results), course(results), openings(results), training_time(results))
    return _between(text, "results", "\n\n".join(parts))


def fill_speed(text: str, benchmarks: Mapping[str, Any]) -> str:
    """The page of speed, likewise; ``benchmarks`` is the content of ``bench/results.json``."""
    return _between(text, "speed", speed_table(benchmarks))


def highlights(results: Sequence[Results], chosen: Sequence[tuple[int, str]] = ()) -> str:
    """The claims that the README shows, as a Markdown table: verdict, value and the interval that judged."""
    claims = {(day.day, claim.claim): claim for day in results for claim in day.claims}
    lines = ["| day | claim | verdict | measured |", "|---|---|---|---|"]
    for day, sentence in chosen or HIGHLIGHTS:
        claim = claims.get((day, sentence))
        if claim is None:
            there = "; ".join(text for number, text in claims if number == day) or "none"
            raise FortydaysError(
                f"Day {day} has no claim {sentence!r}, which HIGHLIGHTS in bench/readme.py names.",
                hint=f"Choose another one of that day: {there}.",
            )
        said = f"{_together(verdict(claim))}{qualified(claim)}"
        lines.append(f"| {day} | {_cell(claim.claim)} | {said} | {_cell(_short(claim))} |")
    return "\n".join(lines)


def _short(claim: Judgement) -> str:
    """The value with the interval that judged it, and no more."""
    return claim_value(dataclasses.replace(claim, over_both=None)).rpartition(", ")[0]


def results_table(results: Sequence[Results]) -> str:
    """Every claim of every day with its verdict, or with why it is withdrawn, as a Markdown table."""
    lines = ["| day | claim | verdict | measured |", "|---|---|---|---|"]
    for day in results:
        rows = [(claim.claim, _together(verdict(claim)), claim_basis(claim)) for claim in day.claims]
        rows += [(withdrawal.claim, _together(WITHDRAWN), withdrawal.reason) for withdrawal in day.withdrawn]
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
        "A flag names a check that a claim, or a variant of it, did not pass: see [how claims are judged](claims.md)."
    )


def training_time(results: Sequence[Results]) -> str:
    """How long all published trials were trained."""
    hours = sum(day.seconds["training"] for day in results) / 3600
    return f"The trials of these days were trained for {hours:.1f} hours in all, on machines that the evidence names."


def _opened(results: Sequence[Results]) -> dict[str, tuple[int, int, int]]:
    """For each dataset: its test examples, and how many published trials of how many variants have opened them."""
    found: dict[str, tuple[int, int, int]] = {}
    for day in results:
        if day.dataset is not None:
            _, trials, variants = found.get(day.dataset.name, (0, 0, 0))
            trials += sum(len(v.finished) for v in day.trained)
            found[day.dataset.name] = day.dataset.test, trials, variants + len(day.trained)
    return found


def openings_in_short(results: Sequence[Results]) -> str:
    """The same as :func:`openings`, in a sentence."""
    found = _opened(results)
    trials = sum(trials for _, trials, _ in found.values())
    worst = max((largest_error(examples, variants) for examples, _, variants in found.values()), default=0.0)
    return (
        f"{trials:,} published trials have opened the test splits. Their accuracies may be off by up to "
        f"{100 * worst:.1f} points at once: see [all results](docs/results.md)."
    )


def openings(results: Sequence[Results]) -> str:
    """How often the published trials have opened each test split, and what that allows to say of them."""
    said = [
        f"{name} ({examples:,} examples) by {trials} trials of {variants} variants: "
        f"±{100 * largest_error(examples, variants):.1f} points"
        for name, (examples, trials, variants) in _opened(results).items()
    ]
    bound = (
        "The points are how far the accuracies of all these variants may be off at once, if each was fixed before the "
        "split was opened (Hoeffding's inequality, 95%). Some were not: see [how claims are judged](claims.md)."
    )
    earlier = "Evidence that was published before, and replaced, opened them too, and is not counted."
    return f"The trials of today's evidence have opened these test splits: {'; '.join(said)}. {bound} {earlier}"


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
    more = "How each was measured, and what else was, is in [bench/RESULTS.md](../bench/RESULTS.md)."
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
    """Write README, pages and picture of a source checkout anew.

    Args:
        root: the checkout.

    Returns:
        The files written.
    """
    written = {root / name: text for name, text in made(root).items()}
    for path, text in written.items():
        files.write_text(path, text)
        share(path)
    return [*written]


def made(root: Path) -> dict[str, str]:
    """What the files of a source checkout are to say, by their path in it."""
    by_day, benchmarks = read_all(root), root / "bench" / "results.json"

    def text(name: str) -> str:
        with files.storage_errors("read", root / name):
            return (root / name).read_text("utf-8")

    return {
        "README.md": fill_readme(text("README.md"), by_day),
        "docs/results.md": fill_results(text("docs/results.md"), by_day),
        "docs/speed.md": fill_speed(text("docs/speed.md"), files.read_json(benchmarks) if benchmarks.exists() else {}),
        f"docs/pictures/day{PICTURE_OF_DAY:02}.svg": picture(next(r for r in by_day if r.day == PICTURE_OF_DAY)),
    }


def read_all(root: Path) -> list[Results]:
    """The published evidence of a source checkout, by day. A draft may have some of its evidence already."""
    folder = root / "evidence"
    ready = [folder / f"day{day.number:02}.json" for day in JOURNEY if not is_draft(day)]
    return [read_results(files.read_json(path)) for path in ready if path.is_file()]


def _between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- {name} end -->)", re.DOTALL)
    if not pattern.search(text):
        raise FortydaysError(f"The text has no part marked {name!r}.")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def _number(value: float) -> str:
    """Three digits, but never the form 1e+03."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _together(text: str) -> str:
    """A text that is not broken into two lines."""
    return text.replace(" ", "\u00a0")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for written in renew(Path(__file__).parents[1]):
        print(written)
