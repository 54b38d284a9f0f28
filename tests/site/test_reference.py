"""The page of the Python API: every public name, from the sources."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

import fortydays
from fortydays import api
from fortydays.base.errors import StorageError
from fortydays.report.typesetting import MissingPackagesError
from fortydays.site import reference
from fortydays.site.reference import Entry, public_names


@pytest.fixture(scope="module")
def names() -> dict[str, Entry]:
    return {entry.name.removeprefix("fd."): entry for entries in public_names().values() for entry in entries}


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html).replace("&gt;", ">").replace("&#39;", "'")


def test_every_public_name_is_there_once(names: dict[str, Entry]) -> None:
    assert sorted(names) == sorted(name for name in fortydays.__all__ if name[0] != "_")


def test_a_signature_names_the_arguments_that_the_program_takes(names: dict[str, Entry]) -> None:
    for name, entry in names.items():
        if name == "FortydaysError":
            continue
        parameters = inspect.signature(getattr(api, name, None) or getattr(fortydays, name)).parameters.values()
        shown = re.findall(r"(?:[(\n ])(\w+): ", plain(entry.signature))
        assert {p.name for p in parameters if p.name[0] != "_"} == set(shown), name
    assert plain(names["Exhibit"].signature).startswith("fd.Exhibit(*, variant: str, ")


def test_a_docstring_is_shown_with_its_lists_and_no_sign_of_another_markup(names: dict[str, Entry]) -> None:
    recipe = names["Recipe"]
    assert "How a variant is trained." in recipe.said
    ((title, fields),) = recipe.details
    assert title == "Fields"
    said = dict(fields)
    assert "<code>OPTIMIZERS</code>" in said["optimizer"]
    for entry in names.values():
        for html in (entry.said, *(each for _, listed in entry.details for _, each in listed)):
            assert "``" not in html
            assert ":class:" not in html
    assert "UsageError" in dict(dict(names["run"].details)["Errors"])
    assert [member.name for member in names["Model"].members] == ["card", "predict"]


def test_a_source_place_is_where_the_name_is_defined(names: dict[str, Entry]) -> None:
    file, _, line = names["Study"].source.rpartition(", line ")
    source = inspect.getsourcefile(importlib.import_module("fortydays.study.design"))
    assert source is not None
    assert source.endswith(file.removeprefix("src/"))
    # With its decorator, as a reader who goes there sees it.
    assert "class Study:" in "".join(Path(source).read_text("utf-8").splitlines()[int(line) - 1 : int(line) + 1])


def test_without_griffe_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "griffe", None)
    with pytest.raises(MissingPackagesError, match="needs griffelib, not installed here") as caught:
        public_names()
    assert "run `make setup`" in caught.value.hint


def test_a_name_in_a_module_without_a_heading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = dict(reference._PARTS)
    del parts["fortydays.study.drills"]
    monkeypatch.setattr(reference, "_PARTS", parts)
    with pytest.raises(StorageError, match=r"tells of 'Drill' in fortydays\.study\.drills"):
        public_names()
