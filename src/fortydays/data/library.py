"""Every dataset by its name: the catalog's arrays, public photographs, and a reader's own."""

from pathlib import Path

from fortydays.base.errors import unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import catalog, photographs, store
from fortydays.data.arrays import Dataset
from fortydays.data.own import dataset as own
from fortydays.data.photographs import PhotographsSpec
from fortydays.data.spec import DatasetSpec


def pinned(name: str) -> DatasetSpec | PhotographsSpec:
    """What the program itself knows of a dataset that it can fetch.

    Raises:
        UsageError: there is none of that name; suggests near misses.
    """
    known: dict[str, DatasetSpec | PhotographsSpec] = {**catalog.DATASETS, **photographs.PHOTOGRAPHS}
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
    return store.load(spec, settings, progress)


def get(name: str, settings: Settings, progress: Progress = SILENT) -> Path:
    """Make sure that a dataset that the program knows is in the cache, every byte of it. Raises as :func:`load`.

    Returns:
        Its folder.
    """
    spec = pinned(name)
    if isinstance(spec, PhotographsSpec):
        return photographs.get(spec, settings, progress, thorough=True)
    return store.get(spec, settings, progress)


def verify(name: str, settings: Settings) -> store.Verification:
    """Read every byte of a dataset that the program knows and compare with what it should be; change nothing.

    Raises as :func:`load`, and DataError where it is not in the cache.
    """
    spec = pinned(name)
    return photographs.verify(spec, settings) if isinstance(spec, PhotographsSpec) else store.verify(spec, settings)


def place(name: str, settings: Settings) -> tuple[Path, bool]:
    """The folder of a dataset that the program knows, and whether it is in the cache. Raises UsageError."""
    spec = pinned(name)
    if isinstance(spec, PhotographsSpec):
        return photographs.folder(spec, settings), photographs.cached(spec, settings)
    return store.path(spec, settings), store.cached(spec, settings)
