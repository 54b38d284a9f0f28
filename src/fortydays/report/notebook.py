"""A day as a Jupyter notebook: its notes, its study's code, its published results, and how to run it changed.

The document has the form of nbformat 4.5. It has no outputs: whoever opens it runs the cells, which train nothing.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fortydays.report.notes import for_notebook
from fortydays.report.results import Results

_RESULT = """import fortydays as fd

result = fd.show({day}, published=True)
result"""

_RUN = """# Change the cell with the study and run it. Then remove the signs before these lines: they train one seed.
# mine = fd.run("{file}", seeds=1)
# mine"""


def make_notebook(
    results: Results, notes: str, figures: Mapping[str, Callable[[], str]], study: str, *, file: str
) -> str:
    """The text of a notebook.

    Args:
        results: the day's published ones.
        notes: its notes, Markdown with the numbers filled in.
        figures: by name, what draws a figure of the notes as SVG.
        study: the text of its study's file.
        file: what the notebook calls its own copy of that file.

    Raises:
        UsageError: the notes name a figure that there is not.
    """
    cells = list(_cells(results, notes, figures, study, file))
    document = {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells, start=1)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _cells(
    results: Results, notes: str, figures: Mapping[str, Callable[[], str]], study: str, file: str
) -> Iterator[dict[str, Any]]:
    for text, drawn in for_notebook(notes, figures):
        yield _markdown(text, drawn)
    yield _markdown(f"## The study\n\nThis cell writes the day's study to `{file}`, which you can change and run.")
    yield _code(f"%%writefile {file}\n{study}")
    yield _markdown("## The results\n\nThese are the published results. Nothing is trained.")
    yield _code(_RESULT.format(day=results.day))
    if results.trained:
        yield _code("result.plot()")
        yield _code('result.plot("validation_accuracy")')
    yield _code("result.trials.head()")
    yield _markdown("## Your own run")
    yield _code(_RUN.format(file=file))


def _markdown(text: str, drawn: Mapping[str, str] | None = None) -> dict[str, Any]:
    attachments = {
        name: {"image/svg+xml": base64.b64encode(svg.encode()).decode()} for name, svg in (drawn or {}).items()
    }
    cell = {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}
    return cell | ({"attachments": attachments} if attachments else {})


def _code(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(text)}


def _lines(text: str) -> list[str]:
    return text.strip("\n").splitlines(keepends=True)
