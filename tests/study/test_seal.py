"""A seal notices an edit, wherever it is, and nothing else."""

import copy
import json
from typing import Any

import pytest

from fortydays.base import files
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.days.loading import find_study, load_study
from fortydays.site.kept import KEPT, read_kept
from fortydays.study.evidence import outline, published
from fortydays.study.seal import edited, is_sealed, sealed
from fortydays.study.verification import OF_CLAIMS, stale_parts

DOCUMENT = sealed({"title": "A", "details": {"a": {"parameters": 7}}, "trials": [{"seed": 0, "epochs": 2}]})
READY = [day.number for day in JOURNEY if is_ready(day)]


def test_what_was_written_and_read_fits_its_seal() -> None:
    written = sealed({"seeds": (0, 1), "kept": {3: "a"}, "share": 0.1 + 0.2})
    assert edited(json.loads(json.dumps(written))) == edited(written) == []
    assert sealed(written) == written


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["details"]["a"].update(parameters=8), ["details"]),
        (lambda d: d["trials"][0].update(epochs=3), ["trials"]),
        (lambda d: d.update(machine="another"), ["machine"]),
        (lambda d: d.pop("title"), ["title"]),
        (lambda d: d.update(seal="abc"), ["seal"]),
        (lambda d: (d.update(title="B"), d["seal"].pop("trials")), ["title", "trials"]),
    ],
)
def test_a_part_that_is_other_new_or_gone_is_named(change: Any, parts: list[str]) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    assert edited(document) == parts


def test_without_a_seal_nothing_is_noticed() -> None:
    document = {"title": "A"}
    assert (edited(document), is_sealed(document), is_sealed(DOCUMENT)) == ([], False, True)


def test_a_run_is_sealed_on_disk_and_its_outline_is_not(finished: Any) -> None:
    document = files.read_json(finished.run.evidence)
    assert is_sealed(document)
    assert edited(document) == edited(finished.evidence) == []
    assert "seal" not in outline(document)


@pytest.mark.parametrize("number", READY)
def test_published_evidence_is_sealed_and_says_what_was_tested(number: int) -> None:
    document = published().read(number)
    assert document is not None
    assert is_sealed(document)
    assert edited(document) == []
    assert all(claim["tested"] for claim in document["claims"])


@pytest.mark.parametrize("name", KEPT)
def test_what_pages_compute_with_is_sealed(name: str) -> None:
    assert edited(read_kept(name)) == []
    assert is_sealed(read_kept(name))


def _exhibit(document: Any) -> None:
    document["exhibits"][0]["caption"] += "!"


def _parameters(document: Any) -> None:
    next(iter(document["details"].values()))["parameters"] += 1


def _best_epoch(document: Any) -> None:
    document["trials"][0]["best_epoch"] += 1


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (_exhibit, "exhibits"),
        (_parameters, "details"),
        (_best_epoch, "trials"),
        (lambda d: d["seconds"].update(total=d["seconds"]["total"] + 1), "seconds"),
        (lambda d: d["machine"].update(cores=99), "machine"),
    ],
)
def test_an_edit_that_no_other_check_sees_makes_published_evidence_stale(change: Any, parts: str) -> None:
    document = published().read(1)
    assert document is not None
    study = load_study(find_study("1"), threads=1).study
    assert stale_parts(document, study) == []
    change(document)
    assert stale_parts(document, study) == [f"it was edited: the seal does not fit its {parts}"]


def test_an_edited_note_of_a_verdict_is_mended_by_judging_anew() -> None:
    document = published().read(1)
    assert document is not None
    document["claims"][0]["note"] += "!"
    reasons = stale_parts(document, load_study(find_study("1"), threads=1).study)
    assert reasons == [OF_CLAIMS[3], OF_CLAIMS[0]]
