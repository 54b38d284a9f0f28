"""Networks of several days beside each other: which are shown, and which are worth their cost."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

import made_up
from made_up_days import finished

from fortydays.site.finished import FinishedDay
from fortydays.site.networks import accuracy_against_cost, in_words, networks_by_dataset
from fortydays.site.pages import make_site
from fortydays.study.evidence import summarize


def day(number: int, costs: dict[str, tuple[int | None, float]]) -> FinishedDay:
    return finished(number, **made_up.evidence_of_costs(costs) | {"day": number})


def test_the_networks_of_two_days_stand_in_the_order_of_their_costs() -> None:
    (found,) = networks_by_dataset([day(1, {"wide": (400, 0.9), "narrow": (100, 0.8)}), day(4, {"deep": (200, 0.95)})])
    assert found.dataset == "mnist"
    assert [each.number for each in found.days] == [1, 4]
    assert [(each.name, each.multiply_adds, each.best) for each in found.networks] == [
        ("narrow", 100, True),
        ("deep", 200, True),
        ("wide", 400, False),  # more arithmetic than "deep", and less accurate
    ]
    assert "wide" not in in_words(found)
    assert "Day 4, deep: 95.0% with 200 multiply-adds." in in_words(found)


def test_of_one_network_that_is_trained_in_two_ways_validation_chooses() -> None:
    document = made_up.evidence_of_costs({"steady": (100, 0.8), "lucky": (100, 0.9)})
    for trial in document["trials"]:
        trial["metrics"]["validation_accuracy"] = 0.85 if trial["variant"] == "steady" else 0.7
    document["variants"] = summarize(document["trials"])
    (found,) = networks_by_dataset([finished(1, **document | {"day": 1}), day(4, {"deep": (200, 0.95)})])
    assert [each.name for each in found.networks] == ["steady", "deep"]


def test_parts_of_the_images_features_and_unknown_costs_are_left_out() -> None:
    parts = made_up.evidence_of_images({"part": ("", 100, 0.5), "whole": ("", None, 0.9)})
    for name, detail in parts["details"].items():
        detail["multiply_adds"] = 100 if name == "part" else 50
    learned = made_up.evidence_of_costs({"head": (10, 0.9), "unknown": (None, 0.9), "deep": (200, 0.95)})
    learned["details"]["head"]["features"] = made_up.features()
    (found,) = networks_by_dataset([finished(1, **parts | {"day": 1}), finished(4, **learned | {"day": 4})])
    assert [each.name for each in found.networks] == ["whole", "deep"]


def test_one_day_alone_has_no_page() -> None:
    alone = [day(1, {"wide": (400, 0.9), "narrow": (100, 0.8)})]
    assert networks_by_dataset(alone) == ()
    site = make_site(alone, ())
    assert "networks.html" not in site
    assert b"networks.html" not in site["index.html"]


def test_each_day_leads_to_the_page_and_the_page_to_each_day() -> None:
    site = make_site([day(1, {"<wide>": (400, 0.9)}), day(4, {"deep": (200, 0.95)})], ())
    page = site["networks.html"].decode()
    assert 'href="days/01-first-network.html"' in page
    assert "&lt;wide&gt;" in page
    assert "<wide>" not in page
    assert b'href="../networks.html#on-mnist"' in site["days/04-regularization.html"]


def test_the_picture_joins_what_is_worth_its_cost_and_names_it() -> None:
    days = [day(1, {"wide": (400, 0.9), "narrow": (100, 0.8)}), day(4, {"deep": (200, 0.95)})]
    svg = accuracy_against_cost(networks_by_dataset(days)[0])
    assert [name in svg for name in (">narrow<", ">deep<", ">wide<")] == [True, True, False]
