"""Which photographs a reader has, and what each is of: from a folder for each class, or from a table of files.

Nothing is decoded here, and nothing is followed: a link could lead anywhere, so it is left out and named.
"""

import os
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.text import printable
from fortydays.data.own.parts import Parts, doubtful_part, parts_of
from fortydays.data.own.tables import TABLES, no_table, read_table
from fortydays.inputs.images import Images

ENDINGS = Images.SUFFIXES  # fmt: skip
"""What the name of an image file ends with, capitals or not."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
"""What these files may be, in Pillow's words; which one it is, the file says and not its name."""

MOST_PIXELS = 120_000_000
"""Of a photograph: the largest that telephones take have 108 million."""

LARGEST_FILE = 200_000_000
"""Bytes of a photograph."""

# What browsers add to an ending, as in .jpg_large; or no ending at all. Such a file is an image if it begins like one.
_ODD_ENDING = re.compile(r"[^.]*|.*\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic)[^a-z0-9.~][^.]*", re.DOTALL)
_BEGINNING = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|BM|RIFF....WEBP|II\*\0|MM\0\*|....ftyp(avi|hei|hev|mif)", re.DOTALL
)
# What systems, disks in a network and programs put beside photographs, thumbnails of them among it.
_OF_THE_SYSTEM = re.compile(
    r"\..*|@syno.*|@share(bin|snap)|~snapshot|ipod photo cache"
    r"|@eadir|@recycle|@recently-snapshot|@__thumb|@tmp|#recycle|#snapshot|lost\+found|__macosx|\$recycle\.bin"
    r"|recycler|recycled|system volume information|found\.\d{3}|network trash folder|temporary items|__pycache__"
    r"|.*\.(lrdata|lrcat-data)|thumbs\.db|ehthumbs.*\.db|desktop\.ini",
    re.IGNORECASE | re.DOTALL,
)
_MOST_FILES = 1_000_000
_REASONS, _NAMES = 8, 3


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A file that should be an image.

    Attributes:
        path: below the listing's root, with "/" between its parts.
        label: the name of its class.
        split: "train", "validation" or "test", where the folder it is in says so; else "".
    """

    path: str
    label: str
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that is not used.

    Attributes:
        path: as for :class:`Photograph`.
        reason: why, in words that fit after "because".
        kind: the same without the names in it, by which files are counted; the reason where it has none.
    """

    path: str
    reason: str
    kind: str = ""


def told(left_out: Iterable[LeftOut]) -> list[str]:
    """How many files were left out for each reason, the most frequent first, with the first three names of each.

    Returns:
        Lines such as "7 because it is empty: a.jpg, b.jpg, c.jpg, ..." or, of one file, "a.jpg: it is empty".
    """
    by_kind: dict[str, list[LeftOut]] = {}
    for each in sorted(left_out, key=lambda each: each.path):
        by_kind.setdefault(each.kind or each.reason, []).append(each)
    lines = []
    for kind, several in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        names = [printable(each.path) for each in several[:_NAMES]] + ["..."] * (len(several) > _NAMES)
        one = f"{names[0]}: {several[0].reason}"
        lines.append(one if len(several) == 1 else f"{len(several):,} because {kind}: {', '.join(names)}")
    if len(lines) > _REASONS:
        lines[_REASONS:] = [f"and for {len(lines) - _REASONS:,} further reasons"]
    return lines


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The photographs of a folder or a table.

    Attributes:
        source: what was named by the reader.
        root: the folder that all paths start from.
        photographs: sorted by path.
        left_out: what else was found, sorted by path.
        notes: what was made of the folder that its reader may not expect, a sentence each.
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
        raise DataError(f"There is no {place}.", hint="Name a folder that has one folder for each class.")
    if files.is_folder(source):
        listing = _from_folder(source, keep_parts=keep_parts)
    elif source.suffix.lower() in TABLES:
        listing = _from_table(source, keep_parts=keep_parts)
    else:
        raise DataError(
            f"{place} is a file; expected a folder with one folder for each class, or a table of files and labels "
            f"({' or '.join(TABLES)})."
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
        raise DataError(f"{place} holds no image with a class.{reasons}", hint=hint)
    if len(classes) == 1:
        raise DataError(
            f"{place} has one class only, {printable(classes[0])!r}; expected at least two.{reasons}",
            hint="A network learns to tell classes apart. Add a folder of photographs that show something else.",
        )
    folded: dict[str, str] = {}
    for name in classes:
        other = folded.setdefault(_folded(name), name)
        if other != name:
            raise DataError(
                f"{place} has two classes whose names differ in capitals or accents' spelling only: "
                f"{printable(other)!r} and {printable(name)!r}.",
                hint="Put their photographs together, or give one another name.",
            )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold()).strip()


# ---------------------------------------------------------------------------------------------------------- a folder


def _from_folder(folder: Path, *, keep_parts: bool) -> Listing:
    root, notes = folder, []
    found, left_out = walk(root)
    # Archives are often unpacked into a folder of their own.
    while (only := _only_folder(found)) is not None and _depth(found) >= 3:
        root = root / only
        notes.append(f"The classes are the folders in {printable(str(root.relative_to(folder)))}.")
        found, left_out = walk(root)
    parts = parts_of(found)
    if parts is None and (name := doubtful_part(found)):
        raise _doubtful(root, name)
    keep, outside = False, "it lies in no folder of a class"
    if parts is not None:
        keep = keep_parts and _says_enough(parts.splits.values())
        notes += _notes_of(parts, keep=keep)
        outside += f" in {_named(parts)}"
    photographs = []
    for path in found:
        if parts is not None:
            split, label = parts.place(path) or ("", "")
        else:
            split, label = "", path.rpartition("/")[0].partition("/")[0]
        if label:
            photographs.append(Photograph(path=path, label=label, split=split if keep else ""))
        else:
            left_out.append(LeftOut(path=path, reason=outside))
    return Listing(
        source=folder,
        root=root,
        photographs=tuple(sorted(photographs, key=lambda each: each.path)),
        left_out=tuple(sorted(left_out, key=lambda each: each.path)),
        notes=tuple(notes),
    )


def _notes_of(parts: Parts, *, keep: bool) -> list[str]:
    """What is made of parts, a sentence each."""
    if len(parts.splits) == 1:
        return [f"The classes are the folders in {_named(parts)}."]
    if not keep:
        return [f"The folders {_named(parts)} were put together: which photographs are held out is decided anew."]
    notes = [f"The folders {_named(parts)} say which photographs are held out. That is kept."]
    missing = [split for split in ("validation", "test") if split not in parts.splits.values()]
    if missing:
        notes.append(
            f"There is no folder for {missing[0]}: some photographs of the training folder are held out for it."
        )
    return notes


def _says_enough(splits: Collection[str]) -> bool:
    """Whether a division says what to train with, and what not to."""
    return "train" in splits and len(set(splits)) > 1


def _named(parts: Parts) -> str:
    return ", ".join(printable(parts.above + name) for name in sorted(parts.splits))


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


def _depth(found: list[str]) -> int:
    return max((path.count("/") + 1 for path in found), default=0)


def walk(root: Path, *, endings: tuple[str, ...] = ENDINGS) -> tuple[list[str], list[LeftOut]]:
    """The files in a folder and all folders below it.

    Hidden ones are passed over, and those that systems and programs put there; links are not followed.

    Args:
        root: the folder.
        endings: of the names of those that are looked for, in lower case.

    Returns:
        The paths of those whose names end so; of images, also of those that begin like one where their name has no
        ending that says what they are; and the others with the reason, folders that cannot be read among them; in no
        order.

    Raises:
        DataError: there are more than a million.
        StorageError: the folder itself cannot be read.
    """
    found: list[str] = []
    left_out: list[LeftOut] = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(root / above) as entries:
                for entry in entries:
                    path = f"{above}{entry.name}"
                    if is_of_the_system(entry.name):
                        continue
                    reason = _problem(entry)
                    if reason:
                        # A name that is no text is shown as far as it is one.
                        left_out.append(LeftOut(path=path.encode("utf-8", "replace").decode(), reason=reason))
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif entry.name.lower().endswith(endings) or (endings == ENDINGS and _begins_like_image(entry)):
                        found.append(path)
                    else:
                        left_out.append(LeftOut(path=path, reason=_other_name(endings)))
                    if len(found) + len(left_out) > _MOST_FILES:
                        raise DataError(f"{printable(str(root))} holds more than {_MOST_FILES:,} files.")
        except OSError as error:
            if not above:
                raise files.storage_error("read", Path(printable(str(root))), error) from error
            left_out.append(LeftOut(path=above, reason=f"it cannot be read: {error.strerror or error}"))
    return found, left_out


def is_of_the_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or put there by a system or a program."""
    return _OF_THE_SYSTEM.fullmatch(name) is not None


def _other_name(endings: tuple[str, ...]) -> str:
    an = "an image's" if endings == ENDINGS else " or ".join(endings)
    return f"its name does not end like {an}"


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
    rows, notes = read_table(table)
    for line, named, label, split in rows:
        path, reason = _below(root, named)
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
    keep = keep_parts and _says_enough(splits.values())
    notes += _notes_of_column(splits.values(), keep=keep)
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


def _notes_of_column(splits: Collection[str], *, keep: bool) -> list[str]:
    """What is made of a table's column of splits, a sentence each."""
    if not any(splits):
        return []
    if not keep:
        return ["The table's splits are no division to train by: which photographs are held out is decided anew."]
    missing = [split for split in ("validation", "test") if split not in splits]
    more = f" For {missing[0]} it names none: some of those to train with are held out for it." if missing else ""
    return [f"The table says which photographs are held out. That is kept.{more}"]


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
