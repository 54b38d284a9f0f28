"""What the time allows: the best backbone whose weights can be had, and how long its last block is trained."""

from dataclasses import dataclass

from fortydays.base.errors import DataError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import weights as published
from fortydays.models.backbones import BACKBONES, Backbone, find_backbone

AUTOMATIC = "auto"
"""In the place of a backbone's name: the first of :data:`CANDIDATES` that will do."""

CANDIDATES = ("efficientnet-lite0", "mobilenetv2-1.0", "mobilenetv2-0.75", "mobilenetv2-0.5", "mobilenetv2-0.35")
"""From the best to the fastest. Wider MobileNets compute more than the first and know ImageNet no better than it."""

_SPEED = 40e9
"""Multiply-adds a second that a backbone is expected to do on two cores of 2020, for an estimate."""

_FINE_TUNING_SPEED = 12e9
"""Multiply-adds a second that training the last block is expected to do on two cores, for an estimate."""

FINE_TUNING_SECONDS = 600.0
"""For fine-tuning, where no time is given."""

_MOST_FINE_TUNING_EPOCHS = 10

_SHARE = 0.5
"""Of the time given, what computing features may take; and what fine-tuning may."""


@dataclass(frozen=True, kw_only=True)
class ChosenBackbone:
    """A backbone, its weights, and what else was tried, in a sentence, or ""."""

    backbone: Backbone
    obtained: published.Obtained
    why: str


def seconds_of_features(backbone: Backbone, *, photographs: int, threads: int) -> float:
    """About how many seconds a backbone needs for so many photographs."""
    return photographs * backbone.multiply_adds / (_SPEED * max(1, threads) / 2)


def seconds_of_fine_tuning(backbone: Backbone, *, images: int, threads: int) -> float:
    """About how many seconds an epoch takes that trains a backbone's last block on so many images."""
    # Backward costs twice what forward does.
    return 3 * backbone.block_multiply_adds * images / (_FINE_TUNING_SPEED * threads / 2)


def fine_tuning_epochs(epoch: float, *, seconds: float | None) -> int:
    """For how many epochs the last block is trained, if one takes ``epoch`` seconds and the whole work ``seconds``.

    It depends on the time that was given, not on what is left of it: a fit that was stopped has to find it again.
    """
    left = FINE_TUNING_SECONDS if seconds is None else _SHARE * seconds
    return min(_MOST_FINE_TUNING_EPOCHS, int(left / epoch)) if epoch else _MOST_FINE_TUNING_EPOCHS


def choose_backbone(
    name: str, settings: Settings, progress: Progress, *, photographs: int, seconds: float | None
) -> ChosenBackbone:
    """The backbone that a reader asks for, or for :data:`AUTOMATIC` the best that can be had in the time.

    Raises:
        UsageError: there is no such backbone.
        DataError: no place has its weights; names each one.
    """
    if name != AUTOMATIC:
        backbone = find_backbone(name)
        return ChosenBackbone(backbone=backbone, obtained=published.obtain(name, settings, progress), why="")
    failures: list[str] = []
    told: list[str] = []
    *others, fastest = (BACKBONES[each] for each in CANDIDATES)
    slow: list[Backbone] = []
    for backbone in others:
        needed = seconds_of_features(backbone, photographs=photographs, threads=settings.threads)
        if seconds is not None and needed > _SHARE * seconds:
            told.append(f"{backbone.title} would take about {needed:,.0f} s of the {seconds:,.0f} s given")
            slow.append(backbone)
    # One that takes too long is better than none.
    for backbone in (*(each for each in others if each not in slow), fastest, *reversed(slow)):
        try:
            obtained = published.obtain(backbone.name, settings, progress)
        except DataError as error:
            failures.append(error.message)
            told.append(f"the weights of {backbone.title} cannot be had")
        else:
            return ChosenBackbone(backbone=backbone, obtained=obtained, why="; ".join(told))
    raise DataError(
        "No backbone's weights can be had.\n" + "\n".join(failures),
        hint="Put one of these files into FOLDER/weights and set FORTYDAYS_MIRROR=FOLDER.",
    )
