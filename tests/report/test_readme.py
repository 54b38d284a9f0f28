from pathlib import Path

import pytest
from made_up import evidence

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.report import readme
from fortydays.report.results import read_results

ROOT = Path(__file__).parents[2]
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


def test_every_claim_is_listed_with_its_verdict():
    results = read_results(evidence())
    rows = readme.results_table([results]).splitlines()[2:]
    assert len(rows) == len(results.claims)
    for row, claim in zip(rows, results.claims, strict=True):
        assert claim.claim in row
        assert f" {claim.verdict} |" in row


def test_a_missed_target_is_said():
    figures = {"ratio": {"min": 3.0, "median": 3.5, "max": 4.25}, "seconds": 1.0}
    found = {
        "question": "A against B",
        "target": "at least 4x",
        "met": False,
        "figures": figures,
        "machine": {"cpu_model": "A processor", "cores": 2},
        "measured": "2026-11-22T10:00:00Z",
    }
    table = readme.speed_table({"a": found})
    assert "| A against B | at least 4x **(missed)** | 3.5x (3 to 4.25) |" in table
    assert "A processor, 2 cores, 2026-11-22" in table
    assert "missed" not in readme.speed_table({"a": {**found, "met": True}})


def test_large_numbers_are_written_out():
    found = {
        "question": "Memory",
        "target": "at most 1,229 MiB",
        "met": True,
        "figures": {"MiB": {"min": 999.6, "median": 1018.7, "max": 1234567.0}},
        "machine": {"cpu_model": "A processor", "cores": 2},
        "measured": "2026-11-22T10:00:00Z",
    }
    assert "| 1,019 MiB (1,000 to 1,234,567) |" in readme.speed_table({"a": found})
    # What was measured once has no range.
    assert "| at most 1,229 MiB | 1,019 MiB |" in readme.speed_table({"a": {**found, "figures": {"MiB": 1018.7}}})


def test_a_readme_without_its_markers_is_refused():
    with pytest.raises(FortydaysError, match="no part marked 'results'"):
        readme.fill("nothing to fill", [], {})


def test_how_it_was_measured_is_what_the_measurement_says():
    found = {
        "question": "A against B",
        "target": "at least 4x",
        "met": True,
        "figures": {"seconds": {"min": 3.0, "median": 3.5, "max": 4.25}},
        "machine": {"cpu_model": "A processor", "cores": 2},
        "measured": "2026-11-22T10:00:00Z",
    }
    assert readme.speed_table({"a": found}).endswith("Measured on A processor, 2 cores, 2026-11-22.")
    told = {"a": found | {"method": "seven times"}, "b": found | {"method": "seven times"}, "c": found}
    assert readme.speed_table(told).endswith("Measured on A processor, 2 cores, 2026-11-22: seven times.")
