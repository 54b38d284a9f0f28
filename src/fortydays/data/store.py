"""The cache of datasets: what is in it is the published content, and loading it costs almost nothing.

Each dataset lies in ``DATASETS/NAME/v<version>.<split version>-<start of the digest>/``::

    training_images.npy   the training examples, then the validation examples, each in published order
    training_labels.npy
    test_images.npy       the test examples; not a byte of them is read before the test split is opened
    test_labels.npy
    order.npy             the published position of every row: training, validation, test
    manifest.json         size, time of change and SHA-256 of each file

The rows are stored in the order of the splits, so that each split is a plain slice of a memory map; ``order.npy``
leads back to the published order, over which the dataset's digest is taken. Loading compares sizes and times of
change with the manifest, and the SHA-256 of the training examples; opening the test split does the same for the test
examples. Where anything differs, the whole content is checked against the digest, which is pinned in the program, not
in the cache.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import catalog, sources
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.data.layouts import Examples, digest_of_rows
from fortydays.data.spec import DatasetSpec, Limits
from fortydays.data.splits import SplitIndices, split_indices
from fortydays.inputs.images import IMAGE, Images
from fortydays.tasks.classification import Classification

MANIFEST = "manifest.json"
_FORMAT = 1
_ROWS_AT_ONCE = 4_096
_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a full check of a cached dataset found.

    Attributes:
        name: the dataset.
        path: its folder in the cache.
        problems: one sentence for each thing that is wrong, naming the file; empty if all is right.
    """

    name: str
    path: Path
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the cache holds the published content."""
        return not self.problems


def path(dataset: str | DatasetSpec, settings: Settings) -> Path:
    """The folder in which a dataset is cached, whether it is there or not.

    Raises:
        UsageError: there is no dataset of that name.
    """
    spec = _spec(dataset)
    folder = f"v{spec.version}.{spec.split_version}-{spec.digest[:12]}"
    return settings.datasets / spec.name / folder


def cached(dataset: str | DatasetSpec, settings: Settings) -> bool:
    """Whether a dataset is in the cache; its content is not checked.

    Raises:
        UsageError: there is no dataset of that name.
        StorageError: the cache cannot be looked into.
    """
    return files.is_file(path(dataset, settings) / MANIFEST)


def load(
    dataset: str | DatasetSpec,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = _DEFAULT_LIMITS,
) -> Dataset:
    """A dataset, from the cache; it is fetched first where it is missing or damaged.

    The arrays are read-only memory maps. Several processes may load the same dataset at once: one fetches it.

    Args:
        dataset: a name of the catalog, or a spec.
        settings: where the cache is, and whether the network may be used.
        progress: told what is done, and warned of damage.
        limits: how patient to be with sources.

    Raises:
        UsageError: there is no dataset of that name.
        DataError: no source can give it.
        StorageError: the cache cannot be read or written.
    """
    spec = _spec(dataset)
    folder = path(spec, settings)
    if _suspicions(folder, spec):
        _obtain(spec, settings, progress, limits, thorough=False)
    elif _is_changed(folder, spec, "training"):  # though its times say that it is not: a disk that forgets, for one
        _obtain(spec, settings, progress, limits, thorough=True)
    return _open(folder, spec)


def get(
    dataset: str | DatasetSpec,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = _DEFAULT_LIMITS,
) -> Path:
    """Make sure that the cache holds a dataset, every byte of it: fetch it where missing, check it where present.

    A damaged one is set aside and fetched again. Arguments and errors are those of :func:`load`.

    Returns:
        Its folder in the cache.
    """
    spec = _spec(dataset)
    _obtain(spec, settings, progress, limits, thorough=True)
    return path(spec, settings)


def verify(dataset: str | DatasetSpec, settings: Settings) -> Verification:
    """Read every byte of a cached dataset and compare with what is pinned; change nothing.

    Raises:
        UsageError: there is no dataset of that name.
        DataError: the dataset is not in the cache.
        StorageError: the cache cannot be looked into.
    """
    spec = _spec(dataset)
    folder = path(spec, settings)
    if not files.is_folder(folder):
        raise DataError(
            f"The dataset {spec.name!r} is not in the cache {settings.datasets}.",
            hint=f"Get it with: forty data get {spec.name}",
        )
    return Verification(name=spec.name, path=folder, problems=tuple(_problems(folder, spec)))


def _spec(dataset: str | DatasetSpec) -> DatasetSpec:
    return catalog.find(dataset) if isinstance(dataset, str) else dataset


# --------------------------------------------------------------------------------------------------------- opening


def _shapes(spec: DatasetSpec) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """Shape and dtype of each array file."""
    training = spec.sizes.train + spec.sizes.validation
    return {
        "training_images.npy": ((training, *spec.image_shape), np.uint8),
        "training_labels.npy": ((training,), np.uint8),
        "test_images.npy": ((spec.sizes.test, *spec.image_shape), np.uint8),
        "test_labels.npy": ((spec.sizes.test,), np.uint8),
        "order.npy": ((spec.count,), np.int64),
    }


def _open(folder: Path, spec: DatasetSpec) -> Dataset:
    def read(part: str) -> Split:
        try:
            inputs = {IMAGE: _array(folder, f"{part}_images.npy", spec)}
            return Split(inputs=inputs, labels=_array(folder, f"{part}_labels.npy", spec))
        except ValueError as error:
            raise _damaged(spec, folder, [str(error)]) from error

    def read_test() -> Split:
        # Days may lie between loading and the end of training.
        suspicious = bool(_suspicions(folder, spec)) or _is_changed(folder, spec, "test")
        if suspicious and (problems := _content_problems(folder, spec)):
            raise _damaged(spec, folder, problems)
        return read("test")

    training, size = read("training"), spec.sizes.train
    return Dataset(
        name=spec.name,
        digest=spec.digest,
        split_version=spec.split_version,
        classes=spec.classes,
        training=TrainingData(
            input=Images(shape=spec.image_shape, strokes=spec.strokes),
            task=Classification(classes=len(spec.classes)),
            train=training.rows(slice(size)),
            validation=training.rows(slice(size, None)),
        ),
        test=SealedSplit(read_test),
    )


def _array(folder: Path, name: str, spec: DatasetSpec) -> NDArray[Any]:
    """A memory map of one file, as a plain read-only array.

    Raises:
        ValueError: the file is not an array of the expected shape and dtype.
    """
    shape, dtype = _shapes(spec)[name]
    try:
        array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
    return np.asarray(array)


def _damaged(spec: DatasetSpec, folder: Path, problems: list[str]) -> DataError:
    return DataError(
        f"The cached dataset {spec.name!r} in {folder} is damaged: {'; '.join(problems)}.",
        hint=f"Set it aside and fetch it again with: forty data get {spec.name}",
    )


# -------------------------------------------------------------------------------------------------------- checking


def _suspicions(folder: Path, spec: DatasetSpec) -> list[str]:
    """What makes a cached dataset look changed, without reading it: one "FILE ..." for each file."""
    try:
        known = _manifest_files(folder, spec)
    except StorageError as error:
        return [error.message.rstrip(".")]
    found = []
    for name in _shapes(spec):
        try:
            status = (folder / name).stat()
        except OSError as error:
            found.append(f"{name} cannot be read: {error.strerror}")
            continue
        entry = known[name]
        if status.st_size != entry["size"]:
            found.append(f"{name} has {status.st_size:,} bytes, expected {entry['size']:,}")
        elif status.st_mtime_ns != entry["mtime_ns"]:
            found.append(f"{name} was changed after it was stored")
    return found


def _is_changed(folder: Path, spec: DatasetSpec, part: str) -> bool:
    """Whether the files of a part, "training" or "test", have other bytes than the manifest says; reads them."""
    known = _manifest_files(folder, spec)
    names = (f"{part}_images.npy", f"{part}_labels.npy")
    return any(files.sha256_of_file(folder / name) != known[name]["sha256"] for name in names)


def _manifest_files(folder: Path, spec: DatasetSpec) -> dict[str, dict[str, Any]]:
    """What the manifest says of each file.

    Raises:
        StorageError: the manifest is missing, damaged, or of another dataset.
    """
    manifest = files.read_json(folder / MANIFEST)
    if manifest.get("format") != _FORMAT or manifest.get("digest") != spec.digest:
        raise StorageError(f"{folder / MANIFEST} does not describe this dataset")
    known = manifest.get("files")
    for name in _shapes(spec):
        entry = known.get(name) if isinstance(known, dict) else None
        fields = {"size": int, "mtime_ns": int, "sha256": str}
        if not isinstance(entry, dict) or not all(type(entry.get(key)) is kind for key, kind in fields.items()):
            raise StorageError(f"{folder / MANIFEST} says nothing usable of {name}")
    return dict(manifest["files"])


def _problems(folder: Path, spec: DatasetSpec) -> list[str]:
    """What is wrong with a cached dataset, found by reading all of it: one sentence for each file."""
    try:
        known = _manifest_files(folder, spec)
    except StorageError as error:
        # Without the manifest the pinned digest still tells right from wrong, only not which file is wrong.
        return [error.message.rstrip("."), *_content_problems(folder, spec)]
    found = []
    for name in _shapes(spec):
        try:
            digest = files.sha256_of_file(folder / name)
        except StorageError as error:
            found.append(error.message.rstrip("."))
            continue
        if digest != known[name]["sha256"]:
            found.append(f"{name} has SHA-256 {digest}, expected {known[name]['sha256']}")
    # The manifest's own digests could have been changed together with a file; the pinned one cannot.
    return found or _content_problems(folder, spec)


def _content_problems(folder: Path, spec: DatasetSpec) -> list[str]:
    """Whether the arrays, put back in published order, have the pinned digest and the fixed splits."""
    try:
        stored = {name: _array(folder, name, spec) for name in _shapes(spec)}
    except ValueError as error:
        return [str(error)]
    order = stored["order.npy"]
    if not np.array_equal(np.sort(order), np.arange(spec.count)):
        return ["order.npy is not a permutation"]
    rows = np.argsort(order)

    def published(kind: str) -> Iterator[NDArray[np.uint8]]:
        training, test = stored[f"training_{kind}.npy"], stored[f"test_{kind}.npy"]
        for start in range(0, spec.count, _ROWS_AT_ONCE):
            wanted = rows[start : start + _ROWS_AT_ONCE]
            run = np.empty((len(wanted), *training.shape[1:]), np.uint8)
            in_test = wanted >= len(training)
            run[~in_test] = training[wanted[~in_test]]
            run[in_test] = test[wanted[in_test] - len(training)]
            yield run

    digest = digest_of_rows((spec.count, *spec.image_shape), images=published("images"), labels=published("labels"))
    if digest != spec.digest:
        return [f"the arrays have digest {digest}, expected {spec.digest}"]
    labels = np.concatenate(list(published("labels")))
    if not np.array_equal(order, _stored_order(_split(spec, labels))):
        return ["order.npy is not the order of the fixed splits"]
    return []


# -------------------------------------------------------------------------------------------------------- fetching


def _obtain(spec: DatasetSpec, settings: Settings, progress: Progress, limits: Limits, *, thorough: bool) -> None:
    """Bring the cache into the state in which it holds the dataset.

    Args:
        spec: the dataset.
        settings: where the cache is, and whether the network may be used.
        progress: told what is done.
        limits: how patient to be with sources.
        thorough: read every byte of what is there, even where nothing looks changed.
    """
    folder = path(spec, settings)
    if files.is_folder(folder) and _is_right(folder, spec, thorough=thorough):
        return
    try:
        with _alone(spec, folder.parent, progress):
            files.remove_leftovers(folder.parent)
            if files.exists(folder) and not _mend(spec, folder, progress, thorough=thorough):
                aside = files.set_aside(folder)
                progress.warn(f"The damaged copy was moved to {aside}; {spec.title} is fetched again.")
            if not files.exists(folder):
                _fetch(spec, settings, folder, progress, limits)
    except StorageError:
        # Read-only storage can hold a good copy with other times of change: it cannot be noted as checked.
        if not files.is_folder(folder) or _content_problems(folder, spec):
            raise


def _fetch(spec: DatasetSpec, settings: Settings, folder: Path, progress: Progress, limits: Limits) -> None:
    downloads = folder.parent / "downloads"
    with files.temporary_folder(folder.parent, "scratch") as scratch:
        examples = sources.fetch(
            spec,
            mirror=settings.mirror,
            offline=settings.offline,
            scratch=scratch,
            downloads=downloads,
            limits=limits,
            progress=progress,
        )
    _write(spec, examples, folder)
    files.remove(downloads)
    progress.say(f"{spec.title} is in {folder}.")


@contextlib.contextmanager
def _alone(spec: DatasetSpec, folder: Path, progress: Progress) -> Iterator[None]:
    lock = folder / "lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(lock, timeout=0))
        except TimeoutError:
            progress.say(f"Waiting for another process that is fetching {spec.title}.")
            stack.enter_context(files.locked(lock))
        yield


def _is_right(folder: Path, spec: DatasetSpec, *, thorough: bool) -> bool:
    return not _suspicions(folder, spec) and not (thorough and _problems(folder, spec))


def _mend(spec: DatasetSpec, folder: Path, progress: Progress, *, thorough: bool) -> bool:
    """Whether a cached dataset can be kept. Where only the manifest was at fault, it is written anew."""
    if _is_right(folder, spec, thorough=thorough):
        return True  # another process has seen to it while this one waited
    problems = _problems(folder, spec)
    if _content_problems(folder, spec):
        progress.warn(f"The cached dataset {spec.name!r} is damaged: {'; '.join(problems)}.")
        return False
    # The arrays are right: copied from elsewhere, with other times of change, or only the manifest is damaged.
    for problem in problems:
        progress.warn(f"{problem}. The arrays are right, so the manifest is written anew.")
    _write_manifest(spec, folder, {name: files.sha256_of_file(folder / name) for name in _shapes(spec)})
    return True


def _split(spec: DatasetSpec, labels: NDArray[np.uint8]) -> SplitIndices:
    return split_indices(
        labels,
        digest=spec.digest,
        split_version=spec.split_version,
        sizes=spec.sizes,
        official_test=spec.official_test,
    )


def _stored_order(split: SplitIndices) -> NDArray[np.int64]:
    return np.concatenate([split.train, split.validation, split.test])


def _write(spec: DatasetSpec, examples: Examples, folder: Path) -> None:
    order = _stored_order(_split(spec, examples.labels))
    training = order[: spec.sizes.train + spec.sizes.validation]
    test = order[len(training) :]
    content: dict[str, tuple[NDArray[Any], NDArray[np.int64]]] = {
        "training_images.npy": (examples.images, training),
        "training_labels.npy": (examples.labels, training),
        "test_images.npy": (examples.images, test),
        "test_labels.npy": (examples.labels, test),
        "order.npy": (order, np.arange(len(order), dtype=np.int64)),
    }
    with files.folder_built_whole(folder) as building:
        digests = {name: _write_array(building / name, array, rows) for name, (array, rows) in content.items()}
        _write_manifest(spec, building, digests)


def _write_array(target: Path, array: NDArray[Any], rows: NDArray[np.int64]) -> str:
    """Write some rows of an array as .npy, a few thousand at a time. Returns the file's SHA-256."""
    digest = hashlib.sha256()

    def write(file: IO[bytes]) -> None:
        class _Both:
            def write(self, content: bytes) -> None:
                digest.update(content)
                file.write(content)

        header = {
            "descr": np.lib.format.dtype_to_descr(array.dtype),
            "fortran_order": False,
            "shape": (len(rows), *array.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(_Both(), header)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            # Not ndarray.tofile: it loses the system's reason when the disk is full.
            _Both().write(array[rows[start : start + _ROWS_AT_ONCE]].tobytes())

    files.write_atomically(target, write)
    return digest.hexdigest()


def _write_manifest(spec: DatasetSpec, folder: Path, digests: dict[str, str]) -> None:
    entries = {}
    for name, digest in digests.items():
        with files.storage_errors("read", folder / name):
            status = (folder / name).stat()
        entries[name] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": digest}
    files.write_json(
        folder / MANIFEST,
        {
            "format": _FORMAT,
            "name": spec.name,
            "version": spec.version,
            "split_version": spec.split_version,
            "digest": spec.digest,
            "files": entries,
        },
    )
