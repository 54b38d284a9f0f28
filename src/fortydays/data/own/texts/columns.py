"""Which column of a table has the texts and which the labels: as the reader says, by their names, or by content."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.text import printable
from fortydays.data.own.tables import SPLIT_COLUMNS, plain

NAMES = {
    "text": ("text", "texts", "review", "reviewtext", "comment", "commenttext", "message", "sentence", "content",
             "body", "document", "tweet", "post", "utterance", "question", "description", "reviewbody", "sms"),
    "label": ("label", "labels", "labelname", "class", "classname", "classlabel", "category", "target", "sentiment",
              "topic", "intent", "emotion", "polarity"),
}  # fmt: skip
"""How the two columns may be called; only letters and digits count. The first name goes before the others."""

LOOKED_AT = 500
"""Rows from the first on by which columns are told apart where their names do not do it."""

_SAID = 12
_LONG_NAME = 60


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a table that are used; "" where there is none of the kind."""

    text: str
    label: str
    group: str = ""
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The columns that a reader names, each "" where it is to be found."""

    text: str = ""
    label: str = ""
    group: str = ""


def is_known(cell: str) -> bool:
    """Whether a column of texts or labels may be called so."""
    return any(plain(cell) in known for known in NAMES.values())


def is_head(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a table has the names of its columns.

    It has where one of them is known; else where all are short and different, and none occurs below itself.

    Args:
        cells: of the first row.
        rows: some rows behind it.
    """
    if any(map(is_known, cells)):
        return True
    names = [cell.strip() for cell in cells]
    if not all(0 < len(name) <= _LONG_NAME for name in names) or len(set(names)) < len(names):
        return False
    return not any(place < len(row) and row[place].strip() == name for row in rows for place, name in enumerate(names))


def find_columns(names: Sequence[str], rows: Sequence[Mapping[str, str]], wanted: Wanted, *, place: str) -> Columns:
    """The columns that have text, label, group and split.

    Args:
        names: of all columns.
        rows: the first rows: cells by the names of columns.
        wanted: what the reader names.
        place: the table, for messages.

    Raises:
        UsageError: a column that was named is not there, or one cannot be found; the message lists the columns.
    """
    for name in (wanted.text, wanted.label, wanted.group):
        if name and name not in names:
            raise unknown_name("column", name, names, of=place)
    text, label = wanted.text or _called("text", names), wanted.label or _called("label", names)
    split = next((name for name in names if plain(name) in SPLIT_COLUMNS), "")
    free = [name for name in names if name not in {text, label, wanted.group, split}]
    if not text:
        text = _of_texts(free, rows)
        free = [name for name in free if name != text]
    if not label:
        few = _of_labels(free, rows)
        label = few[0] if len(few) == 1 else ""
    missing = [kind for kind, name in (("text", text), ("label", label)) if not name]
    if missing:
        raise _not_found(missing, names, place)
    if text == label or wanted.group in (text, label):
        raise UsageError(
            f"The column {printable(text if text == label else wanted.group)!r} of {place} cannot be two things.",
            hint=f"Name different ones: --text COLUMN --label COLUMN. Columns: {_listed(names)}.",
        )
    return Columns(text=text, label=label, group=wanted.group, split=split if split not in (text, label) else "")


def text_column(names: Sequence[str], rows: Sequence[Mapping[str, str]], wanted: str, *, place: str) -> str:
    """The column that has the texts, of a table that needs no labels; arguments and errors as :func:`find_columns`."""
    if wanted and wanted not in names:
        raise unknown_name("column", wanted, names, of=place)
    found = wanted or _called("text", names) or _of_texts(names, rows) or (names[0] if len(names) == 1 else "")
    if not found:
        raise UsageError(
            f"It cannot be told which column of {place} is the text.",
            hint=f"Name it: --text COLUMN. Columns: {_listed(names)}.",
        )
    return found


def _not_found(missing: Sequence[str], names: Sequence[str], place: str) -> UsageError:
    hint = f"Name them: --text COLUMN --label COLUMN. Columns: {_listed(names)}."
    if len(names) == 1:
        hint = (
            "Commas, semicolons, tabs or bars separate the cells of a row; the first line names the columns, such as "
            f"text,label. Its only column is {_listed(names)}."
        )
    return UsageError(
        f"It cannot be told which column of {place} is the {' and which the '.join(missing)}.", hint=hint
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SAID:,} more" if len(names) > _SAID else ""
    return ", ".join(printable(name)[:_LONG_NAME] or "(without a name)" for name in names[:_SAID]) + more


def _called(kind: str, names: Sequence[str]) -> str:
    """The column that is called like a kind, the first of its possible names first; "" where none or two are."""
    known = [plain(name) for name in names]
    for possible in NAMES[kind]:
        if known.count(possible) == 1:
            return names[known.index(possible)]
    return ""


def _of_texts(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """The column whose cells are by far the longest and mostly different; "" where there is none."""
    lengths = {name: sum(len(row.get(name, "")) for row in rows) for name in names}
    if not rows or not names:
        return ""
    best, *others = sorted(names, key=lambda name: -lengths[name])
    different = len({row.get(best, "") for row in rows})
    worded = sum(" " in row.get(best, "").strip() for row in rows)
    if 2 * different < len(rows) or 2 * worded < len(rows):
        return ""
    return "" if others and 2 * lengths[others[0]] > lengths[best] else best


def _of_labels(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns with few values, each of which occurs several times."""
    found = []
    for name in names:
        seen = Counter(row.get(name, "").strip() for row in rows)
        if "" not in seen and 1 < len(seen) <= max(2, len(rows) // 5):
            found.append(name)
    return found
