"""Folders that are no classes but hold them, such as train and test, or cam1 and cam2: by names and content."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
_HOLDERS = frozenset(
    ("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "data", "jpegimages")
)
"""What a folder between a part and its classes is called."""
_DATE = re.compile(r"\d{4}[\d _.-]*")
_NUMBERED = re.compile(r"(.*[^\W\d_])(?:[ _.-]*\d[\d _.-]*|[ _.-]+[A-Za-z])")
_CLASS_WORDS = ("cat", "class", "grade", "klasse", "label", "level", "score", "species", "stage", "typ")
"""How the names of classes begin that are numbered."""
_ENDS = re.compile(r"(?<=.)(set|data|images|imgs|split)$")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A division that a folder has.

    Attributes:
        above: the folder that holds it, ending in "/"; "" where that is the reader's own.
        splits: "train", "validation" or "test" by the name of each folder of a part, as it is written; "" for each of
            folders that divide the photographs in another way.
        inside: whether the parts lie in the folder of each class, and not the classes in the folder of each part.
        holder: a folder between each part and its classes, in lower case, or "".
    """

    above: str
    splits: dict[str, str]
    inside: bool = False
    holder: str = ""

    def place(self, path: str) -> tuple[str, str] | None:
        """The split and the class of a photograph; None where it lies in no class of a part."""
        if not path.startswith(self.above):
            return None
        steps = path.removeprefix(self.above).split("/")
        if self.inside:
            steps[:2] = steps[1::-1]
        if steps[0] not in self.splits:
            return None
        split = self.splits[steps[0]]
        if len(steps) > 3 and self._is_between(steps[1], split):
            del steps[1]
        return (split, steps[1]) if len(steps) > 2 else None

    def _is_between(self, folder: str, split: str) -> bool:
        name = folder.casefold()
        # Archives have training_set/training_set/cats.
        return name == self.holder or name in _HOLDERS or (split != "" and _part_named(folder) == split)


def split_named(folder: str) -> str:
    """The split that a folder is called like, whatever its capitals: "train" for Training_Set; or ""."""
    letters = re.sub(r"[^a-z]", "", folder.lower())
    return _SPLITS.get(letters, "") or _SPLITS.get(_ENDS.sub("", letters), "")


def _part_named(folder: str) -> str:
    """The same, also where a name of the whole stands before it, as in seg_train; for folders that share classes."""
    return split_named(folder) or split_named(re.split(r"[^A-Za-z]+", folder.rstrip("0123456789_-. "))[-1])


def parts_of(found: Sequence[str]) -> Parts | None:
    """The division of a folder, where it has one, from the paths of the images in it.

    Returns:
        A division with folders of classes in each part, or with the parts in the folder of each class; or folders of
        cameras, days or the like that share the classes in them. None where there is none, or it cannot be told.
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
    return parts or _numbered(found, tree)


def same_inside(placed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Classes that hold folders of the same names, two of them at least, and these names; both sorted.

    Days and the like in the folders of classes are nothing unusual, and are not told.

    Args:
        placed: the class of each photograph by its path.
    """
    inside: dict[str, set[str]] = {}
    for path, label in placed.items():
        *folders, _ = path.split("/")
        below = [name for name in folders[folders.index(label) + 1 :] if not split_named(name)]
        inside.setdefault(label, set()).update(below[:1])
    times = Counter(name for names in inside.values() for name in names)
    shared = {name for name, count in times.items() if count > 1}
    classes = sorted(label for label, names in inside.items() if len(names & shared) > 1)
    usual = all(map(_stem, shared)) and not all(map(_stem, classes))
    return ([], []) if usual or len(classes) < 2 else (classes, sorted(shared))


def doubtful_part(found: Sequence[str]) -> str:
    """The path of a folder that may be a part, or a class that is called like one; "" where there is none."""
    tree = _tree(found)
    called = [name for name in tree if split_named(name)]
    if len(called) == len(tree) and len(_splits_among(tree)) > 1:
        return called[0]
    direct = {path.partition("/")[0] for path in found if path.count("/") == 1}
    for name in called:
        others = set().union(*(inside for other, inside in tree.items() if other != name))
        if name not in direct and len(tree[name]) > 1 and (not others or others & tree[name]):
            return name
    # One part, beside other folders, has no other part to know it by.
    holders = [name for name, inside in tree.items() if name not in direct and _splits_among(inside)]
    if len(holders) == 1 and len(tree[holders[0]]) == 1:
        below = f"{holders[0]}/{next(iter(tree[holders[0]]))}"
        classes = {path.split("/")[2] for path in found if path.startswith(f"{below}/") and path.count("/") > 2}
        return below if len(classes) > 1 else ""
    return ""


def _numbered(found: Sequence[str], tree: Mapping[str, set[str]]) -> Parts | None:
    """Folders such as cam1 and cam2, or 2024 and 2025, that hold folders of the same names."""
    by_stem: dict[str, list[str]] = {}
    for name in tree:
        if stem := _stem(name):
            by_stem.setdefault(stem, []).append(name)
    largest = sorted(by_stem.values(), key=len)[-1:]
    parts = Parts(above="", splits={name: "" for names in largest for name in names})
    placed = [path for path in found if path.partition("/")[0] in parts.splits]
    classes = _classes_in(placed, parts)
    names = set().union(*classes.values())
    shared = sum(map(len, classes.values())) > len(names) > 1
    direct = sum(path.count("/") == 1 for path in placed)
    # Days in the folders of numbered classes are no classes.
    return parts if shared and 2 * direct < len(placed) and not all(map(_stem, names)) else None


def _stem(folder: str) -> str:
    """What a folder of a series is called without its number or letter: "cam" for Cam 2; "" for other names."""
    if _DATE.fullmatch(folder):
        return "a date"
    found = _NUMBERED.fullmatch(folder)
    stem = found[1].casefold() if found else ""
    return "" if len(stem) < 2 or stem.startswith(_CLASS_WORDS) else stem


def _side_by_side(found: Sequence[str], above: str, tree: Mapping[str, set[str]]) -> Parts | None:
    """Parts that are folders beside each other, with the classes in them."""
    named = Parts(above="", splits={name: _part_named(name) for name in tree if _part_named(name)})
    classes = _classes_in(found, named)
    if len(names := set().union(*classes.values())) == 1:
        named = replace(named, holder=names.pop())
        classes = _classes_in(found, named)
    whole = len(named.splits) == len(tree) > 1 and not above
    shared = (
        sum(map(len, classes.values())) > len(set().union(*classes.values()))
        and len({named.splits[name] for name in classes}) > 1
    )
    if not classes or not (whole or shared):
        return None
    return Parts(above=above, splits={name: named.splits[name] for name in classes}, holder=named.holder)


def _classes_in(found: Iterable[str], parts: Parts) -> dict[str, set[str]]:
    """The names of the classes in the folder of each part, in lower case."""
    classes: dict[str, set[str]] = {}
    for path in found:
        placed = parts.place(path)
        if placed is not None:
            classes.setdefault(path.partition("/")[0], set()).add(placed[1].casefold())
    return classes


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
