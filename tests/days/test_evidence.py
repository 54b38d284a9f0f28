"""The committed evidence: made by today's code, and saying what its trials say."""

import pytest

from fortydays.days.journey import JOURNEY, is_ready
from fortydays.days.loading import find_study, load_study
from fortydays.study.evidence import published
from fortydays.study.verification import stale_parts

READY = [day for day in JOURNEY if is_ready(day)]


@pytest.mark.parametrize("day", READY, ids=lambda day: day.slug)
def test_every_ready_day_has_evidence_that_says_what_its_trials_say(day):
    evidence = published().read(day.number)
    assert evidence is not None, f"run: forty run {day.number} --publish"
    study = load_study(find_study(day.slug), threads=1).study
    assert stale_parts(evidence, study) == []
    assert list(evidence["identity"]["variants"]) == [variant.name for variant in study.variants]


@pytest.mark.parametrize("day", READY, ids=lambda day: day.slug)
def test_the_published_study_is_the_whole_study(day):
    evidence = published().read(day.number)
    study = load_study(find_study(day.slug), threads=1).study
    assert evidence["seeds"] == list(study.seeds)
    assert len(evidence["seeds"]) >= 5
    assert list(evidence["details"]) == list(study.names)
    assert [t["status"] for t in evidence["trials"]] == ["finished"] * len(study.seeds) * len(study.names)


@pytest.mark.parametrize("day", READY, ids=lambda day: day.slug)
def test_evidence_is_small_enough_to_commit(day):
    assert (
        published().path(day.number).stat().st_size < 750_000
    )  # twenty seeds of seven variants, with their histories
