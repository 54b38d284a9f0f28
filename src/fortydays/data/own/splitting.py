"""Which photographs are held out: decided by their content, for each class alike, and never decided again.

A photograph that is in the test split today must not be learned from tomorrow, when others have been added; and the
same picture, or almost the same, must not be on both sides.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fortydays.base.text import printable
from fortydays.data.own.listing import LeftOut

SPLITS = ("train", "validation", "test")
SPLIT_VERSION = 1
"""Number of the rule by which photographs are divided."""

TENTHS = {"train": 7, "validation": 1, "test": 2}
"""Of the photographs of each class; whole numbers, since a million of them are divided in seconds."""

_ORDER_OF_NEED = ("test", "validation", "train")
"""Which one gets a photograph where several need it as much: a class of three has one in each."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Photographs of one class that must stay together: the path of each by the SHA-256 of its content."""

    members: Mapping[str, str]
    label: str


def decided(stated: Mapping[str, str], before: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What need not be decided, by digest, and which splits are open to the rest.

    Where folders state splits ("" where they state none), that stays. A split that they state none for is taken from
    what they train with. Else the splits that were decided before stay.
    """
    if not any(stated.values()):
        return before, SPLITS
    missing = tuple(split for split in SPLITS[1:] if split not in stated.values())
    known = {digest: split for digest, split in stated.items() if split != "train" or not missing}
    among = ("train", *missing)
    kept = {digest: before[digest] for digest in stated if digest not in known and before.get(digest) in among}
    return known | kept, among


def without_leaks(groups: Sequence[Group], stated: Mapping[str, str]) -> tuple[list[Group], list[LeftOut]]:
    """What is left of each group, and what is left out: folders train with it, and hold out almost the same."""
    clean, left_out = [], []
    for group in groups:
        best = min(group.members, key=lambda digest: (held_out_first(stated[digest]), group.members[digest]))
        kept = {digest: path for digest, path in group.members.items() if stated[digest] == stated[best]}
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
    groups: Sequence[Group], before: Mapping[str, str], among: Sequence[str] = SPLITS, *, noun: str = "photograph"
) -> tuple[dict[str, str], list[LeftOut]]:
    """A split for each photograph; one that has a split already keeps it.

    The photographs of a class come in the order of a hash of their content. Each goes where most are missing, measured
    by the shares, so that any number of them is divided as evenly as whole photographs, or texts, can be. In messages
    one of them is called by the ``noun``.

    Returns:
        The split of each photograph by its digest, and those that no split can take: a new one that is almost the same
        as old ones in different splits.
    """
    assigned: dict[str, str] = {}
    left_out: list[LeftOut] = []
    counts: Counter[tuple[str, str]] = Counter()
    waiting: list[Group] = []
    for group in groups:
        old = {member: before[member] for member in group.members if member in before}
        new = [member for member in group.members if member not in before]
        for member, split in old.items():
            assigned[member] = split
            counts[group.label, split] += 1
        homes = sorted(set(old.values()))
        if len(homes) > 1 and new:
            reason = f"it is almost the same as {noun}s in the {' and the '.join(homes)} split"
            left_out += [LeftOut(path=group.members[member], reason=reason) for member in new]
        elif homes:
            for member in new:
                assigned[member] = homes[0]
                counts[group.label, homes[0]] += 1
        else:
            waiting.append(group)
    for group in sorted(waiting, key=_key):
        split = _neediest({each: counts[group.label, each] for each in SPLITS}, among)
        assigned |= dict.fromkeys(group.members, split)
        counts[group.label, split] += len(group.members)
    return assigned, left_out


def _neediest(of_class: Mapping[str, int], among: Sequence[str]) -> str:
    """The split that lacks most of its share, if the class has one photograph more."""
    # With the first three a class has something in each; from then on the shares decide.
    possible = [split for split in _ORDER_OF_NEED if split in among]
    empty = [split for split in possible if not of_class[split]]
    total = sum(of_class.values()) + 1
    if empty and total <= len(SPLITS):
        return empty[0]
    return max(possible, key=lambda split: TENTHS[split] * total - 10 * of_class[split])


def _key(group: Group) -> bytes:
    return hashlib.blake2b(f"split 1:{min(group.members)}".encode(), digest_size=16).digest()
