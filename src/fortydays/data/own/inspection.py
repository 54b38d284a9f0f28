"""What a reader's photographs are, before anything is learned from them: what is used, what is left out, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import printable
from fortydays.data.own.collection import Collection, Content
from fortydays.data.own.duplicates import groups_of, largest_first, near_duplicates
from fortydays.data.own.listing import LeftOut, Listing
from fortydays.data.own.splitting import SPLITS, Group, assign

FEWEST = len(SPLITS)
"""Different photographs that a class must have: one to learn from, one to choose by, one to report on."""

FEW = 20
"""With fewer than this, a class is named as small."""

_WHY_THIN = f"its class has fewer than {FEWEST} different photographs that can be used"


@dataclass(frozen=True, kw_only=True)
class Used:
    """A photograph that is used.

    Attributes:
        path: as in the listing.
        sha256: of its bytes.
        label: the name of its class.
        split: "train", "validation" or "test".
        row: where its pixels are in the collection.
        width: pixels, upright.
        height: likewise.
    """

    path: str
    sha256: str
    label: str
    split: str
    row: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found in a reader's photographs.

    Attributes:
        classes: the names of the classes that are used, sorted.
        used: the photographs that are used, sorted by path.
        left_out: the others, sorted by path.
        exact: paths of the same bytes under one label, the one that is used first; largest group first.
        contradictions: paths of the same bytes under several labels; none of them is used.
        near: paths of pictures that are almost the same, kept together in one split; largest group first.
        small: the classes that have fewer than :data:`FEW` photographs, with how many.
        notes: what its reader may not expect, a sentence each.
    """

    classes: tuple[str, ...]
    used: tuple[Used, ...]
    left_out: tuple[LeftOut, ...]
    exact: tuple[tuple[str, ...], ...]
    contradictions: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    small: Mapping[str, int]
    notes: tuple[str, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many photographs each class has in each split."""
        found = {name: dict.fromkeys(SPLITS, 0) for name in self.classes}
        for each in self.used:
            found[each.label][each.split] += 1
        return found

    def reasons(self) -> dict[str, int]:
        """How many files were left out for each reason, the most frequent first."""
        return dict(Counter(each.reason for each in self.left_out).most_common())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height of the smallest, the middle and the largest photograph, by its pixels."""
        if not self.used:
            return {}
        ordered = sorted((each.width * each.height, each.width, each.height) for each in self.used)
        places = {"smallest": 0, "middle": len(ordered) // 2, "largest": len(ordered) - 1}
        return {name: ordered[place][1:] for name, place in places.items()}

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "classes": self.counts(),
            "used": len(self.used),
            "left_out": [{"file": each.path, "reason": each.reason} for each in self.left_out],
            "exact_duplicates": [list(group) for group in self.exact],
            "contradictions": [list(group) for group in self.contradictions],
            "near_duplicates": [list(group) for group in self.near],
            "small_classes": dict(self.small),
            "sizes": {name: list(size) for name, size in self.sizes().items()},
            "notes": list(self.notes),
        }


def inspect(listing: Listing, collection: Collection, *, workers: int, progress: Progress = SILENT) -> Inspection:
    """Look at every photograph and decide which are used and as what.

    Args:
        listing: the photographs.
        collection: where they are kept; the splits of new ones are written down in it.
        workers: threads that decode.
        progress: told of the work.

    Raises:
        DataError: fewer than two classes can be used; the message says what is wrong with the others.
        StorageError: the workspace cannot be written.
    """
    read = collection.read(listing, workers=workers, progress=progress)
    left_out = list(listing.left_out)
    by_content: dict[str, list[str]] = {}
    contents: dict[str, Content] = {}
    labels = {each.path: each.label for each in listing.photographs}
    for path, found in read.items():
        reason = found if isinstance(found, str) else found.reason
        if isinstance(found, str) or reason:
            left_out.append(LeftOut(path=path, reason=reason))
        else:
            contents[found.sha256] = found
            by_content.setdefault(found.sha256, []).append(path)
    exact, contradictions = _same_bytes(by_content, labels, left_out)
    order = sorted(by_content, key=lambda sha256: by_content[sha256][0])
    groups = _alike(order, contents)
    label_of = {sha256: labels[by_content[sha256][0]] for sha256 in order}
    thin = _too_small(order, groups, label_of, listing.classes)
    left_out += [LeftOut(path=by_content[sha256][0], reason=_WHY_THIN) for sha256 in order if label_of[sha256] in thin]
    kept = [number for number, sha256 in enumerate(order) if label_of[sha256] not in thin]
    order, groups = [order[number] for number in kept], groups[kept]
    near = tuple(tuple(by_content[order[member]][0] for member in group) for group in largest_first(groups))
    before = collection.splits()
    assigned, refused = assign(_as_groups(order, groups, by_content, labels), before)
    collection.keep_splits(assigned)
    left_out += refused
    used = [
        Used(
            path=by_content[sha256][0],
            sha256=sha256,
            label=labels[by_content[sha256][0]],
            split=assigned[sha256],
            row=contents[sha256].row,
            width=contents[sha256].width,
            height=contents[sha256].height,
        )
        for sha256 in order
        if sha256 in assigned
    ]
    counts = Counter(each.label for each in used)
    notes = list(listing.notes)
    notes += [f"The class {printable(name)!r} is left out: {why}." for name, why in thin.items()]
    inspection = Inspection(
        classes=tuple(sorted(counts)),
        used=tuple(used),
        left_out=tuple(sorted(left_out, key=lambda each: each.path)),
        exact=exact,
        contradictions=contradictions,
        near=near,
        small={name: counts[name] for name in sorted(counts) if counts[name] < FEW},
        notes=tuple(notes),
    )
    _check(inspection, listing)
    return inspection


def _same_bytes(
    by_content: dict[str, list[str]], labels: Mapping[str, str], left_out: list[LeftOut]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Take what is there twice out of what is used: all but one, or, under several labels, all."""
    exact, contradictions = [], []
    for sha256, paths in list(by_content.items()):
        paths.sort()
        if len(paths) == 1:
            continue
        found = sorted({labels[path] for path in paths})
        if len(found) > 1:
            contradictions.append(tuple(paths))
            said = " and ".join(printable(repr(name)) for name in found)
            left_out += [LeftOut(path=path, reason=f"the same file is in {said}") for path in paths]
            del by_content[sha256]
        else:
            exact.append(tuple(paths))
            left_out += [
                LeftOut(path=path, reason=f"it is the same file as {printable(paths[0])}") for path in paths[1:]
            ]
    ordered = sorted(exact, key=lambda group: (-len(group), group))
    return tuple(ordered), tuple(sorted(contradictions))


def _too_small(
    order: Sequence[str], groups: NDArray[np.int64], label_of: Mapping[str, str], classes: Sequence[str]
) -> dict[str, str]:
    """The classes that have too few different pictures to have one in each split, and what they have."""
    found: dict[str, list[int]] = {name: [] for name in classes}
    for sha256, group in zip(order, groups.tolist(), strict=True):
        found.setdefault(label_of[sha256], []).append(group)
    thin = {}
    for name, members in sorted(found.items()):
        count, different = len(members), len(set(members))
        if different < FEWEST:
            has = f"it has {count} photograph{'s' * (count != 1)} that can be used"
            alike = f"; only {different} of them {'is' if different == 1 else 'are'} not almost the same as another"
            thin[name] = f"{has}{alike if different < count else ''}, and {FEWEST} are needed"
    return thin


def _alike(order: Sequence[str], contents: Mapping[str, Content]) -> NDArray[np.int64]:
    """The group of each content: those of one group are almost the same picture."""
    if not order:
        return np.zeros(0, np.int64)
    hashes = np.array([contents[sha256].hash for sha256 in order], np.uint64)
    small = np.stack([contents[sha256].small for sha256 in order])
    return groups_of(len(order), near_duplicates(hashes, small))


def _as_groups(
    order: Sequence[str], groups: NDArray[np.int64], by_content: Mapping[str, list[str]], labels: Mapping[str, str]
) -> list[Group]:
    members: dict[int, dict[str, str]] = {}
    for sha256, group in zip(order, groups.tolist(), strict=True):
        members.setdefault(group, {})[sha256] = by_content[sha256][0]
    return [Group(members=found, label=labels[next(iter(found.values()))]) for found in members.values()]


def _check(inspection: Inspection, listing: Listing) -> None:
    if len(inspection.classes) >= 2:
        return
    place = printable(str(listing.source))
    what = "no class" if not inspection.classes else f"one class, {printable(inspection.classes[0])!r},"
    reasons = "; ".join(f"{count:,} because {printable(reason)}" for reason, count in inspection.reasons().items())
    raise DataError(
        f"{place} has {what} with photographs that can be used; at least two are needed. Left out: {reasons}.",
        hint=f"Each class needs at least {FEWEST} different photographs.",
    )
