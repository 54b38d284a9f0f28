"""The log of openings: one line of JSON for each time that a trial was measured on a test split.

Who opens a test split often enough finds a variant that suits it by chance. So all openings of a workspace are
counted, those of drafts and of runs that were removed since too.
"""

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import clock, files

_FILE = "openings.jsonl"


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One measurement of a trained trial on a test split.

    Attributes:
        dataset: name of the dataset.
        digest: SHA-256 of its content.
        study: name of the study.
        code: SHA-256 of the study's code, in which its networks are.
        variant: name of the variant.
        recipe: SHA-256 of how it was trained.
        seed: of the trial.
        run: name of the run.
    """

    dataset: str
    digest: str
    study: str
    code: str
    variant: str
    recipe: str
    seed: int
    run: str


def note(workspace: Path, opening: Opening) -> None:
    """Append an opening to the log of a workspace.

    Raises:
        StorageError: it cannot be written.
    """
    path = workspace / _FILE
    line = json.dumps({"at": clock.timestamp(), **dataclasses.asdict(opening)}, ensure_ascii=False) + "\n"
    with files.locked(path.with_suffix(".lock")):
        kept = _content(path)
        # A line that a killed process did not end is written over.
        files.append_bytes(path, after=kept.rfind(b"\n") + 1, content=line.encode())


def read(workspace: Path) -> tuple[Opening, ...]:
    """The openings of a workspace, oldest first; lines that are damaged are left out.

    Raises:
        StorageError: the log cannot be read.
    """
    names = [field.name for field in dataclasses.fields(Opening)]
    found = []
    for line in _content(workspace / _FILE).splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            found.append(Opening(**{name: told[name] for name in names}))
    return tuple(found)


def of_other_recipes(openings: Iterable[Opening], asked: Opening) -> int:
    """How many trials of the variant that is ``asked`` for, with other recipes, have opened its test split before.

    Another code of the study alone does not count: it may be about other variants.
    """
    return sum(
        (each.study, each.digest, each.variant) == (asked.study, asked.digest, asked.variant)
        and each.recipe != asked.recipe
        and each.run != asked.run
        for each in openings
    )


def by_dataset(openings: Iterable[Opening]) -> Mapping[str, tuple[int, int]]:
    """For each dataset, how often its test split was opened, and by how many ways to train."""
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for each in openings:
        way = (each.code, each.variant, each.recipe)
        found.setdefault((each.dataset, each.digest), []).append(way)
    # A reader's own dataset may have had other content before; each content has a test split of its own.
    names = [name for name, _ in found]
    return {
        name if names.count(name) == 1 else f"{name} ({digest[:8]})": (len(ways), len(set(ways)))
        for (name, digest), ways in found.items()
    }


def largest_error(examples: int, variants: int, *, risk: float = 0.05) -> float:
    """How far the accuracies on a test split may be off, all of them at once.

    With ``variants`` that were fixed before the split was opened, no accuracy differs from the one on all such
    examples by more than this, but for the given risk (Hoeffding, 1963, and the union bound).
    """
    return math.sqrt(math.log(2 * variants / risk) / (2 * examples))


def _content(path: Path) -> bytes:
    with files.storage_errors("read", path):
        return path.read_bytes() if path.exists() else b""
