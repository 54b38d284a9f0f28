import dataclasses
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up import evidence

from fortydays.base.errors import FortydaysError
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.exercises.finding import days_with_exercises, exercises_of
from fortydays.report.results import read_results

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import readme  # noqa: E402

MOST_LINES = 120


def marked(name: str) -> str:
    return f"before\n<!-- {name}: x -->\nold\n<!-- {name} end -->\nafter\n"


def test_readme_and_pages_say_what_the_evidence_says():
    for name, text in readme.made(ROOT).items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name}: run make readme"


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_and_the_exercises_say_which_days_there_are():
    ready = [day.number for day in JOURNEY if is_ready(day)]
    whole = next(n for n in range(1, 41) if n + 1 not in ready)
    more = [n for n in ready if n > whole]
    said = f"Days 1 to {whole}{''.join(f', {n}' for n in more[:-1])}{f' and {more[-1]}' if more else ''} are here"
    assert said in " ".join((ROOT / "README.md").read_text("utf-8").split())
    studies = [
        str(day.number)
        for day in days_with_exercises()
        if any(task.demands for place in exercises_of(day) for task in place.exercise.tasks)
    ]
    said = f"Days {', '.join(studies[:-1])} and {studies[-1]} end with a study."
    assert said in (ROOT / "docs" / "exercises.md").read_text("utf-8")


def test_the_claims_that_the_page_of_claims_names_are_those_of_the_evidence():
    by_day = readme.read_all(ROOT)
    shown = [f"{day.day}.{n}" for day in by_day for n, claim in enumerate(day.claims, 1) if claim.demonstration]
    assert f"Today these are {', '.join(shown[:-1])} and {shown[-1]}." in " ".join(
        (ROOT / "docs" / "claims.md").read_text("utf-8").split()
    )
    chosen_later = next(day for day in by_day if day.day == 2).claims[3]
    assert "that of 2.4" in (ROOT / "docs" / "claims.md").read_text("utf-8")
    assert chosen_later.claim == "Without an activation, two layers are no more accurate than one"


def test_pictures_of_the_readme_are_small():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()}
    assert len(sizes) == 2
    assert {name: size for name, size in sizes.items() if size >= 150_000} == {}


def test_the_part_between_the_markers_is_written_and_nothing_else():
    filled = readme.fill_results(marked("results"), [read_results(evidence())])
    start = "before\n<!-- results: x -->\nEach verdict is about the split and the test examples of its dataset"
    assert filled.startswith(start)
    assert "\n\n| day | claim | verdict | measured |\n" in filled
    assert "old" not in filled
    assert filled.endswith("\n<!-- results end -->\nafter\n")
    assert readme.fill_results(filled, [read_results(evidence())]) == filled
    assert readme.fill_speed(marked("speed"), {}) == (
        "before\n<!-- speed: x -->\nNot measured yet: `make bench`.\n<!-- speed end -->\nafter\n"
    )


def test_a_highlight_has_its_verdict_its_value_and_one_interval():
    results = read_results(evidence())
    chosen = [(4, claim.claim) for claim in results.claims]
    rows = readme.highlights([results], chosen).splitlines()[2:]
    assert len(rows) == len(chosen)
    for row, claim in zip(rows, results.claims, strict=True):
        assert row.startswith(f"| 4 | {claim.claim} | ")
        assert f"\u00a0{claim.verdict}" in row.split("|")[3]
        assert row.count("(") - claim.claim.count("(") <= 1
        assert "seed" not in row.split("|")[-2]


def test_a_highlight_that_is_marginal_or_flagged_says_so():
    marks = [{}, {"marginal": True}, {"flags": ["no spread"]}, {"marginal": True, "flags": ["no spread"]}]
    claims = [claim | mark for claim, mark in zip(evidence()["claims"], marks, strict=False)]
    results = read_results(evidence(claims=claims))
    rows = readme.highlights([results], [(4, claim.claim) for claim in results.claims]).splitlines()[2:]
    said = [row.split("|")[3].partition(",")[2].strip() for row in rows]
    assert said == ["", "marginal", "flagged", "marginal, flagged"]


def test_a_highlight_that_is_no_claim_any_more_is_told_with_those_that_are():
    results = read_results(evidence())
    with pytest.raises(FortydaysError, match="Day 4 has no claim 'It is so', which HIGHLIGHTS") as raised:
        readme.highlights([results], [(4, "It is so")])
    assert results.claims[0].claim in (raised.value.hint or "")


def test_the_picture_is_a_file_with_ink_for_light_and_dark_pages():
    root = ElementTree.fromstring(readme.picture(read_results(evidence())))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in (root[0].text or "")


def test_every_claim_is_listed_with_its_verdict():
    results = read_results(evidence())
    rows = readme.results_table([results]).splitlines()[2:]
    assert len(rows) == len(results.claims)
    for row, claim in zip(rows, results.claims, strict=True):
        assert claim.claim in row
        assert f"\u00a0{claim.verdict} |" in row


def benchmark(**changed: object) -> dict[str, Any]:
    return {
        "question": "A against B",
        "target": "at least 4x",
        "met": True,
        "figures": {"ratio": {"min": 3.0, "median": 3.5, "max": 4.25}, "accuracy": 0.91, "note": 1.0},
        "judged": ["ratio"],
        "machine": {"cpu_model": "A processor", "cores": 2},
        "measured": "2026-11-22T10:00:00Z",
        **changed,
    }


def row(**changed: object) -> str:
    return readme.speed_table({"a": benchmark(**changed)}).splitlines()[2]


def test_a_missed_target_is_said():
    assert row() == "| A against B | at least 4x | 3.5x (3 to 4.25) |"
    assert row(met=False) == "| A against B | at least 4x **(missed)** | 3.5x (3 to 4.25) |"


def test_all_that_the_target_speaks_of_is_shown_and_what_has_no_unit_is_named():
    assert row(judged=["ratio", "accuracy"]).endswith("| 3.5x (3 to 4.25); accuracy 0.91 |")
    assert row(judged=["accuracy"]).endswith("| 0.91 |")
    twice = {"seconds": 153.2, "seconds, again": 8.73}
    assert row(figures=twice, judged=[*twice]).endswith("| 153 s; again 8.73 s |")


def test_large_numbers_are_written_out():
    figures = {"MiB": {"min": 999.6, "median": 1018.7, "max": 1234567.0}}
    assert row(figures=figures, judged=["MiB"]).endswith("| 1,019 MiB (1,000 to 1,234,567) |")


def test_what_was_measured_once_or_is_the_same_each_time_has_no_range():
    assert row(figures={"MiB": 1018.7}, judged=["MiB"]).endswith("| 1,019 MiB |")
    same = {"min": 0.9291, "median": 0.9292, "max": 0.9293}
    assert row(figures={"found": same}, judged=["found"]).endswith("| 0.929 |")


def test_a_text_without_its_markers_is_refused():
    with pytest.raises(FortydaysError, match="no part marked 'results'"):
        readme.fill_results("nothing to fill", [read_results(evidence())])


def test_where_and_when_it_was_measured_is_said_once_for_each_machine():
    assert "\n\nMeasured on A processor, 2 cores, 2026-11-22. How " in readme.speed_table({"a": benchmark()})
    other = {"cpu_model": "Another", "cores": 4}
    table = readme.speed_table(
        {
            "a": benchmark(measured="2026-11-25T10:00:00Z"),
            "b": benchmark(),
            "c": benchmark(measured="2026-11-24T10:00:00Z"),
            "d": benchmark(machine=other),
        }
    )
    where = "Measured on A processor, 2 cores, 2026-11-22 to 2026-11-25; Another, 4 cores, 2026-11-22. How each was "
    assert where in table.splitlines()[-1]
    assert "[bench/RESULTS.md](../bench/RESULTS.md)" in table.splitlines()[-1]


def test_a_withdrawn_claim_is_listed_last_with_its_reason_and_no_number():
    results = read_results(evidence(withdrawn=[{"claim": "It is | so", "reason": "The control cannot learn."}]))
    rows = readme.results_table([results]).splitlines()[2:]
    assert rows[-1] == "|  | It is \\| so | –\u00a0withdrawn | The control cannot learn. |"
    alone = read_results(evidence(claims=[], withdrawn=[{"claim": "It is so", "reason": "No."}]))
    assert readme.results_table([alone]).splitlines()[2:] == [
        "| 4. Overfitting and regularization | It is so | –\u00a0withdrawn | No. |"
    ]


def test_verdicts_that_do_not_stand_among_all_claims_of_the_course_are_named():
    document = evidence()
    for claim, p in zip(document["claims"], (0.001, 0.04, 0.03, 0.9, 0.8, None), strict=True):
        claim |= {"p": p, "verdict": "undecided" if p and p > 0.05 else "supported", "marginal": p == 0.04}
    # Of five, in order: 0.001 * 5, 0.03 * 5 / 2 and 0.04 * 5 / 3, of which the smaller, 0.067, bounds both.
    assert readme.course([read_results(document)]) == (
        "1 of 3 verdicts stand when the claims of all days are tested together (Benjamini and Hochberg, 5%): "
        "all but 4.2, 4.3. Marginal within their day (Holm, 5%): 4.2. "
        "A flag names a check that a claim, or a variant of it, did not pass: see [how claims are judged](claims.md)."
    )


def test_what_so_many_openings_allow_is_told():
    said = readme.openings([read_results(evidence())])
    # Three variants, five seeds, one failed trial: sqrt(ln(2 * 3 / 0.05) / 20,000) = 1.55 points.
    assert "mnist (10,000 examples) by 14 trials of 3 variants: ±1.5 points." in said
    assert readme.openings_in_short([read_results(evidence())]) == (
        "14 published trials have opened the test splits. Their accuracies may be off by up to 1.5 points at once: "
        "see [all results](docs/results.md)."
    )


def test_how_long_all_trials_were_trained_is_told():
    days = [dataclasses.replace(read_results(evidence()), seconds={"training": 5400.0}) for _ in range(2)]
    assert readme.training_time(days).startswith("The trials of these days were trained for 3.0 hours in all")
