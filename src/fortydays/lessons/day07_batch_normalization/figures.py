"""The figure of day 7's notes: the numbers of two channels before and after batch normalization."""

import numpy as np

from fortydays.report.drawing import panels_of, svg_of
from fortydays.report.palette import COLORS

CHANNELS = {"channel 1": (3.0, 0.5), "channel 2": (-1.0, 2.0)}
"""Mean and standard deviation of the made-up numbers of each channel."""


def normalization() -> str:
    """Histograms of made-up numbers, as a layer gives them and as batch normalization does."""
    generator = np.random.default_rng(7)
    edges = np.linspace(-7, 7, 57)
    with panels_of(6.4, 2.3, 2) as (figure, panels):
        for index, (name, (mean, deviation)) in enumerate(CHANNELS.items()):
            z = generator.normal(mean, deviation, 4000)
            for axes, numbers in zip(panels, (z, (z - z.mean()) / z.std()), strict=True):
                axes.hist(
                    numbers, edges.tolist(), color=COLORS[(0, 3)[index]], alpha=0.6, label=name, histtype="stepfilled"
                )
        for axes, title in zip(panels, ("z, before", "(z − m) / s, after"), strict=True):
            axes.set(title=title, yticks=[], ylim=(0, 850))
            axes.spines["left"].set_visible(False)
        panels[0].legend(loc="upper left")
        return svg_of(figure)
