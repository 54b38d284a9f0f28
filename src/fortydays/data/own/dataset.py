"""A reader's photographs or texts as a dataset: what was used at one moment, as what, under a name that says so.

Each such state is a file, ``own/NAME/<digest>.json`` in the workspace: the classes, and of each photograph the digest
of its bytes, its class, its split, and where its pixels are; of each text likewise. The reader may add, move or delete
some afterwards: a study, and a model made from it, still finds what it was made with, because it is kept by content.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.images import PREPARATION
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.own.pixels import folder_of, kept_pixels, pixel_file
from fortydays.data.own.rows import rows_of
from fortydays.data.own.splitting import SPLIT_VERSION, SPLITS
from fortydays.inputs.images import IMAGE, Images
from fortydays.tasks.classification import Classification

if TYPE_CHECKING:
    from fortydays.data.own.inspection import Inspection
    from fortydays.data.version_documents import DataVersion

PREFIX = "own:"
"""What the name of such a dataset begins with in a study: ``own:NAME@<start of its digest>``."""

PHOTOGRAPHS, TEXTS = "photographs", "texts"
"""The kinds of what a reader may have. The documents call what they list so."""

TEXT_PREPARATION = 1
"""Number of the way from a text to the arrays that a network is given."""

_NAME = re.compile(r"own:([a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)@([0-9a-f]{12})")
_SCHEMA = 1
_DIGITS = 12
_DAMAGE = (KeyError, TypeError, ValueError, IndexError, OverflowError)
"""What a document that is not what it should be leads to."""


class Keeps(Protocol):
    """What keeps contents: a collection of photographs or of texts; its folder, kind, and pixels a side, or 0."""

    folder: Path
    kind: str
    side: int


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnExamples:
    """The photographs, or the texts, of one state: which, and as what.

    Attributes:
        collection: the name of the collection that keeps them.
        kind: :data:`PHOTOGRAPHS` or :data:`TEXTS`.
        digest: SHA-256 over the classes and the digest, class and split of every one.
        side: pixels of the prepared images, upwards and sideways; 0 of texts.
        classes: the names of the classes; position is label.
        paths: of each photograph below the reader's folder, or the line of a text in the reader's table; in the order
            of their contents, as all that follows.
        contents: SHA-256 of each, ascending.
        labels: of each, int64, shape (n,).
        splits: position in :data:`~fortydays.data.own.splitting.SPLITS` of each, int64, shape (n,).
        rows: where the pixels of each are, or its text begins, int64, shape (n,).
        data_version: name, number and digest of the version of a reader's data that they were taken from; or None.
    """

    collection: str
    kind: str = PHOTOGRAPHS
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

    def of(self, split: str) -> NDArray[np.int64]:
        """The positions of the photographs of a split, ascending."""
        return np.flatnonzero(self.splits == SPLITS.index(split))


def label_of(data_version: Mapping[str, Any] | None) -> str:
    """What a reader calls a data version that was written down, such as ``flowers@v2``; "" for none."""
    return f"{data_version['name']}@v{data_version['number']}" if data_version else ""


def is_own(name: str) -> bool:
    """Whether a dataset's name is that of a reader's photographs or texts."""
    return name.startswith(PREFIX)


def collection_of(name: str) -> str:
    """The name of the collection that has the photographs ``own:NAME@DIGEST``. Raises UsageError."""
    found = _NAME.fullmatch(name)
    if not found:
        raise UsageError(
            f"{shown(name)} names no data of your own; expected own:NAME@DIGEST, as `forty fit` writes it."
        )
    return found[1]


def features_folder(name: str, digest: str, settings: Settings) -> Path:
    """Where features are kept that pretrained networks have computed of the examples of a dataset, a file a split."""
    place = (is_own(name) and settings.own) or settings.workspace
    return place / "features" / f"{name}-{digest[:_DIGITS]}"


def documents_of(folder: Path) -> list[Path]:
    """The files of all states that were written down of a collection, sorted."""
    return sorted(folder.glob(f"{'[0-9a-f]' * _DIGITS}.json"))


def keep(
    inspection: "Inspection",
    collection: "Keeps",
    *,
    name: str,
    data_version: "DataVersion | None" = None,
) -> OwnExamples:
    """Write down what is used of a reader's photographs or texts, so that it can be found again.

    The version of a reader's data that they were taken from is written down, too. Where the same ones were taken from
    one earlier, that stays.

    Args:
        inspection: what is used.
        collection: what keeps the contents.
        name: of the collection.
        data_version: that they were taken from.

    Raises:
        StorageError: the workspace cannot be written.
    """
    # In an order that renaming a file does not change: the order of training, and so its bits, follow it.
    used = sorted(inspection.used, key=lambda each: each.sha256)
    number = {label: position for position, label in enumerate(inspection.classes)}
    examples = [[each.path, each.sha256, number[each.label], SPLITS.index(each.split), each.row] for each in used]
    kind, side = collection.kind, collection.side
    digest = _digest(inspection.classes, [entry[1:4] for entry in examples], kind=kind, side=side)
    path = collection.folder / f"{digest[:_DIGITS]}.json"
    document: dict[str, Any] = {
        "schema_version": _SCHEMA,
        "digest": digest,
        "preparation": _PREPARATIONS[kind],
        "side": side,
        "classes": list(inspection.classes),
        kind: examples,
    }
    if data_version:
        document["data_version"] = data_version.model_dump(include={"name", "number", "digest"})
    else:
        with contextlib.suppress(StorageError, *_DAMAGE):  # there is none yet, or it is damaged
            before = _from_document(files.read_json(path), name, digest).data_version
            document |= {"data_version": before} if before else {}
    files.write_json(path, document)
    return _from_document(document, name, digest)


def read(name: str, settings: Settings) -> OwnExamples:
    """The photographs or texts that a study names ``own:NAME@DIGEST``, as they were written down.

    Raises:
        UsageError: the name has another form.
        DataError: this workspace has no such photographs.
        StorageError: what was written down is damaged, or cannot be read.
    """
    collection, start = collection_of(name), name[-_DIGITS:]
    path = folder_of(collection, settings) / f"{start}.json"
    if not files.is_file(path):
        raise DataError(
            f"The photographs or texts {name} are not in the workspace {settings.workspace}.",
            hint=f"They are made with: forty fit FOLDER --name {collection}",
        )
    again = f"It is made again with: forty fit FOLDER --name {collection}"
    try:
        return _from_document(files.read_json(path), collection, start)
    except _DAMAGE as error:
        raise StorageError(f"{path} is damaged.", hint=again) from error
    except StorageError as error:
        raise StorageError(error.message, hint=error.hint or again) from error


def load(photographs: OwnExamples, settings: Settings, *, name: str = "") -> Dataset:
    """The photographs or texts as a dataset; pixels are read when they are asked for.

    Raises:
        DataError: texts are not all kept.
        StorageError: pixels are missing, or the disk has changed texts.
    """
    if photographs.kind == TEXTS:
        from fortydays.data.own.texts.arrays import load_texts

        return load_texts(photographs, settings)
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

    Returns:
        The reason in words, or "".

    Raises:
        DataError, StorageError: as :func:`read`.
    """
    before, now = _NAME.fullmatch(earlier), _NAME.fullmatch(name)
    if not before or not now or before[1] != now[1]:
        return "it was trained on other data or other splits"
    then, today = read(earlier, settings), read(name, settings)
    if (then.kind, then.side) != (today.kind, today.side):
        return "it takes photographs of another size, or texts"
    learned = {then.contents[place] for place in then.of("train")}
    both = sum(today.contents[place] in learned for place in today.of("validation"))
    return f"it has learned from {both:,} of the {today.kind} to validate on" if both else ""


def label_type(classes: int) -> type[np.uint8] | type[np.uint16]:
    """The smallest type that numbers so many classes."""
    return np.uint8 if classes <= 256 else np.uint16


_PREPARATIONS = {PHOTOGRAPHS: PREPARATION, TEXTS: TEXT_PREPARATION}


def _digest(classes: Sequence[str], examples: Sequence[Sequence[Any]], *, kind: str, side: int) -> str:
    """SHA-256 of what a training on the examples depends on: not of their names, and not of where they lie."""
    return files.sha256_of_json(
        {
            "preparation": _PREPARATIONS[kind],
            "side": side,
            "classes": list(classes),
            kind: sorted(map(list, examples)),
        }
    )


def _from_document(document: Mapping[str, Any], collection: str, start: str) -> OwnExamples:
    kind = TEXTS if TEXTS in document else PHOTOGRAPHS
    if document["schema_version"] != _SCHEMA or document["preparation"] != _PREPARATIONS[kind]:
        raise ValueError("of another version of this program")
    entries, classes, side = document[kind], tuple(map(str, document["classes"])), document["side"]
    digest = _digest(classes, [entry[1:4] for entry in entries], kind=kind, side=side)
    if digest != document["digest"] or not digest.startswith(start):
        raise ValueError("another digest")
    paths, contents, labels, splits, rows = zip(*entries, strict=True)
    if min(rows) < 0:
        raise ValueError("a row below zero")
    version = document.get("data_version")
    return OwnExamples(
        collection=collection,
        kind=kind,
        digest=digest,
        side=side,
        classes=classes,
        paths=tuple(map(str, paths)),
        contents=tuple(contents),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, np.int64),
        rows=np.array(rows, np.int64),
        data_version=version
        and {"name": str(version["name"]), "number": int(version["number"]), "digest": str(version["digest"])},
    )
