"""What `fd.fit` asks for, of photographs and of texts, and gives. How a fit is worked is tested with the command."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
import made_up_findings

import fortydays as fd
from fortydays.fit import fitting
from fortydays.fit.request import FitRequest


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FitRequest]:
    """In the place of fitting: what was asked for, and made-up findings."""
    requests: list[FitRequest] = []
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def work(request: FitRequest, _settings: Any, **_: Any) -> Any:
        requests.append(request)
        collection = tmp_path / "home/own" / request.name
        collection.mkdir(parents=True)
        (collection / "224.1.pixels").write_bytes(bytes(4 * 3 * 224**2))
        found = dataclasses.replace(made_up_findings.findings(name=request.name), model=f"{request.name}@3")
        study = tmp_path / "home/own/pets/studies/pets-0123.py"
        notes = ("There is little time.",)
        return SimpleNamespace(findings=found, study=study, collection=collection, reused=True, notes=notes)

    monkeypatch.setattr(fitting, "fit", work)
    return requests


def test_what_was_asked_for_is_passed_on_and_what_was_found_out_is_given(
    asked: list[FitRequest], tmp_path: Path
) -> None:
    done = fd.fit(tmp_path / "pets", seconds=90, target=0.9, fine_tune=True)
    assert asked == [
        FitRequest(source=str(tmp_path / "pets"), name="pets", seconds=90, target=0.9, fine_tune=True),
    ]
    assert (done.model, done.page, done.reused) == ("pets@3", tmp_path / "home/reports/pets.html", True)
    assert done.page.read_text("utf-8").startswith("<!doctype html>")
    told = repr(done)
    assert told.startswith("There is little time.\n")
    assert told.endswith(f"The page with pictures: {done.page}")
    assert "it names 90.7% rightly" in " ".join(told.split())
    assert done._repr_html_().startswith("<pre>There is little time.")


def test_the_columns_of_a_table_of_texts_are_passed_on(asked: list[FitRequest], tmp_path: Path) -> None:
    fd.fit(tmp_path / "pets.csv", text="said", label="kind", group="author", quiet=True)
    assert asked == [
        FitRequest(source=str(tmp_path / "pets.csv"), name="pets", text="said", label="kind", group="author")
    ]


def test_an_option_that_cannot_be_is_told(asked: list[FitRequest]) -> None:
    with pytest.raises(fd.FortydaysError, match="is 95; expected a share of test photographs"):
        fd.fit("pets", target=95)
    with pytest.raises(fd.FortydaysError, match="There is no backbone 'resnet50'"):
        fd.fit("pets", backbone="resnet50")
    with pytest.raises(fd.FortydaysError, match="Photographs and texts are named by their folder"):
        fd.fit(["a.png"])  # type: ignore[arg-type]
    assert asked == []
