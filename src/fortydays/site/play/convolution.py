"""The page "One photograph through a convolution": known and learned filters, a window that slides, and its sum."""

from collections.abc import Sequence

from fortydays.site.finished import FinishedDay
from fortydays.site.kept import read_kept
from fortydays.site.play.design import Content
from fortydays.site.play.digit import origin

KNOWN: dict[str, tuple[float, ...]] = {
    "identity": (0, 0, 0, 0, 1, 0, 0, 0, 0),
    "blur": (1 / 9,) * 9,
    "sharpen": (0, -1, 0, -1, 5, -1, 0, -1, 0),
    "edges": (-1, -1, -1, -1, 8, -1, -1, -1, -1),
    "vertical edges": (-1, 0, 1, -2, 0, 2, -1, 0, 1),
    "horizontal edges": (-1, -2, -1, 0, 0, 0, 1, 2, 1),
    "relief": (-2, -1, 0, -1, 1, 1, 0, 1, 2),
}
"""Filters that people made, row by row; those of vertical and horizontal edges are Sobel's."""


def make(days: Sequence[FinishedDay]) -> Content | None:
    """Photographs and filters; None without day 5.

    Raises:
        StorageError: the file with the filters is missing or damaged.
    """
    if 5 not in {each.day.number for each in days}:
        return None
    kept = read_kept("first-filters")
    return Content(
        data={"known": KNOWN, "filters": kept["filters"], "photographs": kept["photographs"]},
        values={"known": KNOWN, "filters": kept["filters"], "of": kept["of"], "published": origin(kept["trial"])},
        days=(5,),
    )
