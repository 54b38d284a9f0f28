"""What a model is made from, and how one learns from it: the interface of photographs and of texts.

Whatever kind a reader brings, a fit has the same steps (:mod:`fortydays.fit.fitting`). A kind says how it is found and
read, what is tried on it, what one of them looks like on a page, and what can be found out from its features.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import DataError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data.own import dataset as own
from fortydays.data.own.inspection import Inspection
from fortydays.fit.request import FitRequest

if TYPE_CHECKING:
    from fortydays.fit import findings as found_out
    from fortydays.fit.head import CalibratedHead
    from fortydays.fit.learning_curve import LearningCurve

Content = NDArray[np.uint8] | Mapping[str, str]
"""The pixels of all photographs by their rows, uint8, shape (rows, side, side, 3); or all texts by their paths."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Material(ABC):
    """What a model is made from; its collection is held by this process.

    Attributes:
        NOUN: what one of them is called.
        name: what they are called together.
        model: the name of the model.
        place: the folder, table or data version that they come from, for people.
        inspection: what was found in them.
        kept: those that are used, with their classes and splits.
        folder: has all that is kept of them in the workspace.
    """

    NOUN: ClassVar[str]

    name: str
    model: str
    place: str
    inspection: Inspection
    kept: own.OwnExamples
    folder: Path

    @abstractmethod
    def content(self) -> Content:
        """What they look like, for a page about what was found in them."""

    @abstractmethod
    def learner(self, request: FitRequest, settings: Settings, progress: Progress) -> "Learner":
        """What is tried on them in the time given.

        Raises:
            DataError: what is needed for it cannot be had.
        """


class Learner(ABC):
    """What is tried on some material, and what can be found out about the best of it.

    Attributes:
        material: what is learned from.
        seeds: of the trials of each variant.
        notes: what the reader should know, a sentence each.
    """

    material: Material
    seeds: tuple[int, ...]
    notes: tuple[str, ...]

    @abstractmethod
    def study_text(self) -> str:
        """The study as Python."""

    @abstractmethod
    def from_features(
        self, head: "CalibratedHead", settings: Settings, progress: Progress
    ) -> "tuple[tuple[found_out.LabelError, ...], LearningCurve]":
        """Likely label errors and the learning curve, from heads that are cheap to train."""

    def pretrained(
        self,
        head: "CalibratedHead",  # noqa: ARG002 - of a kind that has one
        settings: Settings,  # noqa: ARG002
    ) -> "found_out.BackboneFacts | None":
        """The pretrained network that a head learned from, or None."""
        return None

    def attention(
        self,
        head: "CalibratedHead",  # noqa: ARG002 - of a kind that has some
        answered: "Sequence[found_out.Answer]",  # noqa: ARG002
        settings: Settings,  # noqa: ARG002
    ) -> "tuple[found_out.Attention, ...]":
        """Where the head looks in some test examples; empty where that is not known."""
        return ()

    def words(self, head: "CalibratedHead") -> "tuple[found_out.ClassWords, ...]":  # noqa: ARG002 - as above
        """What speaks for each class; empty where that is not known."""
        return ()

    def shown(
        self,
        head: "CalibratedHead",  # noqa: ARG002 - as above
        answers: "Sequence[Any]",
        settings: Settings,  # noqa: ARG002
    ) -> "tuple[Any, ...]":
        """Answers or label errors with all that a page needs to show them, which is nothing more of photographs."""
        return tuple(answers)


def check_splits(kept: own.OwnExamples, *, noun: str) -> None:
    """Raise DataError where a class has nothing to learn from, or there is nothing to choose by or to report on."""
    train = np.bincount(kept.labels[kept.of("train")], minlength=len(kept.classes))
    without = [name for name, count in zip(kept.classes, train, strict=True) if not count]
    empty = [split for split in ("validation", "test") if not len(kept.of(split))]
    if not without and not empty:
        return
    what = f"The class {shown(without[0])} has no {noun}" if without else f"There is no {noun}"
    where = "in the training split" if without else f"in the {empty[0]} split"
    raise DataError(
        f"{what} {where}: those that were there are gone, and others keep the split that they have.",
        hint=f"Add {noun}s, or give the whole a new name, so that it is divided anew: --name NAME",
    )
