"""The photographs of a fit: found by what the reader names, inspected, and divided into splits."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.base.text import printable, shown
from fortydays.data import photographs as public
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import Collection, opened
from fortydays.data.own.inspection import Inspection, inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.naming import check_owner
from fortydays.data.versions import named_folder
from fortydays.fit.request import FitRequest, model_name

SIDE = public.SIDE
"""Pixels that photographs are prepared at, upwards and sideways."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photographs:
    """What a model is made from.

    Attributes:
        place: the folder, table or data version that the photographs come from, for people.
        inspection: what was found in them.
        collection: has their pixels; open.
        kept: those that are used, with their classes and splits.
    """

    name: str
    model: str
    place: str
    inspection: Inspection
    collection: Collection
    kept: own.OwnPhotographs


@contextlib.contextmanager
def photographs_of(request: FitRequest, settings: Settings, progress: Progress) -> Iterator[Photographs]:
    """Look at what a request names. No other process works on the same photographs meanwhile.

    Raises:
        UsageError: the source or a name does not fit.
        DataError: the photographs cannot be had or used, or another process works on them.
        StorageError: the workspace cannot be read or written.
    """
    model = model_name(request.name, settings)
    place = Path(request.source)
    if collected := not files.exists(place) and request.source in public.PHOTOGRAPHS:
        place = public.get(public.PHOTOGRAPHS[request.source], settings, progress)
    place, version = named_folder(place, settings, progress=progress)
    # All versions of some data are the same photographs to a name, however much they differ.
    owner = place.parents[1] if version else None
    listing = list_photographs(place, keep_parts=not collected)
    with opened(request.name, settings, side=SIDE) as collection:
        if request.name not in public.PHOTOGRAPHS:  # which come in several editions
            check_owner(listing, collection, settings, owner=owner)
        inspection = inspect(
            listing, collection, workers=available_cores(), progress=progress, fixed_camera=request.fixed_camera
        )
        kept = own.keep(inspection, collection, name=request.name, data_version=version)
        _check_splits(kept)
        yield Photographs(
            name=request.name,
            model=model,
            place=str(version or printable(str(place))),
            inspection=inspection,
            collection=collection,
            kept=kept,
        )


def _check_splits(kept: own.OwnPhotographs) -> None:
    """Raise DataError where a class has nothing to learn from, or there is nothing to choose by or to report on."""
    train = np.bincount(kept.labels[kept.of("train")], minlength=len(kept.classes))
    without = [name for name, count in zip(kept.classes, train, strict=True) if not count]
    empty = [split for split in ("validation", "test") if not len(kept.of(split))]
    if not without and not empty:
        return
    what = f"The class {shown(without[0])} has no photograph" if without else "There is no photograph"
    where = "in the training split" if without else f"in the {empty[0]} split"
    raise DataError(
        f"{what} {where}: those that were there are gone, and others keep the split that they have.",
        hint="Add photographs, or give the whole a new name, so that it is divided anew: --name NAME",
    )
