"""A study that cannot be run is refused when it is written down, not in its third hour."""

import dataclasses
from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.study.claims import Comparison, NotWorse, Threshold
from fortydays.study.design import Exhibit, Measure, Search, Study, Variant, seconds_metric, steps_metric
from fortydays.study.drills import Drill
from fortydays.study.features import Features
from fortydays.study.overviews import CostOverview, LinesOverview, MetricOverview, MetricsOverview, SearchOverview
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=1)


def model() -> Any:
    raise AssertionError("no model is built to write a study down")


def variant(name: str, **fields: Any) -> Variant:
    return Variant(name=name, model=model, recipe=RECIPE, **fields)


def study(*names: str, **fields: Any) -> Study:
    variants = fields.pop("variants", tuple(variant(name) for name in names))
    return Study(**{"title": "Made up", "dataset": "digits", "claims": (), "variants": variants, **fields})


@pytest.mark.parametrize("name", ["relu", "one layer", "0.5", "adam+decay", "x" * 40, "a-b.c"])
def test_names_that_variants_may_have(name: str) -> None:
    assert variant(name).name == name


@pytest.mark.parametrize("name", ["", "ReLU", "-x", " x", "x/y", "..", "x" * 41, "x\n", "é", "a_b"])
def test_names_that_variants_may_not_have(name: str) -> None:
    with pytest.raises(UsageError, match=r"A variant is named .*; expected at most 40 of a-z, 0-9"):
        variant(name)


def test_variants_that_would_share_a_folder_are_refused() -> None:
    with pytest.raises(UsageError, match="names differ in spaces and dashes only"):
        study("one layer", "one-layer")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variants": (variant("a"), variant("b"), variant("a"))}, "has a variant twice: a."),
        ({"seeds": (3, 1, 3)}, "has a seed twice: 3."),
        ({"variants": ()}, "has no variant and no drill."),
        ({"seeds": ()}, "has no seed."),
        ({"seeds": (-1,)}, "has the seed -1; expected a whole number from 0 to 4294967295."),
        ({"seeds": (2**32,)}, "has the seed 4294967296; expected"),
        (
            {"variants": (variant("a", search=Search(field="learning_rate", values=(0.1,))),), "seeds": (0, 1001)},
            "chooses settings with seeds it also reports: 1001.",
        ),
        (
            {
                "variants": (variant("a", search=Search(field="learning_rate", values=(0.1, 1.0), finals=(7,))),),
                "seeds": (0, 7),
            },
            "chooses settings with seeds it also reports: 7.",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        study(**{"variants": (variant("a"),), **fields})
    assert raised.value.message.startswith("The study 'Made up' ")
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("mention", "by"),
    [
        ({"claims": (Threshold(sentence="s", variant="reul", metric="m", at_least=0),)}, "the claim 's'"),
        (
            {"claims": (Comparison(sentence="s", variant="relu", than="reul", metric="m", direction="above"),)},
            "the claim 's'",
        ),
        ({"measures": (Measure(name="m", variants=("relu", "reul"), function=lambda m, x: 0.0),)}, "the measure 'm'"),
        ({"exhibits": (Exhibit(variant="reul", make=lambda shown: {}),)}, "an exhibit"),
    ],
)
def test_a_variant_that_is_mentioned_must_exist(mention: dict[str, Any], by: str) -> None:
    with pytest.raises(UsageError) as raised:
        study("relu", "tanh", **mention)
    assert raised.value.message == f"There is no variant 'reul', which {by} names. Did you mean 'relu'?"
    assert raised.value.hint == "Known: relu, tanh."


def overview(**fields: Any) -> MetricOverview:
    lines = {"one": dict.fromkeys(fields.pop("variants"), 1.0)}
    return MetricOverview(title="All", caption="", x_label="x", lines=lines, **fields)


def test_an_overview_shows_variants_and_metrics_that_there_will_be() -> None:
    assert study("a", "b", first=(overview(variants=("a", "b"), metric="test_loss"),)).all_exhibits
    with pytest.raises(UsageError, match="There is no variant 'c', which the overview 'All' names"):
        study("a", "b", first=(overview(variants=("a", "c"), metric="test_loss"),))
    with pytest.raises(UsageError, match=r"There is no metric 'steps_to_0\.9', which the overview 'All' names"):
        study("a", "b", exhibits=(overview(variants=("a",), metric="steps_to_0.9"),))


def test_an_overview_of_costs_shows_variants_and_metrics_that_there_will_be() -> None:
    def costs(*variants: str, metric: str = "test_loss") -> CostOverview:
        return CostOverview(title="Costs", caption="", metric=metric, lines={"one": variants})

    assert study("a", "b", first=(costs("a", "b"),)).all_exhibits
    with pytest.raises(UsageError, match="There is no variant 'c', which the overview 'Costs' names"):
        study("a", "b", first=(costs("a", "c"),))
    with pytest.raises(UsageError, match=r"There is no metric 'steps_to_0\.9', which the overview 'Costs' names"):
        study("a", "b", exhibits=(costs("a", metric="steps_to_0.9"),))
    drill = Drill(name="d", do=lambda bench: {}, metrics=("x",))
    with pytest.raises(UsageError, match="There is no variant 'd', which the overview 'Costs' names"):
        study("a", drills=(drill,), first=(costs("d", metric="x"),))


def test_an_overview_of_several_metrics_shows_drills_and_metrics_that_some_of_them_give() -> None:
    drills = tuple(
        Drill(name=name, do=lambda bench: {}, metrics=metrics) for name, metrics in (("c", ("x", "y")), ("d", ("x",)))
    )

    def made(*names: str, **metrics: float) -> Study:
        shown = MetricsOverview(title="All", caption="", variants=names, metrics=metrics, x_label="x", y_label="y")
        return study("a", drills=drills, first=(shown,))

    assert made("c", "d", x=1.0, y=2.0)
    assert made("a", test_loss=1.0)
    with pytest.raises(UsageError, match="There is no variant 'e', which the overview 'All' names"):
        made("e", x=1.0)
    with pytest.raises(UsageError, match="There is no metric 'y', which the overview 'All' names") as raised:
        made("d", x=1.0, y=2.0)
    assert raised.value.hint == "Known: x."


def test_an_overview_of_points_shows_metrics_that_each_variant_has_and_of_one_unit() -> None:
    mine = Measure(name="changed_share", variants=("a",), function=lambda m, x: 0.0)

    def made(*points: tuple[str, str]) -> Study:
        lines = {"line": dict.fromkeys(points, 1.0)}
        shown = LinesOverview(title="All", caption="", lines=lines, x_label="x", y_label="y")
        return study("a", "b", measures=(mine,), first=(shown,))

    assert made(("a", "changed_share"), ("b", "test_accuracy"))
    with pytest.raises(UsageError, match="There is no variant 'c', which the overview 'All' names"):
        made(("c", "test_accuracy"))
    with pytest.raises(
        UsageError, match="There is no metric 'changed_share' of 'b', which the overview 'All' names"
    ) as raised:
        made(("a", "changed_share"), ("b", "changed_share"))
    assert "test_accuracy" in raised.value.hint
    with pytest.raises(
        UsageError, match="'All' has metrics of different units: changed_share and test_loss"
    ) as raised:
        made(("a", "changed_share"), ("b", "test_loss"))
    assert raised.value.hint == "Draw them in two pictures."


def test_an_overview_of_searches_shows_variants_that_search_one_field_of_numbers() -> None:
    rates = dataclasses.replace(variant("a"), search=Search(field="learning_rate", values=(0.1, 0.2)))
    epochs = dataclasses.replace(variant("b"), search=Search(field="epochs", values=(1, 2)))
    words = dataclasses.replace(variant("c"), search=Search(field="schedule", values=("constant", "linear")))

    def made(*names: str) -> Study:
        shown = SearchOverview(title="Rates", caption="", variants=names, x_label="rate")
        return study(variants=(rates, epochs, words, variant("d")), first=(shown,))

    assert made("a")
    with pytest.raises(UsageError, match="There is no variant with a search 'd', which the overview 'Rates' names"):
        made("a", "d")
    for names in (("a", "b"), ("c",)):
        with pytest.raises(
            UsageError, match="the overview 'Rates' has searches of different fields, or of no numbers"
        ):
            made(*names)


@pytest.mark.parametrize("metric", ["test_loss", "accuracy_gap", "steps_to_0.5", "seconds_to_0.5", "mine"])
def test_a_claim_may_be_about_any_metric_there_will_be(metric: str) -> None:
    mine = Measure(name="mine", variants=("a",), function=lambda m, x: 0.0)
    claim = Threshold(sentence="s", variant="a", metric=metric, at_least=0)
    assert study("a", "b", claims=(claim,), measures=(mine,), targets=(0.5,)).claims == (claim,)


def test_a_withdrawn_claim_stays_in_the_study_and_is_not_judged() -> None:
    first, second = (Threshold(sentence=s, variant="a", metric="test_loss", at_least=0) for s in ("first", "second"))
    found = study("a", "b", claims=(first, second), withdrawn={"first": "its control cannot learn"})
    assert found.standing == (second,)
    assert [(w.claim, w.reason) for w in found.withdrawals] == [("first", "its control cannot learn")]
    assert study("a", "b", claims=(first, second)).standing == (first, second)


def test_only_a_claim_that_was_made_can_be_withdrawn() -> None:
    claim = Threshold(sentence="it is good", variant="a", metric="test_loss", at_least=0)
    with pytest.raises(UsageError, match="There is no claim 'it is god' of the study 'Made up'") as raised:
        study("a", "b", claims=(claim,), withdrawn={"it is god": "no"})
    assert "Did you mean 'it is good'?" in raised.value.message


def test_a_claim_about_a_metric_there_will_not_be_is_refused() -> None:
    mine = Measure(name="mine", variants=("a",), function=lambda m, x: 0.0)
    for variant_name, metric in (("a", "test_acuracy"), ("a", "steps_to_0.95"), ("b", "mine")):
        claim = Threshold(sentence="s", variant=variant_name, metric=metric, at_least=0)
        with pytest.raises(UsageError, match=f"There is no metric '{metric}', which the claim 's' names"):
            study("a", "b", claims=(claim,), measures=(mine,), targets=(0.5,))


def test_a_claim_that_one_is_not_worse_needs_to_know_what_worse_is() -> None:
    mine = Measure(name="mine", variants=("a", "b"), function=lambda m, x: 0.0)
    claims = {
        metric: NotWorse(sentence="s", variant="a", than="b", metric=metric, within=0.01)
        for metric in ("mine", "test_loss", "accuracy_gap", "test_accuracy")
    }
    with pytest.raises(UsageError, match="about mine, which is not known to be better high or low") as refused:
        study("a", "b", claims=(claims.pop("mine"),), measures=(mine,))
    assert refused.value.hint == "Use Equivalent or Comparison."
    assert len(study("a", "b", claims=tuple(claims.values())).claims) == 3


def test_a_search_is_over_a_field_that_needs_no_new_program() -> None:
    with pytest.raises(UsageError, match="There is no recipe field 'rate'"):
        Search(field="rate", values=(0.1,))
    with pytest.raises(UsageError, match="The recipe field 'batch_size' cannot be searched") as raised:
        Search(field="batch_size", values=(16, 32))
    assert "learning_rate" in raised.value.hint
    for values, seeds in (((), (1000,)), ((0.1,), ())):
        with pytest.raises(UsageError, match="needs at least one value and one seed"):
            Search(field="learning_rate", values=values, seeds=seeds)


def test_the_values_of_a_search_must_fit_the_field() -> None:
    with pytest.raises(UsageError, match="The recipe field 'learning_rate' is -1; expected a number above 0"):
        variant("a", search=Search(field="learning_rate", values=(0.1, -1)))
    with pytest.raises(UsageError, match="There is no schedule 'cosin'"):
        variant("a", search=Search(field="schedule", values=("cosin",)))


def test_only_selects_variants_and_groups_in_the_studys_order() -> None:
    found = study(variants=(variant("a", group="x"), variant("b", group="y"), variant("c", group="x")))

    def names(*only: str) -> list[str]:
        return [v.name for v in found.select(only)[0]]

    assert names() == ["a", "b", "c"]
    assert names("c", "a") == ["a", "c"]
    assert names("x") == ["a", "c"]
    assert names("x", "b", "a") == ["a", "b", "c"]
    with pytest.raises(UsageError) as raised:
        names("z")
    assert raised.value.message == "There is no variant 'z'."
    assert raised.value.hint == "Known: a, b, c, x, y."


def test_metrics_of_targets_are_named_after_them() -> None:
    assert steps_metric(0.95) == "steps_to_0.95"
    assert seconds_metric(0.9) == "seconds_to_0.9"


@pytest.mark.parametrize("examples", [0, -1])
def test_a_variant_learns_from_a_whole_number_of_images_of_each_class(examples: Any) -> None:
    assert variant("a", examples=1).examples == 1
    with pytest.raises(UsageError) as raised:
        variant("a", examples=examples)
    assert raised.value.message == (
        f"The variant 'a' learns from {examples} images of each class; expected a whole number from 1."
    )


def test_what_a_seed_draws_is_said_by_the_variant() -> None:
    random = Features(backbone="mobilenetv2-0.35", side=96, pretrained=False)
    pretrained = Features(backbone="mobilenetv2-0.35", side=96)
    assert (variant("a", examples=1).drawn_with(3), variant("a", examples=1, redrawn=True).drawn_with(3)) == (None, 3)
    assert variant("a", features=random).features_of(3) is random
    assert variant("a", features=random, redrawn=True).features_of(3) == dataclasses.replace(random, seed=3)
    assert variant("a", features=pretrained, examples=1, redrawn=True).features_of(3) is pretrained
    for features in (None, pretrained):
        with pytest.raises(UsageError) as raised:
            variant("a", features=features, redrawn=True)
        assert raised.value.message == (
            "The variant 'a' is to be redrawn for each seed, and nothing of what it learns from is drawn; expected a "
            "number of examples, or features of a network with random weights."
        )


def test_a_variant_on_features_cannot_be_tested_on_views_of_pixels() -> None:
    features = Features(backbone="mobilenetv2-0.35", side=96)
    assert variant("a", features=features).features is features
    with pytest.raises(UsageError) as raised:
        Variant(name="a", model=model, recipe=RECIPE.replace(test_views="flip"), features=features)
    assert raised.value.message == (
        "The variant 'a' learns from features and is to be tested on 'flip': views are made of pixels."
    )
    assert raised.value.hint == 'Set test_views="none".'
