"""How evidence of older programs was kept true while the engine changed. Nothing writes this any more."""

from dataclasses import dataclass
from typing import Annotated

from fortydays.study.vocabulary import MOST_TRIALS, Commit, Count, Digest, Natural, Precision, Says, Versions


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One trial of a renewal.

    Attributes:
        variant: of the trial.
        seed: of the trial.
        epochs: how many both engines trained; missing where the new one trained to the end.
        precision: what both computed in; missing where the new one trained to the end.
    """

    variant: str
    seed: Natural
    epochs: Count | None = None
    precision: Precision | None = None


@dataclass(frozen=True, kw_only=True)
class FormerMachine:
    """Where two engines were compared, which may be another machine than the evidence was made on."""

    cpu_model: str
    flags: tuple[str, ...]
    system: str


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """That evidence stayed true as the engine changed. Older programs wrote it.

    Attributes:
        engine: digest of the engine that gave way.
        at: when, ISO 8601.
        checked: the trials that gave the same bits.
        against: the commit of the former engine, where both trained the first epochs side by side. Without it, the
            new one gave the evidence's own bits.
        examples: how many training examples both saw, the first ones; all where it is missing.
        machine: where both were run.
        packages: the versions that both were run with.
    """

    engine: Digest
    at: str
    checked: Annotated[tuple[Checked, ...], Says({"minItems": 1, "maxItems": MOST_TRIALS})]
    against: Commit | None = None
    examples: Count | None = None
    machine: FormerMachine | None = None
    packages: Versions | None = None

    @property
    def epochs(self) -> int | None:
        """The fewest epochs in which two engines were compared; None where trials were trained to their end."""
        return None if self.against is None else min(each.epochs or 0 for each in self.checked)

    @property
    def precisions(self) -> tuple[str, ...]:
        """What was computed in, where two engines were compared."""
        return tuple(dict.fromkeys(each.precision for each in self.checked if each.precision))
