"""Every dataset by its name: the catalog's arrays, public photographs, and a reader's own."""

from dataclasses import dataclass

from fortydays.base.errors import unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import catalog, photographs, store
from fortydays.data.arrays import Dataset
from fortydays.data.own import dataset as own
from fortydays.data.own.splitting import SPLIT_VERSION
from fortydays.data.photographs import PhotographsSpec
from fortydays.data.spec import DatasetSpec


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of a dataset that is not pinned in the program; the fields are those of a pinned one."""

    name: str
    digest: str
    classes: tuple[str, ...]
    licence: str
    version: int = 1
    split_version: int = SPLIT_VERSION


Described = DatasetSpec | PhotographsSpec | Description
"""What is known of a dataset without loading it."""


def pinned(name: str) -> DatasetSpec | PhotographsSpec:
    """What the program itself knows of a dataset that it can fetch.

    Raises:
        UsageError: there is none of that name; suggests near misses.
    """
    if name in photographs.PHOTOGRAPHS:
        return photographs.PHOTOGRAPHS[name]
    if name not in catalog.DATASETS:
        raise unknown_name("dataset", name, [*catalog.DATASETS, *photographs.PHOTOGRAPHS])
    return catalog.DATASETS[name]


def describe(name: str, dataset: Dataset) -> Described:
    """What is known of a dataset that was loaded.

    Args:
        name: as a study names it.
        dataset: what :func:`load` gave for it.
    """
    if own.is_own(name):
        return Description(
            name=name, digest=dataset.digest, classes=dataset.classes, licence="the reader's own; not stated"
        )
    spec = pinned(name)
    if spec.digest == dataset.digest:
        return spec
    return Description(name=name, digest=dataset.digest, classes=dataset.classes, licence=spec.licence)


def load(name: str, settings: Settings, progress: Progress = SILENT) -> Dataset:
    """A dataset by the name that a study gives it; it is fetched first where it can be and is missing.

    Raises:
        UsageError: there is no dataset of that name.
        DataError: no place can give it, or it is of a reader's own and not in this workspace.
        StorageError: the workspace cannot be read or written.
    """
    if own.is_own(name):
        return own.load(own.read(name, settings), settings)
    if name in photographs.PHOTOGRAPHS:
        return photographs.load(photographs.PHOTOGRAPHS[name], settings, progress)
    return store.load(pinned(name).name, settings, progress)
