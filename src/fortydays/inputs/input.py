"""The interface of all kinds of input."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by their names, all with as many rows as there are examples."""

Cast = Callable[[Any, str], Any]
"""From an array or tensor, and the name of a type, to the same numbers of that type."""

DATATYPES = {"bool": "BOOL", "float32": "FP32", "int32": "INT32", "uint8": "UINT8"}
"""The types that arrays can have, each with its name in the Open Inference Protocol."""

_MOST_DIMENSIONS = 8


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One array that a network is given of each example.

    Attributes:
        name: of the ONNX file's input and of the protocol's tensor.
        dtype: one of :data:`DATATYPES`; "float16" of numbers that are kept in half the memory and never served.
        shape: of one example.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers one example has."""
        return math.prod(self.shape)

    def as_tensor(self) -> dict[str, Any]:
        """In the words of the Open Inference Protocol, as JSON values; -1 is any number of examples."""
        return {"name": self.name, "datatype": DATATYPES[self.dtype], "shape": [-1, *self.shape]}

    def zeros(self, count: int) -> NDArray[Any]:
        """An array of so many examples that are zero."""
        return np.zeros((count, *self.shape), self.dtype)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may be read at all.

    Attributes:
        characters: of a text.
        pixels: of an image that are in memory at once while it is decoded: width times height.
        jpeg_pixels: of a JPEG of which less is in memory at once, where that may be more.
        formats: of image files, in Pillow's words.
    """

    characters: int = 1_000_000
    pixels: int = 20_000_000
    jpeg_pixels: int = 0
    formats: tuple[str, ...] = ("PNG", "JPEG", "WEBP")


class Opened(Protocol):
    """Content whose head was read and found to be in order. Its arrays are not made yet, as that may take long."""

    @property
    def weight(self) -> int:
        """How many pixels or characters there are: those of which there are many are read one at a time."""

    @property
    def note(self) -> str:
        """What is to be said of how the content was read, a sentence; or ""."""

    def arrays(self) -> Arrays:
        """The arrays of this one example.

        Raises:
            UnreadableContentError: the content is damaged.
        """


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """A change of examples that means nothing: a good model answers the same.

    Attributes:
        change: in words that follow "the same answer when".
        ways: from the arrays of some examples to the arrays of the same examples, changed: in one or several ways.
    """

    change: str
    ways: Callable[[Arrays], Iterator[Arrays]]


@dataclass(frozen=True, kw_only=True)
class Input(ABC):
    """What a network is given of an example, and the one way to it from a file, a request or a row.

    Attributes:
        KIND: its name in documents.
        NOUN: what one example is called.
        FIELDS: the recipe's fields that change examples and that this kind knows.
        MEDIA_TYPES: of content that it reads, in HTTP's words; all that begin with one of them.
        SUFFIXES: of files that it reads.
        JSON_FIELD: of a JSON request, the field with examples that need no file; see :meth:`from_json`.
        TEXT_TENSOR: the name of a tensor of texts, BYTES of shape (n,), that the Open Inference Protocol takes in the
            place of the arrays; "" where it takes none.
    """

    KIND: ClassVar[str]
    NOUN: ClassVar[str]
    FIELDS: ClassVar[tuple[str, ...]] = ()
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = ()
    JSON_FIELD: ClassVar[str]
    TEXT_TENSOR: ClassVar[str] = ""

    @property
    @abstractmethod
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays of an example, in their order."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it takes, in words that follow "It takes"."""

    @property
    def of_texts(self) -> bool:
        """Whether an example is a text, so that each row of a table can be one."""
        return self.NOUN == "text"

    @property
    def note(self) -> str:
        """What whoever makes arrays by himself must know, a sentence; or ""."""
        return ""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """All that a service must know, as JSON values; :func:`fortydays.inputs.kinds.read_input` reads them."""

    def summary(self) -> dict[str, Any]:
        """The same in a few words, for whoever asks a service what it takes."""
        return self.as_dict()

    @abstractmethod
    def open(self, content: bytes, bounds: Bounds) -> Opened:
        """Read the head of the content of one file.

        Raises:
            UnreadableContentError: it is none of this kind, too large, or damaged.
        """

    def at_once(self, content: bytes, bounds: Bounds) -> Arrays | None:
        """The arrays of one file's content, where that takes only a moment; else None.

        Raises:
            UnreadableContentError: as :meth:`open` and :meth:`Opened.arrays`.
        """
        return self.open(content, bounds).arrays()

    def prepare(self, content: bytes, bounds: Bounds) -> Arrays:
        """The arrays of one file's content, each of the shape of its spec.

        Raises:
            UnreadableContentError: as :meth:`open` and :meth:`Opened.arrays`.
        """
        return self.open(content, bounds).arrays()

    @abstractmethod
    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """Examples that a JSON request spells out, one or several.

        Raises:
            UnreadableContentError: they are none.
        """

    def check(self, arrays: Arrays) -> None:
        """Raise ValueError unless some arrays, from anywhere, are those of examples."""
        check_arrays(arrays, self.arrays)

    def in_network(self, arrays: Mapping[str, Any], cast: Cast) -> Any:
        """What a network gets of an example's arrays, inside a compiled program or in NumPy.

        Args:
            arrays: tensors or arrays by name.
            cast: changes their type.

        Returns:
            A tensor, where there is one array; or tensors by name.
        """
        del cast  # these arrays are taken as they are
        return dict(arrays) if len(self.arrays) > 1 else arrays[self.arrays[0].name]

    def in_numpy(self, arrays: Arrays) -> Any:
        """What a network gets of examples, as an array, or as arrays by name."""
        return self.in_network(arrays, lambda array, dtype: array.astype(dtype, copy=False))

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """Changes that mean nothing; none unless a kind has some."""
        return ()

    def picture(self, arrays: Arrays) -> NDArray[np.uint8] | None:  # noqa: ARG002 - of a kind that has some
        """One example as pixels, shape (height, width) or (height, width, 3); None where it is no picture.

        Args:
            arrays: of one example, without a first axis.
        """
        return None

    @abstractmethod
    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """One example as a file that a person can look at and send again, and its media type.

        Args:
            arrays: of one example, without a first axis.
        """

    @abstractmethod
    def words(self, arrays: Arrays) -> str:
        """One example in words, for where there is no room for a picture.

        Args:
            arrays: of one example, without a first axis.
        """

    @property
    def numbers(self) -> int:
        """How many numbers one example has, in all arrays."""
        return sum(spec.numbers for spec in self.arrays)

    def named(self, array: NDArray[Any]) -> Arrays:
        """The array of an input that has only one, by its name. Raises ValueError where it has more."""
        (spec,) = self.arrays
        return {spec.name: array}

    def blank(self, count: int) -> Arrays:
        """Arrays of so many examples with nothing in them, which a network can answer all the same."""
        return {spec.name: spec.zeros(count) for spec in self.arrays}


def check_arrays(arrays: Arrays, specs: Sequence[ArraySpec]) -> None:
    """Raise ValueError unless some arrays are those of the specs, all of equally many examples."""
    if arrays.keys() != {spec.name for spec in specs}:
        raise ValueError(f"there are arrays {sorted(arrays)}; expected {[spec.name for spec in specs]}")
    for spec in specs:
        found = arrays[spec.name]
        if found.dtype != spec.dtype or found.shape[1:] != spec.shape:
            raise ValueError(
                f"{spec.name} is {found.dtype} of shape {found.shape[1:]}; expected {spec.dtype} of {spec.shape}"
            )
    if len({len(array) for array in arrays.values()}) != 1:
        raise ValueError(f"the arrays {sorted(arrays)} have different numbers of examples")


def flattened(values: object) -> tuple[list[Any], list[int]]:
    """What nested lists hold, in its order, and their shape.

    NumPy is not asked: of a list with texts in it, it would make room for as many texts as long as the longest.

    Raises:
        ValueError: they are no lists, empty, of different lengths, or nested too deeply.
    """
    level, shape = [values], list[int]()
    while set(map(type, level)) == {list}:
        lengths = set(map(len, level))  # type: ignore[arg-type]
        if len(lengths) != 1 or 0 in lengths or len(shape) == _MOST_DIMENSIONS:
            raise ValueError("they have no shape")
        shape += lengths
        level = list(itertools.chain.from_iterable(level))  # type: ignore[arg-type]
    if not shape:
        raise ValueError("they are no list")
    return level, shape


def count_of(arrays: Arrays) -> int:
    """How many examples some arrays have."""
    return len(next(iter(arrays.values())))


def rows_of(arrays: Arrays, which: Any) -> dict[str, NDArray[Any]]:
    """Some examples of all arrays.

    Args:
        arrays: by name.
        which: a slice, or an array of places.
    """
    return {name: array[which] for name, array in arrays.items()}


ENOUGH = 5000
"""How many training examples statistics are taken from."""


def some_of(arrays: Arrays, most: int = ENOUGH) -> Arrays:
    """At most so many of the examples, evenly spaced."""
    count = count_of(arrays)
    if count <= most:
        return arrays
    return rows_of(arrays, np.linspace(0, count - 1, most).astype(np.intp))


def together(parts: "list[Arrays]") -> Arrays:
    """Arrays of several groups of examples, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def stacked(examples: "list[Arrays]") -> Arrays:
    """Arrays of single examples, which have no first axis, as the arrays of all of them."""
    if len(examples) == 1:
        return {name: array[None] for name, array in examples[0].items()}
    return {name: np.stack([each[name] for each in examples]) for name in examples[0]}
