"""Evidence that is not current is told before a page is made of it."""

import copy
from types import SimpleNamespace
from typing import Any, cast

import pytest
from made_up_days import made_up

from fortydays.base.errors import StorageError
from fortydays.base.progress import Progress
from fortydays.days.journey import JOURNEY
from fortydays.days.loading import find_study, load_study
from fortydays.report.results import read_results
from fortydays.site import finished
from fortydays.site.finished import StaleEvidenceError, finished_days, read_evidence, redrawn
from fortydays.study.design import Study
from fortydays.study.evidence import published
from fortydays.study.overviews import MetricOverview
from fortydays.study.verification import damage_named, stale_parts

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


def test_damaged_evidence_ends_the_build_with_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = copy.deepcopy(read_evidence(JOURNEY[0]))
    damaged["trials"][0]["metrics"]["test_accuracy"] += 0.01
    monkeypatch.setattr(finished, "read_evidence", lambda _: damaged)
    monkeypatch.setattr(finished, "is_ready", lambda day: day.number == 1)
    with pytest.raises(StorageError) as refused:
        finished_days(threads=1)
    said = f"the answers of {damaged['trials'][0]['variant']!r}, seed {damaged['trials'][0]['seed']}"
    assert refused.value.message == (
        f"{published().path(1)}: The evidence is damaged: {said}, do not give its test accuracy."
    )


def test_an_edited_number_ends_the_build_with_file_and_part(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = copy.deepcopy(read_evidence(JOURNEY[0]))
    edited["seconds"]["total"] += 1
    monkeypatch.setattr(finished, "read_evidence", lambda _: edited)
    monkeypatch.setattr(finished, "is_ready", lambda day: day.number == 1)
    told: list[str] = []
    progress = Progress()
    progress.finish = lambda task, *, note="": told.append(f"{task}: {note}")  # type: ignore[method-assign]
    with pytest.raises(StaleEvidenceError) as refused:
        finished_days(threads=1, progress=progress)
    assert told == ["Evidence: 1 day checked"]
    assert refused.value.message.endswith(f"\n{published().path(1)}: it was edited: the seal does not fit its seconds")
    assert "git restore evidence" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("details"), "is damaged: it has no 'details'."),
        (lambda d: d.update(seeds=5), ": The evidence is damaged: seeds is 5; expected a list."),
    ],
)
def test_a_part_that_is_missing_or_of_another_kind_is_told_with_its_file(change: Any, said: str) -> None:
    document = copy.deepcopy(read_evidence(JOURNEY[0]))
    change(document)
    with pytest.raises(StorageError) as refused, damage_named(published().path(1)):
        stale_parts(document, load_study(find_study("1"), threads=1).study)
        read_results(document)
    assert refused.value.message.startswith(str(published().path(1)))
    assert refused.value.message.endswith(said)
