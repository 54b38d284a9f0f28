"""Claims whose numbers are made up, with what a verdict on them rests on."""

from typing import Any

import numpy as np

from fortydays.site.play.samples import Sampled
from fortydays.study.claims import Threshold
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.statistics import Sample


def sampled(values: list[float], rows: Any = None, *, above: bool | None = True, bound: float = 0.5) -> Sampled:
    """A claim on some values, or on rows of right and wrong answers."""
    table = None if rows is None else np.asarray(rows, np.float64)
    claim = Threshold(sentence="So it is", variant="a", metric="test_accuracy", at_least=bound)
    judgement = Judgement(
        claim="", condition="", verdict=Verdict.UNDECIDED, value=None, low=None, high=None, n=0, bound=bound
    )
    return Sampled(
        judgement=judgement, claim=claim, seeds=tuple(range(len(values))), strict=False, quantity="", above=above,
        sample=Sample(values=values, examples=table, share=table is not None),
    )  # fmt: skip
