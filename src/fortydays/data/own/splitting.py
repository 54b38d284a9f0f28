"""Which photographs are held out: decided by their content, for each class alike, and never decided again.

A photograph that is in the test split today must not be learned from tomorrow, when others have been added; and the
same picture, or almost the same, must not be on both sides.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fortydays.base.text import printable
from fortydays.data.own.listing import LeftOut

SPLITS = ("train", "validation", "test")
SPLIT_VERSION = 1
"""Number of the rule by which photographs are divided."""

SHARES = {"train": Fraction(7, 10), "validation": Fraction(1, 10), "test": Fraction(2, 10)}
"""Of the photographs of each class."""

_ORDER_OF_NEED = ("test", "validation", "train")
"""Which one gets a photograph where several need it as much: a class of three has one in each."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Photographs that must stay together.

    Attributes:
        members: the path of each by the digest of its content (SHA-256).
        label: the class of all of them.
    """

    members: Mapping[str, str]
    label: str


def decided(given: Mapping[str, str], before: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What need not be decided, and what the rest can become.

    Where folders hold photographs out, that stays. What they hold out none for is taken from what they train with.

    Args:
        given: the split of each photograph by its digest, as the folders say it; "" where they say nothing.
        before: the splits that were decided earlier, by digest.

    Returns:
        The split of those that have one, by digest; and the splits that are open to the others.
    """
    if not any(given.values()):
        return before, SPLITS
    missing = tuple(split for split in SPLITS[1:] if split not in given.values())
    known = {digest: split for digest, split in given.items() if split != "train" or not missing}
    among = ("train", *missing)
    kept = {digest: before[digest] for digest in given if digest not in known and before.get(digest) in among}
    return known | kept, among


def without_leaks(groups: Sequence[Group], given: Mapping[str, str]) -> tuple[list[Group], list[LeftOut]]:
    """Leave out what folders train with although they hold out almost the same.

    Args:
        groups: all photographs that can be used.
        given: as for :func:`decided`.

    Returns:
        What is left of each group, and what is left out.
    """
    clean, left_out = [], []
    for group in groups:
        best = min(group.members, key=lambda digest: (held_out_first(given[digest]), group.members[digest]))
        kept = {digest: path for digest, path in group.members.items() if given[digest] == given[best]}
        clean.append(Group(members=kept, label=group.label))
        left_out += [
            LeftOut(
                path=path,
                reason=f"it is almost the same as {printable(group.members[best])}, which is held out",
                kind="it is almost the same as one that is held out",
            )
            for digest, path in group.members.items()
            if digest not in kept
        ]
    return clean, left_out


def held_out_first(split: str) -> int:
    """By which the same picture in several splits is used in the first: what is held out, before what is learned."""
    return ("test", "validation", "train", "").index(split)


def assign(
    groups: Sequence[Group], before: Mapping[str, str], among: Sequence[str] = SPLITS
) -> tuple[dict[str, str], list[LeftOut]]:
    """A split for each photograph; one that has a split already keeps it.

    The photographs of a class come in the order of a hash of their content. Each goes where most are missing, measured
    by the shares, so that any number of them is divided as evenly as whole photographs can be.

    Args:
        groups: all photographs that can be used.
        before: the split of those that have one, by digest.
        among: the splits that the others may have.

    Returns:
        The split of each photograph by its digest, and those that no split can take: a new one that is almost the same
        as old ones in different splits.
    """
    assigned: dict[str, str] = {}
    left_out: list[LeftOut] = []
    counts: dict[str, dict[str, int]] = {}
    waiting: list[tuple[Group, list[str]]] = []
    for group in groups:
        old = {member: before[member] for member in group.members if member in before}
        new = [member for member in group.members if member not in before]
        for member, split in old.items():
            assigned[member] = split
            _count(counts, group.label, split)
        homes = sorted(set(old.values()))
        if len(homes) > 1 and new:
            reason = f"it is almost the same as photographs in the {' and the '.join(homes)} split"
            left_out += [LeftOut(path=group.members[member], reason=reason) for member in new]
        elif homes:
            for member in new:
                assigned[member] = homes[0]
                _count(counts, group.label, homes[0])
        else:
            waiting.append((group, new))
    for group, members in sorted(waiting, key=lambda each: _key(each[0])):
        split = _neediest(counts.get(group.label, {}), among)
        for member in members:
            assigned[member] = split
            _count(counts, group.label, split)
    return assigned, left_out


def _count(counts: dict[str, dict[str, int]], label: str, split: str) -> None:
    of_class = counts.setdefault(label, {})
    of_class[split] = of_class.get(split, 0) + 1


def _neediest(of_class: Mapping[str, int], among: Sequence[str]) -> str:
    """The split that lacks most of its share, if the class has one photograph more."""
    # With the first three a class has something in each; from then on the shares decide.
    possible = [split for split in _ORDER_OF_NEED if split in among]
    empty = [split for split in possible if not of_class.get(split)]
    total = sum(of_class.values()) + 1
    if empty and total <= len(SPLITS):
        return empty[0]
    return max(possible, key=lambda split: SHARES[split] * total - of_class.get(split, 0))


def _key(group: Group) -> bytes:
    return hashlib.blake2b(f"split 1:{min(group.members)}".encode(), digest_size=16).digest()
