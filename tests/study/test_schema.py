"""What the runner writes, what ``--json`` prints and what is published keep to the published schema."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from evidence_schema import schema_text
from jsonschema import Draft202012Validator

from fortydays.base import files
from fortydays.study.evidence import SCHEMA_FILE, outline, published


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    document = json.loads(SCHEMA_FILE.read_text("utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_the_published_file_is_what_the_classes_of_the_document_give() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), "run: python tests/study/evidence_schema.py"


def test_a_run_keeps_to_it_on_disk_and_as_an_outline(schema: Draft202012Validator, finished: Any) -> None:
    document = files.read_json(finished.run.evidence)
    schema.validate(document)
    schema.validate(outline(document))
    assert len(document["exhibits"]) == 4


def test_evidence_of_before_a_trial_named_its_machine_keeps_to_it(schema: Draft202012Validator, finished: Any) -> None:
    document = copy.deepcopy(finished.evidence)
    for trial in document["trials"]:
        assert isinstance(trial.pop("machine"), str)
    schema.validate(document)


def test_a_run_with_one_seed_and_no_claims_keeps_to_it(schema: Draft202012Validator, finished: Any) -> None:
    document = copy.deepcopy(finished.evidence)
    for metrics in document["variants"].values():
        for interval in metrics.values():
            interval.update(std=None, low=None, high=None, n=1)
    document["claims"] = []
    schema.validate(document)


def test_published_evidence_keeps_to_it(schema: Draft202012Validator) -> None:
    for path in sorted(published().folder.glob("day*.json")):
        document = files.read_json(path)
        schema.validate(document)
        assert path.name == f"day{document['day']:02}.json"


AGAIN = {"engine": "0" * 64, "at": "2026-11-22T18:00:00Z", "checked": [{"variant": "linear", "seed": 0}]}
COMPARED = {
    **AGAIN,
    "checked": [{"variant": "linear", "seed": 0, "epochs": 1, "precision": "float32"}],
    "against": "a" * 40,
    "machine": {"cpu_model": "", "flags": [], "system": "Linux x86_64"},
    "packages": {"keras": "3.15.1"},
}


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def test_evidence_may_be_renewed_in_two_ways_and_each_has_what_belongs_to_it(
    schema: Draft202012Validator, finished: Any
) -> None:
    def accepted(entry: dict[str, Any]) -> bool:
        document = copy.deepcopy(finished.evidence)
        document["code"]["renewed"] = [entry]
        return bool(schema.is_valid(document))

    assert accepted(AGAIN)
    assert accepted(COMPARED)
    for missing in ("machine", "packages", "against", "checked"):
        assert not accepted(without(COMPARED, missing)), missing
    assert not accepted(AGAIN | {"checked": COMPARED["checked"]})
    assert not accepted(COMPARED | {"checked": AGAIN["checked"]})


def objects(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all objects whose fields the schema names."""
    if isinstance(value, dict):
        yield at
        for name, inner in value.items():
            yield from objects(inner, (*at, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value[:2]):
            yield from objects(inner, (*at, position))


FREE = {(), ("packages",), ("details",), ("variants",)}
"""Objects in which any name may stand; the document itself is not one of them."""


def test_a_field_that_no_one_knows_is_refused_everywhere(schema: Draft202012Validator, finished: Any) -> None:
    places = [
        at
        for at in objects(finished.evidence)
        if at not in FREE - {()} and at[-1:] not in (("metrics",), ("optimizer_options",)) and at[:-1] != ("variants",)
    ]
    assert len(places) > 40
    for at in places:
        document = copy.deepcopy(finished.evidence)
        target = document
        for step in at:
            target = target[step]
        target["surprise"] = 1
        assert not schema.is_valid(document), at


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("trials"),
        lambda d: d.update(schema_version=2),
        lambda d: d.update(day=0),
        lambda d: d.update(created="yesterday"),
        lambda d: d.update(results_digest="short"),
        lambda d: d.update(seeds=[]),
        lambda d: d.update(seeds=[0, 0]),
        lambda d: d["dataset"].update(digest="G" * 64),
        lambda d: d["trials"][0].update(status="running"),
        lambda d: d["trials"][0].update(weights_digest=""),
        lambda d: d["trials"][0].update(history={}),
        lambda d: d["trials"][0].update(machine=""),
        lambda d: d["trials"][0]["history"].pop("seconds"),
        lambda d: d["trials"][0]["metrics"].pop("test_accuracy"),
        lambda d: d["trials"][0]["metrics"].update(test_accuracy=97.0),
        lambda d: d["trials"][0]["metrics"].update(test_loss=None),
        lambda d: d["trials"][-1].update(error=""),
        lambda d: d["trials"][-1]["metrics"].update(test_accuracy=0.5),
        lambda d: d["variants"]["linear"]["test_accuracy"].update(low=None),
        lambda d: d["variants"]["linear"]["test_accuracy"].update(n=1),
        lambda d: d["claims"][0].update(verdict="maybe"),
        lambda d: d["claims"][0].update(unit="percent"),
        lambda d: d["exhibits"][1].update(kind="pictures"),
        lambda d: d["exhibits"][2]["pictures"][0].update(png="<svg onload=alert(1)>"),
        lambda d: d["details"]["linear"].pop("recipe"),
        lambda d: d["details"]["linear"]["recipe"].pop("epochs"),
        lambda d: d["seconds"].update(total=-1),
    ],
)
def test_what_is_no_evidence_is_refused(change: Any, schema: Draft202012Validator, finished: Any) -> None:
    document = copy.deepcopy(finished.evidence)
    assert document["trials"][-1]["status"] == "failed"
    change(document)
    assert not schema.is_valid(document)


def test_lines_and_tables_keep_to_it_too(schema: Draft202012Validator, finished: Any) -> None:
    document = copy.deepcopy(finished.evidence)
    document["exhibits"] += [
        {
            "kind": "lines", "title": "T", "caption": "", "variant": "linear", "seed": 0, "x_label": "x",
            "y_label": "y", "lines": [{"name": "one", "x": [1, 2], "y": [0.5, 1]}],
        },
        {
            "kind": "table", "title": "T", "caption": "", "variant": "linear", "seed": 0, "columns": ["a", "b"],
            "rows": [["one", 1], ["two", None]],
        },
    ]  # fmt: skip
    schema.validate(document)
