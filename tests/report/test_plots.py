"""The figures: what they show, and that they stand in a page without reaching out of it."""

import copy
import dataclasses
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import made_up
import pytest

from fortydays.report import plots
from fortydays.report.page import lines_in_words
from fortydays.report.palette import COLORS, look
from fortydays.report.results import Results, read_results
from fortydays.study.exhibit_document import Line, Lines, Matrix

COSTS = {
    "lenet": (650_000, 0.65), "network": (4_300_000, 0.74), "alexnet": (26_500_000, 0.78),
    "googlenet": (88_400_000, 0.843), "resnet": (40_500_000, 0.846), "older": (None, 0.7),
}  # fmt: skip

PARTS = {
    "transfer": ("transfer", None, 0.86), "scratch": ("from scratch", None, 0.7), "fine-tuned": ("", None, 0.88),
    "transfer 10": ("transfer", 10, 0.6), "transfer 100": ("transfer", 100, 0.75),
    "transfer 1000": ("transfer", 1000, 0.83), "scratch 10": ("from scratch", 10, 0.2),
}  # fmt: skip


@pytest.fixture(scope="module")
def results() -> Results:
    return read_results(made_up.evidence())


def texts(svg: str | None) -> list[str]:
    """The texts in a figure."""
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def exhibit(results: Results, kind: type) -> Any:
    return next(e for e in results.exhibits if isinstance(e, kind))


def all_figures(results: Results) -> list[str]:
    search = results.variants[2].search
    assert search is not None
    drawn = [
        plots.accuracies(results.variants),
        plots.gaps(results.variants),
        plots.search(search, 2),
        plots.matrix(exhibit(results, Matrix)),
        plots.lines(exhibit(results, Lines)),
        plots.accuracy_against_cost(read_results(made_up.evidence_of_costs(COSTS)).variants),
        plots.accuracy_against_images(read_results(made_up.evidence_of_images(PARTS))),
    ]
    assert None not in drawn
    return [svg for svg in drawn if svg is not None]


@pytest.fixture(scope="module")
def figures(results: Results) -> list[str]:
    return all_figures(results)


def test_figures_are_svg_elements_that_load_nothing_and_take_the_ink_of_the_page(figures: list[str]) -> None:
    for svg in figures:
        assert svg.startswith("<svg ")
        assert svg.endswith("</svg>")
        assert "currentColor" in svg
        assert "#ffffff" not in svg  # the page lies behind a figure, also where it is dark
        assert not re.search(r"<(style|script|metadata|image|foreignObject)\b", svg)
        assert set(re.findall(r'https?://[^"]*', svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_figures_are_well_formed(figures: list[str]) -> None:
    for svg in figures:
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_same_results_give_the_same_bytes(figures: list[str]) -> None:
    assert figures == all_figures(read_results(made_up.evidence()))


def test_a_search_names_every_value_tried(results: Results) -> None:
    search = results.variants[2].search
    assert search is not None
    assert {"0.01", "0.1", "0.5", "1", "learning rate"} <= set(texts(plots.search(search, 2)))


def test_words_can_be_searched_too() -> None:
    document = copy.deepcopy(made_up.evidence())
    search = document["details"]["sgd fair"]["search"]
    for value, tried in zip(("constant", "linear", "cosine", "none"), search["tries"], strict=True):
        tried["value"] = value
    search |= {"field": "schedule", "chosen": "linear"}
    found = read_results(document).variants[2].search
    assert found is not None
    assert {"constant", "linear", "cosine", "schedule"} <= set(texts(plots.search(found, 0)))


def test_a_confusion_matrix_shows_every_number(results: Results) -> None:
    matrix = exhibit(results, Matrix)
    shown = texts(plots.matrix(matrix))
    assert [t for t in shown if t == "21"] == ["21"]
    assert sum(t == "0" for t in shown) == sum(value == 0 for row in matrix.values for value in row) + 2
    assert all(shown.count(digit) >= 2 for digit in matrix.rows)


def test_a_matrix_with_many_classes_leaves_the_numbers_out() -> None:
    names = tuple(map(str, range(25)))
    values = tuple(tuple(float(r * c) for c in range(25)) for r in range(25))
    matrix = Matrix(title="", caption="", variant="", seed=None, rows=names, columns=names, values=values)
    svg = plots.matrix(matrix)
    assert texts(svg) == []
    assert svg.count(COLORS[3].lower()) == 24 * 24 - 24


def test_names_that_are_markup_or_mathematics_or_far_too_long_stay_text() -> None:
    lines = Lines(
        title="", caption="", variant="", seed=None, x_label="$\\frac{", y_label="</text><script>",
        lines=tuple(
            Line(name=name, x=(0.0, 1.0), y=(0.0, float(len(name))))
            for name in ("<script>alert(1)</script>", "$x^2$", "字" * 2000, "_hidden")
        ),
    )  # fmt: skip
    svg = plots.lines(lines)
    assert "<script" not in svg
    shown = texts(svg)
    assert {"$\\frac{", "$x^2$", "_hidden", "字" * 23 + "…"} <= set(shown)


def lines_of(*drawn: Line, **fields: Any) -> Lines:
    said = {"title": "", "caption": "", "variant": "", "seed": None, "x_label": "rate", "y_label": "accuracy"}
    return Lines(**said | {"lines": drawn} | fields)


def test_points_have_their_intervals_and_a_ring_where_they_are_marked() -> None:
    plain = Line(name="a", x=(0.01, 0.1, 1.0), y=(0.5, 0.6, 0.7), look=3)
    points = dataclasses.replace(plain, low=(0.4, 0.5, 0.6), high=(0.6, 0.7, 0.8), marked=(1,))
    bare, full = plots.lines(lines_of(plain)), plots.lines(lines_of(points))
    assert COLORS[3].lower() in bare.lower()  # the color of the variant, not of the first line
    assert COLORS[0].lower() not in bare.lower()
    assert full.count("<path") > bare.count("<path")
    ring = plots.lines(lines_of(dataclasses.replace(points, marked=())))
    assert full.count("<use") == ring.count("<use") + 1


def test_labelled_points_are_not_joined_and_their_labels_stand_beside_them() -> None:
    places = Line(name="praise", x=(0.0, 1.0, 2.0), y=(0.0, 1.0, 0.5))
    labelled = dataclasses.replace(places, labels=("good", "great", "<b>"))
    joined, alone = plots.lines(lines_of(places)), plots.lines(lines_of(labelled))
    assert {"praise", "good", "great", "&lt;b&gt;"} <= set(texts(alone))
    assert alone.count("<path") < joined.count("<path")
    assert lines_in_words(lines_of(labelled)) == "praise: good, great, <b>."
    with pytest.raises(ValueError, match="has 1 labels and 3 points; expected one each, or none"):
        dataclasses.replace(places, labels=("good",))


def test_many_points_have_a_band_in_the_place_of_intervals() -> None:
    x = tuple(map(float, range(20)))
    curve = Line(name="a", x=x, y=x, low=x, high=tuple(y + 1 for y in x))
    assert 'fill-opacity="0.18"' in plots.lines(lines_of(curve)) or "opacity: 0.18" in plots.lines(lines_of(curve))


def test_the_axes_of_lines_are_logarithmic_named_or_in_percent_where_the_exhibit_says_so() -> None:
    shares = Line(name="a", x=(0.0, 1.0), y=(0.5, 0.9))
    shown = texts(plots.lines(lines_of(shares, x_names=("in order", "shuffled"), y_unit="share", y_from=0.4)))
    assert {"in order", "shuffled", "40%", "80%"} <= set(shown)
    spaced = Line(name="a", x=(0.01, 1.0, 100.0), y=(1000.0, 2000.0, 3000.0))
    shown = texts(plots.lines(lines_of(spaced, x_axis="logarithmic", y_unit="steps")))
    assert {"2,000", "0.01", "100"} <= set(shown)
    assert texts(plots.lines(lines_of(spaced))) != shown


def test_long_names_under_an_axis_are_turned_and_short_ones_are_not() -> None:
    def turned(*names: str) -> int:
        line = Line(name="ours", x=(0.0, 1.0), y=(0.0, 1.0))
        return plots.lines(lines_of(line, x_names=names)).count("rotate(-25")

    assert turned("in order", "shuffled") == 0
    assert turned("convolutions in order", "convolutions shuffled") == 2


def test_epochs_are_whole_numbers_on_the_axis() -> None:
    epochs = tuple(map(float, range(1, 16)))
    shown = texts(plots.lines(lines_of(Line(name="a", x=epochs, y=tuple(1 / epoch for epoch in epochs)))))
    assert not any(re.fullmatch(r"\d+\.5", text) for text in shown)


def test_more_variants_than_colors_differ_in_their_dashes() -> None:
    looks = [look(index) for index in range(28)]
    assert len({(a.color, a.dash) for a in looks}) == 28
    assert len({(a.color, a.marker) for a in looks}) == 28  # a line of one point shows no dash
    assert looks[0].rgb == (0, 114, 178)


def test_two_points_of_one_color_have_other_shapes() -> None:
    drawn = plots.lines(lines_of(*(Line(name=str(n), x=(float(n),), y=(0.5,)) for n in range(8))))
    shapes = re.findall(r'<path id="(m[0-9a-f]+)" d="([^"]+)" style="stroke: #0072b2', drawn)
    assert len({shape for _, shape in shapes}) == 2


def drawn_against_cost(costs: dict[str, tuple[int | None, float]]) -> str | None:
    return plots.accuracy_against_cost(read_results(made_up.evidence_of_costs(costs)).variants)


def places(svg: str) -> dict[str, tuple[float, float]]:
    """Where each text of a figure stands: x and y in points, y from the top."""
    found = re.findall(r'<text[^>]* x="([\d.-]+)" y="([\d.-]+)"[^>]*>([^<]*)</text>', svg)
    assert found
    return {name: (float(x), float(y)) for x, y, name in found}


def test_accuracy_against_cost_names_every_variant_that_has_one() -> None:
    svg = drawn_against_cost(COSTS)
    shown = texts(svg)
    assert set(COSTS) - set(shown) == {"older"}
    assert {"1 M", "10 M", "100 M", "multiply-adds for one image (logarithmic)", "test accuracy", "80%"} <= set(shown)
    assert svg is not None
    assert all(look(index).color.lower() in svg for index in range(5))


def test_without_two_unlike_costs_there_is_nothing_to_draw() -> None:
    assert drawn_against_cost({"a": (1000, 0.5), "b": (1000, 0.6), "c": (None, 0.7)}) is None
    assert drawn_against_cost({"a": (0, 0.5), "b": (1000, 0.6)}) is None


def test_names_of_points_at_one_place_stand_in_a_column_in_their_order() -> None:
    close = {f"close {k}": (40_000_000 + k, 0.84 + 0.0001 * k) for k in range(8)}
    svg = drawn_against_cost({"lenet": (650_000, 0.65), **close})
    assert svg is not None
    found = places(svg)
    column = [found[name] for name in close]
    assert len({round(x) for x, _ in column}) == 1
    assert all(lower - higher >= 9 for (_, lower), (_, higher) in pairwise(column))


def test_costs_close_to_each_other_still_have_a_number_on_their_axis() -> None:
    svg = drawn_against_cost({"a": (27_000_000, 0.5), "b": (27_100_000, 0.6)})
    assert {"20 M", "50 M"} & set(texts(svg))


def drawn_against_images(parts: dict[str, tuple[str, int | None, float]], **changes: Any) -> str | None:
    return plots.accuracy_against_images(read_results(made_up.evidence_of_images(parts, **changes)))


def test_accuracy_against_images_has_a_line_with_its_name_for_each_group_that_learned_from_parts() -> None:
    svg = drawn_against_images(PARTS)
    shown = texts(svg)
    assert {"transfer", "from scratch", "training images (logarithmic)", "test accuracy", "60%"} <= set(shown)
    assert {"100", "1,000", "10,000", "55,000"} <= set(shown)
    assert "others" not in shown  # the one that is fine-tuned learned from all images
    assert svg is not None
    first, second, other = (look(index).color.lower() for index in range(3))
    assert (svg.count(f"stroke: {first}; stroke-opacity: 0.55"), svg.count(f"stroke: {second}; stroke-op")) == (4, 2)
    assert other not in svg


def test_names_stand_at_the_height_of_the_ends_of_their_lines() -> None:
    found = places(drawn_against_images(PARTS) or "")
    assert found["transfer"][1] < found["from scratch"][1]
    turned = PARTS | {"scratch": ("from scratch", None, 0.95)}
    found = places(drawn_against_images(turned) or "")
    assert found["from scratch"][1] < found["transfer"][1]


def test_variants_in_no_group_are_a_line_of_others_and_one_seed_has_no_interval() -> None:
    parts = {"few": ("", 10, 0.5), "more": ("", 100, 0.6)}
    assert "others" in texts(drawn_against_images(parts))
    one = made_up.evidence_of_images(parts)
    for summary in one["variants"].values():
        summary["test_accuracy"] |= {"std": None, "low": None, "high": None, "n": 1}
    svg = plots.accuracy_against_images(read_results(one))
    assert svg is not None
    assert "stroke-opacity: 0.55" not in svg


def test_sizes_close_to_each_other_leave_the_axis_to_round_numbers() -> None:
    shown = texts(drawn_against_images({"a": ("x", 99, 0.5), "b": ("x", 100, 0.6), "c": ("x", 1000, 0.7)}))
    assert "990" not in shown
    assert "1,000" in shown


def test_without_two_unlike_numbers_of_images_there_is_nothing_to_draw() -> None:
    assert drawn_against_images({"a": ("x", None, 0.5), "b": ("", None, 0.6)}) is None
    assert drawn_against_images({"a": ("x", 10, 0.5), "b": ("y", 10, 0.6)}) is None
    # Evidence may tell of no class or no image, which have no place on a logarithmic axis.
    dataset = made_up.evidence()["dataset"]
    for damage in ({"classes": []}, {"train": 0}):
        assert drawn_against_images(PARTS, dataset=dataset | damage) is None


def test_a_confusion_matrix_of_long_names_shows_them_whole() -> None:
    values = tuple(tuple(float(100 * r + c) for c in range(10)) for r in range(10))
    matrix = Matrix(
        title="", caption="", variant="", seed=None, rows=made_up.CIFAR10, columns=made_up.CIFAR10, values=values
    )
    assert texts(plots.matrix(matrix)).count("automobile") == 2
