"""The page "Would you have believed it?" in a real browser: its script computes what the study's statistics do."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from made_up_samples import sampled

from fortydays.site.finished import FinishedDay
from fortydays.site.play import believe
from fortydays.site.play.believe import numbers_of
from fortydays.site.play.samples import Sampled, sampled_claims
from fortydays.study.statistics import student_t

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def page(opened: Any) -> Any:
    return opened("play/believe.html")


LIMITS = """([claim, all]) => all.map((chosen) => {
  const { mean, low, high } = intervals.limits(claim, chosen);
  return [mean, low, high, intervals.verdict(claim, { low, high }), intervals.judged(claim, chosen)];
})"""


def compared(page: Any, given: Sampled, chosen: list[tuple[int, ...]]) -> None:
    """Hold what the script says of some choices of seeds against the study's own statistics."""
    said = page.evaluate(LIMITS, [numbers_of(given), chosen])
    for places, (mean, low, high, verdict, judged) in zip(chosen, said, strict=True):
        part = given.part(places)
        limits = part.limits(confidence=given.judgement.confidence)
        expected = (part.spread.mean, limits.low, limits.high)
        for number, wanted in zip((mean, low, high), expected, strict=True):
            assert number == pytest.approx(wanted, rel=1e-9, abs=1e-9), (given.judgement.claim, places)
        assert verdict == judged == given.verdict(limits), (given.judgement.claim, places)


def some(count: int, most: int) -> list[tuple[int, ...]]:
    """All choices of two seeds and more, or as many drawn ones of each number."""
    rng = np.random.default_rng(7)
    found: list[tuple[int, ...]] = []
    for size in range(2, count + 1):
        if math.comb(count, size) <= most:
            found += itertools.combinations(range(count), size)
        else:
            found += {tuple(sorted(rng.choice(count, size, replace=False).tolist())) for _ in range(most)}
    return found


def test_the_script_gives_the_intervals_and_verdicts_of_the_study(page: Any, days: list[FinishedDay]) -> None:
    for day in days:
        for given in sampled_claims(day.results):
            compared(page, given, some(len(given.seeds), 10))


def test_it_does_so_at_the_edges(page: Any) -> None:
    rng = np.random.default_rng(3)
    for share in (1.0, 0.97, 0.5, 0.0):
        rows = (rng.random((5, 40)) < share).astype(float)
        compared(page, sampled(rows.mean(axis=1).tolist(), rows, bound=share), some(5, 10))
    compared(page, sampled([0.5, 0.5, 0.5, 0.7]), some(4, 10))
    compared(page, sampled([0.1, -0.1, 0.3, 0.2], above=None), some(4, 10))
    compared(page, sampled([0.1, -0.1, 0.3, 0.2], above=False), some(4, 10))


def test_its_quantiles_are_those_of_student(page: Any) -> None:
    freedoms = [0.7, 1, 1.5, 2, 4, 9.3, 19, 79.9, 80.1, 733, 9999, 250000.5]
    for confidence in (0.95, 0.9833333333333333, 0.5):
        said = page.evaluate("([all, c]) => all.map((v) => intervals.studentT(v, c))", [freedoms, confidence])
        assert said == pytest.approx([student_t(v, confidence=confidence) for v in freedoms], rel=1e-9)


def test_every_choice_of_a_few_seeds_is_counted_as_python_counts(page: Any, days: list[FinishedDay]) -> None:
    content = believe.make(days)
    assert content is not None
    said = page.evaluate("""(few) => window.playData.claims.map((claim) => {
      const tally = {};
      if (claim.values.length > few)
        for (const chosen of intervals.choices(claim.values.length, few)) {
          const verdict = intervals.judged(claim, chosen);
          tally[verdict] = (tally[verdict] || 0) + 1;
        }
      return [claim.claim, claim.values.filter((value) => intervals.side(claim, value)).length, tally];
    })""", believe.FEW)  # fmt: skip
    rows = [row for _, some in content.values["rows"] for row in some]
    assert [(c, alone, Counter(t)) for c, alone, t in said] == [
        (row["claim"].claim, row["alone"], Counter({k: n for k, n in row["few"].items() if n})) for row in rows
    ]


def test_all_claims_are_offered_but_those_of_other_kinds(page: Any, days: list[FinishedDay]) -> None:
    offered = set(page.locator("#claim option").all_text_contents())
    left = [each.condition for day in days for each in day.results.claims if each.claim not in offered]
    others = ("that of each of", "of the best of", "over the seeds")
    assert [condition for condition in left if not any(kind in condition for kind in others)] == []


def test_a_study_is_drawn_by_button_slider_and_hand(page: Any) -> None:
    text = page.locator("#told").text_content
    assert page.locator("#seeds [aria-pressed=true]").count() == 3
    drawn = {tuple(page.locator("#seeds [aria-pressed=true]").all_text_contents())}
    for _ in range(5):
        page.locator("#again").press("Enter")
        drawn.add(tuple(page.locator("#seeds [aria-pressed=true]").all_text_contents()))
    assert len(drawn) > 1
    page.locator("#many").press("Home")
    assert page.text_content("#many-told").startswith("1 of ")
    assert "it has no interval, so there is no verdict" in text()
    only = page.locator("#seeds [aria-pressed=true]")
    only.press("Space")  # the last seed stays
    assert only.count() == 1
    page.locator("#seeds [aria-pressed=false]").first.press("Space")
    assert "by 2 seeds" in text()
    assert only.count() == 2
    page.locator("#many").press("End")
    assert "All seeds say the same." in text()
    assert "the published study" in page.text_content("#counted-told")


def test_what_is_counted_is_told_and_stands_in_a_table(page: Any) -> None:
    # The claim of the most seeds, which has the most choices to count.
    claim = max(page.evaluate("window.playData.claims"), key=lambda each: len(each["seeds"]))
    page.select_option("#claim", label=claim["claim"])
    page.wait_for_selector("#counted[data-done]")
    page.locator("summary", has_text="as a table").click()
    rows = page.locator("#table tr")
    assert rows.count() == len(claim["seeds"])
    counted = [
        [int(cell.replace("–", "0").replace(",", "")) for cell in row.split()] for row in rows.all_inner_texts()
    ]
    assert [row[1] for row in counted] == [math.comb(len(claim["seeds"]), row[0]) for row in counted]
    assert all(sum(row[2:]) == row[1] for row in counted)
    few = page.locator("#seeds [aria-pressed=true]").count()
    choices = math.comb(len(claim["seeds"]), few)
    assert f"{choices:,} choices of {few} seeds" in page.text_content("#counted-told")


def test_a_day_leads_to_its_first_claim(opened: Any, days: list[FinishedDay]) -> None:
    first = next(sampled_claims(next(day for day in days if day.day.number == 4).results))
    page = opened("days/04-regularization.html")
    page.locator(".plays a", has_text="Would you have believed it?").click()
    page.wait_for_url("**/play/believe.html#day-4")
    assert page.text_content("#asked") == first.judgement.claim
    assert page.evaluate("scrollY") < 100


def test_an_interval_of_a_share_is_written_and_drawn_within_0_and_100_percent(opened: Any) -> None:
    page = opened("play/believe.html")
    share = "{ unit: 'share', difference: false, quantity: 'accuracy', above: true, bound: 0.97, limits: [0, 1] }"
    assert page.evaluate(f"numberline.shown({share}, 1.0157)") == "100.00%"
    assert page.evaluate(f"numberline.shown({share}, 0.9731)") == "97.31%"
    places = f"""(() => {{
      const {{ px, reach }} = numberline.plane({share}, {{ ends: [0.931, 1.0157], width: 600, top: 40, bottom: 90 }});
      return [px(1.0157) - px(1), reach({{ low: 0.931, high: 1.0157, kind: "supported" }}, 50).length];
    }})()"""
    assert page.evaluate(places) == [0, 1]  # and no arrow points beyond
    points = share.replace("false", "true").replace("[0, 1]", "null")
    assert page.evaluate(f"numberline.shown({points}, 1.01)") == "+101.00 points"
