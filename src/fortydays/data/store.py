"""The cache of datasets: what is in it is the published content, and loading it costs almost nothing.

Each dataset lies in ``DATASETS/NAME/v<version>.<split version>-<start of the digest>/``::

    training_images.npy   the training examples, then the validation examples, each in published order
    training_labels.npy
    test_images.npy       the test examples; not a byte of them is read before the test split is opened
    test_labels.npy

The rows are stored in the order of the splits, so that each split is a plain slice of a memory map. The digests of
both parts are pinned in the program. Loading hashes the training examples; opening the test split, the test examples.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files, process
from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.download import PATIENT, Limits
from fortydays.data.layouts import DamagedSourceError, digest_of, read, stored, stored_as
from fortydays.data.published import Search
from fortydays.data.spec import DatasetSpec
from fortydays.data.splits import split_indices
from fortydays.tasks.classification import Classification

_PARTS = ("training", "test")


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a full check of a cached dataset found: one sentence for each thing that is wrong."""

    name: str
    path: Path
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the cache holds the published content."""
        return not self.problems


def path(spec: DatasetSpec, settings: Settings) -> Path:
    """The folder in which a dataset is cached, whether it is there or not."""
    return settings.datasets / spec.name / f"v{spec.version}.{spec.split_version}-{spec.digest[:12]}"


def cached(spec: DatasetSpec, settings: Settings) -> bool:
    """Whether a dataset is in the cache; its content is not checked. Raises StorageError."""
    folder = path(spec, settings)
    names = [*(stored_as(array.name) for array in spec.input.arrays), "labels"]
    return all(files.is_file(folder / f"{part}_{name}.npy") for part in _PARTS for name in names)


def load(spec: DatasetSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Dataset:
    """A dataset, from the cache; it is fetched first where it is missing or damaged.

    The arrays are read-only memory maps. Several processes may load the same dataset at once: one fetches it.

    Raises:
        DataError: no place can give it.
        StorageError: the cache cannot be read or written.
    """
    folder = path(spec, settings)
    if _problem(folder, spec, "training") or _problem(folder, spec, "test", look_only=True):
        get(spec, settings, progress, limits=limits)

    def read_test() -> Split:
        # Days may lie between loading and the end of training.
        if problem := _problem(folder, spec, "test"):
            raise DataError(
                f"The cached dataset {spec.name!r} in {folder} is damaged: {problem}.",
                hint=f"Set it aside and fetch it again with: forty data get {spec.name}",
            )
        return _arrays(folder, spec, "test")

    training, size = _arrays(folder, spec, "training"), spec.sizes.train
    return Dataset(
        name=spec.name,
        digest=spec.digest,
        split_version=spec.split_version,
        classes=spec.classes,
        training=TrainingData(
            input=spec.input,
            task=Classification(classes=len(spec.classes)),
            train=training.rows(slice(size)),
            validation=training.rows(slice(size, None)),
        ),
        test=SealedSplit(read_test),
    )


def get(spec: DatasetSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Path:
    """Make sure that the cache holds a dataset, every byte of it: fetch it where missing, check it where present.

    A damaged one is set aside and fetched again. Raises as :func:`load`.

    Returns:
        Its folder in the cache.
    """
    folder = path(spec, settings)
    if files.is_folder(folder) and not verify(spec, settings).problems:
        return folder
    with process.locked(folder.parent / "lock", waiting=lambda whom: progress.say(f"Waiting for {whom}.")):
        files.remove_leftovers(folder.parent)
        if files.exists(folder) and (problems := verify(spec, settings).problems):
            aside = files.set_aside(folder)
            progress.warn(f"The cached dataset {spec.name!r} is damaged: {'; '.join(problems)}.")
            progress.warn(f"The damaged copy was moved to {aside}; {spec.title} is fetched again.")
        if not files.exists(folder):
            _fetch(spec, settings, folder, progress, limits)
    return folder


def verify(spec: DatasetSpec, settings: Settings) -> Verification:
    """Read every byte of a cached dataset and compare with what is pinned; change nothing.

    Raises:
        DataError: the dataset is not in the cache.
        StorageError: the cache cannot be looked into.
    """
    folder = path(spec, settings)
    if not files.is_folder(folder):
        raise DataError(
            f"The dataset {spec.name!r} is not in the cache {settings.datasets}.",
            hint=f"Get it with: forty data get {spec.name}",
        )
    problems = tuple(problem for part in _PARTS if (problem := _problem(folder, spec, part)))
    return Verification(name=spec.name, path=folder, problems=problems)


def _arrays(folder: Path, spec: DatasetSpec, part: str) -> Split:
    """Read-only memory maps of a part's files. Raises DamagedSourceError: one has another shape or dtype."""
    rows = spec.sizes.test if part == "test" else spec.sizes.train + spec.sizes.validation

    def read(name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DamagedSourceError(f"{name} cannot be read: {error}") from error
        if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
            raise DamagedSourceError(f"{name} is {array.dtype} {array.shape}, expected {dtype} {shape}")
        return np.asarray(array)

    inputs = {
        array.name: read(f"{part}_{stored_as(array.name)}.npy", array.dtype, (rows, *array.shape))
        for array in spec.input.arrays
    }
    return Split(inputs=inputs, labels=read(f"{part}_labels.npy", "uint8", (rows,)))


def _problem(folder: Path, spec: DatasetSpec, part: str, *, look_only: bool = False) -> str:
    """What is wrong with a part of a cached dataset, found by reading all of it, or only its headers; or ""."""
    try:
        examples = _arrays(folder, spec, part)
    except DamagedSourceError as error:
        return error.message
    expected = spec.test_digest if part == "test" else spec.training_digest
    digest = expected if look_only else digest_of(examples)
    return "" if digest == expected else f"the {part} examples have digest {digest}, expected {expected}"


def _fetch(spec: DatasetSpec, settings: Settings, folder: Path, progress: Progress, limits: Limits) -> None:
    """Get a dataset from the first place that gives the right content, and write it into the cache."""
    search = Search(
        title=f"the dataset {spec.name!r}",
        groups=[source.files for source in spec.sources],
        folder=spec.name,
        kept=folder.parent / "downloads",
        settings=settings,
        limits=limits,
        progress=progress,
    )
    for candidate in search.candidates():
        source, examples = spec.sources[candidate.group], _blank(spec)
        try:
            read(candidate.paths, source.layout, examples, inside=source.inside)
            if (found := digest_of(examples)) != spec.digest:
                raise DamagedSourceError(f"its content has digest {found}, expected {spec.digest}")
        except DamagedSourceError as error:
            search.refuse(candidate, error.message)
            continue
        _write(spec, examples, folder)
        files.remove(search.kept)
        progress.say(f"{spec.title} is in {folder}.")
        return
    raise search.failed()


def _blank(spec: DatasetSpec) -> Split:
    """Zeroed arrays for a layout to write into."""
    count = spec.sizes.total
    return Split(inputs=spec.input.blank(count), labels=np.zeros(count, np.uint8))


def _write(spec: DatasetSpec, examples: Split, folder: Path) -> None:
    split = split_indices(
        examples.labels,
        digest=spec.digest,
        split_version=spec.split_version,
        sizes=spec.sizes,
        official_test=spec.official_test,
    )
    with files.folder_built_whole(folder) as building:
        for part, rows in zip(_PARTS, (np.concatenate([split.train, split.validation]), split.test), strict=True):
            for name, array in stored(examples).items():
                _write_array(building / f"{part}_{name}.npy", array[rows])


def _write_array(target: Path, array: NDArray[Any]) -> None:
    # NumPy writes to a file with ndarray.tofile, which loses the system's reason when the disk is full.
    files.write_atomically(target, lambda file: np.lib.format.write_array(SimpleNamespace(write=file.write), array))
