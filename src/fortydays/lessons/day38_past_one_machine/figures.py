"""The figures of day 38's notes: Amdahl's law, and what becomes of a trial whose worker fails."""

from typing import TYPE_CHECKING

import numpy as np

from fortydays.report.drawing import INK, figure_of, in_numbers, svg_of
from fortydays.report.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALONE = (0.1, 0.01, 0.001, 0.0)
"""Shares of the work that cannot be shared."""


def amdahl_lines() -> str:
    """The speed-up over the number of workers, both logarithmic, one line for each share."""
    workers = np.geomspace(1, 1000, 61)
    with figure_of(5.2, 3.2) as (figure, axes):
        for color, alone in zip(COLORS, ALONE, strict=False):
            faster = 1 / (alone + (1 - alone) / workers)
            axes.loglog(workers, faster, color=color, linewidth=2)
            said = f"1 in {1 / alone:,.0f} alone" if alone else "all is shared"
            axes.text(1080, faster[-1], said, color=color, va="center")
        axes.set(xlabel="workers", ylabel="times faster", xlim=(1, 1000), ylim=(1, 1300))
        in_numbers(axes.xaxis)
        in_numbers(axes.yaxis)
        return svg_of(figure)


def a_worker_fails() -> str:
    """Epochs of one trial on two workers, as boxes in time; the epoch that was lost is hatched."""
    with figure_of(6.2, 1.9) as (figure, axes):
        for epoch in range(3):
            _box(axes, epoch, 1, 1.0, str(epoch + 1))
        axes.barh(1, 0.6, left=3, height=0.5, color="none", edgecolor=COLORS[3], hatch="////")
        axes.text(3.68, 1, "fails: this part is lost", va="center", color=COLORS[3])
        for epoch in range(3, 6):
            _box(axes, epoch + 1.4, 0, 1.0, str(epoch + 1))
        axes.annotate("", (4.36, 0.12), (2.98, 0.7), arrowprops={"arrowstyle": "->", "color": INK})
        axes.text(3.5, 0.16, "checkpoint", ha="right", va="center")
        axes.set_yticks([1, 0], ["worker 1", "worker 2"])
        axes.set(xlim=(-0.1, 7.6), ylim=(-0.5, 1.5), xlabel="time", xticks=[])
        axes.grid(False)
        return svg_of(figure)


def _box(axes: "Axes", left: float, row: float, width: float, name: str) -> None:
    axes.barh(row, width, left=left, height=0.5, color=COLORS[0], alpha=0.35, edgecolor=INK)
    axes.text(left + width / 2, row, name, ha="center", va="center")
