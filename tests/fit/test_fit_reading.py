"""Findings that were written down are the same when they are read again."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
import made_up_findings

from fortydays.base.errors import StorageError
from fortydays.fit.findings import Findings, findings_from


def written(findings: Findings) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(findings.as_dict(), allow_nan=False))
    return document


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"calibration": None, "unknown": None, "learning_curve": None},
        {"mistakes": (), "label_errors": (), "attention": (), "gates": (), "model": "", "alias": ""},
    ],
    ids=["all of it", "without what may be missing", "with nothing found"],
)
def test_they_are_the_same_again(changes: dict[str, Any]) -> None:
    findings = made_up_findings.findings(**changes)

    found = findings_from(written(findings))

    assert found.as_dict() == findings.as_dict()
    assert found == findings


def test_a_curve_without_a_law_is_read_too() -> None:
    from dataclasses import replace

    findings = made_up_findings.findings(
        learning_curve=replace(made_up_findings.curve(), law=None, twice=None, verdict="unknown")
    )

    assert findings_from(written(findings)) == findings


@pytest.mark.parametrize(
    "change",
    [
        lambda document: {**document, "schema_version": 2},
        lambda document: {name: value for name, value in document.items() if name != "test"},
        lambda document: {**document, "test": 5},
        lambda document: {**document, "classes": 5},
        lambda document: {**document, "backbone": {}},
        lambda document: {**document, "mistakes": [{"file": "a"}]},
        lambda document: {},
    ],
)
def test_others_are_told_with_the_way_out(change: Any) -> None:
    with pytest.raises(StorageError) as refused:
        findings_from(change(written(made_up_findings.findings())))

    assert refused.value.message == "What was found out earlier cannot be read."
    assert refused.value.hint == "Learn anew with: forty fit FOLDER --fresh"
