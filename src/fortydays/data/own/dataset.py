"""A reader's photographs as a dataset: what was used of them at one moment, as what, under a name that says so.

Each such state is a file, ``own/NAME/<digest>.json`` in the workspace: the classes, and of each photograph the digest
of its bytes, its class, its split, and where its pixels are. The reader may add, move or delete photographs
afterwards: a study, and a model made from it, still finds what it was made with, because pixels are kept by content.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.images import PREPARATION
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.own.collection import Collection, folder_of
from fortydays.data.own.inspection import Inspection
from fortydays.data.own.pixels import kept_pixels, pixel_file
from fortydays.data.own.rows import rows_of
from fortydays.data.own.splitting import SPLIT_VERSION, SPLITS
from fortydays.inputs.images import IMAGE, Images
from fortydays.tasks.classification import Classification

if TYPE_CHECKING:
    from fortydays.data.version_documents import DataVersion

PREFIX = "own:"
"""What the name of such a dataset begins with in a study: ``own:NAME@<start of its digest>``."""

_NAME = re.compile(r"own:([a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)@([0-9a-f]{12})")
_SCHEMA = 1
_DIGITS = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnPhotographs:
    """The photographs of one state: which, and as what.

    Attributes:
        collection: the name of the collection that has their pixels.
        digest: SHA-256 over the classes and the digest, class and split of every photograph.
        side: pixels of the prepared images, upwards and sideways.
        classes: the names of the classes; position is label.
        paths: of each photograph below the reader's folder; in the order of their contents, as all that follows.
        contents: SHA-256 of the bytes of each, ascending.
        labels: of each, int64, shape (n,).
        splits: position in :data:`~fortydays.data.own.splitting.SPLITS` of each, int64, shape (n,).
        rows: where the pixels of each are, int64, shape (n,).
        data_version: name, number and digest of the version of a reader's data that they were taken from; or None.
    """

    collection: str
    digest: str
    side: int
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    contents: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    rows: NDArray[np.int64]
    data_version: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What a study calls them."""
        return f"{PREFIX}{self.collection}@{self.digest[:_DIGITS]}"

    @property
    def data_version_label(self) -> str:
        """Such as ``flowers@v2``; "" where they were not taken from a data version."""
        return label_of(self.data_version)

    def of(self, split: str) -> NDArray[np.int64]:
        """The positions of the photographs of a split, ascending."""
        return np.flatnonzero(self.splits == SPLITS.index(split))


def label_of(data_version: Mapping[str, Any] | None) -> str:
    """What a reader calls a data version that was written down, such as ``flowers@v2``; "" for none."""
    return f"{data_version['name']}@v{data_version['number']}" if data_version else ""


def is_own(name: str) -> bool:
    """Whether a dataset's name is that of a reader's photographs."""
    return name.startswith(PREFIX)


def collection_of(name: str) -> str:
    """The name of the collection that has the photographs ``own:NAME@DIGEST``. Raises UsageError."""
    found = _NAME.fullmatch(name)
    if not found:
        raise UsageError(f"{shown(name)} names no photographs; expected own:NAME@DIGEST, as `forty fit` writes it.")
    return found[1]


def documents_of(folder: Path) -> list[Path]:
    """The files of all states that were written down of a collection, sorted."""
    return sorted(folder.glob(f"{'[0-9a-f]' * _DIGITS}.json"))


def keep(
    inspection: Inspection, collection: Collection, *, name: str, data_version: "DataVersion | None" = None
) -> OwnPhotographs:
    """Write down what is used of a reader's photographs, so that it can be found again.

    Args:
        inspection: what was found.
        collection: which has the pixels.
        name: of the collection.
        data_version: of a reader's data that they were taken from. Where the same photographs were taken from one
            earlier, that stays written down.

    Raises:
        StorageError: the workspace cannot be written.
    """
    # In an order that renaming a file does not change: the order of training, and so its bits, follow it.
    used = sorted(inspection.used, key=lambda each: each.sha256)
    number = {label: position for position, label in enumerate(inspection.classes)}
    labels = [number[each.label] for each in used]
    splits = [SPLITS.index(each.split) for each in used]
    contents = [each.sha256 for each in used]
    digest = _digest(inspection.classes, contents, labels, splits, side=collection.side)
    path = collection.folder / f"{digest[:_DIGITS]}.json"
    version = _version_before(path)
    if data_version:
        version = {"name": data_version.name, "number": data_version.number, "digest": data_version.digest}
    kept = OwnPhotographs(
        collection=name,
        digest=digest,
        side=collection.side,
        classes=inspection.classes,
        paths=tuple(each.path for each in used),
        contents=tuple(contents),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, np.int64),
        rows=np.array([each.row for each in used], np.int64),
        data_version=version,
    )
    photographs = [
        [each.path, each.sha256, label, split, each.row]
        for each, label, split in zip(used, labels, splits, strict=True)
    ]
    document = {
        "schema_version": _SCHEMA,
        "digest": digest,
        "preparation": PREPARATION,
        "side": collection.side,
        "classes": list(inspection.classes),
        "photographs": photographs,
        **({"data_version": version} if version else {}),
    }
    files.write_json(path, document)
    return kept


def _version_before(path: Path) -> Mapping[str, Any] | None:
    """The data version that was written down of the same photographs."""
    try:
        return _data_version(files.read_json(path))
    except (StorageError, TypeError, KeyError, ValueError):
        return None


def _data_version(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    told = document.get("data_version")
    if told is None:
        return None
    return {"name": str(told["name"]), "number": int(told["number"]), "digest": str(told["digest"])}


def read(name: str, settings: Settings) -> OwnPhotographs:
    """The photographs that a study names, as they were written down.

    Args:
        name: ``own:NAME@DIGEST``.
        settings: where the workspace is.

    Raises:
        UsageError: the name has another form.
        DataError: this workspace has no such photographs.
        StorageError: what was written down is damaged, or cannot be read.
    """
    collection, start = collection_of(name), name[-_DIGITS:]
    path = folder_of(collection, settings) / f"{start}.json"
    if not files.is_file(path):
        raise DataError(
            f"The photographs {name} are not in the workspace {settings.workspace}.",
            hint=f"They are made with: forty fit FOLDER --name {collection}",
        )
    again = f"It is made again with: forty fit FOLDER --name {collection}"
    try:
        return _from_document(files.read_json(path), collection, start)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise StorageError(f"{path} is damaged.", hint=again) from error
    except StorageError as error:
        raise StorageError(error.message, hint=error.hint or again) from error


def load(photographs: OwnPhotographs, settings: Settings, *, name: str = "") -> Dataset:
    """The photographs as a dataset, whose pixels are read when they are asked for.

    Args:
        photographs: from :func:`read` or :func:`keep`.
        settings: where the workspace is.
        name: of the dataset; that of the photographs if left out.

    Raises:
        StorageError: their pixels are missing.
    """
    folder = folder_of(photographs.collection, settings)
    pixels = kept_pixels(folder, photographs.side)
    if len(photographs.rows) and int(photographs.rows.max()) >= len(pixels):
        raise StorageError(
            f"The pixels of {photographs.name} are not all in {folder}.",
            hint=f"Remove that folder; they are made again with: forty fit FOLDER --name {photographs.collection}",
        )

    def split(of: str) -> Split:
        places = photographs.of(of)
        pixels_of_split = rows_of(pixels, photographs.rows[places], file=pixel_file(folder, photographs.side))
        return Split(
            inputs={IMAGE: pixels_of_split},
            labels=photographs.labels[places].astype(label_type(len(photographs.classes))),
        )

    return Dataset(
        name=name or photographs.name,
        digest=photographs.digest,
        split_version=SPLIT_VERSION,
        classes=photographs.classes,
        training=TrainingData(
            input=Images(shape=pixels.shape[1:]),
            task=Classification(classes=len(photographs.classes)),
            train=split("train"),
            validation=split("validation"),
        ),
        test=SealedSplit(lambda: split("test")),
    )


def was_learned(earlier: str, name: str, settings: Settings) -> str:
    """Why a model of an earlier state of some photographs may not be judged on a later one's validation split.

    A photograph keeps its split, so what is to validate on now was never learned from, unless the splits were made
    anew in between.

    Args:
        earlier: what the model's study calls its photographs.
        name: of the later state.
        settings: where the workspace is.

    Returns:
        The reason in words, or "".

    Raises:
        DataError, StorageError: as :func:`read`.
    """
    before, now = _NAME.fullmatch(earlier), _NAME.fullmatch(name)
    if not before or not now or before[1] != now[1]:
        return "it was trained on other data or other splits"
    then, today = read(earlier, settings), read(name, settings)
    if then.side != today.side:
        return "it takes photographs of another size"
    learned = {then.contents[place] for place in then.of("train")}
    both = sum(today.contents[place] in learned for place in today.of("validation"))
    return f"it has learned from {both:,} of the photographs to validate on" if both else ""


def label_type(classes: int) -> type[np.uint8] | type[np.uint16]:
    """The smallest type that numbers so many classes."""
    return np.uint8 if classes <= 256 else np.uint16


def _digest(
    classes: Sequence[str], contents: Sequence[str], labels: Sequence[int], splits: Sequence[int], *, side: int
) -> str:
    """SHA-256 of what a training on the photographs depends on: not of their names, and not of where they lie."""
    return files.sha256_of_json(
        {
            "preparation": PREPARATION,
            "side": side,
            "classes": list(classes),
            "photographs": sorted([c, int(k), int(s)] for c, k, s in zip(contents, labels, splits, strict=True)),
        }
    )


def _from_document(document: dict[str, Any], collection: str, start: str) -> OwnPhotographs:
    if document["schema_version"] != _SCHEMA or document["preparation"] != PREPARATION:
        raise ValueError("of another version of this program")
    paths, contents, labels, splits, rows = zip(*document["photographs"], strict=True)
    classes = tuple(map(str, document["classes"]))
    numbers = [np.array(each, np.int64) for each in (labels, splits, rows)]
    bounds = (len(classes), len(SPLITS), np.iinfo(np.int64).max)
    if any(int(each.min()) < 0 or int(each.max()) >= most for each, most in zip(numbers, bounds, strict=True)):
        raise ValueError("a number out of range")
    side = int(document["side"])
    digest = _digest(classes, contents, labels, splits, side=side)
    if digest != document["digest"] or not digest.startswith(start):
        raise ValueError("another digest")
    return OwnPhotographs(
        collection=collection,
        digest=digest,
        side=side,
        classes=classes,
        paths=tuple(map(str, paths)),
        contents=tuple(map(str, contents)),
        labels=numbers[0],
        splits=numbers[1],
        rows=numbers[2],
        data_version=_data_version(document),
    )
