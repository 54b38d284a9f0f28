"""The page of a search, its pictures, and what the terminal is told."""

import dataclasses
import io
import json
import re
from typing import Any

import pytest
from made_up_search import candidate, found
from rich.console import Console

from fortydays.report.search_chart import candidates_chart, importance_chart, in_words
from fortydays.report.tuned import edges, headline, make_page, print_found, ranked
from fortydays.tune.found import Ending, Finalist, Found
from fortydays.tune.space import Space

HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e"


def printed(content: Found, **options: Any) -> str:
    file = io.StringIO()
    print_found(content, Console(file=file, width=80, **options))
    return file.getvalue()


def test_the_headline_says_what_was_chosen_and_what_it_gained() -> None:
    assert headline(found()) == (
        "Chosen: learning_rate=0.1, optimizer=sgd, patience=none. It has 91.00% ± 12.71 on the validation split, "
        "2.50 points more than the recipe as it was (88.50% ± 6.35)."
    )
    worse = Finalist(number=1, values=found().chosen.values, accuracies=(0.8, 0.8))
    said = headline(found(finalists=(worse,)))
    assert "80.00% on the validation split, 8.50 points less than" in said
    assert said.endswith("Keep that recipe, or search elsewhere.")
    lost = dataclasses.replace(found().before, accuracies=(None, 0.9))
    assert headline(found(before=lost)).endswith("the recipe before failed.")
    same = dataclasses.replace(found().before, accuracies=found().chosen.accuracies)
    assert "as right as the recipe as it was" in headline(found(before=same))


def test_a_value_at_the_edge_is_told() -> None:
    assert edges(found()) == [
        "learning_rate=0.1 is at the edge of what was searched: a better value may lie beyond it."
    ]
    assert edges(found(at_edge=())) == []


def test_those_that_came_furthest_are_first_and_failed_ones_last() -> None:
    assert [each.number for each in ranked(found())] == [1, 3, 4, 2]


def test_the_terminal_tells_all_in_80_columns() -> None:
    text = printed(found())
    assert all(len(line) <= 80 for line in text.splitlines())
    said = " ".join(text.split())
    for part in (
        "4 candidates: 2 trained for all their epochs, 1 stopped early, 1 failed.",
        "1 0.1 sgd none 9 epochs 90.0%",
        "4 0.0001 adam none stopped after 3 epochs 20.0%",
        "2 0.05 sgd 3 failed –",
        "What mattered after 1/3 of the epochs: learning rate 70%, optimizer 20%, patience 10%.",
        "before 0.001 adam none 88.50% ± 6.35",
        "no test example was seen",
        "learning_rate=0.1 is at the edge",
    ):
        assert part in said, part


def test_many_fields_and_many_candidates_fit_too() -> None:
    names = ["learning_rate", "weight_decay", "label_smoothing", "warmup", "rotation", "zoom"]
    values = dict.fromkeys(names, 0.123)
    many = found(
        space=Space.parse([f"{name}=0.1..0.2" for name in names]),
        candidates=tuple(candidate(k, Ending.FINISHED, 0.5, 0.5, **values) for k in range(1, 31)),
        finalists=(Finalist(number=1, values=values, accuracies=(0.5, 0.6)),),
        before=Finalist(number=None, values=values, accuracies=(0.5, 0.6)),
        importance={},
        at_edge=(),
    )
    text = printed(many)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "And 20 more." in text
    assert "What mattered" not in text
    assert importance_chart(many) is None
    assert make_page(many, study="tuned.py").count("9 epochs") == 30


def test_without_color_and_in_ascii_nothing_is_lost() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_found(found(), Console(file=file, width=80, no_color=True, color_system=None))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "88.50% +/- 6.35" in text
    assert "\x1b" not in text


def test_the_page_needs_nothing_and_escapes_everything() -> None:
    page = make_page(found(title=HOSTILE, variant=HOSTILE, dataset=HOSTILE), study=HOSTILE)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_page_has_every_candidate_and_says_what_comes_next() -> None:
    page = make_page(found(), study="my tuned.py")
    table = page[page.index('aria-label="All candidates"') :]
    assert re.findall(r'<th scope="row" class="number">(\d+)</th>', table) == ["1", "3", "4", "2"]
    assert "stopped early (thin)" in page
    assert "failed (dashed)" in page
    assert "forty run my tuned.py" in page
    assert "the best third of a batch goes on after 1/3 of the epochs" in page
    whole = make_page(found(divisors=(1,)), study="x.py")
    assert "none: every candidate trains for all its epochs" in whole


def test_a_line_is_a_candidate_and_the_chosen_one_lies_on_top() -> None:
    svg = str(candidates_chart(found()))
    lines = re.findall(r'<path class="candidate (\w+)"[^>]* d="([^"]+)"', svg)
    assert [kind for kind, _ in lines] == ["stopped", "failed", "finished", "chosen"]
    # Four axes; one that failed has no accuracy. 0.1 is at the top of its range, 0.0001 at the bottom.
    assert [line.count("L") + 1 for _, line in lines] == [4, 3, 4, 4]
    heights = [float(line.removeprefix("M").split("L")[0].split()[1]) for _, line in lines]
    assert (heights[3], heights[0]) == (52.0, 282.0)
    # On the logarithmic range from 0.0001 to 0.1, 0.01 is two thirds of the way up.
    assert heights[2] == pytest.approx(282 - 230 * 2 / 3, abs=0.1)
    assert "stroke-dasharray" in svg
    assert in_words(found()).startswith(
        "4 candidates over learning rate, optimizer, patience and the validation accuracy. Chosen: learning rate 0.1, "
        "optimizer sgd, patience none."
    )


def test_a_bar_is_as_long_as_its_share() -> None:
    widths = [
        float(each)
        for each in re.findall(r'<rect class="share"[^>]* width="([\d.]+)"', str(importance_chart(found())))
    ]
    assert widths[0] / widths[2] == pytest.approx(7, rel=0.01)


def test_the_document_can_be_written_as_json() -> None:
    document = json.loads(json.dumps(found().as_dict(), allow_nan=False))
    assert document["chosen"]["number"] == 1
    assert document["gain"] == pytest.approx(0.025)
    assert document["finalists"][1]["validation_accuracy"] is None
    assert document["space"][0] == {"field": "learning_rate", "low": 0.0001, "high": 0.1, "log": True}
    assert document["candidates"][1] == {
        "number": 2,
        "values": {"learning_rate": 0.05, "optimizer": "sgd", "patience": 3},
        "ending": "failed",
        "reached": [{"epochs": 3, "accuracy": None}],
    }
