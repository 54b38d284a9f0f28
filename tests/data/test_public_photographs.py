"""Public collections of photographs: tiny archives from a mirror folder or a server, and bad ones."""

import dataclasses
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_server import FaultyServer, Listener
from PIL import Image

from fortydays.base.errors import DataError, StorageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import photographs as public
from fortydays.data.download import Limits
from fortydays.data.photographs import PHOTOGRAPHS, Archive, PhotographsSpec, cached, folder, get, load, verify
from fortydays.data.places import at_address
from fortydays.data.published import PublishedFile
from fortydays.inputs.images import Images

LIMITS = Limits(connect_seconds=2, stall_seconds=2, tries=1)


def picture(number: int) -> bytes:
    coarse = np.random.default_rng(number).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((32, 24), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


PICTURES = {f"{kind}/{number}.png": picture(10 * place + number) for place, kind in enumerate(("cat", "dog"))
            for number in range(5)}  # fmt: skip


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def archive_of(content: bytes, name: str = "pets.zip", *, address: str = "", **fields: Any) -> Archive:
    file = PublishedFile(
        name=name,
        max_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        remote=(at_address(address),) if address else (),
    )
    return Archive(file=file, **fields)


def spec(*archives: Archive, **fields: Any) -> PhotographsSpec:
    described: dict[str, Any] = {
        "name": "pets", "title": "Pets", "version": 1, "folder": "animals", "digest": "0" * 64,
        "classes": ("cat", "dog"), "photographs": 10, "licence": "CC0", "citation": "nobody", "archives": archives,
    }  # fmt: skip
    return PhotographsSpec(**{**described, **fields})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mirror/animals").mkdir(parents=True)
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_MIRROR": str(tmp_path / "mirror")})


@pytest.fixture
def mirrored(settings: Settings) -> Callable[..., PhotographsSpec]:
    """Puts an archive into the mirror folder; gives the collection that is pinned to it."""

    def put(content: bytes, name: str = "pets.zip", **fields: Any) -> PhotographsSpec:
        assert settings.mirror is not None
        (settings.mirror / "animals" / name).write_bytes(content)
        return spec(archive_of(content, name, **fields))

    return put


def content_of(place: Path) -> dict[str, bytes]:
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_folder_of_an_archive_that_holds_the_classes_is_unpacked(
    pack: Callable[[dict[str, bytes]], bytes], mirrored: Any, settings: Settings, listener: Listener
) -> None:
    members = {f"pets/{name}": content for name, content in PICTURES.items()}
    others = {"other/cat/1.png": picture(99), "run.sh": b"#!/bin/sh"}
    pets = mirrored(pack({**others, **members}), "pets.zip" if pack is zipped else "pets.tgz", inside="pets/")

    place = get(pets, settings, listener)

    assert place == folder(pets, settings) == settings.datasets / "pets/photographs"
    assert content_of(place) == PICTURES
    assert listener.said[-1] == f"Pets: 10 photographs, in {place}."


def test_they_are_unpacked_once(mirrored: Any, settings: Settings, listener: Listener) -> None:
    pets = mirrored(zipped(PICTURES))
    assert not cached(pets, settings)
    place = get(pets, settings)
    (place / "cat/0.png").unlink()

    assert cached(pets, settings)
    assert get(pets, settings, listener) == place
    assert listener.said == []
    assert not (place / "cat/0.png").exists()


def test_photographs_of_an_earlier_version_without_a_digest_are_taken_as_they_are(
    mirrored: Any, settings: Settings, listener: Listener
) -> None:
    pets = mirrored(zipped(PICTURES))
    place = get(pets, settings)
    note = place.with_name("photographs.json")
    note.write_text(json.dumps({"schema_version": 1, "archive": "pets.zip", "photographs": 10}))

    assert verify(pets, settings).right
    assert get(pets, settings, listener, thorough=True) == place
    assert listener.said == []


def test_a_flipped_byte_is_found_by_verify_and_mended_by_a_thorough_get(
    mirrored: Any, settings: Settings, listener: Listener
) -> None:
    pets = mirrored(zipped(PICTURES))
    with pytest.raises(DataError, match="The photographs 'pets' are not in the cache"):
        verify(pets, settings)
    place = get(pets, settings)
    assert verify(pets, settings).right
    content = PICTURES["cat/0.png"]
    (place / "cat/0.png").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    assert verify(pets, settings).problems[0].startswith("the photographs have digest ")
    assert content_of(get(pets, settings, listener, thorough=True)) == PICTURES
    assert "It is kept as photographs.damaged-" in listener.warned[0]
    assert verify(pets, settings).right


def test_photographs_that_were_removed_are_fetched_again(mirrored: Any, settings: Settings) -> None:
    import shutil

    pets = mirrored(zipped(PICTURES))
    place = get(pets, settings)
    shutil.rmtree(place)

    assert not cached(pets, settings)
    assert content_of(get(pets, settings)) == PICTURES


def test_photographs_that_were_left_half_unpacked_are_unpacked_anew(
    mirrored: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = mirrored(zipped(PICTURES))
    written: list[Any] = []
    real = shutil.copyfileobj

    def stopped(source: Any, target: Any) -> None:
        written.append(target)
        if len(written) == 4:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", stopped)
    with pytest.raises(KeyboardInterrupt):
        get(pets, settings)
    monkeypatch.undo()

    assert not cached(pets, settings)
    place = get(pets, settings)
    assert content_of(place) == PICTURES
    assert sorted(path.name for path in place.parent.iterdir()) == ["lock", "photographs", "photographs.json"]


def test_a_folder_that_nothing_is_written_down_of_is_kept_aside_and_told(
    mirrored: Any, settings: Settings, listener: Listener
) -> None:
    pets = mirrored(zipped(PICTURES))
    place = folder(pets, settings)
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("important")

    assert content_of(get(pets, settings, listener)) == PICTURES

    (aside,) = place.parent.glob("photographs.damaged-*")
    assert (aside / "mine.txt").read_text() == "important"
    assert listener.warned == [f"{place} is not whole. It is kept as {aside.name}; the photographs are unpacked anew."]


def test_a_second_edition_is_taken_where_the_first_is_not_there_and_it_is_said(
    settings: Settings, listener: Listener, server: FaultyServer
) -> None:
    large = tarred({f"pets/{name}": content for name, content in PICTURES.items()})
    server.content["large.tgz"] = large
    pets = spec(
        archive_of(b"small", "small.zip"),
        archive_of(large, "large.tgz", address=f"{server.address}large.tgz", inside="pets/", edition="in full size"),
    )

    place = get(pets, settings, listener, limits=LIMITS)

    assert content_of(place) == PICTURES
    assert listener.said[0] == "Getting the photographs 'pets' from 127.0.0.1."
    assert listener.said[-1] == f"Pets: 10 photographs, in full size, in {place}."
    assert not (place.parent / "downloads").exists()


def test_where_they_cannot_be_had_every_place_is_named(
    settings: Settings, server: FaultyServer, listener: Listener
) -> None:
    assert settings.mirror is not None
    (settings.mirror / "animals/small.zip").write_bytes(b"something else")
    server.content["large.tgz"] = b"something else"
    pets = spec(
        archive_of(b"small", "small.zip"),
        archive_of(b"the right one!", "large.tgz", address=f"{server.address}large.tgz"),
        archive_of(b"not there", "gone.tgz", address=f"{server.address}gone.tgz"),
    )

    with pytest.raises(DataError) as refused:
        get(pets, settings, listener, limits=LIMITS)

    place, sha256 = settings.mirror / "animals", hashlib.sha256(b"something else").hexdigest()
    lines = refused.value.message.split("\n")
    assert lines[:2] == [
        "Could not get the photographs 'pets' from any place.",
        f"  - mirror folder {place}: small.zip has SHA-256 {sha256}, expected {pets.archives[0].file.sha256}; "
        "large.tgz is not there; gone.tgz is not there",
    ]
    assert lines[2].startswith(
        f"  - 127.0.0.1: large.tgz has SHA-256 {sha256}, expected {pets.archives[1].file.sha256}; "
    )
    assert "404" in lines[2]
    assert refused.value.hint == (
        f"Run the command again when the network is back, or put small.zip or large.tgz or gone.tgz into {place}."
    )
    assert not cached(pets, settings)


def test_offline_no_server_is_asked(settings: Settings, server: FaultyServer) -> None:
    offline = dataclasses.replace(settings, offline=True, mirror=None)
    pets = spec(archive_of(b"", "large.tgz", address=f"{server.address}large.tgz"))

    with pytest.raises(DataError, match=r"127.0.0.1: not tried, because FORTYDAYS_OFFLINE is set"):
        get(pets, offline)

    assert server.requests == []


def test_a_full_disk_is_said(mirrored: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    pets = mirrored(zipped(PICTURES))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "unpack_archive", full)
    with pytest.raises(StorageError, match=r"No space left on device") as refused:
        get(pets, settings)

    assert refused.value.hint.startswith("The disk is full.")
    monkeypatch.undo()
    assert content_of(get(pets, settings)) == PICTURES


def test_as_a_dataset_they_have_the_name_of_the_collection_and_always_the_same_digest(
    mirrored: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "SIDE", 16)
    pets = mirrored(zipped(PICTURES))

    found = load(pets, settings)
    again = load(pets, dataclasses.replace(settings, workspace=tmp_path / "x", datasets=tmp_path / "x/datasets"))

    assert (found.name, found.classes) == ("pets", ("cat", "dog"))
    assert found.digest == again.digest
    assert found.training.train.array.shape == (6, 16, 16, 3)
    assert found.training.input == Images(shape=(16, 16, 3))  # and no strokes
    assert [len(each) for each in (found.training.train, found.training.validation, found.test.open())] == [6, 2, 2]
    assert load(pets, settings).digest == found.digest


def test_what_is_pinned_is_said_with_licence_and_citation() -> None:
    for each in PHOTOGRAPHS.values():
        assert each.licence
        assert each.citation
        assert all(len(archive.file.sha256) == 64 for archive in each.archives)
        assert not each.archives[0].edition
        assert len(each.digest) == 64
        assert tuple(sorted(each.classes)) == each.classes
