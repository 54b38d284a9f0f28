"""One state of a reader's photographs or texts as a workspace of its own, which can be sent to another machine.

A collection keeps whatever it has met, in the order in which it came, so that a row of it means nothing elsewhere. The
copy has what the state uses and no more, in the order of contents: it is the same wherever it is made, and its name,
which has the digest of the state, says what is in it. Names of files are not in it.
"""

import contextlib
import dataclasses
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, FortydaysError, StorageError
from fortydays.base.settings import Settings
from fortydays.data.own.dataset import PREFIX, TEXTS, OwnExamples, collection_of, features_folder, read
from fortydays.data.own.pixels import folder_of, kept_pixels, pixel_file
from fortydays.data.own.rows import append_rows, checksum_file, checksums_in, checksums_of, damage_file, rows_of
from fortydays.data.own.splitting import SPLITS
from fortydays.data.own.texts.arrays import ENDINGS
from fortydays.data.own.texts.kept import kept_texts, opened

_AT_ONCE = 2**26
"""Bytes of rows that are in memory."""

_OF_PROCESSES = (".lock", ".part")
"""Endings of files that belong to processes which are at work on the others."""


def place_of(name: str, settings: Settings) -> Path:
    """Where a copy of the data ``own:NAME@DIGEST`` lies that was sent to this machine. Raises UsageError."""
    collection_of(name)
    return settings.workspace / "cache" / "own" / name.removeprefix(PREFIX)


def settings_for(name: str, settings: Settings) -> Settings:
    """The settings with which data of a reader's own are found: of this machine's workspace, or of a copy that it has.

    Raises:
        DataError: neither has all of it.
        StorageError: the state is damaged.
    """
    copy = place_of(name, settings)
    try:
        _check_whole(read(name, settings), settings)
    except FortydaysError:
        if not files.is_folder(copy):
            raise
        settings = dataclasses.replace(settings, own=copy)
        examples = read(name, settings)
        _check_whole(examples, settings)
        pixels = pixel_file(folder_of(examples.collection, settings), examples.side)
        if files.is_file(damage_file(pixels)):  # found by a trial; a copy is not mended, it is sent anew
            raise StorageError(f"{pixels} is damaged.", hint="Give the command that sent it again.") from None
    return settings


def _check_whole(examples: OwnExamples, settings: Settings) -> None:
    """Raise DataError or StorageError where a workspace that knows of a state has lost what is in it."""
    folder = folder_of(examples.collection, settings)
    if examples.kind == TEXTS:
        kept_texts(folder, examples.contents)
    elif len(examples.rows) and int(examples.rows.max()) >= len(kept_pixels(folder, examples.side)):
        raise DataError(
            f"The pixels of {examples.name} are not all in {folder}.",
            hint=f"They are made again with: forty fit FOLDER --name {examples.collection}",
        )


def has(name: str, settings: Settings) -> bool:
    """Whether this machine has data of a reader's own, in its workspace or as a copy."""
    try:
        settings_for(name, settings)
    except FortydaysError:
        return False
    return True


def bytes_of(name: str, settings: Settings) -> int:
    """How many bytes the pixels of a copy would have, or its texts. Raises as :func:`write_alone`."""
    examples = read(name, settings)
    if examples.kind == TEXTS:
        texts = kept_texts(folder_of(examples.collection, settings), examples.contents)
        return sum(len(text.encode("utf-8", "replace")) for text in texts)
    return len(examples.rows) * 3 * examples.side**2


def write_alone(name: str, settings: Settings, folder: Path) -> None:
    """Write the copy of a state into an empty folder, for :attr:`~fortydays.base.settings.Settings.own`.

    What was computed of the examples goes with it: n-grams, pieces of words, and features of pretrained networks.

    Raises:
        DataError: this workspace does not have the state.
        StorageError: the disk has changed an example, or the folder cannot be written.
    """
    examples = read(name, settings)
    alone = dataclasses.replace(settings, own=folder)
    here, there = (folder_of(examples.collection, each) for each in (settings, alone))
    document = files.read_json(here / f"{examples.digest[:12]}.json")
    if examples.kind == TEXTS:
        rows = _write_texts(examples, settings, alone)
    else:
        rows = _write_photographs(examples, here, there)
    document.pop("data_version", None)
    document[examples.kind] = [
        ["", sha256, label, split, row]
        for (_, sha256, label, split, _), row in zip(document[examples.kind], rows, strict=True)
    ]
    files.write_json(there / f"{examples.digest[:12]}.json", document)


def _write_photographs(examples: OwnExamples, here: Path, there: Path) -> list[int]:
    """The pixels, and the features that they have. Returns the row of each photograph.

    Those to test on come last: their features are computed later than all others.
    """
    learned = examples.splits != SPLITS.index("test")
    order = np.concatenate([np.flatnonzero(learned), np.flatnonzero(~learned)])
    path = pixel_file(here, examples.side)
    _gather(kept_pixels(here, examples.side), examples.rows[order], path, there)
    for features in sorted(here.glob(f"{path.stem}.*.features")):
        # Who computes more of them holds this lock. Without them, a node computes its own.
        with contextlib.suppress(TimeoutError), files.locked(features.with_name(f".{features.name}.lock"), timeout=0):
            source = _whole_rows(features)
            known = 0 if source is None else int(np.cumprod(examples.rows[order] < len(source)).sum())
            if source is not None and known:
                _gather_features(source, examples.rows[order[:known]], features, there)
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order))
    return [int(row) for row in rows]


def _gather_features(source: NDArray[np.uint8], places: NDArray[np.int64], path: Path, there: Path) -> None:
    try:
        _gather(source, places, path, there)
    except StorageError:  # damaged: a node computes its own, as this machine will
        for left in (there / path.name, checksum_file(there / path.name)):
            files.remove(left)


def _whole_rows(path: Path) -> NDArray[np.uint8] | None:
    """The rows of a file that has a checksum for each; None where they do not fit, as after a crash."""
    checksums = checksums_in(path)
    with files.storage_errors("read", path):
        size = path.stat().st_size
        if not len(checksums) or not size or size % len(checksums):
            return None
        rows = np.memmap(path, np.uint8, "r", shape=(len(checksums), size // len(checksums)))
    return rows if (checksums_of(rows[:1]) == checksums[:1]).all() else None


def _gather(source: NDArray[np.uint8], places: NDArray[np.int64], path: Path, there: Path) -> None:
    """Rows of a file, in an order, and their checksums."""
    rows = rows_of(source, places, file=path)  # checked as they are read
    at_once = max(1, _AT_ONCE // max(1, rows[:1].nbytes))
    files.make_folder(there)
    for start in range(0, len(rows), at_once):
        append_rows(there / path.name, rows[start : start + at_once], after=start)


def _write_texts(examples: OwnExamples, settings: Settings, alone: Settings) -> list[int]:
    """The texts, and what was made of them. Returns where each text begins."""
    here, there = (folder_of(examples.collection, each) for each in (settings, alone))
    texts = kept_texts(here, examples.contents)
    with opened(examples.collection, alone) as collection:
        collection.keep(dict(zip(examples.contents, texts, strict=True)))
        begins = collection.places()
    made = [here / f"{examples.digest[:12]}{ending}" for ending in ENDINGS.values()]
    for place in made:
        with files.locked(place.with_name(f".{place.name}.lock")):
            _copy_folder(place, there / place.name)
    computed, copied = (features_folder(examples.name, examples.digest, each) for each in (settings, alone))
    _copy_folder(computed, copied)
    return [begins[sha256] for sha256 in examples.contents]


def _copy_folder(source: Path, target: Path) -> None:
    for path in sorted(source.glob("*")):  # hidden ones, too: checksums are
        if path.suffix not in _OF_PROCESSES:
            _copy(path, target / path.name)


def _copy(source: Path, target: Path) -> None:
    files.make_folder(target.parent)
    with files.storage_errors("read", source), source.open("rb") as file:
        files.write_atomically(target, lambda written: shutil.copyfileobj(file, written))
