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
import math
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import DataError
from fortydays.data.arrays import Split

_MAX_MEMBERS = 1_000
_SPARE_BYTES = 16 * 2**20  # what an archive may hold besides the files of the layout: readme, licence, scripts


class DamagedSourceError(DataError):
    """Raw files that do not hold what their layout promises."""


def stored_as(name: str) -> str:
    """What files of an input's array are called: the plural of its name."""
    return f"{name.removesuffix('s')}s"


def stored(examples: Split) -> dict[str, NDArray[Any]]:
    """All arrays by the names that files of them have: "images", for instance, and "labels"."""
    return {**{stored_as(name): array for name, array in examples.inputs.items()}, "labels": examples.labels}


def digest_of(examples: Split) -> str:
    """The dataset's digest: SHA-256, in hexadecimal, over names, dtypes, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for name, array in stored(examples).items():
        digest.update(f"{name} {array.dtype} {'x'.join(str(size) for size in array.shape)}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).data)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One published file: its name without folder and ".gz", and the most bytes that it can have, decompressed.

    What ``place`` is given are its bytes; it writes the rows into the examples, and raises ValueError where it cannot.
    """

    name: str
    max_bytes: int
    place: Callable[[bytes, Split], None]


Layout = tuple[RawFile, ...]
"""The raw files that together hold all examples of a dataset."""


# ---------------------------------------------------------------------------------------------- reading containers


def read(paths: Sequence[Path], layout: Layout, examples: Split, *, inside: str | None = None) -> None:
    """Read all raw files of a layout. Each may be gzip-compressed.

    The paths are those of the raw files in the layout's order, or of the one tar archive that holds them. Then
    ``inside`` stands before their names in the archive.

    Raises:
        DamagedSourceError: a file is not what it should be, lacks a raw file, or cannot be read.
    """
    if inside is not None:
        (path,) = paths
        with _damage_of(path.name), path.open("rb") as stream:
            _read_members(stream, inside, layout, examples)
        return
    for file, path in zip(layout, paths, strict=True):
        with _damage_of(path.name), path.open("rb") as stream:
            _place(file, stream, examples)


def _read_members(stream: IO[bytes], inside: str, layout: Layout, examples: Split) -> None:
    """Read a tar archive, one member after the other; nothing is extracted to disk.

    The archive as a whole may hold little but the expected files, so that a decompression bomb ends early.
    """
    wanted = {inside + file.name: file for file in layout}
    bounded = _BoundedStream(_plain(stream), sum(file.max_bytes * 101 // 100 for file in layout) + _SPARE_BYTES)
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


def _place(file: RawFile, stream: IO[bytes], examples: Split) -> None:
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


def _rows(name: str, max_bytes: int, array: str, first: int, decode: Callable[[bytes], Any]) -> RawFile:
    """A raw file with rows of the "images" or of the "labels", from row ``first`` on."""

    def place(content: bytes, examples: Split) -> None:
        rows = decode(content)
        target = examples.labels if array == "labels" else examples.array
        target[first : first + len(rows)] = rows

    return RawFile(name=name, max_bytes=max_bytes, place=place)


def idx_layout(*, train: int, test: int, image_shape: tuple[int, int]) -> Layout:
    """The four idx files of MNIST and its kin (LeCun, Cortes and Burges, "The MNIST database").

    So many examples are in the official training and test parts, of (height, width).
    """
    found = []
    for part, first, count in (("train", 0, train), ("t10k", train, test)):
        shape = (count, *image_shape)
        images, labels = partial(_idx_array, shape=shape), partial(_idx_array, shape=(count,))
        found.append(_rows(f"{part}-images-idx3-ubyte", 16 + math.prod(shape), "images", first, images))
        found.append(_rows(f"{part}-labels-idx1-ubyte", 8 + count, "labels", first, labels))
    return tuple(found)


def _idx_array(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    # Magic number: two zero bytes, 8 for unsigned bytes, the number of dimensions; then each size, big-endian.
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header):
        raise ValueError(f"its idx header is {content[: len(header)].hex()}, expected {header.hex()}")
    return _exact_bytes(content[len(header) :], shape)


def npz_layout(name: str, *, train: int, test: int, image_shape: tuple[int, ...]) -> Layout:
    """One NumPy archive with x_train, y_train, x_test and y_test, as Keras publishes MNIST.

    So many examples are in the official training and test parts, of (height, width) or (height, width, channels).
    """
    parts = {"train": (slice(None, train), train), "test": (slice(train, None), test)}

    def place(content: bytes, examples: Split) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for part, (rows, count) in parts.items():
                    examples.array[rows] = _npy_array(archive, f"x_{part}.npy", (count, *image_shape))
                    examples.labels[rows] = _npy_array(archive, f"y_{part}.npy", (count,))
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error

    max_bytes = (train + test) * (math.prod(image_shape) + 1) + 2**16
    return (RawFile(name=name, max_bytes=max_bytes, place=place),)


def _npy_array(archive: zipfile.ZipFile, member: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array of known shape from an .npz; numpy.load would take as much memory as the header claims."""
    if archive.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member} is compressed in an unexpected way")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member} has .npy version {version}, expected (1, 0)")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=10_000)
        if found != shape or fortran or dtype != np.uint8:
            raise ValueError(f"{member} has shape {found} and dtype {dtype}, expected {shape} and uint8")
        return _exact_bytes(file.read(math.prod(shape) + 1), shape)


_SIDE, _CHANNELS = 32, 3  # of the images of CIFAR


def cifar_binary_layout(*, batches: int, rows: int, classes: int) -> Layout:
    """The binary version of CIFAR-10 (Krizhevsky 2009): per image a label byte, then the red, green and blue planes.

    There are so many training files of ``rows`` images, and one test file.
    """
    record = 1 + _CHANNELS * _SIDE * _SIDE

    def file(name: str, first: int) -> RawFile:
        def place(content: bytes, examples: Split) -> None:
            table = _exact_bytes(content, (rows, record))
            if int(table[:, 0].max()) >= classes:
                raise ValueError(f"it has a label {int(table[:, 0].max())}, expected 0 to {classes - 1}")
            planes = table[:, 1:].reshape(rows, _CHANNELS, _SIDE, _SIDE)
            examples.array[first : first + rows] = planes.transpose(0, 2, 3, 1)
            examples.labels[first : first + rows] = table[:, 0]

        return RawFile(name=name, max_bytes=rows * record, place=place)

    names = [*(f"data_batch_{batch}.bin" for batch in range(1, batches + 1)), "test_batch.bin"]
    return tuple(file(name, rows * position) for position, name in enumerate(names))


def cifar_png_layout(*, batches: int, rows: int, classes: int) -> Layout:
    """CIFAR-10 as PNG sheets: one image a row of 1,024 RGB pixels; the labels are JSON lists.

    There are so many training sheets of ``rows`` images, and one test sheet.
    """

    def pixels(content: bytes) -> NDArray[np.uint8]:
        from PIL import Image

        # Width, height, 8 bits a channel, RGB: checked before the decoder takes memory for what they claim.
        expected = b"".join(size.to_bytes(4, "big") for size in (_SIDE * _SIDE, rows)) + bytes([8, 2])
        if content[16:26] != expected:
            raise ValueError(f"its PNG header says {content[16:26].hex()}, expected {expected.hex()}")
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            return np.asarray(picture).reshape(rows, _SIDE, _SIDE, _CHANNELS)

    def labels(content: bytes, count: int) -> list[int]:
        values = json.loads(content)
        valid = isinstance(values, list) and len(values) == count
        if not valid or not all(type(value) is int and 0 <= value < classes for value in values):
            raise ValueError(f"expected a list of {count} whole numbers from 0 to {classes - 1}")
        return list(values)

    # PNG stores incompressible rows as they are, with a filter byte each and a little framing.
    sheet_bytes = rows * (1 + _CHANNELS * _SIDE * _SIDE) * 11 // 10 + 2**16
    names = [*(f"data_batch_{batch}.png" for batch in range(1, batches + 1)), "test_batch.png"]
    sheets = [_rows(name, sheet_bytes, "images", rows * place, pixels) for place, name in enumerate(names)]
    lists = [
        # The package spells it so.
        _rows(f"{part}_lables.json", 16 * count + 1024, "labels", first, partial(labels, count=count))
        for part, first, count in (("train", 0, batches * rows), ("test", batches * rows, rows))
    ]
    return (*sheets, *lists)


def digits_layout(*, count: int) -> Layout:
    """The handwritten digits that scikit-learn carries: 64 pixels from 0 to 16 and a label on each line.

    A pixel p becomes ``p * 255 // 16``, so that 0 stays 0 and 16 becomes 255, as in other datasets of bytes.
    """
    side = 8

    def place(content: bytes, examples: Split) -> None:
        table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.int64, ndmin=2, max_rows=count + 1)
        if table.shape != (count, side * side + 1):
            raise ValueError(f"it has shape {table.shape}, expected {(count, side * side + 1)}")
        pixels, labels = table[:, :-1], table[:, -1]
        if pixels.min() < 0 or pixels.max() > 16 or labels.min() < 0 or labels.max() > 9:
            raise ValueError("expected pixels from 0 to 16 and labels from 0 to 9")
        examples.array[:] = (pixels * 255 // 16).reshape(count, side, side)
        examples.labels[:] = labels

    return (RawFile(name="digits.csv", max_bytes=count * 3 * (side * side + 1) + 1024, place=place),)


def _exact_bytes(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    expected = math.prod(shape)
    if len(content) != expected:
        found = f"more than {expected:,}" if len(content) > expected else f"{len(content):,}"
        raise ValueError(f"it holds {found} bytes of data, expected {expected:,}")
    return np.frombuffer(content, np.uint8).reshape(shape)
