"""Seals: what a document said when a program wrote it, part by part, so that an edited number is noticed.

A seal has a SHA-256 digest for each part of the top level but itself. It guards against slips, such as a number that
was changed by hand, or a bad merge. It is no signature: who writes a document may seal it.
"""

import json
from collections.abc import Mapping
from typing import Any

from fortydays.base import files

SEAL = "seal"
EDITED = "it was edited: the seal does not fit its"
"""How the reason begins that names the parts of a document that were edited."""


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a seal of what it says now.

    Args:
        document: JSON values; an earlier seal is replaced.
    """
    parts = {name: value for name, value in document.items() if name != SEAL}
    return {**parts, SEAL: {name: _digest(value) for name, value in parts.items()}}


def is_sealed(document: Mapping[str, Any]) -> bool:
    """Whether a document has a seal, good or not. Those that older programs wrote have none."""
    return bool(document.get(SEAL))


def edited(document: Mapping[str, Any]) -> list[str]:
    """The parts that are not what they were when the document was sealed, in its order; those that are gone are last.

    None where there is no seal.
    """
    seal = document.get(SEAL)
    if not seal:
        return []
    if not isinstance(seal, Mapping):
        return [SEAL]
    changed = [n for n, value in document.items() if n != SEAL and seal.get(n) != _digest(value)]
    return [*changed, *(name for name in seal if name not in document)]


def _digest(value: Any) -> str:
    # As it is after it was written and read: a tuple is a list, and the keys of an object are texts.
    return files.sha256_of_json(json.loads(json.dumps(value, allow_nan=False)))
