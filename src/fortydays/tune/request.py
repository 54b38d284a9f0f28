"""What is asked of a search."""

from dataclasses import dataclass
from typing import Any

from fortydays.base.errors import UsageError, unknown_name
from fortydays.study.design import Study, Variant
from fortydays.study.search import TUNING_SEEDS
from fortydays.tune.space import Range, Space

MOST_CANDIDATES, MOST_WIDTH = 1000, 64
SEEDS_OF_FINALS = 4
"""With how many tuning seeds a finalist is trained, that of the rungs among them."""


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """What is asked of a search.

    Attributes:
        variant: whose recipe is searched; "" for the only one that the study has.
        settings: each ``FIELD=LOW..HIGH``, ``FIELD=LOW..HIGH:log`` or ``FIELD=A,B,C``.
        candidates: how many combinations of values are tried.
        width: how many of them are asked for at once. It decides what is found, and how many can be trained beside
            each other; how many are trained beside each other decides nothing.
        halving: whether the worse of a batch are stopped after a part of the epochs.
        sampler_seed: of Optuna's sampler.
        command: as it was typed; no part of what the search is.
    """

    variant: str = ""
    settings: tuple[str, ...]
    candidates: int = 24
    width: int = 8
    halving: bool = True
    sampler_seed: int = 0
    command: str = ""

    def __post_init__(self) -> None:
        for option, value, least, most in (
            ("--trials", self.candidates, 2, MOST_CANDIDATES),
            ("--batch", self.width, 1, MOST_WIDTH),
            ("--seed", self.sampler_seed, 0, 2**32 - 1),
        ):
            if not least <= value <= most:
                raise UsageError(f"{option} is {value}; expected a whole number from {least} to {most}.")

    @property
    def as_asked(self) -> dict[str, Any]:
        """What a search is, as JSON values. How many candidates is no part of it: with more of them it goes on."""
        return {
            "space": Space.parse(self.settings).as_dict(),
            "width": self.width,
            "halving": self.halving,
            "sampler_seed": self.sampler_seed,
        }


def variant_of(study: Study, request: TuneRequest, space: Space) -> Variant:
    """The variant whose recipe is searched.

    Raises:
        UsageError: there is no such variant, or several to choose from; it has no recipe; a search of the study's own
            chooses a field that this one does not.
    """
    names = [variant.name for variant in study.variants]
    if not request.variant:
        if len(names) != 1:
            found = f"has {len(names)} variants; expected one of them" if names else "has no variant to tune"
            raise UsageError(
                f"The study {study.title!r} {found}.", hint=f"Add --only VARIANT: {', '.join(names)}." if names else ""
            )
        return study.variants[0]
    if request.variant in study.names and request.variant not in names:
        raise UsageError(f"{request.variant!r} is a drill, which has no recipe.", hint=f"Known: {', '.join(names)}.")
    if request.variant not in names:
        raise unknown_name("variant", request.variant, names)
    variant = study.variants[names.index(request.variant)]
    own = variant.search
    if own is not None and own.field not in space.names:
        tried = ",".join(map(str, own.values))
        raise UsageError(
            f"The variant {variant.name!r} has a search of its own, which chooses its {own.field}; this one must "
            "choose it as well.",
            hint=f"Add: --set {own.field}={tried}",
        )
    return variant


def tuning_seeds(study: Study) -> tuple[int, ...]:
    """The seeds of the tries: the first whole numbers from 1000 that the study does not report."""
    first = TUNING_SEEDS[0]
    free = [seed for seed in range(first, first + SEEDS_OF_FINALS + len(study.seeds)) if seed not in study.seeds]
    return tuple(free[:SEEDS_OF_FINALS])


def most_epochs(variant: Variant, space: Space) -> int:
    """The most epochs that a candidate can have."""
    field = next((each for each in space.fields if each.field == "epochs"), None)
    if field is None:
        return variant.recipe.epochs
    ends = (field.low, field.high) if isinstance(field, Range) else field.values
    return max(each for each in ends if isinstance(each, int))
