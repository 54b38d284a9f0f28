"""The cache of datasets: what is in it is the published content, and loading it costs almost nothing.

Each dataset lies in ``DATASETS/NAME/v<version>.<split version>-<start of the digest>/``::

    training_images.npy   the training examples, then the validation examples, each in published order
    training_labels.npy
    test_images.npy       the test examples; not a byte of them is read before the test split is opened
    test_labels.npy

The rows are stored in the order of the splits, so that each split is a plain slice of a memory map. The digests of
both parts are pinned in the program. Loading hashes the training examples; opening the test split, the test examples.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.cache import PARTS, Cache, Verification, path
from fortydays.data.download import PATIENT, Limits
from fortydays.data.layouts import DamagedSourceError, digest_of, read, stored, stored_as
from fortydays.data.published import Search
from fortydays.data.spec import DatasetSpec
from fortydays.data.splits import split_indices
from fortydays.tasks.classification import Classification


def cached(spec: DatasetSpec, settings: Settings) -> bool:
    """Whether a dataset is in the cache; its content is not checked. Raises StorageError."""
    folder = path(spec, settings)
    names = [*(stored_as(array.name) for array in spec.input.arrays), "labels"]
    return all(files.is_file(folder / f"{part}_{name}.npy") for part in PARTS for name in names)


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
        _cache(spec, settings).check_test()
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
    """Make sure that the cache holds a dataset, every byte of it, and give its folder; raises as :func:`load`."""
    return _cache(spec, settings).get(progress, limits=limits)


def verify(spec: DatasetSpec, settings: Settings) -> Verification:
    """Read every byte of a cached dataset and compare with what is pinned: see :meth:`Cache.verify`."""
    return _cache(spec, settings).verify()


def _cache(spec: DatasetSpec, settings: Settings) -> Cache:
    folder = path(spec, settings)
    return Cache(
        spec=spec,
        settings=settings,
        problem=lambda part: _problem(folder, spec, part),
        fetch=lambda progress, limits: _fetch(spec, settings, folder, progress, limits),
    )


def _arrays(folder: Path, spec: DatasetSpec, part: str) -> Split:
    """Read-only memory maps of a part's files. Raises DamagedSourceError: one has another shape or dtype."""
    rows = spec.sizes.test if part == "test" else spec.sizes.train + spec.sizes.validation

    inputs = {
        array.name: read_array(folder / f"{part}_{stored_as(array.name)}.npy", array.dtype, (rows, *array.shape))
        for array in spec.input.arrays
    }
    return Split(inputs=inputs, labels=read_array(folder / f"{part}_labels.npy", "uint8", (rows,)))


def read_array(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A read-only memory map of a file of the cache. Raises DamagedSourceError: it has another shape or dtype."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedSourceError(f"{path.name} cannot be read: {error}") from error
    if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
        raise DamagedSourceError(f"{path.name} is {array.dtype} {array.shape}, expected {dtype} {shape}")
    return np.asarray(array)


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
        for part, rows in zip(PARTS, (np.concatenate([split.train, split.validation]), split.test), strict=True):
            for name, array in stored(examples).items():
                write_array(building / f"{part}_{name}.npy", array[rows])


def write_array(target: Path, array: NDArray[Any]) -> None:
    """Write a file of the cache. Raises StorageError."""
    # NumPy writes to a file with ndarray.tofile, which loses the system's reason when the disk is full.
    files.write_atomically(target, lambda file: np.lib.format.write_array(SimpleNamespace(write=file.write), array))
