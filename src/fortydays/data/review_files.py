"""The files in which reviews with stars are published: JSON lines, or an archive with a file for each review.

What is read comes from outside: sizes are bounded and nothing is unpacked to disk.
"""

import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fortydays.data.layouts import DamagedSourceError

MOST_REVIEWS = 200_000
LONGEST = 100_000
"""Bytes of a review."""

_PARTS = ("train", "test")
_MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(neg|pos)/(\d{1,6})_(\d{1,2})\.txt")
_MOST_MEMBERS = 500_000
_CP1252 = {code: bytes([code]).decode("cp1252", "replace") for code in range(0x80, 0xA0)}


@dataclass(frozen=True, kw_only=True, order=True)
class Review:
    """A published review.

    Attributes:
        part: "train" or "test".
        label: the number of its class: 0 for few stars, 1 for many.
        number: of its file, within part and class.
        stars: from 1 to 10.
        text: as published, but that control characters are what Windows means by them.
    """

    part: str
    label: int
    number: int
    stars: int
    text: str


def read_json_lines(path: Path, *, classes: int) -> list[Review]:
    """Reviews of a file of JSON lines, compressed with xz. Raises DamagedSourceError."""
    found: list[Review] = []
    with _damage_of(path.name), lzma.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        while line := stream.readline(2 * LONGEST):
            if len(found) >= MOST_REVIEWS:
                raise ValueError(f"it has more than {MOST_REVIEWS:,} reviews")
            row = json.loads(line)
            values = [row[name] for name in ("split", "label", "id", "stars", "text")]
            found.append(_checked(*values, classes=classes))
    return _sorted(found)


def read_review_folders(path: Path, *, classes: int) -> list[Review]:
    """Reviews of the archive of Maas et al., such as "aclImdb/train/pos/0_9.txt". Raises DamagedSourceError."""
    found: list[Review] = []
    with _damage_of(path.name), tarfile.open(path, mode="r|gz") as archive:
        for count, member in enumerate(archive):
            if count >= _MOST_MEMBERS or len(found) > MOST_REVIEWS:
                raise ValueError(f"it has more than {_MOST_MEMBERS:,} members or {MOST_REVIEWS:,} reviews")
            name = _MEMBER.fullmatch(member.name)
            if name is None or not member.isreg():
                continue
            if member.size > LONGEST:
                raise ValueError(f"{member.name} has more than {LONGEST:,} bytes")
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            part, side, number, stars = name.groups()
            text = content.read(LONGEST).decode("utf-8")
            found.append(_checked(part, int(side == "pos"), int(number), int(stars), text, classes=classes))
    return _sorted(found)


def _checked(part: object, label: object, number: object, stars: object, text: object, *, classes: int) -> Review:
    right = part in _PARTS and isinstance(text, str) and all(type(each) is int for each in (label, number, stars))
    if not right or not 0 <= label < classes:  # type: ignore[operator]
        raise ValueError("a review lacks its part, class, number, stars or text")
    cleaned = str(text).translate(_CP1252)
    return Review(part=str(part), label=label, number=number, stars=stars, text=cleaned)  # type: ignore[arg-type]


def _sorted(reviews: list[Review]) -> list[Review]:
    """The training texts, then the test texts, by class and number."""
    if not reviews:
        raise DamagedSourceError("there are no reviews in it")
    return sorted(reviews, key=lambda each: (_PARTS.index(each.part), each.label, each.number))


@contextmanager
def _damage_of(name: str) -> Iterator[None]:
    """Turn what decoders raise on wrong bytes into a :class:`DamagedSourceError` that names the file."""
    try:
        yield
    except DamagedSourceError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, lzma.LZMAError, zlib.error, tarfile.TarError) as error:
        raise DamagedSourceError(f"{name} is damaged: {error}") from error
