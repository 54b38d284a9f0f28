"""The page "Draw a digit": day 1's network, the reader's strokes, and small changes that fool it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fortydays.site.finished import FinishedDay
from fortydays.site.kept import read_kept
from fortydays.site.play.design import Content

STEP = 2
"""By how many of 255 gray levels one step of the page changes each pixel."""

_FIRST_SAMPLE = 3


def make(days: Sequence[FinishedDay]) -> Content | None:
    """The network and some digits to begin with; None without day 1.

    Raises:
        StorageError: the file with the network is missing or damaged.
    """
    if 1 not in {each.day.number for each in days}:
        return None
    kept = read_kept("first-network")
    layers = kept["layers"]
    return Content(
        data={"layers": layers, "samples": kept["samples"], "first": _FIRST_SAMPLE, "step": STEP},
        values={
            "weights": sum(layer["inputs"] * layer["outputs"] for layer in layers),
            "biases": sum(layer["outputs"] for layer in layers),
            "units": layers[0]["outputs"],
            "accuracy": kept["accuracy"],
            "published": origin(kept["trial"]),
            "step": STEP,
        },
        days=(1,),
    )


def origin(trial: Mapping[str, Any]) -> str:
    """Where a network of a page comes from, in words.

    Args:
        trial: what the file of the page says of it.
    """
    said = (
        f"Of the published trials of “{trial['variant']}” on day {trial['day']}, it is the one that is best on the "
        f"validation split (seed {trial['seed']}), trained again"
    )
    if trial["same_bits"]:
        return f"{said}: the same bits came out."
    found, before = (100 * trial[which]["test_accuracy"] for which in ("found", "published"))
    return (
        f"{said} on another processor, which rounds otherwise: it is right on {found:.1f}% of the test images, and "
        f"the published one on {before:.1f}%."
    )
