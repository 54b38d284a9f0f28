"""The material of a fit, of whatever kind it is: photographs or texts, found by what the reader names."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import photographs as public
from fortydays.data.own.inspection import Inspection
from fortydays.data.own.texts.recognising import are_texts, texts_in
from fortydays.data.versions import named_folder
from fortydays.fit import photographs, texts
from fortydays.fit.material import Content, Material
from fortydays.fit.request import FitRequest


@contextlib.contextmanager
def opened(request: FitRequest, settings: Settings, progress: Progress) -> Iterator[Material]:
    """Look at what a request names. No other process works on the same meanwhile.

    Raises:
        UsageError: the source, a name or a column does not fit, or an option is of the other kind.
        DataError: it cannot be had or used, or another process works on it.
        StorageError: the workspace cannot be read or written.
    """
    place = Path(request.source)
    if photographs.is_public(request.source):
        place = public.get(public.PHOTOGRAPHS[request.source], settings, progress)
    place, version = named_folder(place, settings, progress=progress)
    place = texts_in(place) if version else place
    of_kind = texts.texts_of if request.columns or are_texts(place) else photographs.photographs_of
    with of_kind(request, place, version, settings, progress) as material:
        yield material


@contextlib.contextmanager
def looked_at(request: FitRequest, settings: Settings, progress: Progress) -> Iterator[tuple[Inspection, Content]]:
    """What is found in a reader's folder or table, and what it looks like, without learning anything.

    Raises as :func:`opened`.
    """
    place, version = named_folder(Path(request.source), settings, progress=progress)
    place = texts_in(place) if version else place
    if request.columns or are_texts(place):
        with texts.inspected(request, place, version, settings, progress) as (found, kept_texts):
            yield found, texts.contents_of(found, kept_texts)
    else:
        with photographs.inspected(request, place, version, settings, progress) as (found, collection):
            yield found, collection.pixels()
