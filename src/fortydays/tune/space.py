"""What a search tries: for each recipe field a range or some values, read from text and checked before training."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.base.text import shown
from fortydays.base.values import fields_as_json
from fortydays.train.recipe import FIELDS, Recipe, parse_setting

Value = float | int | bool | str | None
"""What a recipe field can be set to from text."""

MOST_FIELDS, MOST_VALUES = 12, 50
_MOST_CORNERS = 2_000
_LOG = "log"
_FORMS = "FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C"
_EDGE = 0.05
"""How near to an end of a range, as a share of it, a value counts as being at the edge."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole numbers where both are.

    Attributes:
        field: name of the recipe field; an optimizer's option is "optimizer_options.NAME".
        low: the smallest.
        high: the largest.
        log: whether equal ratios, and not equal differences, are equally likely at first.
    """

    field: str
    low: float | int
    high: float | int
    log: bool = False

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values at which a recipe that cannot be is found out."""
        return self.low, self.high

    def place(self, value: Value) -> float:
        """Where a number of the range lies in it, from 0 to 1."""
        low, high, at = (math.log(float(v or 0)) if self.log else float(v or 0) for v in (self.low, self.high, value))
        return (at - low) / (high - low)

    def is_at_edge(self, value: Value) -> bool:
        """Whether a number is so near to an end that a better one may lie beyond it."""
        return value in (self.low, self.high) or not _EDGE <= self.place(value) <= 1 - _EDGE

    @property
    def words(self) -> str:
        """The range as it is typed."""
        return f"{self.low}..{self.high}{f':{_LOG}' if self.log else ''}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Some values of a field without an order, at least two.

    Attributes:
        field: as of :class:`Range`.
        values: in the order in which they were given.
    """

    field: str
    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """All of them."""
        return self.values

    def place(self, value: Value) -> float:
        """Where a value stands among them, from 0 to 1."""
        return self.values.index(value) / (len(self.values) - 1)

    def is_at_edge(self, value: Value) -> bool:  # noqa: ARG002 - values without an order have no edge
        """False."""
        return False

    @property
    def words(self) -> str:
        """The values as they are typed."""
        return ",".join(map(as_text, self.values))


@dataclass(frozen=True, kw_only=True)
class Space:
    """All that a search varies.

    Attributes:
        fields: in the order in which they were given.
    """

    fields: tuple[Range | Choice, ...]

    @classmethod
    def parse(cls, settings: Sequence[str]) -> "Space":
        """The space that texts such as ``learning_rate=1e-4..1e-1:log`` describe.

        Raises:
            UsageError: there is none, a field is unknown or named twice, or it gets no range and no values.
        """
        if not settings:
            raise UsageError(
                "A search needs something to vary.",
                hint=f"For example: --set learning_rate=1e-4..1e-1:log. Fields: {', '.join(FIELDS)}.",
            )
        fields = [_parse(setting) for setting in settings]
        names = [each.field for each in fields]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"--set names {name!r} twice; expected each field once.")
        if len(fields) > MOST_FIELDS:
            raise UsageError(f"--set names {len(fields)} fields; expected at most {MOST_FIELDS}.")
        return cls(fields=tuple(fields))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(each.field for each in self.fields)

    def recipe(self, base: Recipe, values: Mapping[str, Value]) -> Recipe:
        """The recipe of a candidate: ``base`` with some values. Raises UsageError where they do not fit."""
        return base.with_settings([f"{name}={as_text(value)}" for name, value in values.items()])

    def value_in(self, recipe: Recipe, name: str) -> Value:
        """What a recipe has for a field; None for an option that its optimizer does not set."""
        option = name.removeprefix("optimizer_options.")
        value: Value = recipe.optimizer_options.get(option) if option != name else getattr(recipe, name)
        return value

    def corners(self) -> Iterator[dict[str, Value]]:
        """Combinations of the ends of all ranges with the values of all choices.

        Where these are too many, each end and value is combined with each of any one other field: what a recipe
        refuses is one value, or two that do not go together.
        """
        ends = [each.ends for each in self.fields]
        if math.prod(map(len, ends)) <= _MOST_CORNERS:
            yield from (dict(zip(self.names, values, strict=True)) for values in itertools.product(*ends))
            return
        first = {each.field: each.ends[0] for each in self.fields}
        for a, b in itertools.combinations(self.fields, 2):
            for x, y in itertools.product(a.ends, b.ends):
                yield {**first, a.field: x, b.field: y}

    def check(self, base: Recipe) -> None:
        """Find out, before anything is trained, whether some candidate would be no recipe.

        Raises:
            UsageError: a value does not fit its field, or two do not go together.
        """
        for corner in self.corners():
            try:
                self.recipe(base, corner)
            except UsageError as error:
                raise UsageError(
                    f"{_in_words(self._to_blame(base, corner))} cannot be tried. {error.message}",
                    hint=error.hint or "Change what --set tries, or search in two steps.",
                ) from error

    def _to_blame(self, base: Recipe, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """The fewest of some values that are no recipe together."""
        for size in (1, 2):
            for some in itertools.combinations(values.items(), size):
                if size == 1 and "optimizer" in values and some[0][0].startswith("optimizer_options."):
                    continue  # it goes with one of the optimizers that are tried, and not with the recipe's own
                try:
                    self.recipe(base, dict(some))
                except UsageError:
                    return dict(some)
        return values

    def as_dict(self) -> list[dict[str, Any]]:
        """The space as JSON values."""
        return [fields_as_json(each) for each in self.fields]


def as_text(value: Value) -> str:
    """A value as it is typed after ``--set FIELD=``."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _in_words(values: Mapping[str, Value]) -> str:
    return " with ".join(f"{name}={as_text(value)}" for name, value in values.items())


def _parse(setting: str) -> Range | Choice:
    name, separator, text = setting.partition("=")
    name, text = name.strip(), text.strip()
    if not separator or not name or not text:
        raise UsageError(f"--set got {shown(setting)}; expected {_FORMS}.", hint=f"Fields: {', '.join(FIELDS)}.")
    if ".." in text:
        return _parse_range(name, text)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_VALUES:
        raise UsageError(f"--set {name} has {len(parts)} values; expected at most {MOST_VALUES}.")
    if "" in parts:
        raise UsageError(f"--set got {shown(setting)}, in which a value is empty; expected {_FORMS}.")
    values = tuple(_parse_value(name, part) for part in parts)
    if len(values) == 1:
        raise UsageError(
            f"--set {name}={as_text(values[0])} is one value, so there is nothing to choose from; expected {_FORMS}.",
            hint="A value that stays the same belongs into the recipe in the study's file.",
        )
    for value in values:
        if values.count(value) > 1:
            raise UsageError(f"--set {name} has the value {as_text(value)!r} twice; expected each once.")
    return Choice(field=name, values=values)


def _parse_range(name: str, text: str) -> Range:
    ends, colon, scale = text.partition(":")
    if colon and scale.strip() != _LOG:
        raise UsageError(
            f"--set {name} has a range with {shown(colon + scale)}; expected nothing behind it, or :{_LOG}."
        )
    low, high = (_parse_end(name, part.strip(), text) for part in ends.split("..", 1))
    if low == high:
        raise UsageError(f"--set {name}={shown(text)[1:-1]} is one value, so there is nothing to search.")
    if low > high:
        raise UsageError(
            f"--set {name} has a range from {low} to {high}, which is downwards; expected LOW..HIGH.",
            hint=f"Write: --set {name}={high}..{low}{colon}{scale}",
        )
    if colon and low <= 0:
        raise UsageError(
            f"--set {name} has a range from {low} on a logarithmic scale, which has no 0; expected a LOW above 0.",
            hint=f"Give another LOW, or leave :{_LOG} away.",
        )
    return Range(field=name, low=low, high=high, log=bool(colon))


def _parse_end(name: str, part: str, text: str) -> float | int:
    value = _parse_value(name, part) if part else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(
            f"--set {name} got {shown(text)}; expected numbers at both ends of a range.",
            hint=f"Values that are no numbers are listed: --set {name}=A,B,C",
        )
    return value


def _parse_value(name: str, text: str) -> Value:
    """A value of a field. Raises UsageError where the field is unknown, or the value of another type."""
    _, value = parse_setting(f"{name}={text}")
    assert value is None or isinstance(value, bool | int | float | str)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"The recipe field {name!r} got {shown(text)}; expected a number.")
    return value
