"""Pictures of a whole run, from made-up evidence."""

from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.report.reading import read
from fortydays.study.exhibit_document import ExhibitResult
from fortydays.study.overviews import (
    CostOverview,
    CurveOverview,
    ExamplesOverview,
    LinesOverview,
    MetricOverview,
    SearchOverview,
    SplitOverview,
)
from fortydays.study.statistics import interval


def spread(*values: float) -> dict[str, Any]:
    return interval(values).as_dict()


def tried(value: float, *accuracies: float) -> dict[str, Any]:
    return {"value": value, "validation_accuracy": spread(*accuracies)}


def trial(variant: str, epochs: list[int], losses: list[float]) -> dict[str, Any]:
    history = {"epoch": epochs, "train_loss": losses, "validation_loss": [2 * loss for loss in losses]}
    return {"variant": variant, "history": history}


EVIDENCE = {
    "details": {
        "deep": {"search": {"tries": [tried(1.0, 0.9, 0.8), tried(0.1, 0.5, 0.7)], "chosen": 1.0}},
        "flat": {"search": None},
        "wide": {"search": {"tries": [tried(0.1, 0.6)], "chosen": 0.1}},
    },
    "variants": {
        "deep": {"test_accuracy": spread(0.9, 0.8), "steps_to_0.9": spread(100.0, 300.0)},
        "flat": {"test_accuracy": spread(0.5, 0.5)},  # some seed did not reach 0.9
        "wide": {"test_accuracy": spread(0.7, 0.6), "steps_to_0.9": spread(900.0, 700.0)},
    },
    "trials": [
        trial("deep", [0, 1, 2, 3], [8.0, 3.0, 2.0, 1.0]),
        trial("deep", [0, 1, 1, 2], [9.0, 5.0, 7.0, 4.0]),  # evaluated twice in each epoch, stopped after the second
        trial("flat", [1], [1.0]),
        {"variant": "flat", "history": {}},  # failed
    ],
}


def fits(exhibit: dict[str, Any]) -> bool:
    """Whether the report reads it."""
    return bool(read(ExhibitResult, exhibit, "exhibit").lines)


def test_a_metric_is_drawn_over_numbers_with_the_interval_of_each_point() -> None:
    found = MetricOverview(
        title="T", caption="C", metric="test_accuracy", x_label="layers", x_axis="logarithmic", y_from=0.4,
        lines={"ours": {"wide": 1, "deep": 8}},
    ).make(EVIDENCE)  # fmt: skip
    (line,) = found["lines"]
    assert (line["x"], line["y"]) == ([1, 8], pytest.approx([0.65, 0.85]))
    assert line["low"][1] < 0.8 < 0.9 < line["high"][1]
    assert line["look"] == 0  # that of the variant on it that is first in the study
    assert (found["y_label"], found["y_unit"], found["y_from"]) == ("test accuracy", "share", 0.4)
    assert (found["x_axis"], found["x_names"], found["variant"], found["seed"]) == ("logarithmic", [], "", None)
    assert fits(found)


def test_places_with_names_are_numbered_in_the_order_in_which_they_are_named() -> None:
    found = MetricOverview(
        title="T", caption="C", metric="test_accuracy", x_label="pixels",
        lines={"one": {"deep": "in order", "flat": "shuffled"}, "two": {"wide": "shuffled"}},
    ).make(EVIDENCE)  # fmt: skip
    assert found["x_names"] == ["in order", "shuffled"]
    assert [line["x"] for line in found["lines"]] == [[0, 1], [1]]
    assert fits(found)


def test_a_variant_that_did_not_reach_a_target_has_no_point() -> None:
    found = MetricOverview(
        title="T", caption="C", metric="steps_to_0.9", x_label="x", lines={n: {n: 1} for n in ("deep", "flat", "wide")}
    ).make(EVIDENCE)
    assert [(line["name"], line["y"]) for line in found["lines"]] == [("deep", [200.0]), ("wide", [800.0])]
    assert found["y_unit"] == "steps"


COSTS = {
    **EVIDENCE,
    "details": {
        "deep": {"multiply_adds": 8_000_000, "parameters": 90},
        "flat": {"multiply_adds": None},
        "wide": {"multiply_adds": 2_500_000, "parameters": 700},
    },
}


def test_a_metric_is_drawn_over_costs_from_the_cheapest_to_the_most_expensive() -> None:
    found = CostOverview(
        title="T", caption="C", metric="test_accuracy", lines={"ours": ("deep", "flat", "wide")}, y_from=0.5
    ).make(COSTS)
    (line,) = found["lines"]
    assert (line["name"], line["look"], line["x"]) == ("ours", 0, [2.5, 8.0])  # flat's are not counted
    assert line["y"] == pytest.approx([0.65, 0.85])
    assert len(line["low"]) == len(line["high"]) == 2
    assert (found["x_label"], found["y_label"]) == ("multiply-adds, millions", "test accuracy")
    assert (found["y_unit"], found["y_from"]) == ("share", 0.5)
    assert fits(found)


def test_parameters_are_a_cost_too() -> None:
    lines = {name: (name,) for name in ("wide", "deep", "flat")}
    found = CostOverview(title="T", caption="C", metric="steps_to_0.9", cost="parameters", lines=lines).make(COSTS)
    assert [(line["name"], line["x"], line["y"]) for line in found["lines"]] == [
        ("wide", [0.0007], [800.0]),
        ("deep", [0.00009], [200.0]),
    ]
    assert found["x_label"] == "parameters, millions"


def test_an_overview_of_a_cost_that_there_is_not_or_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        CostOverview(title="T", caption="", metric="test_loss", lines={"a": ("deep",)}, cost="parameter")
    assert refused.value.message.startswith("There is no cost 'parameter', which the overview 'T' names")
    with pytest.raises(UsageError, match="The overview 'T' needs lines with variants"):
        CostOverview(title="T", caption="", metric="test_loss", lines={"a": ()})


def test_each_point_of_a_line_is_one_metric_of_one_variant() -> None:
    deep = {"test_accuracy": spread(0.9, 0.8), "lost_accuracy": spread(0.1, 0.3)}
    evidence = {
        "details": {"deep": {}, "wide": {}},
        "variants": {"deep": deep, "wide": {"test_accuracy": spread(0.5)}},
    }
    found = LinesOverview(
        title="T", caption="C", x_label="network", y_label="share of answers",
        lines={
            "right": {("wide", "test_accuracy"): "wide", ("deep", "test_accuracy"): "deep"},
            "lost": {("wide", "lost_accuracy"): "wide", ("deep", "lost_accuracy"): "deep"},
            "of none": {("failed", "test_accuracy"): "wide"},
        },
    )  # fmt: skip
    assert found.variants == ("wide", "deep", "failed")
    made = found.make(evidence)
    right, lost = made["lines"]  # a line without points is left out
    assert (right["name"], right["look"], right["x"], right["y"]) == ("right", 0, [0, 1], [0.5, pytest.approx(0.85)])
    assert "low" not in right  # one seed of the one has no spread
    assert (lost["name"], lost["look"], lost["x"], lost["y"]) == ("lost", 1, [1], [pytest.approx(0.2)])
    assert lost["low"][0] < 0.1 < 0.3 < lost["high"][0]
    assert (made["x_names"], made["y_label"], made["y_unit"]) == (["wide", "deep"], "share of answers", "share")
    assert fits(made)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"a": {"deep": 1}}, "has the point 'deep'; expected the name of a variant and of a metric, such as"),
        ({"a": {("deep", "x", "y"): 1}}, "has the point ('deep', 'x', 'y'); expected the name of a variant"),
        ({"a": {("deep", "x"): 1, ("deep", "y"): "two"}}, "needs places that are all numbers, or all names"),
    ],
)
def test_a_point_that_names_no_metric_of_a_variant_is_refused(lines: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        LinesOverview(title="T", caption="", x_label="", y_label="", lines=lines)
    assert refused.value.message.startswith(f"The overview 'T' {message}")


def test_the_tries_of_searches_are_drawn_from_the_smallest_value_with_the_chosen_one_marked() -> None:
    found = SearchOverview(title="T", caption="C", variants=("wide", "flat", "deep"), x_label="rate").make(EVIDENCE)
    wide, deep = found["lines"]  # flat had no search, as where a reader set the field
    assert (deep["name"], deep["look"], deep["x"], deep["marked"]) == ("deep", 0, [0.1, 1.0], [1])
    assert deep["y"] == pytest.approx([0.6, 0.85])
    assert deep["high"][1] - deep["y"][1] == pytest.approx(0.005**0.5)  # the deviation of 0.9 and 0.8
    assert deep["y"][0] - deep["low"][0] == pytest.approx(0.02**0.5)
    assert "low" not in wide  # a single seed has no deviation
    assert (found["x_axis"], found["y_label"]) == ("logarithmic", "validation accuracy")
    assert fits(found)


def test_curves_go_as_far_as_each_seed_in_a_band_from_the_lowest_to_the_highest() -> None:
    found = CurveOverview(
        title="T", caption="C", variants=("deep",), fields=("train_loss", "validation_loss"), y_label="loss"
    ).make(EVIDENCE)
    training, validation = found["lines"]
    assert (training["name"], training["dashed"]) == ("deep, training", True)
    assert (validation["name"], validation["dashed"]) == ("deep, validation", False)
    assert (training["x"], training["y"]) == ([1, 2], [4.0, 3.0])
    assert (training["low"], training["high"]) == ([3.0, 2.0], [5.0, 4.0])
    assert validation["y"] == [8.0, 6.0]
    assert fits(found)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lines": {"a": {"deep": 1, "flat": "two"}}}, "needs places that are all numbers, or all names"),
        ({"lines": {}}, "needs places that are all numbers, or all names"),
        ({"x_axis": "log"}, "has the axis 'log'; expected linear or logarithmic"),
        ({"x_axis": "logarithmic", "lines": {"a": {"deep": 0}}}, "has a logarithmic axis, so its places are above 0"),
    ],
)
def test_a_metric_overview_that_cannot_be_drawn_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        MetricOverview(
            **{"title": "T", "caption": "", "metric": "test_loss", "x_label": "", "lines": {"a": {"deep": 1}}} | fields
        )
    assert message in refused.value.message


def test_a_field_that_no_history_has_is_refused() -> None:
    with pytest.raises(UsageError, match="shows test_loss; expected some of train_loss, train_accuracy"):
        CurveOverview(title="T", caption="", variants=("deep",), fields=("test_loss",), y_label="loss")


def test_an_accuracy_has_an_interval_over_seeds_and_one_over_examples() -> None:
    deep = {"test_accuracy": spread(0.5, 0.5), "validation_accuracy": spread(0.9, 0.7)}
    evidence = {"dataset": {"test": 100, "validation": 10}, "variants": {"deep": deep, "failed": {}}}

    found = SplitOverview(title="T", caption="C", variants=("deep", "failed"), examples="photographs").make(evidence)

    assert fits(found)
    assert found["x_names"] == ["deep"]
    names = [
        "test, other photographs",
        "test, other seeds",
        "validation, other photographs",
        "validation, other seeds",
    ]
    assert [line["name"] for line in found["lines"]] == names
    of_examples, of_seeds, few, _ = found["lines"]
    assert (of_seeds["low"], of_seeds["high"]) == ([0.5], [0.5])
    # Wilson: 50 of 100 is 40.4% to 59.6%, 8 of 10 is 49.0% to 94.3%.
    assert (of_examples["low"], of_examples["high"]) == (
        [pytest.approx(0.404, abs=5e-4)],
        [pytest.approx(0.596, abs=5e-4)],
    )
    assert (few["y"], few["low"], few["high"]) == (
        [pytest.approx(0.8)],
        [pytest.approx(0.490, abs=5e-4)],
        [pytest.approx(0.943, abs=5e-4)],
    )


def test_seconds_of_training_are_the_mean_over_seeds_and_drills_have_them_too() -> None:
    def took(variant: str, seconds: float, status: str = "finished") -> dict[str, Any]:
        return {"variant": variant, "status": status, "train_seconds": seconds}

    evidence = {
        **COSTS,
        "trials": [took("wide", 30.0), took("wide", 40.04), took("deep", 2.0), took("deep", 99.0, status="failed")],
    }
    found = CostOverview(
        title="T", caption="C", metric="test_accuracy", lines={"all": ("wide", "deep")}, cost="train_seconds",
        x_axis="logarithmic",
    ).make(evidence)  # fmt: skip
    assert found["lines"][0]["x"] == [2.0, 35.0]
    assert (found["x_label"], found["x_axis"]) == ("training time, seconds", "logarithmic")
    assert fits(found)


def test_a_metric_that_no_seed_changes_has_the_interval_of_its_examples() -> None:
    told = {"status": "finished", "metrics": {"score": 2.0}}
    by_example = {"by_example": {"score": [1.0, 2.0, 3.0]}}
    evidence = {
        "dataset": {"test": 3},
        "details": {name: {"metrics": [{"name": "score", "title": "Score"}]} for name in ("sure", "other", "none")},
        "trials": [
            *({"variant": "sure", "seed": seed, **told, **by_example} for seed in (0, 1)),
            *({"variant": "other", "seed": seed, **told} for seed in (0, 1)),
        ],
    }
    found = ExamplesOverview(title="T", caption="C", variants=("none", "other", "sure"), metric="score").make(evidence)
    assert fits(found)
    assert (found["x_names"], found["y_label"]) == (["other", "sure"], "Score")
    plain, sure = found["lines"]
    assert (plain["x"], plain["y"], plain["low"], plain["high"]) == ([0], [2.0], [2.0], [2.0])
    # The standard error of 1, 2 and 3 is 1 / sqrt(3), and Student's quantile for two degrees of freedom 4.303.
    assert (sure["x"], sure["y"]) == ([1], [2.0])
    assert sure["high"] == pytest.approx([2 + 4.303 / 3**0.5], abs=1e-3)
    assert sure["low"] == pytest.approx([2 - 4.303 / 3**0.5], abs=1e-3)


def test_a_single_seed_has_no_interval_in_the_picture_of_examples() -> None:
    trial = {"variant": "one", "seed": 0, "status": "finished", "metrics": {"score": 2.0}}
    evidence = {"dataset": None, "details": {"one": {"metrics": [{"name": "score", "title": "S"}]}}, "trials": [trial]}
    (line,) = ExamplesOverview(title="T", caption="C", variants=("one",), metric="score").make(evidence)["lines"]
    assert (line["y"], "low" in line) == ([2.0], False)
