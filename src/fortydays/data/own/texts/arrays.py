"""A reader's texts as a dataset: the n-grams of each, made once of the kept texts, and read when they are asked for.

In the workspace, in ``own/NAME/<digest>.ngrams/`` for those of words, in ``<digest>.runs/`` for those of characters,
in ``<digest>.wordpieces/`` for the pieces of words that an encoder takes: the vocabulary, and the arrays of all texts
in the order of their contents. What is lost or damaged is made again: it follows from the kept texts alone, and from
the encoder's published vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import weights as published
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.own.dataset import OwnExamples, label_type
from fortydays.data.own.pixels import folder_of
from fortydays.data.own.splitting import SPLIT_VERSION
from fortydays.data.own.texts.kept import kept_texts
from fortydays.data.own.texts.vocabulary import Counted, Numbered, Runs, learn_vocabulary
from fortydays.inputs.input import Arrays
from fortydays.inputs.ngrams import CHARACTERS, NGRAMS, VALUES, WORDS, Ngrams
from fortydays.inputs.wordpieces import PADDING, PIECES, WORDPIECES, Wordpieces
from fortydays.tasks.classification import Classification

_DOCUMENT = "input.json"
_FILES = {NGRAMS: "ngrams.npy", VALUES: "values.npy", PIECES: "tokens.npy"}
ENDINGS = {WORDS: ".ngrams", CHARACTERS: ".runs", WORDPIECES: ".wordpieces"}
"""By what texts are read as: what the name of the folder with their arrays ends with."""

_SOUGHT = {WORDS: "words", CHARACTERS: "runs of characters", WORDPIECES: "pieces of words"}
_READ_BY: dict[str, type[Ngrams] | type[Wordpieces]] = {WORDS: Ngrams, CHARACTERS: Ngrams, WORDPIECES: Wordpieces}

ENCODER = "minilm"
"""The network whose pieces of words texts are cut into."""

MOST_PIECES_OF_TEXT = 128
"""So many pieces of a text are taken at most: MiniLM computes some 30 ms for them, and a gate asks for 50 at most."""

_STEP, _SHARE = 32, 95
"""Lengths are multiples of this; so many of a hundred training texts are taken whole."""


def load_texts(texts: OwnExamples, settings: Settings, progress: Progress = SILENT, *, units: str = WORDS) -> Dataset:
    """The texts as a dataset.

    Args:
        texts: that are kept.
        settings: the workspace.
        progress: told of the work.
        units: what n-grams are made of: one of :data:`~fortydays.inputs.ngrams.UNITS`; or "wordpieces", for the pieces
            of words that an encoder takes.

    Raises:
        DataError: they are not all kept, or the encoder's vocabulary cannot be had.
        StorageError: the disk has changed them, or the workspace cannot be read or written.
    """
    takes, arrays = prepared(texts, settings, progress, units=units)

    def split(of: str) -> Split:
        places = texts.of(of)
        return Split(
            inputs={name: np.ascontiguousarray(array[places]) for name, array in arrays.items()},
            labels=texts.labels[places].astype(label_type(len(texts.classes))),
        )

    def wording(places: Sequence[int]) -> list[str]:
        validation = texts.of("validation")
        contents = [texts.contents[validation[place]] for place in places]
        return kept_texts(folder_of(texts.collection, settings), contents)

    return Dataset(
        name=texts.name,
        digest=texts.digest,
        split_version=SPLIT_VERSION,
        classes=texts.classes,
        training=TrainingData(
            input=takes,
            task=Classification(classes=len(texts.classes)),
            train=split("train"),
            validation=split("validation"),
        ),
        test=SealedSplit(lambda: split("test")),
        texts=lambda reading: load_texts(texts, settings, progress, units=reading.units),
        wording=wording,
    )


def taken_by(
    texts: OwnExamples, takes: Ngrams | Wordpieces, training: TrainingData, settings: Settings
) -> TrainingData:
    """The validation texts as a model takes them that has another vocabulary, for that model to be judged by.

    Args:
        texts: of the dataset.
        takes: what the model takes.
        training: the dataset's; of it the labels, and the training texts, stay as they are.
        settings: the workspace.

    Raises:
        DataError, StorageError: as :func:`load_texts`.
    """
    places = texts.of("validation")
    kept = kept_texts(folder_of(texts.collection, settings), [texts.contents[each] for each in places])
    encoded = [takes.encode(text) for text in kept]
    inputs = {spec.name: np.stack([each[spec.name] for each in encoded]) for spec in takes.arrays}
    return replace(training, input=takes, validation=Split(inputs=inputs, labels=training.validation.labels))


def prepared(
    texts: OwnExamples, settings: Settings, progress: Progress = SILENT, *, units: str = WORDS
) -> tuple[Ngrams | Wordpieces, dict[str, NDArray[np.generic]]]:
    """What a network takes of some texts, and the arrays of all of them as read-only memory maps. Raises as above."""
    place = folder_of(texts.collection, settings) / f"{texts.digest[:12]}{ENDINGS[units]}"
    for attempt in range(2):
        with files.locked(place.with_name(f".{place.name}.lock")):
            if not files.is_folder(place):
                _make(place, texts, settings, progress, units)
        try:
            return _read(place, texts, units)
        except (ValueError, KeyError, TypeError, StorageError) as error:
            if attempt:
                raise StorageError(f"{place} cannot be read: {error}") from error
            aside = files.set_aside(place)
            progress.warn(f"{place} was damaged. It is kept as {aside.name}, and made again.")
    raise AssertionError


def prepared_ngrams(
    texts: OwnExamples, settings: Settings, progress: Progress = SILENT, *, units: str = WORDS
) -> tuple[Ngrams, dict[str, NDArray[np.generic]]]:
    """The same of words or of characters. Raises as :func:`load_texts`."""
    takes, arrays = prepared(texts, settings, progress, units=units)
    assert isinstance(takes, Ngrams)
    return takes, arrays


def pieces_of_texts(texts: OwnExamples, settings: Settings, progress: Progress = SILENT) -> Wordpieces:
    """What an encoder takes of some texts. Raises as :func:`load_texts`."""
    takes, _ = prepared(texts, settings, progress, units=WORDPIECES)
    assert isinstance(takes, Wordpieces)
    return takes


def _make(place: Path, texts: OwnExamples, settings: Settings, progress: Progress, units: str) -> None:
    takes: Ngrams | Wordpieces
    rows: Iterator[Arrays]
    if units == WORDPIECES:
        takes, rows = _in_pieces(texts, settings, progress)
    else:
        takes, rows = _in_ngrams(texts, settings, progress, units)
    task, count = f"Looking up {_SOUGHT[units]}", len(texts.contents)
    arrays = {spec.name: np.empty((count, *spec.shape), spec.dtype) for spec in takes.arrays}
    progress.start(task, total=float(count), unit="texts")
    for number, row in enumerate(rows):
        for name, array in row.items():
            arrays[name][number] = array
        if number % 1_000 == 0:
            progress.advance(task, done=float(number))
    progress.finish(task)
    for other in place.parent.glob(f"*{place.suffix}"):  # of earlier states; whoever needs them makes them again
        files.remove(other)
    with files.folder_built_whole(place) as building:
        digests = {}
        for name, array in arrays.items():
            path = building / _FILES[name]
            with files.storage_errors("write", path):
                np.save(path, array)
            digests[name] = files.sha256_of_file(path)
        files.write_json(building / _DOCUMENT, {"input": takes.as_dict(), "sha256": digests})


def _in_ngrams(
    texts: OwnExamples, settings: Settings, progress: Progress, units: str
) -> tuple[Ngrams, Iterator[Arrays]]:
    """What a network on n-grams takes, and the arrays of each text."""
    kept = kept_texts(folder_of(texts.collection, settings), texts.contents)
    train = texts.of("train")
    counted: Counted = Runs(kept) if units == CHARACTERS else Numbered(kept, progress)
    del kept
    takes, lookup = learn_vocabulary(counted, train, texts.labels[train], classes=len(texts.classes))
    return takes, (takes.arrays_of(lookup.numbers(counted.keys(row))) for row in range(len(counted)))


def _in_pieces(texts: OwnExamples, settings: Settings, progress: Progress) -> tuple[Wordpieces, Iterator[Arrays]]:
    """What an encoder takes, and the arrays of each text.

    It is as many pieces as 95 of a hundred training texts have at most, rounded up, and not too many.
    """
    vocabulary = published.vocabulary_of(ENCODER, settings, progress)
    kept = kept_texts(folder_of(texts.collection, settings), texts.contents)
    longest = Wordpieces(length=MOST_PIECES_OF_TEXT, vocabulary=vocabulary)
    counts = [int((longest.encode(kept[place])[PIECES] != PADDING).sum()) for place in texts.of("train")]
    usual = int(np.percentile(counts, _SHARE, method="higher"))
    takes = replace(longest, length=min(MOST_PIECES_OF_TEXT, -(-usual // _STEP) * _STEP))
    return takes, map(takes.encode, kept)


def _read(place: Path, texts: OwnExamples, units: str) -> tuple[Ngrams | Wordpieces, dict[str, NDArray[np.generic]]]:
    document = files.read_json(place / _DOCUMENT)
    takes, arrays = _READ_BY[units].from_dict(document["input"]), {}
    for spec in takes.arrays:
        path = place / _FILES[spec.name]
        if files.sha256_of_file(path) != document["sha256"][spec.name]:
            raise ValueError("the disk has changed it")
        with files.storage_errors("read", path):
            array = np.load(path, mmap_mode="r")
        if array.dtype != spec.dtype or array.shape != (len(texts.contents), *spec.shape):
            raise ValueError("it is of other texts")
        arrays[spec.name] = array
    return takes, arrays
