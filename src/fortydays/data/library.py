"""Every dataset by its name: arrays of the catalog, public photographs and texts, captions, and a reader's own."""

from pathlib import Path

from fortydays.base.errors import unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import cache, captions, catalog, photographs, store, texts
from fortydays.data.arrays import Dataset, TrainingData
from fortydays.data.cache import Verification
from fortydays.data.captions import CaptionsSpec
from fortydays.data.own import dataset as own
from fortydays.data.photographs import PhotographsSpec
from fortydays.data.spec import DatasetSpec
from fortydays.data.texts import TextsSpec
from fortydays.inputs.input import Input
from fortydays.inputs.ngrams import Ngrams
from fortydays.inputs.wordpieces import Wordpieces

Spec = DatasetSpec | PhotographsSpec | TextsSpec | CaptionsSpec


def every() -> dict[str, Spec]:
    """What the program itself knows of datasets that it can fetch, by name, in the order to list them."""
    return {**catalog.DATASETS, **photographs.PHOTOGRAPHS, **texts.TEXTS, **captions.CAPTIONS}


def pinned(name: str) -> Spec:
    """What the program itself knows of a dataset that it can fetch.

    Raises:
        UsageError: there is none of that name; suggests near misses.
    """
    known = every()
    if name not in known:
        raise unknown_name("dataset", name, known)
    return known[name]


def edition(name: str) -> tuple[int, str]:
    """The version of a dataset's published content, and the licence. Raises UsageError."""
    if own.is_own(name):
        return 1, "the reader's own; not stated"
    spec = pinned(name)
    return spec.version, spec.licence


def load(name: str, settings: Settings, progress: Progress = SILENT) -> Dataset:
    """A dataset by the name that a study gives it; it is fetched first where it can be and is missing.

    Raises:
        UsageError: there is no dataset of that name.
        DataError: no place can give it, or it is of a reader's own and not in this workspace.
        StorageError: the workspace cannot be read or written.
    """
    if own.is_own(name):
        return own.load(own.read(name, settings), settings)
    spec = pinned(name)
    if isinstance(spec, PhotographsSpec):
        return photographs.load(spec, settings, progress)
    if isinstance(spec, TextsSpec):
        return texts.load(spec, settings, progress)
    if isinstance(spec, CaptionsSpec):
        return captions.load(spec, settings, progress)
    return store.load(spec, settings, progress)


def taken_by(dataset: Dataset, takes: Input, settings: Settings) -> TrainingData:
    """A dataset as a model takes it that was trained on an earlier state of it: of texts, with its own vocabulary.

    Raises as :func:`load`.
    """
    if isinstance(takes, Ngrams | Wordpieces) and own.is_own(dataset.name) and takes != dataset.training.input:
        from fortydays.data.own.texts.arrays import taken_by as texts_taken_by

        return texts_taken_by(own.read(dataset.name, settings), takes, dataset.training, settings)
    return dataset.training


def get(name: str, settings: Settings, progress: Progress = SILENT) -> Path:
    """Make sure that a dataset that the program knows is in the cache, every byte of it. Raises as :func:`load`.

    Returns:
        Its folder.
    """
    spec = pinned(name)
    if isinstance(spec, PhotographsSpec):
        return photographs.get(spec, settings, progress, thorough=True)
    if isinstance(spec, TextsSpec):
        return texts.get(spec, settings, progress)
    if isinstance(spec, CaptionsSpec):
        return captions.get(spec, settings, progress)
    return store.get(spec, settings, progress)


def verify(name: str, settings: Settings) -> Verification:
    """Read every byte of a dataset that the program knows and compare with what it should be; change nothing.

    Raises as :func:`load`, and DataError where it is not in the cache.
    """
    spec = pinned(name)
    if isinstance(spec, TextsSpec):
        return texts.verify(spec, settings)
    if isinstance(spec, CaptionsSpec):
        return captions.verify(spec, settings)
    return photographs.verify(spec, settings) if isinstance(spec, PhotographsSpec) else store.verify(spec, settings)


def place(name: str, settings: Settings) -> tuple[Path, bool]:
    """The folder of a dataset that the program knows, and whether it is in the cache. Raises UsageError."""
    spec = pinned(name)
    if isinstance(spec, PhotographsSpec):
        return photographs.folder(spec, settings), photographs.cached(spec, settings)
    if isinstance(spec, TextsSpec):
        return cache.path(spec, settings), texts.cached(spec, settings)
    if isinstance(spec, CaptionsSpec):
        return cache.path(spec, settings), captions.cached(spec, settings)
    return cache.path(spec, settings), store.cached(spec, settings)
