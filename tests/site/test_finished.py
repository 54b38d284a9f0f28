"""Evidence that is not current is told before a page is made of it."""

import copy
from types import SimpleNamespace
from typing import Any, cast

import pytest
from made_up_days import made_up

from fortydays.site.finished import redrawn
from fortydays.study.design import Study
from fortydays.study.overviews import MetricOverview

OVERVIEW = MetricOverview(
    title="All of it", caption="Both.", metric="test_accuracy", x_label="which",
    lines={"ours": {"network": "plain", "network with dropout": "dropout"}},
)  # fmt: skip
STUDY = cast(Study, SimpleNamespace(all_exhibits=(OVERVIEW,)))


@pytest.fixture
def evidence() -> dict[str, Any]:
    document = made_up.evidence(exhibits=[])
    return document | {"exhibits": [OVERVIEW.make(document) | {"first": True}]}


def test_a_picture_of_all_trials_is_what_they_give(evidence: dict[str, Any]) -> None:
    assert redrawn(STUDY, evidence) == []
    line = evidence["exhibits"][0]["lines"][0]
    line["y"][0] *= 1 + 1e-12  # as another version of NumPy may add
    assert redrawn(STUDY, evidence) == []


@pytest.mark.parametrize("change", ["digit", "caption", "line", "gone"])
def test_a_changed_picture_is_named(evidence: dict[str, Any], change: str) -> None:
    document = copy.deepcopy(evidence)
    exhibit = document["exhibits"][0]
    if change == "digit":
        exhibit["lines"][0]["y"][1] += 0.0001
    elif change == "caption":
        exhibit["caption"] = "Others."
    elif change == "line":
        exhibit["lines"] *= 2
    else:
        document["exhibits"] = []
    assert redrawn(STUDY, document) == ["the picture 'All of it' is not what its trials give"]


def test_a_run_without_a_variant_has_no_such_picture(evidence: dict[str, Any]) -> None:
    del evidence["variants"]["network"]
    assert redrawn(STUDY, evidence | {"exhibits": []}) == []
