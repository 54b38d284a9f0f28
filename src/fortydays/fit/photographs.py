"""The photographs of a fit: found by what the reader names, inspected, and divided into splits."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.base.text import printable
from fortydays.data import library
from fortydays.data import photographs as public
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import Collection, opened
from fortydays.data.own.inspection import Inspection, inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.naming import check_owner, digests_of
from fortydays.data.version_documents import DataVersion
from fortydays.fit import findings as found_out
from fortydays.fit.analysis import dense_features, errors_and_curve
from fortydays.fit.attention import class_activation, feature_maps, pictures_to_look_at, weights_of
from fortydays.fit.balance import balance
from fortydays.fit.choice import ChosenBackbone, choose_backbone, fine_tuning_epochs, seconds_of_fine_tuning
from fortydays.fit.head import CalibratedHead
from fortydays.fit.learning_curve import LearningCurve
from fortydays.fit.material import Learner, Material, check_splits
from fortydays.fit.request import FitRequest, model_name
from fortydays.fit.study_file import Plan, study_text
from fortydays.study.features import Features, prepare

SIDE = public.SIDE
"""Pixels that photographs are prepared at, upwards and sideways."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photographs(Material):
    """Photographs to make a model from; their collection, which is open, has the pixels."""

    NOUN = "photograph"

    collection: Collection

    def content(self) -> NDArray[np.uint8]:
        """The pixels."""
        return self.collection.pixels()

    def learner(self, request: FitRequest, settings: Settings, progress: Progress) -> "PhotographLearner":
        """Heads on the features of a pretrained network."""
        count = len(self.kept.paths)
        chosen = choose_backbone(request.backbone, settings, progress, photographs=count, seconds=request.seconds)
        plan, notes = _planned(request, self.kept, chosen, settings)
        return PhotographLearner(self, chosen, plan, notes)


@contextlib.contextmanager
def inspected(
    request: FitRequest, place: Path, version: DataVersion | None, settings: Settings, progress: Progress
) -> Iterator[tuple[Inspection, Collection]]:
    """Look at photographs. No other process works on the same ones meanwhile.

    Args:
        request: what is asked for.
        place: their folder or table, as it is found.
        version: the version of a reader's data that they are, or None.
        settings: the workspace.
        progress: told of the work.

    Raises:
        UsageError: the source or the name does not fit.
        DataError: the photographs cannot be had or used, or another process works on them.
        StorageError: the workspace cannot be read or written.
    """
    # All versions of some data are the same photographs to a name, however much they differ.
    owner = place.parents[1] if version else None
    listing = list_photographs(place, keep_parts=not is_public(request.source))
    with opened(request.name, settings, side=SIDE) as collection:
        if request.name not in public.PHOTOGRAPHS:  # which come in several editions
            check_owner(listing.source, lambda: digests_of(listing), collection, settings, owner=owner)
        found = inspect(
            listing, collection, workers=available_cores(), progress=progress, fixed_camera=request.fixed_camera
        )
        yield found, collection


@contextlib.contextmanager
def photographs_of(
    request: FitRequest, place: Path, version: DataVersion | None, settings: Settings, progress: Progress
) -> Iterator[Photographs]:
    """The photographs of a request, looked at; arguments and errors are those of :func:`inspected`."""
    model = model_name(request.name, settings)
    with inspected(request, place, version, settings, progress) as (inspection, collection):
        kept = own.keep(inspection, collection, name=request.name, data_version=version)
        check_splits(kept, noun=Photographs.NOUN)
        yield Photographs(
            name=request.name,
            model=model,
            place=str(version or printable(str(place))),
            inspection=inspection,
            collection=collection,
            kept=kept,
            folder=collection.folder,
        )


def is_public(source: str) -> bool:
    """Whether a request names a public collection of photographs, and nothing of the reader's own is called so."""
    return source in public.PHOTOGRAPHS and not files.exists(Path(source))


class PhotographLearner(Learner):
    """Linear heads on the features of a pretrained network, and that network's last block trained further."""

    def __init__(self, material: Photographs, chosen: ChosenBackbone, plan: Plan, notes: Sequence[str]) -> None:
        self.material: Photographs = material
        self.notes = tuple(notes)
        self._chosen, self._plan = chosen, plan
        self.seeds = plan.seeds

    def study_text(self) -> str:
        """The study as Python."""
        return study_text(self.material.kept, self._plan)

    def pretrained(
        self,
        head: CalibratedHead,  # noqa: ARG002 - all heads have it
        settings: Settings,  # noqa: ARG002
    ) -> found_out.BackboneFacts:
        """The backbone."""
        return found_out.backbone_facts(
            self._chosen.obtained, title=self._chosen.backbone.title, name=self._chosen.backbone.name,
            side=self.material.kept.side,
        )  # fmt: skip

    def attention(
        self, head: CalibratedHead, answered: Sequence[found_out.Answer], settings: Settings
    ) -> tuple[found_out.Attention, ...]:
        """Where the head looks in some test photographs."""
        return _attention(self.material, head, answered, settings)

    def from_features(
        self, head: CalibratedHead, settings: Settings, progress: Progress
    ) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
        """From the averaged features of the backbone."""
        return _from_features(self.material, head, settings, progress)


def _planned(
    request: FitRequest, kept: own.OwnExamples, chosen: ChosenBackbone, settings: Settings
) -> tuple[Plan, list[str]]:
    """What is to be trained, and what the reader should know of it."""
    notes = [f"{chosen.backbone.title} is used: {chosen.why}."] if chosen.why else []
    train = kept.of("train")
    balanced = balance(kept.labels[train], kept.classes)
    plan = Plan(backbone=chosen.backbone, target=request.target, balanced=balanced.weighted)
    if request.fine_tune:
        seeds = len(plan.seeds)
        epoch = seconds_of_fine_tuning(chosen.backbone, images=seeds * len(train), threads=settings.threads)
        plan = replace(plan, fine_tuning_epochs=fine_tuning_epochs(epoch, seconds=request.seconds))
        if not plan.fine_tuning_epochs:
            notes.append(f"There is no time to fine-tune: an epoch of {seeds} seeds takes about {epoch:,.0f} s.")
    return plan, notes


def _attention(
    photographs: Photographs, head: CalibratedHead, answered: Sequence[found_out.Answer], settings: Settings
) -> tuple[found_out.Attention, ...]:
    """Where the head looks in some test photographs."""
    kept = photographs.kept
    looked_at = pictures_to_look_at(kept.labels[kept.of("test")], head.probabilities)
    pixels = photographs.collection.pixels()[[answered[each].row for each in looked_at]]
    assert head.features.frozen is not None
    maps = feature_maps(head.features.frozen, head.model, np.asarray(pixels), threads=settings.threads)
    weights = weights_of(head.model)
    found = []
    for each, of_image in zip(looked_at, maps, strict=True):
        answer = answered[each]
        heat = class_activation(of_image, weights, kept.classes.index(answer.answer)).astype(np.float64).round(3)
        found.append(found_out.Attention(**vars(answer), heat=tuple(map(tuple, heat.tolist()))))
    return tuple(found)


def _from_features(
    photographs: Photographs, head: CalibratedHead, settings: Settings, progress: Progress
) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
    """Likely label errors and the learning curve; both look at the averaged features, however the head was trained."""
    pooled = head.features
    made = None if pooled.frozen is None else pooled.frozen.features
    if isinstance(made, Features) and made.before_last_block:
        features = replace(made, before_last_block=False)
        dataset = library.load(photographs.kept.name, settings)
        pooled = prepare(
            dataset, pooled.builder, features=features, examples=None, settings=settings, progress=progress
        )
    return errors_and_curve(photographs, dense_features(pooled), progress=progress)
