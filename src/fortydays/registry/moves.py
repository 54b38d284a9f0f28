"""The history of a model's aliases: each move is a tag of the model, written before the alias moves.

MLflow forgets where an alias was. What the tags tell can be undone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.base.text import printable
from fortydays.base.values import fields_as_json

MOVE_TAG = "fortydays.move."
_LONGEST_TAG = 4_800
_LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class Move:
    """One time that an alias moved, counted from 1 for each model.

    Attributes:
        kind: "promote" or "rollback".
        version: where to.
        before: where it was, or None.
        time: when, ISO 8601.
        forced: the gates that had failed and were passed by force.
        reason: why, in the words of who moved it.
        gates: what each gate said, as JSON values; empty for a rollback, which asks none.
    """

    number: int
    kind: str
    alias: str
    version: int
    before: int | None
    time: str
    forced: tuple[str, ...]
    reason: str
    gates: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return fields_as_json(self)

    def as_tag(self) -> tuple[str, str]:
        """Key and value of the tag that keeps it."""
        told = self.as_dict()
        del told["number"]
        text = json.dumps(told, ensure_ascii=False)
        if len(text) > _LONGEST_TAG:  # of a database's column; the names of closed gates are kept in any case
            text = json.dumps({**told, "gates": []}, ensure_ascii=False)
        return f"{MOVE_TAG}{self.number:06}", text


def read_move(key: str, value: str) -> Move:
    """What :meth:`Move.as_tag` gave. Raises ValueError where it did not."""
    from pydantic import TypeAdapter

    told = TypeAdapter(dict[str, Any]).validate_json(value)
    return TypeAdapter(Move).validate_python({**told, "number": int(key.removeprefix(MOVE_TAG))})


def check_reason(reason: str) -> str:
    """A reason for the history, in one printable line. Raises UsageError where it is too long."""
    if len(reason) > _LONGEST_REASON:
        raise UsageError(f"The reason has {len(reason):,} characters; expected at most {_LONGEST_REASON}.")
    return printable(" ".join(reason.split()))
