"""How published files become arrays: one layout for each form in which a dataset is handed round.

A layout knows the names and the largest sizes of its raw files and writes each one's rows into the dataset's
arrays. Everything here is a pure function of bytes. The bytes come from outside, so they are checked before they
are believed: sizes are exact or bounded, pickle is never read, and what an archive says of itself is not used to
decide how much memory to take.
"""

import contextlib
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import DataError
from fortydays.inputs.images import IMAGE
from fortydays.inputs.input import Arrays, Input

_MAX_MEMBERS = 1_000
_SPARE_BYTES = 16 * 2**20  # what an archive may hold besides the files of the layout: readme, licence, scripts


class DamagedSourceError(DataError):
    """Raw files that do not hold what their layout promises."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """All examples of a dataset in their published order: the official training part, then the test part.

    Attributes:
        inputs: the arrays of the dataset's input, each of shape (n, ...).
        labels: uint8, shape (n,).
    """

    inputs: Arrays
    labels: NDArray[np.uint8]

    @property
    def images(self) -> NDArray[np.uint8]:
        """Of images: uint8, shape (n, height, width) or (n, height, width, channels)."""
        return self.inputs[IMAGE]

    @property
    def stored(self) -> dict[str, NDArray[Any]]:
        """All arrays by the names that files of them have: "images", for instance, and "labels"."""
        return {**{stored_as(name): array for name, array in self.inputs.items()}, "labels": self.labels}


def stored_as(name: str) -> str:
    """What files of an input's array are called: the plural of its name."""
    return f"{name.removesuffix('s')}s"


def blank_examples(count: int, of: Input) -> Examples:
    """Zeroed arrays for a layout to write into."""
    return Examples(inputs=of.blank(count), labels=np.zeros(count, np.uint8))


def digest_of(examples: Examples) -> str:
    """The dataset's digest: SHA-256, in hexadecimal, over names, dtypes, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for name, array in examples.stored.items():
        digest.update(f"{name} {array.dtype} {'x'.join(str(size) for size in array.shape)}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).data)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One published file.

    Attributes:
        name: its published name, without folder and without ".gz".
        max_bytes: the most bytes it can have (after decompression, where it was compressed as a whole).
        place: decodes its bytes and writes the rows into the examples; raises ValueError where it cannot.
    """

    name: str
    max_bytes: int
    place: Callable[[bytes, Examples], None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The raw files that together hold all examples of a dataset."""

    files: tuple[RawFile, ...]


# ---------------------------------------------------------------------------------------------- reading containers


def read(paths: Sequence[Path], layout: Layout, examples: Examples, *, inside: str | None = None) -> None:
    """Read all raw files of a layout. Each may be gzip-compressed.

    Args:
        paths: of the raw files in the layout's order, or of the one tar archive that holds them.
        layout: the raw files.
        examples: where to write the rows.
        inside: what stands before the names of the raw files in the archive; None where there is no archive.

    Raises:
        DamagedSourceError: a file is not what it should be, lacks a raw file, or cannot be read.
    """
    if inside is not None:
        (path,) = paths
        with _damage_of(path.name), path.open("rb") as stream:
            _read_members(stream, inside, layout, examples)
        return
    for file, path in zip(layout.files, paths, strict=True):
        with _damage_of(path.name), path.open("rb") as stream:
            _place(file, stream, examples)


def _read_members(stream: IO[bytes], inside: str, layout: Layout, examples: Examples) -> None:
    """Read a tar archive, one member after the other; nothing is extracted to disk.

    Only regular members of the expected names are read, each no larger than its file may be. The archive as a whole
    may hold little else, so that a decompression bomb ends early.
    """
    wanted = {inside + file.name: file for file in layout.files}
    bounded = _BoundedStream(_plain(stream), sum(file.max_bytes * 101 // 100 for file in layout.files) + _SPARE_BYTES)
    # In this mode tarfile calls nothing but read.
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r|") as archive:
        for count, member in enumerate(archive):
            if count >= _MAX_MEMBERS:
                raise ValueError(f"it has more than {_MAX_MEMBERS} members")
            name = member.name.removeprefix("./").removesuffix(".gz")
            if name not in wanted or not member.isreg():
                continue
            file = wanted.pop(name)
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            with _damage_of(file.name):
                _place(file, content, examples)
            if not wanted:
                return
    raise ValueError(f"it holds no regular file {', '.join(sorted(wanted))}")


class _BoundedStream:
    """Reads through to a stream and fails once more than ``limit`` bytes were asked of it."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("it holds far more than the dataset")
        return content


def _plain(stream: IO[bytes]) -> IO[bytes]:
    """The bytes of a stream, decompressed where they are gzip-compressed."""
    compressed = cast("io.BufferedReader", stream).peek(2)[:2] == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if compressed else stream


def _place(file: RawFile, stream: IO[bytes], examples: Examples) -> None:
    content = _plain(stream).read(file.max_bytes + 1)
    if len(content) > file.max_bytes:
        raise ValueError(f"it has more than {file.max_bytes:,} bytes")
    file.place(content, examples)


@contextlib.contextmanager
def _damage_of(name: str) -> Iterator[None]:
    """Turn what decoders raise on wrong bytes into a :class:`DamagedSourceError` that names the file."""
    try:
        yield
    except DamagedSourceError:
        raise
    except (OSError, EOFError, ValueError, SyntaxError, zlib.error, struct.error, tarfile.TarError) as error:
        if isinstance(error, OSError) and error.errno:  # what the system refuses says nothing of the content
            raise DamagedSourceError(f"{name} cannot be read: {error.strerror}") from error
        # PIL raises SyntaxError for some broken PNG chunks.
        raise DamagedSourceError(f"{name} is damaged: {error}") from error


# ---------------------------------------------------------------------------------------------------- the layouts


def idx_layout(*, train: int, test: int, image_shape: tuple[int, int]) -> Layout:
    """The four idx files of MNIST and its kin (LeCun, Cortes and Burges, "The MNIST database").

    Args:
        train: examples in the official training part.
        test: examples in the official test part.
        image_shape: (height, width).
    """
    height, width = image_shape

    def images(name: str, first: int, count: int) -> RawFile:
        def place(content: bytes, examples: Examples) -> None:
            examples.images[first : first + count] = _idx_array(content, (count, height, width))

        return RawFile(name=name, max_bytes=16 + count * height * width, place=place)

    def labels(name: str, first: int, count: int) -> RawFile:
        def place(content: bytes, examples: Examples) -> None:
            examples.labels[first : first + count] = _idx_array(content, (count,))

        return RawFile(name=name, max_bytes=8 + count, place=place)

    return Layout(
        files=(
            images("train-images-idx3-ubyte", 0, train),
            labels("train-labels-idx1-ubyte", 0, train),
            images("t10k-images-idx3-ubyte", train, test),
            labels("t10k-labels-idx1-ubyte", train, test),
        )
    )


def _idx_array(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    # Magic number: two zero bytes, 8 for unsigned bytes, the number of dimensions; then each size, big-endian.
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header):
        raise ValueError(f"its idx header is {content[: len(header)].hex()}, expected {header.hex()}")
    return _exact_bytes(content[len(header) :], shape)


def npz_layout(name: str, *, train: int, test: int, image_shape: tuple[int, ...]) -> Layout:
    """One NumPy archive with x_train, y_train, x_test and y_test, as Keras publishes MNIST.

    Args:
        name: the archive's published file name.
        train: examples in the official training part.
        test: examples in the official test part.
        image_shape: (height, width) or (height, width, channels).
    """
    members = {
        "x_train.npy": (train, *image_shape),
        "y_train.npy": (train,),
        "x_test.npy": (test, *image_shape),
        "y_test.npy": (test,),
    }

    def place(content: bytes, examples: Examples) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                arrays = {member: _npy_array(archive, member, shape) for member, shape in members.items()}
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error
        examples.images[:train] = arrays["x_train.npy"]
        examples.labels[:train] = arrays["y_train.npy"]
        examples.images[train:] = arrays["x_test.npy"]
        examples.labels[train:] = arrays["y_test.npy"]

    content_bytes = sum(int(np.prod(shape)) for shape in members.values())
    return Layout(files=(RawFile(name=name, max_bytes=content_bytes + 2**16, place=place),))


def _npy_array(archive: zipfile.ZipFile, member: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array of known shape from an .npz; numpy.load would take as much memory as the header claims."""
    size = int(np.prod(shape))
    if archive.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member} is compressed in an unexpected way")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member} has .npy version {version}, expected (1, 0)")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=10_000)
        if found != shape or fortran or dtype != np.uint8:
            raise ValueError(f"{member} has shape {found} and dtype {dtype}, expected {shape} and uint8")
        return _exact_bytes(file.read(size + 1), shape)


def cifar_binary_layout(*, batches: int, rows: int, classes: int) -> Layout:
    """The binary version of CIFAR-10 (Krizhevsky 2009): per image a label byte, then the red, green and blue planes.

    Args:
        batches: how many training files of ``rows`` images there are; one test file follows.
        rows: images in each file.
        classes: how many classes the labels name.
    """
    side, channels = 32, 3
    record = 1 + channels * side * side

    def file(name: str, first: int) -> RawFile:
        def place(content: bytes, examples: Examples) -> None:
            table = _exact_bytes(content, (rows, record))
            if int(table[:, 0].max()) >= classes:
                raise ValueError(f"it has a label {int(table[:, 0].max())}, expected 0 to {classes - 1}")
            planes = table[:, 1:].reshape(rows, channels, side, side)
            examples.images[first : first + rows] = planes.transpose(0, 2, 3, 1)
            examples.labels[first : first + rows] = table[:, 0]

        return RawFile(name=name, max_bytes=rows * record, place=place)

    names = [*(f"data_batch_{batch}.bin" for batch in range(1, batches + 1)), "test_batch.bin"]
    return Layout(files=tuple(file(name, rows * position) for position, name in enumerate(names)))


def cifar_png_layout(*, batches: int, rows: int, classes: int) -> Layout:
    """CIFAR-10 as PNG sheets: one image a row of 1,024 RGB pixels; the labels are JSON lists.

    Args:
        batches: how many training sheets of ``rows`` images there are; one test sheet follows.
        rows: images on each sheet.
        classes: how many classes the labels name.
    """
    side, channels = 32, 3

    def sheet(name: str, first: int) -> RawFile:
        def place(content: bytes, examples: Examples) -> None:
            from PIL import Image

            # Width, height, 8 bits a channel, RGB: checked before the decoder takes memory for what they claim.
            expected = b"".join(size.to_bytes(4, "big") for size in (side * side, rows)) + bytes([8, 2])
            if content[16:26] != expected:
                raise ValueError(f"its PNG header says {content[16:26].hex()}, expected {expected.hex()}")
            with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
                pixels = np.asarray(picture)
            examples.images[first : first + rows] = pixels.reshape(rows, side, side, channels)

        # PNG stores incompressible rows as they are, with a filter byte each and a little framing.
        return RawFile(name=name, max_bytes=rows * (1 + channels * side * side) * 11 // 10 + 2**16, place=place)

    def labels(name: str, first: int, count: int) -> RawFile:
        def place(content: bytes, examples: Examples) -> None:
            values = json.loads(content)
            valid = isinstance(values, list) and len(values) == count
            if not valid or not all(type(value) is int and 0 <= value < classes for value in values):
                raise ValueError(f"expected a list of {count} whole numbers from 0 to {classes - 1}")
            examples.labels[first : first + count] = values

        return RawFile(name=name, max_bytes=16 * count + 1024, place=place)

    train = batches * rows
    sheets = [sheet(f"data_batch_{batch}.png", rows * (batch - 1)) for batch in range(1, batches + 1)]
    return Layout(
        files=(
            *sheets,
            sheet("test_batch.png", train),
            # The package spells it so.
            labels("train_lables.json", 0, train),
            labels("test_lables.json", train, rows),
        )
    )


def digits_layout(*, count: int) -> Layout:
    """The handwritten digits that scikit-learn carries: 64 pixels from 0 to 16 and a label on each line.

    A pixel p becomes ``p * 255 // 16``, so that 0 stays 0 and 16 becomes 255, as in other datasets of bytes.

    Args:
        count: lines in the file.
    """
    side = 8

    def place(content: bytes, examples: Examples) -> None:
        table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.int64, ndmin=2, max_rows=count + 1)
        if table.shape != (count, side * side + 1):
            raise ValueError(f"it has shape {table.shape}, expected {(count, side * side + 1)}")
        pixels, labels = table[:, :-1], table[:, -1]
        if pixels.min() < 0 or pixels.max() > 16 or labels.min() < 0 or labels.max() > 9:
            raise ValueError("expected pixels from 0 to 16 and labels from 0 to 9")
        examples.images[:] = (pixels * 255 // 16).reshape(count, side, side)
        examples.labels[:] = labels

    return Layout(files=(RawFile(name="digits.csv", max_bytes=count * 3 * (side * side + 1) + 1024, place=place),))


def _exact_bytes(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    expected = int(np.prod(shape))
    if len(content) != expected:
        found = f"more than {expected:,}" if len(content) > expected else f"{len(content):,}"
        raise ValueError(f"it holds {found} bytes of data, expected {expected:,}")
    return np.frombuffer(content, np.uint8).reshape(shape)
