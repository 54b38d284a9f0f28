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
from fortydays.base.errors import DataError, FortydaysError
from fortydays.base.settings import Settings
from fortydays.data.own.dataset import PREFIX, TEXTS, OwnExamples, collection_of, features_folder, read
from fortydays.data.own.pixels import folder_of, kept_pixels, pixel_file
from fortydays.data.own.rows import append_rows, checksums_in, checksums_of, rows_of
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
        settings = dataclasses.replace(settings, workspace=copy)
        _check_whole(read(name, settings), settings)
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
    """How many bytes the pixels of a copy would have, or the texts that are kept. Raises as :func:`read`."""
    examples = read(name, settings)
    if examples.kind == TEXTS:
        folder = folder_of(examples.collection, settings)
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return len(examples.rows) * 3 * examples.side**2


def write_alone(name: str, settings: Settings, folder: Path) -> None:
    """Write the copy of a state into an empty folder, which is a workspace then.

    What was computed of the examples goes with it: n-grams, pieces of words, and features of pretrained networks.

    Raises:
        DataError: this workspace does not have the state.
        StorageError: the disk has changed an example, or the folder cannot be written.
    """
    examples = read(name, settings)
    alone = dataclasses.replace(settings, workspace=folder)
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
    """The pixels, and the features that all of them have. Returns the row of each photograph."""
    path = pixel_file(here, examples.side)
    _gather(kept_pixels(here, examples.side), examples, path, there)
    for features in sorted(here.glob(f"{path.stem}.*.features")):
        # Who computes more of them holds this lock. Without them, a node computes its own.
        with contextlib.suppress(TimeoutError), files.locked(features.with_name(f".{features.name}.lock"), timeout=0):
            source = _whole_rows(features)
            if source is not None and len(examples.rows) and len(source) > int(examples.rows.max()):
                _gather(source, examples, features, there)
    return list(range(len(examples.rows)))


def _whole_rows(path: Path) -> NDArray[np.uint8] | None:
    """The rows of a file that has a checksum for each; None where they do not fit, as after a crash."""
    checksums = checksums_in(path)
    with files.storage_errors("read", path):
        size = path.stat().st_size
        if not len(checksums) or not size or size % len(checksums):
            return None
        rows = np.memmap(path, np.uint8, "r", shape=(len(checksums), size // len(checksums)))
    return rows if (checksums_of(rows[:1]) == checksums[:1]).all() else None


def _gather(source: NDArray[np.uint8], examples: OwnExamples, path: Path, there: Path) -> None:
    """The rows of a file that a state uses, in its order, and their checksums."""
    rows = rows_of(source, examples.rows, file=path)  # checked as they are read
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
    made = [path for path in sorted(here.glob(f"{examples.digest[:12]}.*")) if path.is_dir()]
    computed = features_folder(examples.name, examples.digest, settings)
    pairs = [(path, there / path.name) for path in made]
    pairs.append((computed, features_folder(examples.name, examples.digest, alone)))
    for source, target in pairs:
        for path in sorted(source.glob("*")):  # hidden ones, too: checksums are
            if path.suffix not in _OF_PROCESSES:
                _copy(path, target / path.name)
    return [begins[sha256] for sha256 in examples.contents]


def _copy(source: Path, target: Path) -> None:
    files.make_folder(target.parent)
    with files.storage_errors("read", source), source.open("rb") as file:
        files.write_atomically(target, lambda written: shutil.copyfileobj(file, written))
