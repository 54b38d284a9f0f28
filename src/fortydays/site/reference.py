"""The public names of the package as a page has them: read from the sources by Griffe, which imports nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.report.notes import to_html
from fortydays.report.typesetting import INSTALL, MissingPackagesError
from fortydays.site.markup import python

if TYPE_CHECKING:
    import griffe

_PACKAGE = Path(__file__).parents[1]
_PARTS = {
    "fortydays.api": "Run, show, fit, load",
    "fortydays.study.design": "What a study is made of",
    "fortydays.study.drills": "What a study is made of",
    "fortydays.study.search": "What a study is made of",
    "fortydays.tasks.metric": "What a study is made of",
    "fortydays.train.recipe": "What a study is made of",
    "fortydays.study.claims": "Claims",
    "fortydays.base.errors": "Errors",
}
"""The headings of the page, by the modules that have the names."""

_MOST_LETTERS = 88
"""A longer signature has a line for each argument."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A name, or a member of a class, as the page shows it.

    Attributes:
        name: how it is written after ``import fortydays as fd``.
        signature: Python, colored.
        said: its docstring as HTML.
        details: titles, each with what it lists: a name or "", and HTML.
        source: file and line.
        members: of a class.
    """

    name: str
    signature: Markup
    said: Markup
    details: tuple[tuple[str, tuple[tuple[str, Markup], ...]], ...]
    source: str
    members: tuple["Entry", ...] = ()


def public_names() -> dict[str, list[Entry]]:
    """All public names of the package, by the headings of the page.

    Raises:
        MissingPackagesError: Griffe is not installed.
        StorageError: a source file cannot be read, or has not a name that the package tells.
    """
    root = _read("fortydays")
    found: dict[str, list[Entry]] = {heading: [] for heading in _PARTS.values()}
    for exported in root.exports or ():
        name = str(exported)
        if name.startswith("__"):
            continue
        home, _, own = str(root.members[name].target_path).rpartition(".")
        module = _read(home)
        if home not in _PARTS or own not in module.members:
            raise StorageError(f"The package tells of {name!r} in {home}, for which the page has no place.")
        found[_PARTS[home]].append(_entry(f"fd.{name}", module.members[own], home))
    return {heading: sorted(entries, key=_order) for heading, entries in found.items()}


def _order(entry: Entry) -> tuple[str, bool, int]:
    """Functions before what they give; else the order of the source, where what belongs together stands together."""
    file, _, line = entry.source.rpartition(", line ")
    return file, entry.name[len("fd.")].isupper(), int(line)


def _read(module: str) -> Any:
    """A module as Griffe reads it."""
    try:
        import griffe
    except ImportError as error:
        raise MissingPackagesError(
            "The page of the Python API needs griffelib, not installed here.",
            hint=INSTALL,
        ) from error
    place = _PACKAGE.joinpath(*module.split(".")[1:])
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    with files.storage_errors("read", path):
        code = path.read_text("utf-8")
    return griffe.visit(module, filepath=path, code=code)


def _entry(name: str, of: "griffe.Object", module: str) -> Entry:
    parsed = of.docstring.parse("google", warnings=False) if of.docstring else []
    said = "\n\n".join(section.value for section in parsed if str(section.kind.value) == "text")
    file = module.replace(".", "/")
    return Entry(
        name=name,
        signature=python(_signature(name, of)),
        said=_html(said),
        details=tuple(filter(lambda detail: detail[1], (_detail(section) for section in parsed))),
        source=f"src/{file}.py, line {of.lineno}",
        members=tuple(_members(of, module)) if of.is_class else (),
    )


def _members(of: Any, module: str) -> Iterator[Entry]:
    """What a reader can call or ask for on a class, besides the fields in its signature."""
    for name, member in of.members.items():
        is_asked = "property" in member.labels or member.is_function
        if is_asked and member.docstring and not name.startswith("_"):
            yield _entry(name, member, module)


def _all_members(of: Any) -> dict[str, Any]:
    """The members of a class, those of its private bases in the same module first."""
    found: dict[str, Any] = {}
    for base in of.bases:
        if str(base).startswith("_") and str(base) in of.parent.members:
            found |= _all_members(of.parent.members[str(base)])
    return found | dict(of.members)


def _signature(name: str, of: Any) -> str:
    """How it is called, as Python."""
    if of.is_function:
        arguments = list(_arguments(of))
        gives = f" -> {of.returns}" if of.returns else ""
    elif of.is_class:
        arguments, gives = list(_fields(of)), ""
    else:
        return f"{name}: {of.annotation}"
    line = f"{name}({', '.join(arguments)}){gives}"
    if len(line) <= _MOST_LETTERS:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in arguments), f"){gives}"])


def _arguments(of: Any) -> Iterator[str]:
    """The arguments of a function, without ``self``."""
    keywords = False
    for each in of.parameters:
        if each.name in ("self", "cls"):
            continue
        if each.kind.value == "keyword-only" and not keywords:
            keywords = True
            yield "*"
        star = {"variadic positional": "*", "variadic keyword": "**"}.get(each.kind.value, "")
        keywords |= star == "*"
        yield _argument(f"{star}{each.name}", each.annotation, each.default)


def _fields(of: Any) -> Iterator[str]:
    """What makes a value: the fields of a dataclass, which are keywords; or what the class is called with."""
    made = of.members.get("__init__")
    if made is not None:
        yield from _arguments(made)
        return
    fields = {
        name: each
        for name, each in _all_members(of).items()
        if each.is_attribute and "property" not in each.labels and each.annotation and name[0] != "_"
    }
    if fields:
        yield "*"
    # Required ones first, as in a call; the fields of a private base come before those of the class.
    for name, each in sorted(fields.items(), key=lambda pair: pair[1].value is not None):
        yield _argument(name, each.annotation, each.value)


def _argument(name: str, annotation: object, default: object) -> str:
    typed = f"{name}: {str(annotation).strip(chr(34) + chr(39))}" if annotation else name
    if default is None:
        return typed
    made = re.fullmatch(r"field\(.*?default_factory=(\w+).*\)", str(default))
    given = {"dict": "{}", "list": "[]"}.get(made[1], "...") if made else str(default)
    return f"{typed}{' = ' if annotation else '='}{given}"


def _detail(section: Any) -> tuple[str, tuple[tuple[str, Markup], ...]]:
    """A part of a docstring that lists things: its title, and each with what is said of it."""
    title = {"parameters": "Arguments", "attributes": "Fields", "raises": "Errors", "returns": "Gives"}
    kind = str(section.kind.value)
    if kind not in title:
        return "", ()
    names = [str(each.annotation) if kind == "raises" else each.name or "" for each in section.value]
    said = [_html(each.description) for each in section.value]
    return title[kind], tuple(zip(names, said, strict=True))


def _html(docstring: str) -> Markup:
    """A docstring's text as HTML: names in double accents and roles become code."""
    text = re.sub(r":[a-z:]+:`~?([^`]+)`", lambda match: f"`{match[1].rpartition('.')[2]}`", docstring)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return Markup(to_html(text))  # noqa: S704 - made by notes.to_html, which lets no HTML through
