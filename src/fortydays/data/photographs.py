"""Public collections of photographs: fetched as the files they are, and then treated like a reader's own folder.

Whoever fits a model of these does what they would do with photographs of their own: same look, same split by
content, same preparation. What is pinned is the archive that each place gives, and the dataset that comes of it.
"""

import contextlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.data.arrays import Dataset
from fortydays.data.download import PATIENT, Limits
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import ENDINGS, list_photographs
from fortydays.data.own.splitting import SPLIT_VERSION
from fortydays.data.places import Address
from fortydays.data.published import PublishedFile, Search
from fortydays.data.store import Verification

SIDE = 224
"""Pixels that photographs are prepared at, upwards and sideways: what networks of ImageNet are best shown."""

_MOST_MEMBERS = 200_000
_LARGEST_MEMBER = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file with all photographs of a collection.

    Attributes:
        file: it.
        inside: the folder in it that holds the folders of the classes, ending in "/", or "".
        edition: what is special about it, in words; "" for the one that evidence was made with.
    """

    file: PublishedFile
    inside: str = ""
    edition: str = ""


@dataclass(frozen=True, kw_only=True)
class PhotographsSpec:
    """What is pinned about a public collection of photographs.

    Attributes:
        name: the catalog's name, such as "tf_flowers".
        title: its name in text.
        version: number of the published content.
        folder: its folder in the mirror.
        digest: of the dataset that the first archive gives (:class:`~fortydays.data.own.dataset.OwnPhotographs`).
        classes: the classes' names; position is label.
        photographs: how many files there are.
        licence: under which terms it is published.
        citation: whom to cite.
        archives: where it can be had, in the order to try.
        split_version: number of the rule that divides it.
    """

    name: str
    title: str
    version: int
    folder: str
    digest: str
    classes: tuple[str, ...]
    photographs: int
    licence: str
    citation: str
    archives: tuple[Archive, ...]
    split_version: int = SPLIT_VERSION


PHOTOGRAPHS: Mapping[str, PhotographsSpec] = MappingProxyType(
    {
        "tf_flowers": PhotographsSpec(
            name="tf_flowers",
            title="Flowers",
            version=1,
            folder="flowers",
            digest="d0b01b93326265e88b518bfc0d9f14b30fd1af25bafcf284ab84dc746e672c22",
            classes=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
            photographs=3_670,
            licence="CC BY 2.0, each by its photographer",
            citation="The TensorFlow Team, Flowers, January 2019",
            archives=(
                Archive(
                    file=PublishedFile(
                        name="tf_flowers_s160.zip",
                        max_bytes=42_278_981,
                        sha256="dc7f54ba9f52df78e9d8615779734dbe748f63e18bfbca2762edda1a0c9fde12",
                    ),
                ),
                Archive(
                    file=PublishedFile(
                        name="flower_photos.tgz",
                        max_bytes=228_813_984,
                        sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
                        remote=(
                            Address(
                                "https://storage.googleapis.com/download.tensorflow.org/"
                                "example_images/flower_photos.tgz"
                            ),
                        ),
                    ),
                    inside="flower_photos/",
                    edition="the photographs in their full size",
                ),
            ),
        )
    }
)
"""Every public collection by its name."""


def folder(spec: PhotographsSpec, settings: Settings) -> Path:
    """Where the photographs lie once they were fetched, a folder for each class."""
    return settings.datasets / spec.name / "photographs"


def cached(spec: PhotographsSpec, settings: Settings) -> bool:
    """Whether the photographs are there."""
    place = folder(spec, settings)
    return files.is_file(place.with_name(_NOTE)) and files.is_folder(place)


_NOTE = "photographs.json"


def get(
    spec: PhotographsSpec,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = PATIENT,
    thorough: bool = False,
) -> Path:
    """The folder with the photographs, fetched where it is not there.

    Args:
        spec: the collection.
        settings: where to look and to keep, and whether the network may be used.
        progress: told of each place that is tried.
        limits: how patient to be.
        thorough: read every byte of what is there; one that is damaged is set aside and fetched again.

    Raises:
        DataError: no place could give them; tells each one and why.
        StorageError: the disk refuses.
    """
    target = folder(spec, settings)

    def is_there() -> bool:
        return cached(spec, settings) and not (thorough and verify(spec, settings).problems)

    if is_there():
        return target
    files.make_folder(target.parent)
    with files.locked(target.parent / "lock"):
        if is_there():
            return target
        files.remove_leftovers(target.parent)
        if files.exists(target):
            aside = files.set_aside(target)
            progress.warn(f"{target} is not whole. It is kept as {aside.name}; the photographs are unpacked anew.")
        downloads = target.with_name("downloads")
        search = Search(
            title=f"the photographs {spec.name!r}",
            groups=[(archive.file,) for archive in spec.archives],
            folder=spec.folder,
            kept=downloads,
            settings=settings,
            limits=limits,
            progress=progress,
        )
        candidate = next(search.candidates(), None)
        if candidate is None:
            raise search.failed()
        archive, (path,) = spec.archives[candidate.group], candidate.paths
        progress.say(f"Unpacking {path.name}")
        with files.folder_built_whole(target) as building:
            count = _unpack(archive, path, building)
            files.sync_all()
        note = {"schema_version": 1, "archive": path.name, "photographs": count, "content": _content_of(target)}
        files.write_json(target.with_name(_NOTE), note)
        files.remove(downloads)
        edition = f", {archive.edition}" if archive.edition else ""
        progress.say(f"{spec.title}: {count:,} photographs{edition}, in {target}.")
    return target


def verify(spec: PhotographsSpec, settings: Settings) -> Verification:
    """Read every byte of the photographs and compare with what was unpacked; change nothing.

    Raises:
        DataError: they are not there.
        StorageError: they cannot be read.
    """
    place = folder(spec, settings)
    if not cached(spec, settings):
        raise DataError(
            f"The photographs {spec.name!r} are not in the cache {settings.datasets}.",
            hint=f"Get them with: forty data get {spec.name}",
        )
    # What an earlier version of this program has unpacked has no digest.
    expected, found = files.read_json(place.with_name(_NOTE)).get("content"), _content_of(place)
    right = expected in (None, found)
    problems = () if right else (f"the photographs have digest {found}, expected {expected}",)
    return Verification(name=spec.name, path=place, problems=problems)


def _content_of(place: Path) -> str:
    """A digest of the names and bytes of all files below a folder."""
    with files.storage_errors("read", place):
        paths = sorted(path for path in place.rglob("*") if path.is_file())
    return files.sha256_of_json([[path.relative_to(place).as_posix(), files.sha256_of_file(path)] for path in paths])


def load(spec: PhotographsSpec, settings: Settings, progress: Progress = SILENT) -> Dataset:
    """The photographs as a dataset: looked at, divided by content, prepared.

    Its digest is the pinned one where they came from the first archive; another edition has another.

    Raises:
        DataError: they cannot be had, or another process is looking at them.
        StorageError: the disk refuses.
    """
    place = get(spec, settings, progress)
    with opened(spec.name, settings, side=SIDE) as collection:
        # Evidence was made with splits of our own, whatever folders the archive has.
        listing = list_photographs(place, keep_parts=False)
        inspection = inspect(listing, collection, workers=available_cores(), progress=progress)
        kept = own.keep(inspection, collection, name=spec.name)
    return own.load(kept, settings, name=spec.name)


def _unpack(archive: Archive, path: Path, target: Path) -> int:
    """Write the images of an archive below a folder; nothing else in it is looked at. Returns how many."""
    count = 0
    with _damage_of(path), path.open("rb") as stream:
        for name, size, content in _members(path, stream):
            if not name.startswith(archive.inside) or not name.lower().endswith(ENDINGS):
                continue
            parts = PurePosixPath(name.removeprefix(archive.inside)).parts
            if not parts or any(part in ("", ".", "..", "/") for part in parts) or size > _LARGEST_MEMBER:
                raise ValueError(f"it holds the file {name!r}, which is none to unpack")
            place = target.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            with files.storage_errors("write", place):
                place.write_bytes(content.read(size + 1)[:size])
            count += 1
    return count


def _members(path: Path, stream: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The regular files of an archive: name, bytes, content."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(stream) as archive:
            if len(archive.infolist()) > _MOST_MEMBERS:
                raise ValueError(f"it has more than {_MOST_MEMBERS:,} members")
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as content:
                        yield member.filename, member.file_size, content
        return
    with tarfile.open(fileobj=stream, mode="r|gz") as tar:
        for number, entry in enumerate(tar):
            if number >= _MOST_MEMBERS:
                raise ValueError(f"it has more than {_MOST_MEMBERS:,} members")
            extracted = tar.extractfile(entry) if entry.isreg() else None
            if extracted is not None:
                yield entry.name.removeprefix("./"), entry.size, extracted


@contextlib.contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}.") from error
