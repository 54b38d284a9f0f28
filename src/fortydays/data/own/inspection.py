"""What a reader's photographs are, before anything is learned from them: what is used, what is left out, and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import counted, printable
from fortydays.data.own.collection import Collection
from fortydays.data.own.decoding import Content
from fortydays.data.own.duplicates import largest_first
from fortydays.data.own.listing import LeftOut, Listing, Photograph, in_order, told
from fortydays.data.own.pictures import Pictures, Placed, pictures_of, under_several_labels
from fortydays.data.own.splitting import SPLITS, assign, decided, held_out_first, without_leaks

FEWEST = len(SPLITS)
"""Different photographs that a class must have: one to learn from, one to choose by, one to report on."""

FEW = 20
"""With fewer than this, a class is named as small."""

_MANY = 5
_ALMOST_BLACK, _NAMES = 15, 3
_FIXED_CAMERA = (
    "If a fixed camera took them and small differences matter, add --fixed-camera: then only pictures with equal "
    "pixels count as the same."
)


class Divided(Protocol):
    """What knows which content is in which split: a collection of photographs or of texts."""

    def splits(self) -> dict[str, str]:
        """The split of every content that has one, by its digest."""

    def keep_splits(self, splits: dict[str, str]) -> None:
        """Write down the splits of contents, by their digests."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """A photograph or a text that is used: its class, its split, where its content is kept, and how large it is.

    Width and height are pixels of a photograph, upright; of a text, the width is its words, and the height 1.
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
    """What was found in a reader's photographs, or texts.

    Attributes:
        noun: what one of them is called.
        classes: the names of the classes that are used, sorted.
        used: the photographs that are used, sorted by path.
        left_out: the others, sorted by path.
        exact: paths of the same bytes under one label, the one that is used first; largest group first.
        contradictions: paths under several labels of the same bytes, or of the same picture saved again. One of the
            labels must be wrong, so none of them is used.
        near: paths of those that are almost the same, kept together in one split; largest group first.
        small: the classes that have fewer than :data:`FEW`, with how many.
        notes: what its reader may not expect, a sentence each.
        languages: of texts: of those that were looked at for it, how many are in each language.
    """

    noun: str = "photograph"
    classes: tuple[str, ...]
    used: tuple[Used, ...]
    left_out: tuple[LeftOut, ...]
    exact: tuple[tuple[str, ...], ...]
    contradictions: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    small: Mapping[str, int]
    notes: tuple[str, ...]
    languages: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many photographs each class has in each split."""
        found = {name: dict.fromkeys(SPLITS, 0) for name in self.classes}
        for each in self.used:
            found[each.label][each.split] += 1
        return found

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height of the smallest, the median and the largest photograph, by its pixels."""
        if not self.used:
            return {}
        smallest, largest = ("shortest", "longest") if self.noun == "text" else ("smallest", "largest")
        ordered = sorted((each.width * each.height, each.width, each.height) for each in self.used)
        places = {smallest: 0, "median": len(ordered) // 2, largest: len(ordered) - 1}
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
            **({"languages": dict(self.languages)} if self.languages else {}),
        }


def inspect(
    listing: Listing,
    collection: Collection,
    *,
    workers: int,
    progress: Progress = SILENT,
    fixed_camera: bool = False,
) -> Inspection:
    """Look at every photograph and decide which are used and as what.

    The splits of new ones are written down in the collection. With ``fixed_camera``, all show one scene, and only
    pictures with equal pixels count as the same.

    Raises:
        DataError: fewer than two classes can be used; the message says what is wrong with the others.
        StorageError: the workspace cannot be written.
    """
    left_out = list(listing.left_out)
    by_content: dict[str, list[Photograph]] = {}
    contents: dict[str, Content] = {}
    read = collection.read(listing, workers=workers, progress=progress)
    for each in listing.photographs:
        found = read[each.path]
        if isinstance(found, str) or found.reason:
            left_out.append(LeftOut(path=each.path, reason=found if isinstance(found, str) else found.reason))
        else:
            contents[found.sha256] = found
            by_content.setdefault(found.sha256, []).append(each)
    exact, contradictions = same_content(by_content, left_out)
    first = {sha256: same[0] for sha256, same in by_content.items()}
    pixels = collection.pixels()
    pictures = pictures_of(first, contents, pixels, only_identical=fixed_camera)
    pictures = _without_contradictions(pictures, pixels, contradictions, left_out)
    thin = too_small(pictures, listing.classes)
    alike = "" if fixed_camera else _mostly_alike(pictures, thin)

    def used_of(each: Placed, known: Content, split: str) -> Used:
        return Used(
            path=each.path, sha256=known.sha256, label=each.label, split=split, row=known.row,
            width=known.width, height=known.height,
        )  # fmt: skip

    inspection = concluded(
        pictures,
        thin,
        collection,
        used_of=used_of,
        left_out=left_out,
        exact=exact,
        contradictions=contradictions,
        notes=[*listing.notes, *([alike] if alike else [])],
    )
    black = _almost_black(inspection.used, contents, pixels)
    check_classes(inspection, listing.source, hint=alike)
    return replace(inspection, notes=(*inspection.notes, *black))


def concluded(
    pictures: Pictures[Any],
    thin: Mapping[str, str],
    collection: Divided,
    *,
    used_of: Callable[[Placed, Any, str], Used],
    left_out: Sequence[LeftOut],
    exact: Sequence[tuple[str, ...]],
    contradictions: Sequence[tuple[str, ...]],
    notes: Sequence[str],
    near: Sequence[tuple[str, ...]] | None = None,
    noun: str = "photograph",
) -> Inspection:
    """What is found once each content is known: all but the classes that are too small is divided.

    Args:
        pictures: each content that can be used, with what must stay together.
        thin: the classes that are too small, and why, as :func:`too_small` gives them.
        collection: knows the splits that were decided before, and is told the new ones.
        used_of: makes what is told of one that is used: of its place, its content and its split.
        left_out: what is left out already.
        exact: see :class:`Inspection`.
        contradictions: likewise.
        notes: likewise.
        near: likewise; by default what must stay together.
        noun: what one of them is called.
    """
    thin_members = {number for number, each in enumerate(pictures.photographs) if each.label in thin}
    all_left_out = [*left_out]
    why = f"its class has fewer than {FEWEST} different {noun}s that can be used"
    all_left_out += [LeftOut(path=path, reason=why) for path in pictures.paths(sorted(thin_members))]
    pictures = pictures.without(thin_members)
    assigned, refused, said = divided(pictures, collection, noun=noun)
    collection.keep_splits(assigned)
    all_left_out += refused
    used = [
        used_of(each, known, assigned[known.sha256])
        for each, known in zip(pictures.photographs, pictures.contents, strict=True)
        if known.sha256 in assigned
    ]
    counts, paths = Counter(each.label for each in used), {each.path for each in used}
    if near is None:
        near = [pictures.paths(group) for group in largest_first(pictures.groups)]
    return Inspection(
        noun=noun,
        classes=tuple(sorted(counts)),
        used=tuple(used),
        left_out=tuple(sorted(all_left_out, key=lambda each: in_order(each.path))),
        exact=tuple(
            sorted(
                (group for group in exact if group[0] in paths),
                key=lambda group: (-len(group), list(map(in_order, group))),
            )
        ),
        contradictions=tuple(sorted(contradictions, key=lambda group: list(map(in_order, group)))),
        near=tuple(near),
        small={name: counts[name] for name in sorted(counts) if counts[name] < FEW},
        notes=(*notes, *(f"The class {printable(name)!r} is left out: {why}." for name, why in thin.items()), *said),
    )


def _almost_black(used: Sequence[Used], contents: Mapping[str, Content], pixels: NDArray[np.uint8]) -> list[str]:
    """A sentence about photographs in which nothing is brighter than 12 of 16 bits would be."""
    # The small pictures are in memory. Only where they are dark, the pixels are read.
    dark = [each for each in used if contents[each.sha256].small.max() <= _ALMOST_BLACK]
    paths = [each.path for each in dark if pixels[each.row].max() <= _ALMOST_BLACK]
    if not paths:
        return []
    names = ", ".join([*map(printable, paths[:_NAMES]), *["..."] * (len(paths) > _NAMES)])
    return [
        f"Almost black: {counted(len(paths), 'photograph')} ({names}). Files of 16 bits look so if they use at most "
        "12 of them. If these do, save them with values up to 65,535, or write the largest value, such as 4095, into "
        "the TIFF (tag 341)."
    ]


def same_content(
    by_content: dict[str, list[Any]], left_out: list[LeftOut], *, what: str = "file"
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Take what is there twice out of what is used: all but one, or, under several labels, all.

    Args:
        by_content: by its digest, all that have a content (:class:`Placed`). Is changed: one is left of each.
        left_out: is added to.
        what: the same that they are.

    Returns:
        The paths of each group under one label, the one that is used first; those under several labels.
    """
    exact, contradictions = [], []
    for sha256, same in list(by_content.items()):
        same.sort(key=lambda each: (held_out_first(each.split), in_order(each.path)))
        paths = tuple(each.path for each in same)
        if len({each.label for each in same}) > 1:
            contradictions.append(tuple(sorted(paths, key=in_order)))
            left_out += _contradicting(what, same)
            del by_content[sha256]
        elif len(same) > 1:
            exact.append(paths)
            reason = f"it is the same {what} as {printable(paths[0])}"
            left_out += [
                LeftOut(path=path, reason=reason, kind=f"it is the same {what} as another") for path in paths[1:]
            ]
    return exact, contradictions


def _without_contradictions(
    pictures: Pictures[Content],
    pixels: NDArray[np.uint8],
    contradictions: list[tuple[str, ...]],
    left_out: list[LeftOut],
) -> Pictures[Content]:
    """The pictures without those that were saved again under several labels, of which one must be wrong."""
    groups = under_several_labels(pictures, pixels)
    for group in groups:
        contradictions.append(pictures.paths(group))
        told_of = _contradicting("picture", [pictures.photographs[member] for member in group])
        rows = [pictures.contents[member].row for member in group]
        left_out += [replace(each, row=row) for each, row in zip(told_of, rows, strict=True)]
    return pictures.without({member for group in groups for member in group})


def _contradicting(what: str, same: Sequence[Placed]) -> list[LeftOut]:
    """What is left out because it is the same, and has several labels."""
    labels = " and ".join(printable(repr(name)) for name in sorted({each.label for each in same}))
    reason, kind = f"the same {what} is in {labels}", f"the same {what} is in several classes"
    return [LeftOut(path=each.path, reason=reason, kind=kind) for each in same]


def too_small(pictures: Pictures[Any], classes: Sequence[str], *, noun: str = "photograph") -> dict[str, str]:
    """The classes that have too few different pictures, or texts, to have one in each split, and what they have."""
    found: dict[str, list[int]] = {name: [] for name in classes}
    for each, group in zip(pictures.photographs, pictures.groups.tolist(), strict=True):
        found[each.label].append(group)
    thin = {}
    for name, members in sorted(found.items()):
        count, different = len(members), len(set(members))
        if different < FEWEST:
            has = f"it has {count} {noun}{'s' * (count != 1)} that can be used"
            alike = f"; only {different} of them {'is' if different == 1 else 'are'} not almost the same as another"
            thin[name] = f"{has}{alike if different < count else ''}, and {FEWEST} are needed"
    return thin


def _mostly_alike(pictures: Pictures[Content], thin: Iterable[str]) -> str:
    """A sentence where so many look almost the same that it decides what can be used; else ""."""
    sizes = [len(group) for group in largest_first(pictures.groups)]
    labels = Counter(each.label for each in pictures.photographs)
    decides = max(sizes, default=0) >= _MANY or any(labels[name] >= FEWEST for name in thin)
    if not decides or 2 * sum(sizes) <= len(pictures.order):
        return ""
    return f"{sum(sizes):,} of {len(pictures.order):,} photographs look almost the same as another. {_FIXED_CAMERA}"


def divided(
    pictures: Pictures[Any], collection: Divided, *, noun: str = "photograph"
) -> tuple[dict[str, str], list[LeftOut], list[str]]:
    """The split of each photograph or text that is used, what is left out, and what its reader may not expect."""
    of = dict(zip(pictures.order, pictures.photographs, strict=True))
    stated = {sha256: each.split for sha256, each in of.items()}
    before, among = decided(stated, collection.splits())
    if not any(stated.values()):
        return *assign(pictures.as_groups(), before, noun=noun), []
    groups, left_out = without_leaks(pictures.as_groups(), stated)
    assigned, refused = assign(groups, before, among, noun=noun)
    left_out += refused
    having = {split: {of[sha256].label for sha256, each in assigned.items() if each == split} for split in SPLITS}
    notes = []
    for name in sorted({each.label for each in pictures.photographs}):
        missing = [split for split in SPLITS if name not in having[split]]
        if "train" in missing:
            notes.append(f"The class {printable(name)!r} is left out: it has no {noun} to train with.")
        elif missing:
            notes.append(f"The class {printable(name)!r} has no {noun} in the {' and the '.join(missing)} split.")
    untrained = sorted(sha256 for sha256 in assigned if of[sha256].label not in having["train"])
    left_out += [LeftOut(path=of[each].path, reason=f"its class has no {noun} to train with") for each in untrained]
    for each in untrained:
        del assigned[each]
    return assigned, left_out, notes


def check_classes(inspection: Inspection, source: Path, *, hint: str = "") -> None:
    """Raise DataError where fewer than two classes of a reader's folder or table are used."""
    if len(inspection.classes) >= 2:
        return
    place, noun = printable(str(source)), inspection.noun
    what = "no class" if not inspection.classes else f"one class, {printable(inspection.classes[0])!r},"
    reasons = "; ".join(told(inspection.left_out))
    raise DataError(
        f"{place} has {what} with {noun}s that can be used; at least two are needed. Left out: {reasons}.",
        hint=hint or f"Each class needs at least {FEWEST} different {noun}s.",
    )
