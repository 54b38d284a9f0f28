"""What a pretrained network makes of images, as what a variant learns from: computed once, and kept.

A variant with features trains a small network on what a large one, which stays as it is, has made of every image. That
is computed by ONNX Runtime from the very file that becomes part of the exported model (:mod:`fortydays.study.frozen`),
once for each image, and appended to a file: interrupted, it goes on where it stopped; photographs that are added later
cost what they are. A catalog's test images get theirs when the split is opened. Those of a reader's photographs, which
all lie in one file, are computed together: no label has a part in that.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import size_in_words
from fortydays.data.arrays import Dataset, SealedSplit, Split
from fortydays.data.own.rows import append_rows, checksums_in, checksums_of, forget_pages, rows_of, scattered
from fortydays.inputs.images import Images
from fortydays.inputs.numbers import NUMBERS, Numbers
from fortydays.models.backbones import find_backbone

if TYPE_CHECKING:
    import keras

    from fortydays.study.frozen import Frozen
    from fortydays.train.framework import ModelBuilder

AT_ONCE = 16
"""Images that are computed together: always as many, so that an image's numbers do not depend on its neighbours."""

LARGEST_SIDE = 512
"""Pixels that images may be enlarged to."""

MOST_BYTES = 6 * 2**30
"""Of the features of a training split, which are kept in memory while it is learned from."""

_ROWS_KEPT_AT_ONCE = 256


def runtime() -> str:
    """The version of ONNX Runtime, which computes features here: another one may round them another way."""
    return metadata.version("onnxruntime")


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a variant learns from, in the place of pixels.

    Attributes:
        backbone: the network that makes it, by its name in :data:`~fortydays.models.backbones.BACKBONES`.
        side: pixels that images are enlarged or reduced to first, upwards and sideways.
        before_last_block: False for what comes out at the end, averaged over the places in the image; True for what
            the network's last block is given, so that this block can be trained further.
        pretrained: False for the same network with random weights, which shows what having seen ImageNet is worth.
        seed: of these random weights.
    """

    backbone: str
    side: int
    before_last_block: bool = False
    pretrained: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        find_backbone(self.backbone)
        if not isinstance(self.side, int) or not 32 <= self.side <= LARGEST_SIDE:
            raise UsageError(
                f"Features are of images of {self.side!r} pixels; expected a whole number from 32 to {LARGEST_SIDE}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of what a network on these features is given; float32."""
        backbone = find_backbone(self.backbone)
        if not self.before_last_block:
            return 1, 1, backbone.features
        places = -(-self.side // 32)
        return places, places, backbone.block_features

    def as_dict(self) -> dict[str, Any]:
        """As JSON values. A seed of 0 is left out, as it was before there were others."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "seed" or value}


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What a variant's trials are trained and measured on.

    Attributes:
        dataset: its images, or their features.
        builder: builds its model, with the weights of the part that was pretrained.
        frozen: the network that made the features, or None.
    """

    dataset: Dataset
    builder: "ModelBuilder"
    frozen: "Frozen | None" = None


def prepare(
    dataset: Dataset,
    builder: "ModelBuilder",
    *,
    features: Features | None,
    examples: int | None,
    seed: int | None = None,
    settings: Settings,
    progress: Progress = SILENT,
) -> Prepared:
    """The dataset that a variant learns from, and the builder of its model.

    Args:
        dataset: the study's.
        builder: the variant's.
        features: the variant's, or None for the images themselves.
        examples: training images of each class; None for all.
        seed: of which images these are; None for the first ones.
        settings: the workspace, and threads.
        progress: told of the work.

    Raises:
        DataError: the weights of the backbone cannot be had, or there is no room for the features.
        StorageError: the workspace cannot be written.
    """
    if features is None:
        return Prepared(dataset=with_few(dataset, examples, seed=seed), builder=builder)
    from fortydays.study.frozen import frozen_network

    images = dataset.training.input
    if not isinstance(images, Images):
        raise UsageError(
            f"Features are made of images, but the examples of {dataset.name!r} are {images.KIND}.",
            hint="Leave the variant's features unset.",
        )
    frozen = frozen_network(features, images.shape, settings, progress)
    _check_room(features, len(dataset.training.train))

    def of(split: Split, name: str) -> Split:
        found = _features_of(split, name, dataset, frozen, settings, progress)
        return Split(inputs={NUMBERS: found}, labels=split.labels)

    return Prepared(
        dataset=with_few(with_features(dataset, frozen.features, of), examples, seed=seed),
        builder=filled(builder, features, settings, progress),
        frozen=frozen,
    )


def with_features(dataset: Dataset, features: Features, make: Callable[[Split, str], Split]) -> Dataset:
    """A dataset of images with features in the place of pixels.

    ``make`` gives a split with features for a split of images and its name. It is called for the training, then for
    the validation split; for the test split when that is opened.
    """
    training = dataclasses.replace(
        dataset.training,
        input=Numbers(shape=features.shape),
        train=make(dataset.training.train, "training"),
        validation=make(dataset.training.validation, "validation"),
    )
    return dataclasses.replace(dataset, training=training, test=SealedSplit(lambda: make(dataset.test.open(), "test")))


def filled(
    builder: "ModelBuilder", features: Features, settings: Settings, progress: Progress = SILENT
) -> "ModelBuilder":
    """A builder whose models begin with the pretrained weights of the part that is trained further, where one is.

    The weights are read when a model is first built.
    """
    if not (features.before_last_block and features.pretrained):
        return builder
    from fortydays.models.backbones import fill_last_blocks
    from fortydays.study.frozen import pretrained_model

    @functools.cache
    def pretrained() -> "keras.Model":
        return pretrained_model(features, settings, progress)

    def build() -> "keras.Model":
        model = builder()
        fill_last_blocks(model, pretrained())
        return model

    return build


def with_few(dataset: Dataset, examples: int | None, *, seed: int | None = None) -> Dataset:
    """The dataset with so many training examples of each class, or with all; see :func:`some_of_each_class`."""
    if examples is None:
        return dataset
    return with_rows(dataset, some_of_each_class(dataset.training.train.labels, examples, seed=seed))


def with_rows(dataset: Dataset, rows: NDArray[np.intp]) -> Dataset:
    """The dataset with some of its training examples."""
    train = _rows_of_split(dataset.training.train, rows)
    return dataclasses.replace(dataset, training=dataclasses.replace(dataset.training, train=train))


def first_of_each_class(split: Split, count: int) -> Split:
    """The first ``count`` examples of each class, in the order of the split; all of a class that has no more."""
    return _rows_of_split(split, some_of_each_class(split.labels, count))


_SUBSET = 3  # keeps these random numbers apart from those of the order and of augmentation


def some_of_each_class(labels: NDArray[Any], count: int, *, seed: int | None = None) -> NDArray[np.intp]:
    """The places of ``count`` examples of each class, from the first to the last; all of a class that has no more.

    Args:
        labels: of the examples.
        count: how many of each class.
        seed: which draws them; None for the first ones. With one seed, a smaller count gives some of a larger one.
    """
    labels = np.asarray(labels)
    order = np.arange(len(labels))
    if seed is not None:
        order = np.random.default_rng([seed, 0, _SUBSET]).permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == label][:count] for label in np.unique(labels)]))


def _rows_of_split(split: Split, chosen: NDArray[np.intp]) -> Split:
    labels = np.asarray(split.labels)

    def rows_of_array(array: NDArray[Any]) -> NDArray[Any]:
        rows = scattered(array)
        if rows is not None:
            return rows_of(rows.source, rows.places[chosen], file=rows.file)
        found: NDArray[Any] = np.asarray(array)[chosen]
        return found

    inputs = {name: rows_of_array(array) for name, array in split.inputs.items()}
    return Split(inputs=inputs, labels=labels[chosen])


def _check_room(features: Features, examples: int) -> None:
    needed = 4 * examples * int(np.prod(features.shape))
    if needed > MOST_BYTES:
        raise DataError(
            f"The features of {examples:,} images before the last block of {features.backbone} take "
            f"{size_in_words(needed)} of memory; expected at most {size_in_words(MOST_BYTES)}.",
            hint="Train a head alone on so many, without fine-tuning.",
        )


def _features_of(
    split: Split, name: str, dataset: Dataset, frozen: "Frozen", settings: Settings, progress: Progress
) -> NDArray[np.float32]:
    """The features of a split: from the file that has them, which gets those that are missing."""
    task = f"Features of the {name} images, {frozen.title}"
    rows = scattered(split.array)
    if rows is not None:
        # Photographs of a reader's own: their features lie beside their pixels, in the same order, whatever split
        # they are in, and are those of every study that uses them. No label has a part in it.
        task = f"Features of the photographs, {frozen.title}"
        path = rows.file.with_name(f"{rows.file.stem}.{frozen.kept_as}.features")
        needed = int(rows.places.max()) + 1 if len(rows) else 0
        every = rows_of(rows.source, np.arange(needed), file=rows.file)  # checked as they are read
        found = extended(path, every, frozen, settings, progress, task=task)
        return np.ascontiguousarray(found[rows.places])
    images = split.array
    digest = f"{len(split)}-{files.sha256_of_bytes(np.ascontiguousarray(images[:64]).tobytes())[:12]}"
    folder = files.make_folder(settings.workspace / "features" / f"{dataset.name}-{dataset.digest[:12]}")
    path = folder / f"{name}-{digest}.{frozen.kept_as}.features"
    return np.asarray(extended(path, images, frozen, settings, progress, task=task))


def extended(
    path: Path,
    images: NDArray[np.uint8],
    frozen: "Frozen",
    settings: Settings,
    progress: Progress = SILENT,
    *,
    task: str,
) -> NDArray[np.float32]:
    """The features of images, of which a file has the first ones already; the others are computed and added to it.

    Args:
        path: of the file: the features row by row, as they lie in memory. Rows are only ever added.
        images: uint8, shape (n, height, width[, channels]).
        frozen: what makes them.
        settings: threads.
        progress: told of the images.
        task: what to call the work.

    Returns:
        A read-only memory map: float32, shape (n, *frozen.shape).

    Raises:
        DataError: there is not enough room.
        StorageError: the file cannot be read or written.
    """
    size = 4 * int(np.prod(frozen.shape))
    files.make_folder(path.parent)
    with files.locked(path.with_name(f".{path.name}.lock")):
        done = _rows_that_are_right(path, frozen, progress)
        if done < len(images):
            _check_disk(path, (len(images) - done) * size)
            compute = frozen.session(threads=settings.threads)
            progress.start(task, total=float(len(images)), unit="images")
            try:
                for start in range(done, len(images), _ROWS_KEPT_AT_ONCE):
                    stop = min(start + _ROWS_KEPT_AT_ONCE, len(images))
                    content = compute(images[start:stop])
                    forget_pages(images)  # or all of a large folder would be in memory in the end
                    append_rows(path, content, after=start)
                    progress.advance(task, done=float(stop))
            finally:
                progress.finish(task)
    if not len(images):
        return np.zeros((0, *frozen.shape), np.float32)
    with files.storage_errors("read", path):
        return np.memmap(path, np.float32, "r", shape=(len(images), *frozen.shape))


def _rows_that_are_right(path: Path, frozen: "Frozen", progress: Progress) -> int:
    """How many rows of features a file has. One with a row that the disk has changed is set aside."""
    if not files.is_file(path):
        return 0
    size = 4 * int(np.prod(frozen.shape))
    checksums = checksums_in(path)
    with files.storage_errors("read", path):
        rows = min(path.stat().st_size // size, len(checksums))
        if not rows:
            return 0
        found = np.memmap(path, np.float32, "r", shape=(rows, *frozen.shape))
    right = bool((checksums_of(found) == checksums[:rows]).all())
    forget_pages(found)
    if right:
        return rows
    aside = files.set_aside(path)
    progress.warn(f"{path} is damaged: the disk has changed it. It is kept as {aside.name}, and computed anew.")
    return 0


def _check_disk(path: Path, needed: int) -> None:
    free = files.free_bytes(path.parent)
    if needed > free:
        raise DataError(
            f"The features need {size_in_words(needed)} in {path.parent}; there is room for {size_in_words(free)}.",
            hint="Make room, or let FORTYDAYS_HOME name a folder on a larger disk.",
        )
