"""The kinds of values in an evidence document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

MOST_VARIANTS = 200
MOST_TRIALS = 20_000
MOST_ANSWERS = 200_000
"""Characters for the answers of one trial: a million examples take 166,668."""

Setting = str | int | float | bool | None
"""What a recipe field can hold."""


@dataclass(frozen=True, eq=False)
class Says:
    """What ``Annotated`` says of a value, in the keywords of JSON Schema. Equal by identity, so that it has a hash."""

    keywords: Mapping[str, Any]


Digest = Annotated[str, Says({"pattern": "^[0-9a-f]{64}$"})]
Commit = Annotated[str, Says({"pattern": "^[0-9a-f]{40,64}$"})]
Name = Annotated[str, Says({"minLength": 1})]
Natural = Annotated[int, Says({"minimum": 0})]
Count = Annotated[int, Says({"minimum": 1})]
NotNegative = Annotated[float, Says({"minimum": 0})]
Seconds = NotNegative
Share = Annotated[float, Says({"minimum": 0, "maximum": 1})]
Points = Annotated[tuple[float, ...], Says({"maxItems": 100_000})]
Seeds = Annotated[tuple[Natural, ...], Says({"minItems": 1, "maxItems": MOST_TRIALS, "uniqueItems": True})]
Versions = Mapping[str, str]
Backend = Literal["tensorflow", "jax"]
Precision = Literal["float32", "bfloat16"]
Labels = Annotated[tuple[str, ...], Says({"maxItems": 100})]


def try_in_words(examples: int) -> str:
    """What a try is whose splits have at most so many examples, as tables, reports and messages say it."""
    return f"a try on at most {examples:,} examples of each split, without verdicts"
