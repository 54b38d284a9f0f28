import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up import evidence

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.report.results import read_results

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import readme  # noqa: E402

MARKED = "before\n<!-- results: x -->\nold\n<!-- results end -->\nmid\n<!-- speed: y -->\n<!-- speed end -->\nafter\n"


def test_the_readme_says_what_the_evidence_says():
    text = (ROOT / "README.md").read_text("utf-8")
    benchmarks = ROOT / "bench" / "results.json"
    measured = files.read_json(benchmarks) if benchmarks.exists() else {}
    assert readme.fill(text, readme.read_all(ROOT), measured) == text, "run: make readme"


def test_the_parts_between_the_markers_are_written_and_nothing_else():
    filled = readme.fill(MARKED, [read_results(evidence())], {})
    assert filled.startswith("before\n<!-- results: x -->\n| day | claim | verdict | measured |\n")
    assert "old" not in filled
    assert filled.endswith("<!-- speed: y -->\nNot measured yet: `make bench`.\n<!-- speed end -->\nafter\n")
    assert readme.fill(filled, [read_results(evidence())], {}) == filled


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
        assert f" {claim.verdict} |" in row


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


def test_a_readme_without_its_markers_is_refused():
    with pytest.raises(FortydaysError, match="no part marked 'results'"):
        readme.fill("nothing to fill", [], {})


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
    assert "[bench/RESULTS.md](bench/RESULTS.md)" in table.splitlines()[-1]


def test_a_withdrawn_claim_is_listed_last_with_its_reason_and_no_number():
    results = read_results(evidence(withdrawn=[{"claim": "It is | so", "reason": "The control cannot learn."}]))
    rows = readme.results_table([results]).splitlines()[2:]
    assert rows[-1] == "|  | It is \\| so | – withdrawn | The control cannot learn. |"
    alone = read_results(evidence(claims=[], withdrawn=[{"claim": "It is so", "reason": "No."}]))
    assert readme.results_table([alone]).splitlines()[2:] == [
        "| 4. Overfitting and regularization | It is so | – withdrawn | No. |"
    ]


def test_verdicts_that_do_not_stand_among_all_claims_of_the_course_are_named():
    document = evidence()
    for claim, p in zip(document["claims"], (0.001, 0.04, 0.03, 0.9, 0.8, None), strict=True):
        claim |= {"p": p, "verdict": "undecided" if p and p > 0.05 else "supported", "marginal": p == 0.04}
    # Of five, in order: 0.001 * 5, 0.03 * 5 / 2 and 0.04 * 5 / 3, of which the smaller, 0.067, bounds both.
    assert readme.course([read_results(document)]) == (
        "1 of 3 verdicts stand when the claims of all days are tested together (Benjamini and Hochberg, 5%): "
        "all but 4.2, 4.3. Marginal within their day (Holm, 5%): 4.2. "
        "A flag names a check that a claim, or a variant of it, did not pass: see docs/claims.md."
    )


def test_what_so_many_openings_allow_is_told():
    said = readme.openings([read_results(evidence())])
    # Three variants, five seeds, one failed trial: sqrt(ln(2 * 3 / 0.05) / 20,000) = 1.55 points.
    assert "mnist (10,000 examples) by 14 trials of 3 variants: ±1.5 points." in said
