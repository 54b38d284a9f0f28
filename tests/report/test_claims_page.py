"""The page on how claims are judged shows the figures of the simulation, and nothing that was typed."""

import sys
from pathlib import Path

import pytest

from fortydays.base import files
from fortydays.study.checks import CHECKS
from fortydays.study.claim_checks import CLAIM_CHECKS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import simulate_claims  # noqa: E402

FIGURES = files.read_json(simulate_claims.FIGURES)


def test_the_page_says_what_was_simulated() -> None:
    text = simulate_claims.PAGE.read_text("utf-8")
    assert simulate_claims.fill(text, FIGURES) == text, "run: python bench/simulate_claims.py"


def test_the_page_explains_each_check() -> None:
    text = simulate_claims.PAGE.read_text("utf-8")
    for check in (*CHECKS, *CLAIM_CHECKS):
        assert text.count(f"| {check} |") == 1, check


def test_a_page_without_a_marker_is_refused_and_nothing_is_lost() -> None:
    text = simulate_claims.PAGE.read_text("utf-8")
    with pytest.raises(ValueError, match="has no markers of the table 'power'"):
        simulate_claims.fill(text.replace("<!-- power end -->", ""), FIGURES)


def test_the_rules_keep_what_the_page_promises() -> None:
    # 2,000 studies: a share of 95% is off by 1.5 points at most, three times its standard error.
    assert min(row["judged"] for row in FIGURES["coverage"] if row["seeds"] >= 5) > 0.95 - 0.015
    assert min(row["decided"] for row in FIGURES["power"] if row["distance"] >= 0.5) > 0.8
    assert all(row["decided"] > row["before"] for row in FIGURES["power"])
    assert FIGURES["looks"]["by the number of looks"] < 0.075
