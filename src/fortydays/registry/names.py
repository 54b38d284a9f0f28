"""How model versions are called: NAME, NAME@VERSION or NAME@ALIAS. Nothing else becomes a path or a key."""

import re
from dataclasses import dataclass

from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.text import printable, shown

CHAMPION = "champion"
CHALLENGER = "challenger"
ALIASES = (CHAMPION, CHALLENGER)
"""The movable names of a model: the version in use, and the one that might replace it."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a reader calls a model version: by its number, by an alias, or by the name of the model alone."""

    name: str
    version: int | None = None
    alias: str | None = None

    def __str__(self) -> str:
        chosen = self.alias or self.version
        return f"{self.name}@{chosen}" if chosen else self.name


def check_name(name: str) -> str:
    """The name of a model: 1 to 63 of a-z, 0-9 and dashes, with a letter or digit at each end. Raises UsageError."""
    if not _NAME.fullmatch(name):
        lower = name.lower()
        hint = f"Did you mean {lower!r}?" if lower != name and _NAME.fullmatch(lower) else ""
        raise UsageError(
            f"{shown(name)} is no name of a model; expected at most 63 of a-z, 0-9 and '-', "
            "with a letter or a digit first and last.",
            hint=hint,
        )
    return name


def check_alias(alias: str) -> str:
    """An alias, if there is such a one. Raises UsageError."""
    if alias not in ALIASES:
        raise unknown_name("alias", printable(alias), ALIASES)
    return alias


def parse_reference(text: str) -> Reference:
    """Read ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``. Raises UsageError."""
    name, at, chosen = text.partition("@")
    check_name(name)
    if not at:
        return Reference(name=name)
    if _VERSION.fullmatch(chosen):
        return Reference(name=name, version=int(chosen))
    if not chosen or chosen[0] in "-+0123456789":
        raise UsageError(
            f"{shown(chosen)} is no version of {name!r}; versions are whole numbers from 1.",
            hint=f"List them with: forty models show {name}",
        )
    return Reference(name=name, alias=check_alias(chosen))


def parse_version(text: str) -> Reference:
    """Read ``NAME@VERSION``, where only a number will do. Raises UsageError."""
    reference = parse_reference(text)
    if reference.version is None:
        raise UsageError(
            f"{shown(text)} does not say which version; expected NAME@VERSION, such as {reference.name}@1.",
            hint=f"List the versions with: forty models show {reference.name}",
        )
    return reference
