"""What a page that computes is made of."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fortydays.site.finished import FinishedDay

MOST_BYTES = 250_000
"""A page that computes is smaller than this, together with its own script, style and data."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a page is filled with.

    Attributes:
        data: JSON values, which the page's script finds in ``window.playData``.
        values: what the template is filled with: a reader without scripts sees nothing else.
        days: numbers of the days whose pages link to it.
    """

    data: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    days: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PlayPage:
    """A page that computes.

    Its files in ``templates/play``: ``NAME.html`` and ``NAME.js``; and, where there, ``NAME.css`` and ``NAME.svg``, a
    small drawing of 192 x 108 for the list of these pages.

    Attributes:
        name: of its address and its files.
        title: its heading.
        sentence: what a reader does there.
        uses: further scripts in ``templates/play``, without ``.js``, that come before its own.
        make: its content, made from the days that are ready; None where a day that it needs is not among them.
    """

    name: str
    title: str
    sentence: str
    uses: tuple[str, ...] = ()
    make: Callable[[Sequence[FinishedDay]], Content | None]

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"play/{self.name}.html"

    @property
    def scripts(self) -> tuple[str, ...]:
        """Its scripts in the order in which they run."""
        return ("play", *self.uses, f"{self.name}.data", self.name)


def script_with(data: Mapping[str, Any]) -> str:
    """The script that brings a page its data: a page opened from the disk may load scripts, and nothing else."""
    return f"window.playData={json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(',', ':'))};\n"
