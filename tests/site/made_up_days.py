"""Days of the site whose numbers are made up, and whose notes and study are two lines."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

import made_up

from fortydays.days.journey import JOURNEY
from fortydays.report.notes import to_html
from fortydays.report.results import read_results
from fortydays.report.typesetting import typeset
from fortydays.site.finished import FinishedDay

NOTES = """# Day 4. Overfitting

## The question

What <b>helps</b>?

## The idea

| a | b |
|---|---|
| 1 | 2 |

With $W_1 x$ it is:

$$
\\frac{a}{b}
$$

```python
if x < 1:

    y = "<two>"
```

## Check yourself

- Why?

  > Because.

## Sources

- A book, by [somebody](https://doi.org/10.1000/1).
"""
SOURCE = '"""A <study>."""\n\n\nx = 1  # & more\n'


def finished(number: int = 4, **changes: Any) -> FinishedDay:
    day = JOURNEY[number - 1]
    document = made_up.evidence(**({"day": number, "title": day.title, "exhibits": []} | changes))
    if "trials" not in changes:
        document = made_up.short(document)
    return FinishedDay(day=day, results=read_results(document), notes=to_html(NOTES, formula=typeset), source=SOURCE)
