"""How a setting is chosen before a variant's trials: tries on the validation split, with seeds of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fortydays.base.errors import UsageError, unknown_name
from fortydays.study.statistics import interval
from fortydays.train.recipe import FIELDS
from fortydays.train.trainer import FREE_FIELDS

TUNING_SEEDS = (1000, 1001)
"""Seeds of the trials that choose a setting. They are never seeds of a study, so choice and report are apart."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """One recipe field chosen on the validation split before a variant's trials, from a stated number of tries.

    Attributes:
        field: the recipe field; one that needs no new program, such as "learning_rate".
        values: what is tried, each with every seed of ``seeds``; the best mean validation accuracy wins, and of
            equals the first.
        seeds: seeds of the tries.
    """

    field: str
    values: tuple[Any, ...]
    seeds: tuple[int, ...] = TUNING_SEEDS

    def __post_init__(self) -> None:
        if self.field not in FIELDS:
            raise unknown_name("recipe field", self.field, FIELDS)
        if self.field not in FREE_FIELDS:
            raise UsageError(
                f"The recipe field {self.field!r} cannot be searched, because each value would be compiled anew.",
                hint=f"Fields that can be: {', '.join(FREE_FIELDS)}.",
            )
        if not self.values or not self.seeds:
            raise UsageError(f"The search over {self.field!r} needs at least one value and one seed.")

    def as_dict(self) -> dict[str, Any]:
        """The search as JSON values."""
        return {"field": self.field, "values": list(self.values), "seeds": list(self.seeds)}


def choose(search: Search, tries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outcome of a search, as it goes into the evidence.

    A value with which some try failed has lost, however good its other tries were.

    Args:
        search: what was to be tried.
        tries: ``{value, seed, validation_accuracy}`` for each; an accuracy of None is a try that failed.

    Returns:
        ``field, seeds, tries`` (each value's accuracy over the seeds), ``failed`` (values), ``chosen`` and ``at_edge``
        (whether the chosen value is the first or last, so that a better one may lie beyond).
    """
    found = {value: [t["validation_accuracy"] for t in tries if t["value"] == value] for value in search.values}
    good = {value: numbers for value, numbers in found.items() if None not in numbers}
    summary = {value: interval(numbers) for value, numbers in good.items()}
    chosen = max(summary, key=lambda value: summary[value].mean) if summary else search.values[0]
    return {
        "field": search.field,
        "seeds": list(search.seeds),
        "tries": [{"value": value, "validation_accuracy": s.as_dict()} for value, s in summary.items()],
        "failed": [value for value in search.values if value not in good],
        "chosen": chosen,
        "at_edge": len(search.values) > 1 and chosen in (search.values[0], search.values[-1]),
    }
