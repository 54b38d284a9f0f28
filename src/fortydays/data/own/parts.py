"""Folders of a data set that was divided before: train, val, test and the like, by their names and what is in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
    "dev": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "heldout": "test",
}
_COUNTED = re.compile(
    r"((fold|part|split|batch|round|session|shoot|day|week|month|year)s?[ _.-]*\d|\d{4})[\d _.-]*", re.IGNORECASE
)
"""What folders are called that divide photographs by when they were taken, or by lot."""
_ENDS = re.compile(r"(?<=.)(set|data|images|imgs|split)$")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A division that a folder has.

    Attributes:
        above: the folder that holds it, ending in "/"; "" where that is the reader's own.
        splits: "train", "validation" or "test" by the name of each folder of a part, as it is written.
        inside: whether the parts lie in the folder of each class, and not the classes in the folder of each part.
    """

    above: str
    splits: dict[str, str]
    inside: bool = False

    def place(self, path: str) -> tuple[str, str] | None:
        """The split and the class of a photograph; None where it lies in no class of a part."""
        if not path.startswith(self.above):
            return None
        steps = path.removeprefix(self.above).split("/")
        if self.inside:
            steps[:2] = steps[1::-1]
        split = self.splits.get(steps[0], "")
        if split and len(steps) > 3 and _part_named(steps[1]) == split:  # archives have training_set/training_set/cats
            del steps[1]
        return (split, steps[1]) if split and len(steps) > 2 else None


def split_named(folder: str) -> str:
    """The split that a folder is called like, whatever its capitals: "train" for Training_Set; or ""."""
    letters = re.sub(r"[^a-z]", "", folder.lower())
    return _SPLITS.get(letters, "") or _SPLITS.get(_ENDS.sub("", letters), "")


def _part_named(folder: str) -> str:
    """The same, also where a name of the whole stands before it, as in seg_train; for folders that share classes."""
    return split_named(folder) or split_named(re.split(r"[^A-Za-z]+", folder.rstrip("0123456789_-. "))[-1])


def parts_of(found: Sequence[str]) -> Parts | None:
    """The division of a folder, where it has one.

    Args:
        found: the paths of the images in the folder.

    Returns:
        A division with folders of classes in each part, or with the parts in the folder of each class. None where
        there is none, and where it cannot be told.
    """
    tree = _tree(found)
    parts = _side_by_side(found, "", tree)
    holders = [name for name, inside in tree.items() if len(_splits_among(inside)) > 1]
    if parts is None and len(holders) == 1:
        above = f"{holders[0]}/"
        below = [path.removeprefix(above) for path in found if path.startswith(above)]
        parts = _side_by_side(below, above, _tree(below))
    if parts is None and len(holders) > 1:
        names = set().union(*(tree[name] for name in holders))
        if all(map(split_named, names)):
            parts = Parts(above="", splits={name: split_named(name) for name in sorted(names)}, inside=True)
    return parts


def doubtful_part(found: Sequence[str]) -> str:
    """A folder that may be a part, or a class that is called like one; "" where there is none.

    Folders with numbers for names, as of years or folds, count as well where all of them hold the same folders.

    Args:
        found: as for :func:`parts_of`, which found no division.
    """
    tree = _tree(found)
    called = [name for name in tree if split_named(name)]
    if len(called) == len(tree) and len(_splits_among(tree)) > 1:
        return called[0]
    direct = {path.partition("/")[0] for path in found if path.count("/") == 1}
    # A day, a fold or a round of photographing is no class, where the same classes are in each.
    if len(tree) > 1 and all(map(_COUNTED.fullmatch, tree)) and len(set.intersection(*tree.values())) > 1:
        return next(iter(tree))
    for name in called:
        others = set().union(*(inside for other, inside in tree.items() if other != name))
        if name not in direct and len(tree[name]) > 1 and (not others or others & tree[name]):
            return name
    return ""


def _side_by_side(found: Sequence[str], above: str, tree: Mapping[str, set[str]]) -> Parts | None:
    """Parts that are folders beside each other, with the classes in them."""
    named = Parts(above="", splits={name: _part_named(name) for name in tree if _part_named(name)})
    classes: dict[str, set[str]] = {}
    for path in found:
        placed = named.place(path)
        if placed is not None:
            classes.setdefault(path.partition("/")[0], set()).add(placed[1].casefold())
    whole = len(named.splits) == len(tree) > 1 and not above
    shared = (
        sum(map(len, classes.values())) > len(set().union(*classes.values()))
        and len({named.splits[name] for name in classes}) > 1
    )
    if not classes or not (whole or shared):
        return None
    return Parts(above=above, splits={name: named.splits[name] for name in classes})


def _tree(found: Sequence[str]) -> dict[str, set[str]]:
    """The folders of the first level, and the names of the folders in each; sorted."""
    tree: dict[str, set[str]] = {}
    for path in found:
        *folders, _ = path.split("/")
        if folders:
            tree.setdefault(folders[0], set()).update(folders[1:2])
    return {name: tree[name] for name in sorted(tree)}


def _splits_among(folders: Iterable[str]) -> set[str]:
    return {split_named(name) for name in folders} - {""}
