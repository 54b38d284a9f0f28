"""Bundles of the registry are asked for once, and again whenever the registry could say something else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_bundles import bundle, made_up_versions

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.settings import Settings
from fortydays.registry.package import copy, read
from fortydays.serve import kept
from fortydays.serve.source import Source, source_of

Ask = Callable[[str], str]


class Registry:
    """A registry without MLflow: a file, and a folder for what each reference means."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.file = workspace / "mlflow.db"
        self.asked: list[str] = []
        self.meaning: dict[str, Path] = {}

    def mean(self, reference: str, folder: Path) -> None:
        """Let a reference mean another bundle from now on."""
        self.meaning[reference] = folder
        self.write()

    def write(self) -> None:
        before = self.file.read_bytes() if self.file.exists() else b""
        self.file.write_bytes(before + b"x")

    async def fetch(self, source: Source, folder: Path) -> Path:
        self.asked.append(source.model)
        if source.model not in self.meaning:
            raise UsageError(f"There is no model {source.model!r}.")
        target = folder / read(self.meaning[source.model]).digest
        if not target.exists():
            copy(self.meaning[source.model], target)
        return target


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(tmp_path / "home")
    made.workspace.mkdir()
    bundle(tmp_path / "one")
    bundle(tmp_path / "two", version=2, favourite=7)
    monkeypatch.setattr(kept, "fetch", made.fetch)
    return made


def settings(registry: Registry, *, tracking_uri: str = "") -> Settings:
    return made_up_versions.settings(registry.workspace, datasets=registry.workspace, tracking_uri=tracking_uri)


def version(registry: Registry, name: str = "digits", *, tracking_uri: str = "") -> int:
    return kept.opened(source_of(name), settings(registry, tracking_uri=tracking_uri), threads=1).version


def test_the_registry_is_asked_once_while_nobody_writes_to_it(registry: Registry, tmp_path: Path) -> None:
    registry.mean("digits@champion", tmp_path / "one")

    assert [version(registry) for _ in range(3)] == [1, 1, 1]
    assert registry.asked == ["digits@champion"]
    assert version(registry, "digits@champion") == 1
    assert registry.asked == ["digits@champion"]


def test_after_a_promotion_the_new_champion_answers(registry: Registry, tmp_path: Path) -> None:
    registry.mean("digits@champion", tmp_path / "one")
    assert version(registry) == 1

    registry.mean("digits@champion", tmp_path / "two")

    assert version(registry) == 2
    assert version(registry) == 2
    assert len(registry.asked) == 2
    # Nothing names the older one any more.
    assert [path.name for path in (registry.workspace / "bundles").glob("[0-9a-f]*")] == [
        read(tmp_path / "two").digest
    ]


def test_a_version_that_was_retired_since_is_not_used(registry: Registry, tmp_path: Path) -> None:
    registry.mean("digits@1", tmp_path / "one")
    assert version(registry, "digits@1") == 1

    registry.meaning.clear()
    registry.write()

    with pytest.raises(UsageError, match="There is no model 'digits@1'"):
        version(registry, "digits@1")


def test_several_references_are_kept_side_by_side(registry: Registry, tmp_path: Path) -> None:
    registry.mean("digits@champion", tmp_path / "one")
    registry.mean("digits@challenger", tmp_path / "two")

    found = [version(registry, name) for name in ("digits", "digits@challenger", "digits", "digits@challenger")]

    assert found == [1, 2, 1, 2]
    assert len(registry.asked) == 2


def test_what_was_written_while_the_registry_was_asked_makes_its_answer_an_old_one(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.mean("digits@champion", tmp_path / "one")

    async def slow(source: Source, folder: Path) -> Path:
        found = await registry.fetch(source, folder)
        registry.mean("digits@champion", tmp_path / "two")
        return found

    monkeypatch.setattr(kept, "fetch", slow)
    assert version(registry) == 1
    monkeypatch.setattr(kept, "fetch", registry.fetch)
    assert version(registry) == 2


@pytest.mark.parametrize("journal", ["-journal", "-wal"])
def test_while_something_is_being_written_the_registry_is_asked(
    registry: Registry, tmp_path: Path, journal: str
) -> None:
    registry.mean("digits@champion", tmp_path / "one")
    path = registry.workspace / f"mlflow.db{journal}"
    path.write_bytes(b"")
    assert [version(registry) for _ in range(2)] == [1, 1]
    assert len(registry.asked) == 1

    path.write_bytes(b"half a transaction")

    assert [version(registry) for _ in range(2)] == [1, 1]
    assert len(registry.asked) == 3


def test_a_server_is_asked_every_time(registry: Registry, tmp_path: Path) -> None:
    registry.mean("digits@champion", tmp_path / "one")
    for _ in range(2):
        assert version(registry, tracking_uri="http://127.0.0.1:1") == 1
    assert len(registry.asked) == 2


@pytest.mark.parametrize("harm", ["changed", "removed", "answers", "no document", "another program's"])
def test_what_was_harmed_is_had_again(registry: Registry, tmp_path: Path, harm: str) -> None:
    registry.mean("digits@champion", tmp_path / "one")
    version(registry)
    place = registry.workspace / "bundles"
    folder = place / read(tmp_path / "one").digest
    if harm == "changed":
        (folder / "labels.json").write_text("{}")
    elif harm == "removed":
        (folder / "model.onnx").unlink()
    elif harm == "answers":
        (place / "told.json").write_text('{"schema_version": 1')
    elif harm == "no document":
        (place / "told.json").write_text("[]")
    else:
        document = json.loads((place / "told.json").read_text())
        document["answers"]["digits@champion"] = "../../one"
        (place / "told.json").write_text(json.dumps(document))

    assert [version(registry) for _ in range(2)] == [1, 1]
    assert len(registry.asked) == 2


def test_ten_are_kept(registry: Registry, tmp_path: Path) -> None:
    for number in range(1, 13):
        folder = tmp_path / f"version {number}"
        bundle(folder, version=number)
        registry.meaning[f"digits@{number}"] = folder
    registry.write()
    for number in range(1, 13):
        version(registry, f"digits@{number}")
    assert len(list((registry.workspace / "bundles").glob("[0-9a-f]*"))) == 10

    version(registry, "digits@12")
    assert len(registry.asked) == 12
    version(registry, "digits@1")
    assert len(registry.asked) == 13


def test_a_folder_is_opened_where_it_is_and_nothing_is_kept(registry: Registry, tmp_path: Path) -> None:
    assert version(registry, str(tmp_path / "two")) == 2
    assert registry.asked == []
    assert not (registry.workspace / "bundles").exists()


def test_who_waits_too_long_for_another_process_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.base import files

    registry.mean("digits@champion", tmp_path / "one")
    monkeypatch.setattr(kept, "_SECONDS_FOR_LOCK", 0.05)
    with (
        files.locked(registry.workspace / "bundles" / ".lock"),
        pytest.raises(FortydaysError, match=r"Another process has been getting a bundle for 0\.05 s\."),
    ):
        version(registry)
