"""Public collections of photographs: fetched as the files they are, and then treated like a reader's own folder.

Whoever fits a model of these does what they would do with photographs of their own: same look, same split by
content, same preparation. What is pinned is the archive that each place gives, and the dataset that comes of it.
"""

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.data.arrays import Dataset
from fortydays.data.cache import Verification
from fortydays.data.download import PATIENT, Limits
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.splitting import SPLIT_VERSION
from fortydays.data.places import at_address
from fortydays.data.published import PublishedFile, Search
from fortydays.inputs.images import Images

SIDE = 224
"""Pixels that photographs are prepared at, upwards and sideways: what networks of ImageNet are best shown."""

_NOTE = "photographs.json"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file with all photographs of a collection, whose folder ``inside`` holds the folders of the classes.

    The edition says what is special about it; it is "" for the one that evidence was made with.
    """

    file: PublishedFile
    inside: str = ""
    edition: str = ""


@dataclass(frozen=True, kw_only=True)
class PhotographsSpec:
    """What is pinned about a public collection of photographs.

    Attributes:
        version: number of the published content.
        folder: its folder in the mirror.
        digest: of the dataset that the first archive gives (:class:`~fortydays.data.own.dataset.OwnExamples`).
        classes: the classes' names; position is label.
        photographs: how many files there are.
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

    @property
    def input(self) -> Images:
        """What its examples are, once they are prepared."""
        return Images(shape=(SIDE, SIDE, 3))

    @property
    def download_bytes(self) -> int:
        """How large the first archive is."""
        return self.archives[0].file.max_bytes

    @property
    def source_titles(self) -> tuple[str, ...]:
        """What its archives are called."""
        return tuple(archive.file.name for archive in self.archives)


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
                            at_address(
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


def note_of(spec: PhotographsSpec, settings: Settings) -> bytes:
    """What is written beside the photographs as soon as they are whole. Raises StorageError."""
    path = folder(spec, settings).with_name(_NOTE)
    with files.storage_errors("read", path):
        return path.read_bytes()


def write_note(spec: PhotographsSpec, settings: Settings, content: bytes) -> None:
    """Let photographs that came from another machine be whole. Raises StorageError."""
    files.write_bytes(folder(spec, settings).with_name(_NOTE), content)


def get(
    spec: PhotographsSpec,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = PATIENT,
    thorough: bool = False,
) -> Path:
    """The folder with the photographs, fetched where it is not there.

    With ``thorough``, every byte of what is there is read; what is damaged is set aside and fetched again.

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
        _unpack(archive, path, target)
        note = {"schema_version": 1, "archive": path.name, "content": _content_of(target)}
        files.write_json(target.with_name(_NOTE), note)
        files.remove(downloads)
        edition = f", {archive.edition}" if archive.edition else ""
        progress.say(f"{spec.title}: {spec.photographs:,} photographs{edition}, in {target}.")
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
    expected, found = files.read_json(place.with_name(_NOTE)).get("content"), _content_of(place)
    # Earlier versions of this program wrote no digest down.
    problems = () if expected in (None, found) else (f"the photographs have digest {found}, expected {expected}",)
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


def _unpack(archive: Archive, path: Path, target: Path) -> None:
    """Unpack an archive. What is in it is known, because its digest is pinned."""
    with files.temporary_folder(target.parent, "archive") as scratch, files.storage_errors("write", target):
        # Python before 3.11.4 knows no filters; later ones ask for one, of tar archives only.
        if path.suffix == ".zip" or not hasattr(tarfile, "data_filter"):
            shutil.unpack_archive(path, scratch)
        else:
            shutil.unpack_archive(path, scratch, filter="data")
        files.sync_all()
        (scratch / archive.inside).replace(target)
        files.sync_folder(target.parent)
