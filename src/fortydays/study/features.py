"""What a pretrained network makes of images or texts, as what a variant learns from: computed once, and kept.

A variant with features trains a small network on what a large one, which stays as it is, has made of every example.
That is computed by ONNX Runtime from the very file that becomes part of the exported model
(:mod:`fortydays.study.frozen`), once for each example, and appended to a file: interrupted, it goes on where it
stopped; photographs that are added later cost what they are. Test images of a catalog, and test texts, get theirs when
the split is opened. Those of a reader's photographs, which all lie in one file, are computed together: no label has a
part in that.
"""

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import size_in_words
from fortydays.data.arrays import Dataset, Reading, SealedSplit, Split
from fortydays.data.own.dataset import features_folder
from fortydays.data.own.rows import append_rows, checksums_in, checksums_of, forget_pages, rows_of, scattered
from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.input import ArraySpec, Input
from fortydays.inputs.numbers import NUMBERS, Numbers
from fortydays.inputs.wordpieces import PIECES, Wordpieces
from fortydays.models.backbones import find_backbone
from fortydays.models.encoders import fill_last_layers, find_encoder
from fortydays.study.word_vectors import with_vectors
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from fortydays.study.frozen import Frozen
    from fortydays.train.framework import ModelBuilder

AT_ONCE = 16
"""Examples that are computed together: always as many, so that one's numbers do not depend on its neighbours."""

LARGEST_SIDE = 512
"""Pixels that images may be enlarged to."""

MOST_BYTES = 6 * 2**30
"""Of the features of a training split, which are kept in memory while it is learned from."""

_ROWS_KEPT_AT_ONCE = 256


def runtime() -> str:
    """The version of ONNX Runtime, which computes features here: another one may round them another way."""
    return metadata.version("onnxruntime")


@dataclass(frozen=True, kw_only=True)
class AnyFeatures(ABC):
    """What a variant learns from, in the place of the examples themselves.

    Attributes:
        NOUN: what one example is called.
        backbone: the network that makes it, by its name.
        pretrained: False for the same network with random weights, which shows what it is worth to have learned.
        seed: of these random weights.
    """

    NOUN: ClassVar[str]

    backbone: str
    pretrained: bool = True
    seed: int = 0

    @property
    @abstractmethod
    def title(self) -> str:
        """The network's name in text."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of what a network on these features is given of one example; float32."""

    @property
    def trained_further(self) -> bool:
        """Whether a part of the network is trained further, behind these features."""
        return False

    @property
    def computed(self) -> bool:
        """Whether there is anything to compute: not where the whole network is trained further, from the examples."""
        return True

    @property
    def kept_as(self) -> str:
        """The type of the numbers in the file that keeps them, and in memory."""
        return "float32"

    @abstractmethod
    def fill(self, model: "keras.Model", pretrained: "keras.Model") -> None:
        """Give the part of a model that is trained further the weights of the whole pretrained network."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """As JSON values; :func:`features_from` reads them. A seed of 0 is left out."""

    @abstractmethod
    def check_takes(self, input: Input, name: str) -> None:
        """Raise UsageError where the examples of the dataset of that name are none that features can be made of."""

    @abstractmethod
    def takes(self, shape: tuple[int, ...]) -> ArraySpec:
        """What the network is given of an example whose one array has a shape."""

    @abstractmethod
    def build(self) -> "keras.Model":
        """The whole network, with random weights from Keras's present state."""

    @abstractmethod
    def frozen_part(self, shape: tuple[int, ...], model: "keras.Model") -> "keras.Model":
        """From examples whose array has a shape, as :meth:`build` takes them, to the features, with a model's weights.

        It takes what :meth:`~fortydays.inputs.input.Input.in_network` makes of the array.
        """

    @abstractmethod
    def from_array(self, part: "keras.Model") -> Callable[[Any], Any]:
        """From a tensor of the array of examples to features. ``part`` is from :meth:`frozen_part`."""


@dataclass(frozen=True, kw_only=True)
class Features(AnyFeatures):
    """What a variant learns from, in the place of pixels.

    The network is one of :data:`~fortydays.models.backbones.BACKBONES`.

    Attributes:
        side: pixels that images are enlarged or reduced to first, upwards and sideways.
        before_last_block: False for what comes out at the end, averaged over the places in the image; True for what
            the network's last block is given, so that this block can be trained further.
    """

    NOUN: ClassVar[str] = "image"

    side: int
    before_last_block: bool = False

    def __post_init__(self) -> None:
        find_backbone(self.backbone)
        if not isinstance(self.side, int) or not 32 <= self.side <= LARGEST_SIDE:
            raise UsageError(
                f"Features are of images of {self.side!r} pixels; expected a whole number from 32 to {LARGEST_SIDE}."
            )

    @property
    def title(self) -> str:
        """Such as "MobileNetV2"."""
        return find_backbone(self.backbone).title

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of what a network on these features is given; float32."""
        backbone = find_backbone(self.backbone)
        if not self.before_last_block:
            return 1, 1, backbone.features
        places = -(-self.side // 32)
        return places, places, backbone.block_features

    @property
    def trained_further(self) -> bool:
        """Whether it is the last block that learns from these."""
        return self.before_last_block

    def fill(self, model: "keras.Model", pretrained: "keras.Model") -> None:
        """The last block."""
        from fortydays.models.backbones import fill_last_blocks

        fill_last_blocks(model, pretrained)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values. A seed of 0 is left out, as it was before there were others."""
        names = ("backbone", "side", "before_last_block", "pretrained", *(["seed"] if self.seed else []))
        return {name: getattr(self, name) for name in names}

    def check_takes(self, input: Input, name: str) -> None:
        """Raise UsageError where the examples are no images."""
        if not isinstance(input, Images):
            raise UsageError(
                f"Features are made of images, but the examples of {name!r} are {input.KIND}.",
                hint="Leave the variant's features unset.",
            )

    def takes(self, shape: tuple[int, ...]) -> ArraySpec:
        """Pixels."""
        return ArraySpec(name=IMAGE, dtype="uint8", shape=shape)

    def build(self) -> "keras.Model":
        """The backbone."""
        return find_backbone(self.backbone).build(self.side)

    def frozen_part(self, shape: tuple[int, ...], model: "keras.Model") -> "keras.Model":
        """From images of any size, from 0 to 1, to features."""
        import keras
        from keras import layers

        from fortydays.models.backbones import in_two

        images = keras.Input(shape, name="images")
        x = images
        if len(shape) == 2:
            x = layers.Reshape((*shape, 1))(x)
        if x.shape[-1] == 1:
            x = layers.Concatenate()([x, x, x])
        if tuple(x.shape[1:3]) != (self.side, self.side):
            x = layers.Resizing(self.side, self.side, interpolation="bilinear")(x)
        if self.before_last_block:
            first, _ = in_two(model, find_backbone(self.backbone))
            x = first(x)
        else:
            x = layers.GlobalAveragePooling2D(keepdims=True)(model(x))
        return keras.Model(images, x, name="frozen")

    def from_array(self, part: "keras.Model") -> Callable[[Any], Any]:
        """From uint8 pixels."""
        import keras

        return lambda images: part(keras.ops.cast(images, "float32") / 255.0, training=False)


@dataclass(frozen=True, kw_only=True)
class TextFeatures(AnyFeatures):
    """What a variant learns from, in the place of the pieces of a text.

    The network is one of :data:`~fortydays.models.encoders.ENCODERS`.

    Attributes:
        length: pieces of words that it is given of a text, as many as the dataset's texts have.
        last_layers: how many of the network's last layers are trained further. With 0, a text has one vector, which
            comes out at the end; with some, a vector for each piece, which is what these layers are given; with all of
            them, it has its pieces.
    """

    NOUN: ClassVar[str] = "text"

    length: int
    last_layers: int = 0

    def __post_init__(self) -> None:
        encoder = find_encoder(self.backbone)
        longest = encoder.longest
        if not isinstance(self.last_layers, int) or not 0 <= self.last_layers <= encoder.layers:
            raise UsageError(
                f"{self.last_layers!r} of the last layers are to be trained further; expected a whole number from 0 "
                f"to {encoder.layers}."
            )
        if not isinstance(self.length, int) or not 3 <= self.length <= longest:
            raise UsageError(
                f"Features are of texts of {self.length!r} pieces of words; expected a whole number from 3 "
                f"to {longest}."
            )

    @property
    def title(self) -> str:
        """Such as "MiniLM"."""
        return find_encoder(self.backbone).title

    @property
    def shape(self) -> tuple[int, ...]:
        """How many numbers the vector, or the vector of each piece, has; float32. Or how many pieces there are."""
        width = find_encoder(self.backbone).features
        if not self.computed:
            return (self.length,)
        return (self.length, width) if self.last_layers else (width,)

    @property
    def trained_further(self) -> bool:
        """Whether there are layers that learn from these."""
        return self.last_layers > 0

    @property
    def computed(self) -> bool:
        """Whether some layers are left that stay as they are."""
        return self.last_layers < find_encoder(self.backbone).layers

    @property
    def kept_as(self) -> str:
        """Vectors of pieces are many: they are kept in half the memory."""
        return "float16" if self.last_layers else "float32"

    def fill(self, model: "keras.Model", pretrained: "keras.Model") -> None:
        """The last layers."""
        fill_last_layers(model, pretrained)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values. What is 0 is left out."""
        names = (
            "backbone",
            "length",
            "pretrained",
            *(name for name in ("last_layers", "seed") if getattr(self, name)),
        )
        return {name: getattr(self, name) for name in names}

    def check_takes(self, input: Input, name: str) -> None:
        """Raise UsageError where the examples are no texts in pieces, or have another number of these."""
        if not isinstance(input, Wordpieces):
            raise UsageError(
                f"Features are made of pieces of words, but the examples of {name!r} are {input.KIND}.",
                hint='Set units="wordpieces" in the recipe; of what is no text, leave the variant\'s features unset.',
            )
        if input.length != self.length:
            raise UsageError(
                f"Features are of texts of {self.length} pieces, but those of {name!r} have {input.length}.",
                hint=f"Set length={input.length}.",
            )

    def takes(self, shape: tuple[int, ...]) -> ArraySpec:
        """Numbers of pieces."""
        return ArraySpec(name=PIECES, dtype="int32", shape=shape)

    def build(self) -> "keras.Model":
        """The encoder."""
        return find_encoder(self.backbone).build(self.length)

    def frozen_part(self, shape: tuple[int, ...], model: "keras.Model") -> "keras.Model":  # noqa: ARG002 - it is known
        """The whole encoder, or its first layers."""
        encoder = find_encoder(self.backbone)
        return encoder.build_first(model, encoder.layers - self.last_layers) if self.last_layers else model

    def from_array(self, part: "keras.Model") -> Callable[[Any], Any]:
        """From int32 numbers of pieces."""
        return lambda tokens: part(tokens, training=False)


def features_from(document: Mapping[str, Any]) -> AnyFeatures:
    """What :meth:`AnyFeatures.as_dict` wrote."""
    return TextFeatures(**document) if "length" in document else Features(**document)


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What a variant's trials are trained and measured on.

    Attributes:
        dataset: its examples, or their features.
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
    features: AnyFeatures | None,
    vectors: str = "",
    examples: int | None,
    seed: int | None = None,
    settings: Settings,
    progress: Progress = SILENT,
) -> Prepared:
    """The dataset that a variant learns from, and the builder of its model.

    Args:
        dataset: the study's.
        builder: the variant's.
        features: the variant's, or None for the examples themselves.
        vectors: of words, the variant's, or "".
        examples: training examples of each class; None for all.
        seed: of which examples these are; None for the first ones.
        settings: the workspace, and threads.
        progress: told of the work.

    Raises:
        DataError: the weights of the backbone cannot be had, or there is no room for the features.
        StorageError: the workspace cannot be written.
    """
    if features is None:
        builder = with_vectors(builder, vectors, dataset.training.input, settings, progress)
        return Prepared(dataset=with_few(dataset, examples, seed=seed), builder=builder)
    if not features.computed:
        features.check_takes(dataset.training.input, dataset.name)
        drawn = with_few(dataset, examples, seed=seed)
        return Prepared(dataset=drawn, builder=filled(builder, features, settings, progress))
    if features.trained_further:  # they are large: none is computed that is not learned from
        dataset, examples = with_few(dataset, examples, seed=seed), None
    whole, frozen = with_features_of(dataset, features, settings, progress)
    return Prepared(
        dataset=with_few(whole, examples, seed=seed),
        builder=filled(builder, features, settings, progress),
        frozen=frozen,
    )


def with_features_of(
    dataset: Dataset, features: AnyFeatures, settings: Settings, progress: Progress = SILENT
) -> "tuple[Dataset, Frozen]":
    """The dataset with features in the place of its examples, and the network that makes them; raises as above."""
    from fortydays.study.frozen import frozen_network

    features.check_takes(dataset.training.input, dataset.name)
    frozen = frozen_network(features, dataset.training.input.arrays[0].shape, settings, progress)
    _check_room(features, len(dataset.training.train))

    def of(split: Split, name: str) -> Split:
        found = _features_of(split, name, dataset, frozen, settings, progress)
        return Split(inputs={NUMBERS: found}, labels=split.labels, about=split.about)

    return with_features(dataset, frozen.features, of), frozen


def read_as(dataset: Dataset, recipe: Recipe) -> Dataset:
    """The dataset with its texts read as a recipe says; the very dataset, where its examples are no texts.

    Raises:
        UsageError: the recipe asks for what the dataset does not have.
    """
    return dataset.read_as(Reading.of(recipe.as_dict()))


def with_features(dataset: Dataset, features: AnyFeatures, make: Callable[[Split, str], Split]) -> Dataset:
    """A dataset with features in the place of its examples.

    ``make`` gives a split with features for a split of images and its name. It is called for the training, then for
    the validation split; for the test split when that is opened.
    """
    training = dataclasses.replace(
        dataset.training,
        input=Numbers(shape=features.shape, dtype=features.kept_as),
        train=make(dataset.training.train, "training"),
        validation=make(dataset.training.validation, "validation"),
    )
    return dataclasses.replace(dataset, training=training, test=SealedSplit(lambda: make(dataset.test.open(), "test")))


def filled(
    builder: "ModelBuilder", features: AnyFeatures, settings: Settings, progress: Progress = SILENT
) -> "ModelBuilder":
    """A builder whose models begin with the pretrained weights of the part that is trained further, where one is.

    The weights are read when a model is first built.
    """
    if not (features.trained_further and features.pretrained):
        return builder
    from fortydays.study.frozen import pretrained_model

    @functools.cache
    def pretrained() -> "keras.Model":
        return pretrained_model(features, settings, progress)

    def build() -> "keras.Model":
        model = builder()
        features.fill(model, pretrained())
        return model

    return build


def with_few(dataset: Dataset, examples: int | None, *, seed: int | None = None) -> Dataset:
    """The dataset with so many training examples of each class, or with all; see :func:`some_of_each_class`."""
    if examples is None:
        return dataset
    return with_rows(dataset, some_of_each_class(dataset.training.train.labels, examples, seed=seed))


def with_rows(dataset: Dataset, rows: NDArray[np.intp]) -> Dataset:
    """The dataset with some of its training examples."""
    train = rows_of_split(dataset.training.train, rows)
    return dataclasses.replace(dataset, training=dataclasses.replace(dataset.training, train=train))


def first_of_each_class(split: Split, count: int) -> Split:
    """The first ``count`` examples of each class, in the order of the split; all of a class that has no more."""
    return rows_of_split(split, some_of_each_class(split.labels, count))


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


def rows_of_split(split: Split, chosen: NDArray[np.intp]) -> Split:
    """The examples of a split at some places. Photographs of a reader's own stay in their file."""
    labels = np.asarray(split.labels)

    def rows_of_array(array: NDArray[Any]) -> NDArray[Any]:
        rows = scattered(array)
        if rows is not None:
            return rows_of(rows.source, rows.places[chosen], file=rows.file)
        found: NDArray[Any] = np.asarray(array)[chosen]
        return found

    inputs = {name: rows_of_array(array) for name, array in split.inputs.items()}
    about = {name: np.asarray(array)[chosen] for name, array in split.about.items()}
    return Split(inputs=inputs, labels=labels[chosen], about=about)


def _check_room(features: AnyFeatures, examples: int) -> None:
    needed = np.dtype(features.kept_as).itemsize * examples * int(np.prod(features.shape))
    if needed > MOST_BYTES:
        raise DataError(
            f"The features of {examples:,} {features.NOUN}s before the last block of {features.backbone} take "
            f"{size_in_words(needed)} of memory; expected at most {size_in_words(MOST_BYTES)}.",
            hint="Train a head alone on so many, without fine-tuning.",
        )


def _features_of(
    split: Split, name: str, dataset: Dataset, frozen: "Frozen", settings: Settings, progress: Progress
) -> NDArray[np.float32]:
    """The features of a split: from the file that has them, which gets those that are missing."""
    task = f"Features of the {name} {frozen.features.NOUN}s, {frozen.title}"
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
    folder = files.make_folder(features_folder(dataset.name, dataset.digest, settings))
    path = folder / f"{name}-{digest}.{frozen.kept_as}.features"
    noun = frozen.features.NOUN
    return np.asarray(extended(path, images, frozen, settings, progress, task=task, noun=noun))


def extended(
    path: Path,
    images: NDArray[Any],
    frozen: "Frozen",
    settings: Settings,
    progress: Progress = SILENT,
    *,
    task: str,
    noun: str = "image",
) -> NDArray[np.float32]:
    """The features of examples, of which a file has the first ones already; the others are computed and added to it.

    Args:
        path: of the file: the features row by row, as they lie in memory. Rows are only ever added.
        images: the one array of the examples, such as uint8 pixels of shape (n, height, width[, channels]).
        frozen: what makes them.
        settings: threads.
        progress: told of the examples.
        task: what to call the work.
        noun: what to call one example.

    Returns:
        A read-only memory map, shape (n, *frozen.shape), of the type that the features are kept in.

    Raises:
        DataError: there is not enough room.
        StorageError: the file cannot be read or written.
    """
    kept_as = _type_of(frozen)
    size = kept_as.itemsize * int(np.prod(frozen.shape))
    files.make_folder(path.parent)
    with files.locked(path.with_name(f".{path.name}.lock")):
        done = _rows_that_are_right(path, frozen, progress)
        if done < len(images):
            _check_disk(path, (len(images) - done) * size)
            compute = frozen.session(threads=settings.threads)
            progress.start(task, total=float(len(images)), unit=f"{noun}s")
            try:
                for start in range(done, len(images), _ROWS_KEPT_AT_ONCE):
                    stop = min(start + _ROWS_KEPT_AT_ONCE, len(images))
                    content = compute(images[start:stop])
                    forget_pages(images)  # or all of a large folder would be in memory in the end
                    append_rows(path, content.astype(kept_as, copy=False), after=start)
                    progress.advance(task, done=float(stop))
            finally:
                progress.finish(task)
    if not len(images):
        return np.zeros((0, *frozen.shape), kept_as)
    with files.storage_errors("read", path):
        return np.memmap(path, kept_as, "r", shape=(len(images), *frozen.shape))


def _rows_that_are_right(path: Path, frozen: "Frozen", progress: Progress) -> int:
    """How many rows of features a file has. One with a row that the disk has changed is set aside."""
    if not files.is_file(path):
        return 0
    kept_as = _type_of(frozen)
    size = kept_as.itemsize * int(np.prod(frozen.shape))
    checksums = checksums_in(path)
    with files.storage_errors("read", path):
        rows = min(path.stat().st_size // size, len(checksums))
        if not rows:
            return 0
        found = np.memmap(path, kept_as, "r", shape=(rows, *frozen.shape))
    right = bool((checksums_of(found) == checksums[:rows]).all())
    forget_pages(found)
    if right:
        return rows
    aside = files.set_aside(path)
    progress.warn(f"{path} is damaged: the disk has changed it. It is kept as {aside.name}, and computed anew.")
    return 0


def _type_of(frozen: "Frozen") -> np.dtype[Any]:
    return np.dtype(frozen.features.kept_as)


def _check_disk(path: Path, needed: int) -> None:
    free = files.free_bytes(path.parent)
    if needed > free:
        raise DataError(
            f"The features need {size_in_words(needed)} in {path.parent}; there is room for {size_in_words(free)}.",
            hint="Make room, or let FORTYDAYS_HOME name a folder on a larger disk.",
        )
