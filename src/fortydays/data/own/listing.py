"""Which photographs a reader has, and what each is of: from a folder for each class, or from a table of files.

Nothing is decoded here, and nothing is followed: a link could lead anywhere, so it is left out and named.
"""

import os
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.text import printable
from fortydays.data.own.parts import doubtful_part, parts_of, same_inside
from fortydays.data.own.tables import TABLES, hint_of_other, no_table, read_table
from fortydays.inputs.images import Images

ENDINGS = Images.SUFFIXES
"""What the name of an image file ends with, capitals or not."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
"""What these files may be, in Pillow's words; which one it is, the file says and not its name."""

MOST_PIXELS = 120_000_000
"""Of a photograph: the largest that telephones take have 108 million."""

LARGEST_FILE = 200_000_000
"""Bytes of a photograph."""

# Names that do not say what the file is: no ending, a number (.jpg.1), or what browsers make of one (.jpg_large).
# Such a file is an image if it begins like one.
_ODD_ENDING = re.compile(
    r"[^.]*|.*\.(\d+|[^.~]*[^a-z0-9.~][^.~]*|(jpe?g|png|webp|gif|bmp|tiff?|avif|heic)[^.~]*|jps|pns|image|img)",
    re.DOTALL,
)
_BEGINNING = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|BM|RIFF....WEBP|II\*\0|MM\0\*|....ftyp(avi|hei|hev|mif)", re.DOTALL
)
# What systems, disks in a network and programs put beside photographs, thumbnails of them among it.
_OF_THE_SYSTEM = re.compile(
    r"\..*|@syno.*|@share(bin|snap)|~snapshot|ipod photo cache"
    r"|@eadir|@recycle|@recently-snapshot|@__thumb|@tmp|#recycle|#snapshot|lost\+found|__macosx|\$?recycle\.bin"
    r"|(?-i:RECYCLER|RECYCLED)|system volume information|found\.\d{3}|network trash folder|temporary items"
    r"|__pycache__|node_modules|bower_components|site-packages|venv|_vti_\w+|_thumbs?|_?thumbnails?"
    r"|.*\.(lrdata|lrcat-data)|thumbs\.db|ehthumbs.*\.db|desktop\.ini",
    re.IGNORECASE | re.DOTALL,
)
_MOST_FILES = 1_000_000
_REASONS, _NAMES = 8, 3


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A file that should be an image, its class, and its split where the folder that it is in states one; else "".

    The path is below the listing's root, with "/" between its parts.
    """

    path: str
    label: str
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that is not used.

    Attributes:
        reason: why, in words that fit after "because".
        kind: the same without the names in it, by which files are counted; the reason where it has none.
        row: where its pixels are in the collection, if its picture is worth showing; else -1.
    """

    path: str
    reason: str
    kind: str = ""
    row: int = -1


def in_order(path: str) -> tuple[int, str]:
    """What to sort paths by: those in a table, such as "line 1,024" or "row 7", by numbers, and files by names."""
    kind, _, number = path.partition(" ")
    number = number.replace(",", "")
    return (int(number), "") if kind in ("line", "row") and number.isdecimal() else (0, path)


def told(left_out: Iterable[LeftOut]) -> list[str]:
    """How many files were left out for each reason, the most frequent first, with the first three names of each.

    Returns:
        Lines such as "7 because it is empty: a.jpg, b.jpg, c.jpg and 4 more" or, of one file, "a.jpg: it is empty".
    """
    by_kind: dict[str, list[LeftOut]] = {}
    # A whole folder, a class perhaps, is named before files.
    for each in sorted(
        left_out, key=lambda each: (not each.path.endswith("/"), each.path.count("/"), in_order(each.path))
    ):
        by_kind.setdefault(each.kind or each.reason, []).append(each)
    lines = []
    for kind, several in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        names = [printable(each.path) for each in several]
        one = f"{names[0]}: {several[0].reason}"
        lines.append(one if len(several) == 1 else f"{len(several):,} because {kind}: {_first(names)}")
    if len(lines) > _REASONS:
        lines[_REASONS:] = [f"and for {len(lines) - _REASONS:,} further reasons"]
    return lines


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The photographs of a folder or a table, and what else was found, sorted by their paths below the root.

    The notes say what was made of the folder that its reader may not expect, a sentence each.
    """

    source: Path
    root: Path
    photographs: tuple[Photograph, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({each.label for each in self.photographs}))


def list_photographs(source: Path, *, keep_parts: bool = True) -> Listing:
    """The photographs that a reader names.

    Args:
        source: a folder with one folder for each class, whose folders may hold further ones; or a table of files and
            labels (:mod:`~fortydays.data.own.tables`), whose files are below the folder that it is in.
        keep_parts: whether folders such as train, val and test, or a table's column of splits, say which photographs
            are held out; else all are put together.

    Raises:
        DataError: there is no such folder or table, it names no class or only one, two classes whose names differ in
            capitals only, or folders that are classes or parts; or a table cannot be understood, with the line.
        StorageError: it cannot be read.
    """
    place = printable(str(source))
    if not files.exists(source):
        what = "a folder that has one folder for each class"
        if source.suffix.lower() in TABLES:
            what = "a table with a text, or the name of a file, and a label in each row"
        raise DataError(f"There is no {place}.", hint=f"Check the name. Expected {what}.")
    if files.is_folder(source):
        listing = list_folder(source, keep_parts=keep_parts)
    elif source.suffix.lower() in TABLES:
        listing = _from_table(source, keep_parts=keep_parts)
    else:
        raise DataError(
            f"{place} is a file; expected a folder with one folder for each class, or a table of files, or of texts, "
            f"and labels ({' or '.join(TABLES)}).",
            hint=hint_of_other(source),
        )
    _check_classes(listing)
    return listing


def _check_classes(listing: Listing) -> None:
    place = printable(str(listing.source))
    classes = listing.classes
    reasons = ""
    if listing.left_out:
        count = len(listing.left_out)
        reasons = f" It holds {count:,} other file{'s' * (count > 1)}: {'; '.join(told(listing.left_out))}."
    if not classes:
        hint = f"Put the photographs of each class into a folder of its name. Images end with {', '.join(ENDINGS)}."
        if files.is_file(listing.source):
            hint = f"The files that a table names lie below its folder, {printable(str(listing.root))}."
        elif tables := [each.path for each in listing.left_out if each.path.lower().endswith(TABLES)]:
            hint = f"It holds a table. Name the table itself: {printable(str(listing.root / tables[0]))}"
        raise DataError(f"{place} holds no image with a class.{reasons}", hint=hint)
    if len(classes) == 1:
        raise DataError(
            f"{place} has one class only, {printable(classes[0])!r}; expected at least two.{reasons}",
            hint="A network learns to tell classes apart. Add a folder of photographs that show something else. If a "
            "table says what each photograph shows, name the table.",
        )
    folded: dict[str, str] = {}
    for name in classes:
        other = folded.setdefault(same_spelling(name), name)
        if other != name:
            raise DataError(
                f"{place} has two classes whose names differ only in capitals, or in how their accents are stored: "
                f"{printable(other)!r} and {printable(name)!r}.",
                hint="Put their photographs together, or give one another name.",
            )


# ---------------------------------------------------------------------------------------------------------- a folder


def list_folder(folder: Path, *, keep_parts: bool, endings: tuple[str, ...] = ENDINGS) -> Listing:
    """The files of a folder that has a folder for each class, as far as their names end so.

    In all else it is as :func:`list_photographs` has it.
    """
    root, notes = folder, []
    found, left_out, passed_over = walk(root, endings=endings)
    # Archives are often unpacked into a folder of their own.
    while (only := _only_folder(found)) is not None and max(path.count("/") for path in found) >= 2:
        root = root / only
        notes.append(f"The classes are the folders in {printable(str(root.relative_to(folder)))}.")
        found, left_out, passed_over = walk(root, endings=endings)
    # A folder could have been meant as a class; hidden files are no news.
    if seen := sorted(path for path in passed_over if (root / path).is_dir()):
        hidden = "Hidden folders and folders of systems and programs that are passed over"
        notes.append(f"{hidden}: {len(seen):,} ({_named(seen)}).")
    parts = parts_of(found)
    if parts is None and (name := doubtful_part(found)):
        raise _doubtful(root, name)
    keep, outside = False, "it lies in no folder of a class"
    if parts is not None:
        names = _named(parts.above + name for name in parts.splits)
        keep = keep_parts and says_enough(parts.splits.values())
        if len(parts.splits) == 1:
            notes.append(f"The classes are the folders in {names}.")
        elif not any(parts.splits.values()):
            notes.append(
                f"The folders {names} hold folders of the same names. Those are the classes. If {names} are the "
                "classes, put the word class before each of their names."
            )
        else:
            notes += notes_of(f"the folders {names}", parts.splits.values(), keep=keep)
        outside += f" in {names}"
    photographs = []
    for path in found:
        first = "", path.rpartition("/")[0].partition("/")[0]
        split, label = first if parts is None else parts.place(path) or ("", "")
        if label:
            photographs.append(Photograph(path=path, label=label, split=split if keep else ""))
        else:
            left_out.append(LeftOut(path=path, reason=outside))
    classes, inside = same_inside({each.path: each.label for each in photographs})
    if classes:
        notes.append(
            f"The classes are {_named(classes)}. They hold folders of the same names: {_named(inside)}. If these are "
            "the classes, give the folders that hold them numbered names: part 1, part 2 and so on."
        )
    if parts is not None:
        photographs, said = _in_one_spelling(photographs)
        notes += said
    return Listing(
        source=folder,
        root=root,
        photographs=tuple(sorted(photographs, key=lambda each: each.path)),
        left_out=tuple(sorted(left_out, key=lambda each: each.path)),
        notes=tuple(notes),
    )


def notes_of(what: str, splits: Collection[str], *, keep: bool, noun: str = "photograph") -> list[str]:
    """What is made of a division that folders or a table state, a sentence each."""
    if not keep:
        return [f"The splits of {what} are not kept: which {noun}s are held out is decided anew."]
    missing = [split for split in ("validation", "test") if split not in splits]
    taken = [f"None is for {split}: some of those to train with are held out for it." for split in missing]
    return [f"The splits of {what} are kept.", *taken]


def says_enough(splits: Collection[str]) -> bool:
    """Whether some splits tell what to train with and what to hold out."""
    return "train" in splits and len(set(splits)) > 1


def _named(names: Iterable[str]) -> str:
    """The first three names."""
    return _first([printable(name) for name in sorted(names)])


def _first(several: Sequence[str]) -> str:
    more = f" and {len(several) - _NAMES:,} more" if len(several) > _NAMES else ""
    return f"{', '.join(several[:_NAMES])}{more}"


def _in_one_spelling(photographs: list[Photograph]) -> tuple[list[Photograph], list[str]]:
    """Classes of several parts whose names differ only in capitals, or in how accents are stored, as one.

    The spelling that most photographs have is kept. Folders that lie beside each other are left as they are.
    """
    spellings: dict[str, Counter[str]] = {}
    beside: dict[str, set[tuple[str, str]]] = {}
    for each in photographs:
        steps, plain = each.path.split("/"), same_spelling(each.label)
        spellings.setdefault(plain, Counter())[each.label] += 1
        beside.setdefault(plain, set()).add(("/".join(steps[: steps.index(each.label)]), each.label))
    joined = {}
    for plain, labels in spellings.items():
        if len(labels) > 1 and len({above for above, _ in beside[plain]}) == len(beside[plain]):
            joined[plain] = max(sorted(labels), key=lambda label: labels[label])
    notes = []
    if joined:
        names = [" and ".join(map(repr, sorted(spellings[plain]))) for plain in joined]
        notes.append(
            "Folders whose names differ only in capitals, or in how their accents are stored, are one class: "
            f"{_named(names)}."
        )
    return [replace(each, label=joined.get(same_spelling(each.label), each.label)) for each in photographs], notes


def same_spelling(name: str) -> str:
    """What names have in common that differ only in capitals, or in how accents are stored."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold()).strip()


def _doubtful(root: Path, name: str) -> DataError:
    there = printable(shlex.quote(str(root / name)))
    return DataError(
        f"{printable(str(root))} holds the folder {printable(name)!r}. It may be a class, or a part of photographs "
        "that were divided before.",
        hint=f"If the folders in it are the classes: forty data look {there} --name NAME. If it is a class, give the "
        "folder another name. If it is a part, call the parts train, val and test, and put folders of the "
        "same classes into each.",
    )


def _only_folder(found: list[str]) -> str | None:
    """The one folder that holds all images, if there is one."""
    firsts = {path.partition("/")[0] if "/" in path else "" for path in found}
    return next(iter(firsts)) or None if len(firsts) == 1 else None


def walk(root: Path, *, endings: tuple[str, ...] = ENDINGS) -> tuple[list[str], list[LeftOut], list[str]]:
    """The files in a folder and all folders below it.

    Hidden ones are passed over, and those that systems and programs put there; links are not followed.

    Args:
        root: the folder.
        endings: of the names of those that are looked for, in lower case; ("",) for all files.

    Returns:
        The paths of those whose names end so; of images, also of those that begin like one where their name has no
        ending that says what they are; the others with the reason, folders that cannot be read among them; and what
        was passed over; in no order.

    Raises:
        DataError: there are more than a million.
        StorageError: the folder itself cannot be read.
    """
    found: list[str] = []
    left_out: list[LeftOut] = []
    passed_over: list[str] = []
    an = "an image's" if endings == ENDINGS else " or ".join(endings)
    other_name = f"its name does not end like {an}"
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(root / above) as entries:
                for entry in entries:
                    path = f"{above}{entry.name}"
                    if _OF_THE_SYSTEM.fullmatch(entry.name):
                        passed_over.append(path)
                    elif reason := _problem(entry):
                        # A name that is no text is shown as far as it is one.
                        left_out.append(LeftOut(path=path.encode("utf-8", "replace").decode(), reason=reason))
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif entry.name.lower().endswith(endings) or (endings == ENDINGS and _begins_like_image(entry)):
                        found.append(path)
                    else:
                        left_out.append(LeftOut(path=path, reason=other_name))
                    if len(found) + len(left_out) > _MOST_FILES:
                        raise DataError(f"{printable(str(root))} holds more than {_MOST_FILES:,} files.")
        except OSError as error:
            if not above:
                raise files.storage_error("read", Path(printable(str(root))), error) from error
            left_out.append(LeftOut(path=above, reason=f"it cannot be read: {error.strerror or error}"))
    return found, left_out, passed_over


def _begins_like_image(entry: "os.DirEntry[str]") -> bool:
    if not _ODD_ENDING.fullmatch(entry.name.lower()):
        return False
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return bool(_BEGINNING.match(file.read(16)))


def _problem(entry: "os.DirEntry[str]") -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if entry.is_symlink():
        return "it is a link, and links are not followed"
    if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
        return "it is neither a file nor a folder"
    return ""


# ----------------------------------------------------------------------------------------------------------- a table


def _from_table(table: Path, *, keep_parts: bool) -> Listing:
    root = table.parent
    labels: dict[str, str] = {}
    splits: dict[str, str] = {}
    left_out: dict[str, str] = {}
    names = _Names(root)
    rows, notes = read_table(table, exists=lambda cell: not names.place(cell)[1])
    completed: dict[str, str] = {}
    for line, named, label, split in rows:
        path, reason = names.place(named)
        if not reason and path in names.completed:
            completed[path] = f"{printable(named.strip())} is {printable(path)}"
        for known, value in ((labels, label), (splits, split)):
            if known.setdefault(path, value) != value:
                raise no_table(
                    table,
                    f"line {line:,} says that {printable(path)!r} is {value!r}, and an earlier one {known[path]!r}",
                )
        if len(labels) > _MOST_FILES:
            raise no_table(table, f"it names more than {_MOST_FILES:,} files")
        if reason:
            left_out[path] = reason
    if completed:
        lacking = "Names of the table that lack a folder or an ending are completed"
        notes.append(f"{lacking}: {len(completed):,} ({_first(list(completed.values()))}).")
    keep = keep_parts and says_enough(splits.values())
    if any(splits.values()):
        notes += notes_of("the table", splits.values(), keep=keep)
    return Listing(
        source=table,
        root=root,
        photographs=tuple(
            Photograph(path=p, label=labels[p], split=splits[p] if keep else "")
            for p in sorted(labels)
            if p not in left_out
        ),
        left_out=tuple(LeftOut(path=p, reason=left_out[p]) for p in sorted(left_out)),
        notes=tuple(notes),
    )


class _Names:
    """The images below a table's folder, by their paths and by what tables make of these.

    Attributes:
        completed: the paths that were found by a name without its folder or ending.
    """

    def __init__(self, root: Path) -> None:
        self.completed: set[str] = set()
        self._root = root
        self._paths: dict[str, list[str]] | None = None

    def place(self, named: str) -> tuple[str, str]:
        """The path of a file that a table names, and why it is not taken; "" where it is. Raises StorageError."""
        if "\0" in named or not named.strip():
            return named, _MISSING
        path, reason = _below(self._root, named)
        if reason == _MISSING:
            several = self._search().get(_as_searched(path), [])
            several = [each for each in several if each.rpartition(".")[0] == path] or several
            if len(several) == 1:
                self.completed.add(several[0])
                return several[0], ""
            if several:
                return path, f"several files are called so: {_named(several)}"
        return path, reason

    def _search(self) -> dict[str, list[str]]:
        # Looked for once, and only where a name is not that of a file.
        if self._paths is None:
            self._paths = {}
            for path in walk(self._root)[0]:
                pure = PurePosixPath(path)
                for name in {pure.name, pure.stem, str(pure.with_suffix(""))} - {path}:
                    self._paths.setdefault(_as_searched(name), []).append(path)
        return self._paths


def _as_searched(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _below(root: Path, named: str) -> tuple[str, str]:
    """The path of a file that a table names, and why it is not taken; "" where it is.

    Other systems separate folders by a backslash, write absolute paths, spell accents otherwise or pad their columns.
    What is there as it is written is taken so.
    """
    path, reason = "", _MISSING
    for spelled in (named, named.strip(), named.strip().replace("\\", "/")):
        for form in dict.fromkeys((spelled, *(unicodedata.normalize(each, spelled) for each in ("NFC", "NFD")))):
            here, why = _problem_below(root, form)
            if not why:
                return here, ""
            if not path or reason == _MISSING:
                path, reason = here, why
    if reason == _MISSING and PureWindowsPath(named).drive:
        reason = _OUTSIDE
    return path, reason


_OUTSIDE = "it is not below the table's folder"
_MISSING = "there is no such file"


def _problem_below(root: Path, path: str) -> tuple[str, str]:
    pure = PurePosixPath(path)
    if pure.is_absolute() and pure.is_relative_to(root.absolute()):
        pure = pure.relative_to(root.absolute())
    if pure.is_absolute() or ".." in pure.parts:
        return str(pure), _OUTSIDE
    here = root
    try:
        for part in pure.parts:
            here = here / part
            if here.is_symlink():
                return str(pure), "it is a link, and links are not followed"
        here.lstat()
        return str(pure), "" if here.is_file() else "it is no file"
    except (FileNotFoundError, NotADirectoryError):
        return str(pure), _MISSING
    except OSError as error:
        return str(pure), f"it cannot be read: {error.strerror or error}"
