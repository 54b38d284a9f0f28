"""What a reader has, each content once: which pictures are almost the same, and which contradict each other."""

import dataclasses
import hashlib
from collections import Counter, deque
from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fortydays.data.own.decoding import Content
from fortydays.data.own.duplicates import groups_of, largest_first, near_duplicates
from fortydays.data.own.listing import Photograph
from fortydays.data.own.splitting import Group

_CELLS = 28
"""A picture that was saved again is compared by the means of so many cells, upwards and sideways."""

_MOST_MEAN, _MOST_CELL, _CELL_PER_MEAN = 7.0, 6.0, 20.0
"""Of 255, by which these may differ: all cells on average; one cell, and more where all differ. A small thing that is
in one picture alone changes one cell much and the others not; compression changes all a little."""

_COMPARED, _MOST_ALIKE = 50, 1_000
"""With how many others of its group a picture is compared, those of the most similar brightness. A larger group is no
one picture that was saved again, but what a fixed camera sees."""


class Placed(Protocol):
    """A file, or a row of a table, its class, and its split where the reader states one; else ""."""

    @property
    def path(self) -> str:
        """What it is called."""

    @property
    def label(self) -> str:
        """Its class."""

    @property
    def split(self) -> str:
        """Its split, or ""."""


class Known(Protocol):
    """What is known of a content."""

    @property
    def sha256(self) -> str:
        """By which it is told apart from others."""


Kept = TypeVar("Kept", bound=Known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures(Generic[Kept]):
    """Contents in the order of their paths; what follows has the same order. They are of photographs, or of texts.

    Attributes:
        order: SHA-256 of each.
        photographs: the file of each that is used, or the row of a table.
        contents: what is known of each.
        groups: int64, shape (n,): those of one number are almost the same, or must stay together for another reason.
    """

    order: tuple[str, ...]
    photographs: tuple[Placed, ...]
    contents: tuple[Kept, ...]
    groups: NDArray[np.int64]

    def without(self, members: Some[int]) -> "Pictures[Kept]":
        """The others."""
        kept = [number for number in range(len(self.order)) if number not in members]
        return dataclasses.replace(
            self,
            order=tuple(self.order[number] for number in kept),
            photographs=tuple(self.photographs[number] for number in kept),
            contents=tuple(self.contents[number] for number in kept),
            groups=self.groups[kept],
        )

    def paths(self, members: Sequence[int] | NDArray[np.int64]) -> tuple[str, ...]:
        """The paths of some."""
        return tuple(self.photographs[member].path for member in members)

    def as_groups(self) -> list[Group]:
        """What must stay together, for :func:`~fortydays.data.own.splitting.assign`."""
        members: dict[int, dict[str, str]] = {}
        labels: dict[int, str] = {}
        for sha256, photograph, group in zip(self.order, self.photographs, self.groups.tolist(), strict=True):
            members.setdefault(group, {})[sha256] = photograph.path
            labels.setdefault(group, photograph.label)
        return [Group(members=found, label=labels[group]) for group, found in members.items()]


def pictures_of(
    first: Mapping[str, Photograph],
    contents: Mapping[str, Content],
    pixels: NDArray[np.uint8],
    *,
    only_identical: bool,
) -> Pictures[Content]:
    """Find out which photographs are almost the same."""
    order = tuple(sorted(first, key=lambda sha256: first[sha256].path))
    known = tuple(contents[sha256] for sha256 in order)
    if not order:
        groups = np.zeros(0, np.int64)
    elif only_identical:
        groups = _identical(known, pixels)
    else:
        hashes = np.array([each.hash for each in known], np.uint64)
        groups = groups_of(len(order), near_duplicates(hashes, np.stack([each.small for each in known])))
    return Pictures(order=order, photographs=tuple(first[sha256] for sha256 in order), contents=known, groups=groups)


def under_several_labels(pictures: Pictures[Content], pixels: NDArray[np.uint8]) -> list[list[int]]:
    """The members of groups that are the same picture, saved again, under different labels; sorted."""
    found: list[list[int]] = []
    for group in largest_first(pictures.groups):
        if len(group) <= _MOST_ALIKE and len({pictures.photographs[member].label for member in group}) > 1:
            pairs = _contradicting(pictures, group, pixels)
            joined = groups_of(len(group), np.array(pairs, np.int64).reshape(-1, 2))
            found += [sorted(group[members].tolist()) for members in largest_first(joined)]
    return sorted(found)


def _contradicting(
    pictures: Pictures[Content], group: NDArray[np.int64], pixels: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    """Pairs of places in a group that are the same picture and have different labels."""
    pairs = []
    bright = [float(pictures.contents[member].small.mean()) for member in group]
    earlier: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=_COMPARED)
    for place in np.argsort(bright, kind="stable").tolist():
        mine = _cells(pixels[pictures.contents[group[place]].row])
        label = pictures.photographs[group[place]].label
        pairs += [
            (other, place)
            for other, cells in earlier
            if pictures.photographs[group[other]].label != label and _is_saved_again(mine, cells)
        ]
        earlier.append((place, mine))
    return pairs


def _identical(contents: Sequence[Content], pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    groups, first = np.arange(len(contents)), dict[bytes, int]()
    small = [each.small.tobytes() for each in contents]
    times = Counter(small)
    for place, each in enumerate(contents):
        if times[small[place]] > 1:  # the others differ, and their pixels need not be read
            digest = hashlib.sha256(pixels[each.row].tobytes()).digest()
            groups[place] = first.setdefault(digest, place)
    return groups


def _cells(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    side = max(1, len(picture) // _CELLS)
    whole = len(picture) // side * side
    cells: NDArray[np.float32] = (
        picture[:whole, :whole].reshape(whole // side, side, whole // side, side, 3).mean((1, 3), np.float32)
    )
    return cells


def _is_saved_again(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    differences = np.abs(one - other)
    mean = float(differences.mean())
    return mean <= _MOST_MEAN and float(differences.max()) <= _MOST_CELL + _CELL_PER_MEAN * mean
