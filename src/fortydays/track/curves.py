"""The learning curves of a run, as a picture for the tracker's page."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from fortydays.base.settings import read_settings


def keep_matplotlib_in_workspace() -> None:
    """To be called before matplotlib is imported: its settings and font cache go into the workspace, not the home."""
    if "MPLCONFIGDIR" not in os.environ:
        os.environ["MPLCONFIGDIR"] = str(read_settings().workspace / "cache" / "matplotlib")


def draw_learning_curves(trials: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Accuracy and loss on the validation split over the steps, a line for each trial, a colour for each variant.

    Args:
        trials: the trials of an evidence document; those without a history are left out.
        title: what to write above.

    Returns:
        The text of an SVG picture, or "" where no trial has a history.
    """
    drawn = [trial for trial in trials if trial["history"].get("step")]
    if not drawn:
        return ""
    keep_matplotlib_in_workspace()
    from matplotlib.figure import Figure

    variants = list(dict.fromkeys(str(trial["variant"]) for trial in drawn))
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    for axes, (column, label) in zip(
        figure.subplots(1, 2),
        (("validation_accuracy", "validation accuracy"), ("validation_loss", "validation loss")),
        strict=True,
    ):
        named = set()
        for trial in drawn:
            variant = str(trial["variant"])
            name = "" if variant in named else variant.lstrip("_")  # a legend leaves out names that begin with _
            named.add(variant)
            colour = f"C{variants.index(variant) % 10}"
            history = trial["history"]
            axes.plot(history["step"], history[column], color=colour, label=name or None, linewidth=1, alpha=0.8)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()
