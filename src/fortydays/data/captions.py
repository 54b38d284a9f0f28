"""Public photographs with sentences that people wrote about them: fetched, checked, and kept as the files they are.

The cache of each lies in ``DATASETS/NAME/v<version>.<split version>-<start of the digest>/``::

    training.zip    the photographs to train and to validate on, and ``captions.json`` with their captions and splits
    test.zip        the same of those to test on
    contents.json   the digest of each of the two, and which edition they are of

Photographs are decoded when the dataset is loaded, as a service decodes them: the middle of each, at one size. The
test part is read when the test split is opened.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.base.images import UnreadableImageError, check_content, prepared, read_head
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.cache import Cache, Verification, path
from fortydays.data.download import PATIENT, Limits
from fortydays.data.layouts import DamagedSourceError
from fortydays.data.places import at_address
from fortydays.data.published import PublishedFile, Search
from fortydays.data.splits import SplitSizes
from fortydays.inputs.images import IMAGE, Images
from fortydays.tasks.classification import Classification

SIDE = 160
"""Pixels that photographs are prepared at, upwards and sideways: about the shorter side of the published ones."""

EACH = 5
"""Captions of each photograph."""

_PUBLISHED_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
_MOST_LISTED = 8 * 2**20
_MOST_OF_A_PHOTOGRAPH = 8 * 2**20
_MOST_PIXELS = 50_000_000
_LONGEST = 1_000
_CAPTIONS, _CONTENTS = "captions.json", "contents.json"


@dataclass(frozen=True, kw_only=True)
class CaptionsSource:
    """An archive with the captions and the splits, one with the photographs, and what is special about these.

    The edition is "" for the one that evidence was made with.
    """

    captions: PublishedFile
    photographs: PublishedFile
    edition: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptionsSpec:
    """What is pinned about a public collection of photographs with captions.

    Attributes:
        version: number of the published content.
        folder: its folder in the mirror.
        digest: of both parts, as the first source gives them (:func:`digest_of_parts`).
        captions_digest: of captions and splits alone (:func:`digest_of`), the same from every source.
        photographs: how many are used: the first ones by name. Those that are in no split are left out.
        sizes: of the splits.
        split_version: number of the rule that makes the splits; they are the published ones.
        sources: where it can be had, in the order to try.
    """

    name: str
    title: str
    version: int
    folder: str
    digest: str
    captions_digest: str
    photographs: int
    sizes: SplitSizes
    split_version: int
    licence: str
    citation: str
    download_bytes: int
    sources: tuple[CaptionsSource, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """One, because captions tell no classes apart."""
        return ("photograph",)

    @property
    def input(self) -> Images:
        """What its examples are."""
        return Images(shape=(SIDE, SIDE, 3))

    @property
    def source_titles(self) -> tuple[str, ...]:
        """What its files are called."""
        return tuple(file.name for source in self.sources for file in (source.captions, source.photographs))


_RELEASE = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"

CAPTIONS: Mapping[str, CaptionsSpec] = MappingProxyType(
    {
        "flickr8k": CaptionsSpec(
            name="flickr8k",
            title="Flickr8k, its first 1,000 photographs",
            version=1,
            folder="flickr8k",
            digest="66e2b8f5a31d88fb46318f6e15bc81b87a9f40f93e419991b279fafd90be3894",
            captions_digest="e80f30345449dc16d6a2927ef10948eec05ebd0c5fc22207199ecd73b00dfc22",
            photographs=1_000,
            sizes=SplitSizes(train=753, validation=113, test=125),
            split_version=1,
            licence="none stated; photographs of Flickr for research, captions free to use with citation",
            citation="Hodosh, Young and Hockenmaier, Framing Image Description as a Ranking Task, JAIR 47, 2013",
            download_bytes=10_125_365,
            sources=(
                CaptionsSource(
                    captions=PublishedFile(
                        name="flickr8k_text.zip",
                        max_bytes=978_993,
                        sha256="a429f4a5c91b6097b6658bdde953a8c4070777ff1da2862723e3aec9c6a66e0d",
                    ),
                    photographs=PublishedFile(
                        name="flickr8k_1000_images_s200.zip",
                        max_bytes=9_146_372,
                        sha256="c2f851fe222e0b6ad95b24430b4c35a01e72a215ed77cdcb0027bedb17eb02f2",
                    ),
                ),
                CaptionsSource(
                    captions=PublishedFile(
                        name="Flickr8k_text.zip",
                        max_bytes=4_000_000,
                        remote=(at_address(f"{_RELEASE}Flickr8k_text.zip"),),
                    ),
                    photographs=PublishedFile(
                        name="Flickr8k_Dataset.zip",
                        max_bytes=1_200_000_000,
                        remote=(at_address(f"{_RELEASE}Flickr8k_Dataset.zip"),),
                    ),
                    edition="the photographs in their full size",
                ),
            ),
        )
    }
)
"""Every public collection of photographs with captions by its name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Captioned:
    """A photograph and what people wrote about it.

    Attributes:
        name: of its file.
        split: "train", "validation" or "test".
        captions: :data:`EACH` sentences, as they were written.
        content: of its JPEG file.
    """

    name: str
    split: str
    captions: tuple[str, ...]
    content: bytes = b""


# ------------------------------------------------------------------------------------------------------- the cache


def cached(spec: CaptionsSpec, settings: Settings) -> bool:
    """Whether the photographs are in the cache; their content is not checked."""
    folder = path(spec, settings)
    return all(files.is_file(folder / name) for name in ("training.zip", "test.zip", _CONTENTS))


def load(spec: CaptionsSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Dataset:
    """The photographs as a dataset with captions, from the cache; they are fetched first where that is needed.

    Its digest is the pinned one where they came from the first source; another edition has another. All labels are 0.

    Raises:
        DataError: no place can give them.
        StorageError: the cache cannot be read or written.
    """
    folder = path(spec, settings)
    if not cached(spec, settings) or _problem(folder, spec, "training"):
        get(spec, settings, progress, limits=limits)
    training = _read_part(folder, "training")

    def read_test() -> list[Captioned]:
        _cache(spec, settings).check_test()
        return _read_part(folder, "test")

    def captions_of(split: str) -> tuple[tuple[str, ...], ...]:
        of_part = read_test() if split == "test" else training
        return tuple(each.captions for each in of_part if each.split == split)

    def as_split(of_part: Sequence[Captioned], name: str) -> Split:
        pixels = np.stack([pixels_of(each) for each in of_part if each.split == name])
        return Split(inputs={IMAGE: pixels}, labels=np.zeros(len(pixels), np.uint8))

    return Dataset(
        name=spec.name,
        digest=digest_of_parts(files.read_json(folder / _CONTENTS)),
        split_version=spec.split_version,
        classes=spec.classes,
        training=TrainingData(
            input=spec.input,
            task=Classification(classes=len(spec.classes)),
            train=as_split(training, "train"),
            validation=as_split(training, "validation"),
        ),
        test=SealedSplit(lambda: as_split(read_test(), "test")),
        captions=captions_of,
    )


def get(spec: CaptionsSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Path:
    """Make sure that the cache holds the photographs, every byte, and give its folder; raises as :func:`load`."""
    return _cache(spec, settings).get(progress, limits=limits)


def verify(spec: CaptionsSpec, settings: Settings) -> Verification:
    """Read every byte of what is cached and compare with what is pinned: see :meth:`Cache.verify`."""
    return _cache(spec, settings).verify()


def _cache(spec: CaptionsSpec, settings: Settings) -> Cache:
    folder = path(spec, settings)
    return Cache(
        spec=spec,
        settings=settings,
        problem=lambda part: _problem(folder, spec, part),
        fetch=lambda progress, limits: _fetch(spec, settings, folder, progress, limits),
    )


def _problem(folder: Path, spec: CaptionsSpec, part: str) -> str:
    """What is wrong with a part of the cache, found by reading all of it; or ""."""
    try:
        contents = files.read_json(folder / _CONTENTS)
        found = digest_of(_read_part(folder, part))
    except (DamagedSourceError, StorageError) as error:
        return error.message
    if not contents.get("edition") and digest_of_parts(contents) != spec.digest:
        return f"{_CONTENTS} does not tell of the pinned photographs"
    expected = contents.get(part)
    return "" if found == expected else f"the {part} photographs have digest {found}, expected {expected}"


def digest_of(photographs: Sequence[Captioned]) -> str:
    """SHA-256, in hexadecimal, over names, splits, captions and files; of captions alone where no file is there."""
    return files.sha256_of_json(
        [[each.name, each.split, list(each.captions), files.sha256_of_bytes(each.content)] for each in photographs]
    )


def digest_of_parts(contents: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of the digests of both parts."""
    return files.sha256_of_json([contents.get("training"), contents.get("test")])


def pixels_of(photograph: Captioned) -> NDArray[np.uint8]:
    """The middle of a photograph: uint8, shape (:data:`SIDE`, :data:`SIDE`, 3). Raises DamagedSourceError."""
    try:
        image = read_head(photograph.content, formats=("JPEG",), most_pixels=_MOST_PIXELS)
        check_content(photograph.content, image)
        return prepared(image, height=SIDE, width=SIDE, mode="RGB")
    except UnreadableImageError as error:
        raise DamagedSourceError(f"{photograph.name} is damaged: {error.message}") from error


# --------------------------------------------------------------------------------------------------- from the files


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose members are read one by one. What comes of a damaged one is DamagedSourceError."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except DamagedSourceError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        said = " ".join(str(error).split())[:200]
        raise DamagedSourceError(f"{archive.name} is damaged: {said}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member of an archive. Raises ValueError where it has more than ``most`` bytes."""
    with archive.open(name) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name} has more than {most:,} bytes")
    return content


def read_captions(archive: Path, *, photographs: int) -> list[Captioned]:
    """The captions and splits of the first photographs by name, without those that are in no split.

    Args:
        archive: with ``Flickr8k.token.txt`` and ``Flickr_8k.SPLITImages.txt``.
        photographs: how many to look at.

    Raises:
        DamagedSourceError: it is no such archive, or one of these photographs has not :data:`EACH` captions.
    """
    with _opened(archive) as opened:
        split_of: dict[str, str] = {}
        for published, split in _PUBLISHED_SPLITS.items():
            for name in _member(opened, f"Flickr_8k.{published}Images.txt", _MOST_LISTED).decode("utf-8").split():
                if split_of.setdefault(name, split) != split:
                    raise ValueError(f"{name} is in two splits")
        captions: dict[str, dict[str, str]] = {}
        for line in _member(opened, "Flickr8k.token.txt", _MOST_LISTED).decode("utf-8").splitlines():
            place, _, sentence = line.partition("\t")
            name, _, number = place.partition("#")
            captions.setdefault(name, {})[number] = sentence
        found = []
        for name in sorted(captions)[:photographs]:
            numbered = [captions[name].get(str(number), "") for number in range(EACH)]
            if len(captions[name]) != EACH or not all(1 <= len(sentence) <= _LONGEST for sentence in numbered):
                raise ValueError(f"{name} has other captions than {EACH} sentences of 1 to {_LONGEST:,} characters")
            if name in split_of:
                found.append(Captioned(name=name, split=split_of[name], captions=tuple(numbered)))
    return found


def with_files(archive: Path, photographs: Sequence[Captioned]) -> list[Captioned]:
    """The photographs with their files, from an archive that may hold them in a folder. Raises DamagedSourceError."""
    with _opened(archive) as opened:
        place_of = {name.rpartition("/")[2]: name for name in opened.namelist()}
        return [
            Captioned(
                name=each.name,
                split=each.split,
                captions=each.captions,
                content=_member(opened, place_of[each.name], _MOST_OF_A_PHOTOGRAPH),
            )
            for each in photographs
        ]


def _read_part(folder: Path, part: str) -> list[Captioned]:
    """The photographs of a part of the cache. Raises DamagedSourceError."""
    with _opened(folder / f"{part}.zip") as opened:
        return [
            Captioned(
                name=name,
                split=split,
                captions=tuple(captions),
                content=_member(opened, name, _MOST_OF_A_PHOTOGRAPH),
            )
            for name, split, captions in json.loads(_member(opened, _CAPTIONS, _MOST_LISTED))
        ]


def _fetch(spec: CaptionsSpec, settings: Settings, folder: Path, progress: Progress, limits: Limits) -> None:
    """Get the photographs from the first place that gives the right content, and write them into the cache."""
    search = Search(
        title=f"the photographs with captions {spec.name!r}",
        groups=[(source.captions, source.photographs) for source in spec.sources],
        folder=spec.folder,
        kept=folder.parent / "downloads",
        settings=settings,
        limits=limits,
        progress=progress,
    )
    for candidate in search.candidates():
        edition = spec.sources[candidate.group].edition
        try:
            captioned = read_captions(candidate.paths[0], photographs=spec.photographs)
            if (found := digest_of(captioned)) != spec.captions_digest:
                raise DamagedSourceError(f"its captions have digest {found}, expected {spec.captions_digest}")
            progress.say(f"Reading {len(captioned):,} photographs")
            photographs = with_files(candidate.paths[1], captioned)
            for each in photographs:
                pixels_of(each)
            parts = {
                "training": [each for each in photographs if each.split != "test"],
                "test": [each for each in photographs if each.split == "test"],
            }
            contents = {part: digest_of(of_part) for part, of_part in parts.items()}
            if not edition and (found := digest_of_parts(contents)) != spec.digest:
                raise DamagedSourceError(f"its content has digest {found}, expected {spec.digest}")
        except DamagedSourceError as error:
            search.refuse(candidate, error.message)
            continue
        with files.folder_built_whole(folder) as building:
            for part, of_part in parts.items():
                files.write_bytes(building / f"{part}.zip", _archive_of(of_part))
            files.write_json(building / _CONTENTS, {"schema_version": 1, "edition": edition, **contents})
        files.remove(search.kept)
        about = f", {edition}" if edition else ""
        progress.say(f"{spec.title}: {len(photographs):,} photographs in splits{about}, in {folder}.")
        return
    raise search.failed()


def _archive_of(photographs: Sequence[Captioned]) -> bytes:
    """Photographs and their captions as an archive; what is compressed already is stored as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        listed = [[each.name, each.split, list(each.captions)] for each in photographs]
        archive.writestr(zipfile.ZipInfo(_CAPTIONS), json.dumps(listed))
        for each in photographs:
            archive.writestr(zipfile.ZipInfo(each.name), each.content)
    return buffer.getvalue()
