"""A workspace that was moved, copied, or has two paths keeps its models, and writes only into itself."""

import contextlib
import dataclasses
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import made_up_versions
import numpy as np
import pytest
from made_up_versions import AddVersion
from numpy.typing import NDArray

from fortydays.base.errors import StorageError
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset
from fortydays.registry.names import parse_reference
from fortydays.registry.registry import NotWholeError, Registry
from fortydays.registry.reproduction import _study_file
from fortydays.track import store as module
from fortydays.track.database import set_right
from fortydays.track.store import destination, open_store


def opened(settings: Settings) -> Registry:
    return Registry(open_store(destination(settings)))


def at(settings: Settings, home: Path) -> Settings:
    return dataclasses.replace(settings, workspace=home)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "mlartifacts").rglob("*") if path.is_file())


def addresses(home: Path) -> set[str]:
    """Every word in the store's tables that is an address of a file."""
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as connection:
        text = "\n".join(connection.iterdump())
    return {word for word in text.split("'") if word.startswith("file:")}


@pytest.fixture
def add_to(data: Dataset, weights: NDArray[np.float32], tmp_path: Path) -> Iterator[AddVersion]:
    def add(registry: Registry) -> object:
        folder = tmp_path / "another version"
        shutil.rmtree(folder, ignore_errors=True)
        manifest = made_up_versions.version_folder(folder, data, weights)
        return registry.add("digits", folder, manifest, facts={})

    yield add


@pytest.mark.parametrize("name", ["moved", "with spaces and ü # = '"])
def test_a_moved_workspace_has_its_models_and_takes_new_ones(
    settings: Settings, add_version: AddVersion, add_to: AddVersion, tmp_path: Path, name: str
) -> None:
    add_version()
    home = settings.workspace.rename(tmp_path / name)
    registry = opened(at(settings, home))

    registry.fetch(registry.find(parse_reference("digits@1")), tmp_path / "fetched")
    add_to(registry)
    registry.fetch(registry.find(parse_reference("digits@2")), tmp_path / "fetched too")

    assert not settings.workspace.exists()
    here = (home / "mlartifacts").as_uri()
    assert {address for address in addresses(home) if not address.startswith(f"{here}/")} == set()


def test_a_copy_and_its_original_live_side_by_side(
    settings: Settings, registry: Registry, add_version: AddVersion, add_to: AddVersion, tmp_path: Path
) -> None:
    add_version()
    copy = tmp_path / "copy"
    shutil.copytree(settings.workspace, copy)
    before = files_in(settings.workspace)
    elsewhere = opened(at(settings, copy))

    add_to(elsewhere)
    assert files_in(settings.workspace) == before
    shutil.rmtree(settings.workspace / "mlartifacts")  # the copy needs nothing of it
    for version in elsewhere.versions("digits"):
        elsewhere.fetch(version, tmp_path / f"fetched {version.version}")
    with pytest.raises(NotWholeError, match="cannot be had"):
        registry.fetch(registry.find(parse_reference("digits@1")), tmp_path / "gone")
    shutil.copytree(copy / "mlartifacts", settings.workspace / "mlartifacts")
    registry.fetch(registry.find(parse_reference("digits@1")), tmp_path / "back")


def test_a_copy_that_cannot_be_written_is_read_and_the_original_is_not_touched(
    settings: Settings, add_version: AddVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version()
    copy = tmp_path / "copy"
    shutil.copytree(settings.workspace, copy)
    shutil.rmtree(settings.workspace)

    def read_only(*_arguments: object, **_named: object) -> None:
        raise StorageError("Could not lock it: Read-only file system.")

    monkeypatch.setattr(module.process, "locked", read_only)
    registry = opened(at(settings, copy))
    registry.fetch(registry.find(parse_reference("digits@1")), tmp_path / "fetched")
    assert any(settings.workspace.as_uri() in address for address in addresses(copy))  # it could not be set right


def test_one_store_under_two_paths_at_a_time_is_used_where_each_process_sees_it(
    settings: Settings, registry: Registry, add_version: AddVersion, add_to: AddVersion, tmp_path: Path
) -> None:
    add_version()
    # Another machine opens it under another path, while this process goes on with the one that it knows.
    elsewhere = tmp_path / "another mount" / "mlartifacts"
    set_right(settings.workspace / "mlflow.db", elsewhere)
    assert any(elsewhere.as_uri() in address for address in addresses(settings.workspace))

    registry.fetch(registry.find(parse_reference("digits@1")), tmp_path / "fetched")
    add_to(registry)
    registry.fetch(registry.find(parse_reference("digits@2")), tmp_path / "fetched too")
    assert not elsewhere.exists()


def test_a_workspace_with_a_second_name_has_one_place_for_its_files(
    settings: Settings, add_version: AddVersion, tmp_path: Path
) -> None:
    add_version()
    before = addresses(settings.workspace)
    link = tmp_path / "link"
    link.symlink_to(settings.workspace)
    linked = opened(at(settings, link))
    linked.fetch(linked.find(parse_reference("digits@1")), tmp_path / "fetched")
    assert addresses(settings.workspace) == before


def test_what_others_keep_elsewhere_stays_there(settings: Settings, add_version: AddVersion, tmp_path: Path) -> None:
    add_version()
    client = open_store(destination(settings)).client
    theirs = (tmp_path / "theirs" / "mlartifacts" / "3").as_uri()
    client.create_experiment("of a reader", artifact_location=theirs)
    home = settings.workspace.rename(tmp_path / "moved")
    moved = open_store(destination(at(settings, home))).client
    assert moved.get_experiment_by_name("of a reader").artifact_location == theirs


def test_the_store_of_a_team_is_left_as_it_is(settings: Settings, add_version: AddVersion, tmp_path: Path) -> None:
    add_version()
    database = tmp_path / "team.db"
    shutil.copy(settings.workspace / "mlflow.db", database)
    before = database.read_bytes()
    team = dataclasses.replace(at(settings, tmp_path / "mine"), tracking_uri=f"sqlite:///{database}")
    open_store(destination(team))
    assert database.read_bytes() == before


def test_the_study_of_a_fit_is_found_where_the_workspace_is_now(settings: Settings) -> None:
    study = settings.workspace / "own" / "pets" / "studies" / "pets-1234.py"
    study.parent.mkdir(parents=True)
    study.write_text("STUDY = None\n")
    assert _study_file("/before/own/pets/studies/pets-1234.py", settings) == str(study)
    for elsewhere in ("/before/own/pets/studies/gone.py", "/srv/pets-1234.py", "pets-1234.py"):
        assert _study_file(elsewhere, settings) == elsewhere
