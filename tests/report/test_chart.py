"""Learning curves that a page draws itself: exact where one can do the numbers by hand."""

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import made_up
import pytest

from fortydays.report.chart import learning_chart
from fortydays.report.palette import look
from fortydays.report.results import read_results


def chart(histories: dict[str, list[dict[str, list[float]]]], field: str = "validation_accuracy") -> str:
    """The chart of variants that have these histories, one for each seed."""
    document: dict[str, Any] = made_up.evidence(seeds=tuple(range(len(next(iter(histories.values()))))))
    for trial in document["trials"]:
        trial["history"] = histories.get(trial["variant"], [{}] * 9)[trial["seed"]]
    variants = [v for v in read_results(document).variants if v.name in histories]
    made = learning_chart(variants, field, 'what it "shows" <here>')
    assert made is not None
    return str(made)


TWO = [
    {"epoch": [1, 2, 3], "validation_accuracy": [0.5, 0.7, 0.9]},
    {"epoch": [1, 2, 3], "validation_accuracy": [0.7, 0.8, 0.9]},
]


def test_each_seed_the_mean_and_the_band_are_drawn() -> None:
    svg = chart({"network": TWO})
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == 'what it "shows" <here>. 1 of 2 lines reaches lower, to 50.0%.'
    (seeds,), (mean,), (band,) = (
        re.findall(rf'class="{kind}"[^>]* d="([^"]*)"', svg) for kind in ("seed", "mean", "band")
    )
    assert (seeds.count("M"), mean.count("M"), band[-1]) == (2, 1, "z")
    # The means 60%, 75% and 90%: steps of the same size to the right and up.
    first, steps = mean.split("l")
    dx1, dy1, dx2, dy2 = map(int, re.findall(r"-?\d+", steps))
    assert first.startswith("M0 ")
    assert dx1 == dx2 > 0 > dy1
    assert abs(dy1 - dy2) <= 1
    assert f"--color:{look(0).color}" in svg


def test_a_script_finds_the_values_as_they_are_written_elsewhere() -> None:
    svg = chart({"network": TWO})
    assert 'data-name="network" data-x="1 2 3" data-says="60.00% ± 14.14|75.00% ± 7.07|90.00% ± 0.00"' in svg
    assert 'data-unit="epoch" data-left="1" data-right="3"' in svg
    one = chart({"network": TWO[:1]})
    assert 'data-says="50.00%|70.00%|90.00%"' in one
    assert 'class="band"' not in one


def test_losses_begin_at_zero_and_have_no_percent() -> None:
    svg = chart({"network": [{"step": [10, 20], "epoch": [1, 1], "train_loss": [1.0, 0.25]}]}, "train_loss")
    ticks = re.findall(r'text-anchor="end">([^<]*)<', svg)
    assert ticks[0] == "0.0"
    assert not any("%" in tick for tick in ticks)
    assert "steps of training" in svg


def test_names_stand_apart_beside_the_ends_of_their_lines() -> None:
    svg = chart(dict.fromkeys(made_up.VARIANTS, TWO))
    places = [float(y) for y in re.findall(r'class="name" x="\d+" y="([\d.]+)"', svg)]
    assert len(places) == 3
    assert all(b - a >= 13.9 for a, b in pairwise(places))


LOW = [
    {"epoch": [1, 2, 3], "validation_accuracy": [0.1, 0.9, 0.95]},
    {"epoch": [1, 2, 3], "validation_accuracy": [0.85, 0.9, 0.95]},
    {"epoch": [1, 2, 3], "validation_accuracy": [0.125, 0.9, 0.95]},
]


def test_lines_that_leave_the_plot_are_counted_at_its_edge() -> None:
    svg = chart({"network": LOW})
    # The axis begins 4 * 5 points below the last value of the mean, 95%.
    (note,) = re.findall(r'<text class="beyond"[^>]*>([^<]*)</text>', svg)
    assert note == "↓ 2 of 3 lines reach lower, to 10.0%"
    assert 'aria-label="what it &#34;shows&#34; &lt;here&gt;. 2 of 3 lines reach lower, to 10.0%."' in svg
    one = chart({"network": LOW[:2]})
    assert "↓ 1 of 2 lines reaches lower, to 10.0%" in one


def test_losses_that_leave_the_plot_are_counted_at_its_upper_edge() -> None:
    loss = [{"epoch": [1, 2, 3], "train_loss": [9.0, 0.5, 0.25]}, {"epoch": [1, 2, 3], "train_loss": [0.6, 0.5, 0.25]}]
    (note,) = re.findall(r'<text class="beyond"[^>]*>([^<]*)</text>', chart({"network": loss}, "train_loss"))
    assert note == "↑ 1 of 2 lines reaches higher, to 9"


def test_where_every_line_is_inside_nothing_is_said() -> None:
    svg = chart({"network": TWO[1:] * 2})
    assert "beyond" not in svg
    assert 'aria-label="what it &#34;shows&#34; &lt;here&gt;"' in svg


@pytest.mark.parametrize("history", [{}, {"epoch": [1], "validation_accuracy": [0.5]}])
def test_one_point_is_not_a_curve(history: dict[str, list[float]]) -> None:
    document = made_up.evidence(seeds=(0, 1))
    for trial in document["trials"]:
        trial["history"] = history
    assert learning_chart(read_results(document).variants, "validation_accuracy", "x") is None


def test_seeds_without_a_step_in_common_have_no_mean_to_draw() -> None:
    document = made_up.evidence(seeds=(0, 1))
    for trial in document["trials"]:
        trial["history"] = {k: c[trial["seed"] :: 2] for k, c in trial["history"].items()}
    assert learning_chart(read_results(document).variants, "train_loss", "x") is None


def test_values_that_are_all_alike_are_drawn_all_the_same() -> None:
    svg = chart({"network": [{"epoch": [2, 3], "validation_accuracy": [0.1, 0.1]}] * 2})
    assert 'data-says="10.00% ± 0.00' in svg
    huge = chart({"network": [{"epoch": [2, 3], "train_loss": [1e90, 1e89]}]}, "train_loss")
    assert "2e+89<" in huge
    for made in (svg, huge):
        assert not re.search(r"nan|inf", made, re.IGNORECASE)
