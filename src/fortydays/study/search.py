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

FINALISTS = 2
"""How many values go into the second round of a search that has one."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """One recipe field chosen on the validation split before a variant's trials, from a stated number of tries.

    Attributes:
        field: the recipe field; one that needs no new program, such as "learning_rate".
        values: what is tried, each with every seed of ``seeds``; the best mean validation accuracy wins, and of
            equals the first.
        seeds: seeds of the tries.
        finals: further seeds for the two best values. Two seeds often cannot tell these apart. All their tries count.
    """

    field: str
    values: tuple[Any, ...]
    seeds: tuple[int, ...] = TUNING_SEEDS
    finals: tuple[int, ...] = ()

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
        if both := sorted(set(self.seeds) & set(self.finals)):
            raise UsageError(
                f"The search over {self.field!r} has the seeds {', '.join(map(str, both))} in both rounds.",
                hint="Give finals= other seeds than seeds=.",
            )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of both rounds."""
        return (*self.seeds, *self.finals)

    @property
    def most_tries(self) -> int:
        """How many tries there are, if no value fails."""
        finalists = FINALISTS if len(self.values) >= FINALISTS else 0
        return len(self.places) + finalists * len(self.finals)

    @property
    def places(self) -> list[tuple[Any, int]]:
        """The value and the seed of each try of the first round."""
        return list(dict.fromkeys((value, seed) for value in self.values for seed in self.seeds))

    def due(self, tries: Sequence[Mapping[str, Any]]) -> list[tuple[Any, int]]:
        """The value and the seed of each try, as far as the ``tries`` so far tell: see :func:`choose`.

        The second round is among them as soon as all tries of the first are over.
        """
        over = {(t["value"], t["seed"]): t["validation_accuracy"] for t in tries}
        if not over.keys() >= set(self.places):
            return self.places
        first = {value: [over[value, seed] for seed in self.seeds] for value in self.values}
        best = sorted((v for v in first if None not in first[v]), key=lambda v: -interval(first[v]).mean)[:FINALISTS]
        # One value alone has won already.
        return [*self.places, *((v, seed) for v in best for seed in self.finals if len(best) == FINALISTS)]

    def as_dict(self) -> dict[str, Any]:
        """The search as JSON values."""
        finals = {"finals": list(self.finals)} if self.finals else {}
        return {"field": self.field, "values": list(self.values), "seeds": list(self.seeds), **finals}


def choose(search: Search, tries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outcome of a search, as it goes into the evidence.

    A value with which some try failed has lost, however good its other tries were.

    Args:
        search: what was to be tried.
        tries: ``{value, seed, validation_accuracy}`` for each; an accuracy of None is a try that failed.

    Returns:
        ``field, seeds, tries`` (each value's accuracy over its seeds), ``failed`` (values), ``chosen`` and ``at_edge``
        (whether the chosen value is the smallest or the largest number, so that a better one may lie beyond). Of a
        search with a second round also ``finals`` (its seeds); one of its values is chosen.
    """
    found = {value: [t["validation_accuracy"] for t in tries if t["value"] == value] for value in search.values}
    good = {value: numbers for value, numbers in found.items() if None not in numbers}
    summary = {value: interval(numbers) for value, numbers in good.items()}
    # After a second round, only those that were in it are known equally well.
    most = max((s.n for s in summary.values()), default=0)
    in_last = {value: s.mean for value, s in summary.items() if s.n == most}
    chosen = max(in_last, key=lambda value: in_last[value]) if in_last else search.values[0]
    return {
        "field": search.field,
        "seeds": list(search.seeds),
        **({"finals": list(search.finals)} if search.finals else {}),
        "tries": [{"value": value, "validation_accuracy": s.as_dict()} for value, s in summary.items()],
        "failed": [value for value in search.values if value not in good],
        "chosen": chosen,
        "at_edge": len(search.values) > 1 and _is_extreme(chosen, search.values),
    }


def _is_extreme(chosen: Any, values: Sequence[Any]) -> bool:
    """Whether a number is the smallest or the largest of some; names have no order."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and chosen in (min(numbers), max(numbers))
