"""The study that ``forty tune`` writes: the variant as it was beside the tuned one, and a claim to begin with."""

import importlib.util
import json
import keyword
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.privacy import shared
from fortydays.base.templates import plain_text
from fortydays.base.text import counted, printable
from fortydays.study.plan import StudySource
from fortydays.tune.found import Ending, Found
from fortydays.tune.space import as_text

SUFFIX = " tuned"
_LONGEST_NAME = 40
_WIDTH = 115


def module_of(path: Path, *, day_module: str | None) -> str:
    """What the written study imports the original from.

    Args:
        path: the file of the study that is searched.
        day_module: the module of a day's study, or None for a reader's file.

    Raises:
        UsageError: it is a reader's file that Python cannot import by its name.
    """
    if day_module is not None:
        return day_module
    name = path.stem
    taken = name in sys.stdlib_module_names or _is_another(name, path)
    if not name.isidentifier() or keyword.iskeyword(name) or taken:
        why = "Python has another module of this name" if taken else "a module's name is letters, digits and _"
        raise UsageError(
            f"The study that comes of the search would import {path.name}, which cannot be: {why}.",
            hint=f"Give the file another name, such as {_as_identifier(name)}.py.",
        )
    return name


def check_place(path: Path, original: Path | None) -> None:
    """Find out before the search whether its study could be written. A file that is there is no matter of this.

    ``original`` is the reader's file that it imports, or None.

    Raises:
        UsageError: the name does not end in .py, there is no such folder, or the original is in another.
    """
    if path.suffix != ".py":
        wanted = shlex.quote(str(path.with_name(f"{path.name}.py")))
        raise UsageError(f"The name of a study file ends in .py; this is {path}.", hint=f"Write: -o {wanted}")
    folder = path.absolute().parent
    if not files.is_folder(folder):
        raise UsageError(f"There is no folder {path.parent}.", hint="Make it first, or name a file in another one.")
    if original is not None and folder.resolve() != original.parent.resolve():
        raise UsageError(
            f"The study that comes of the search imports {original.name}, so it must be beside it; this is {path}.",
            hint=f"Write: -o {shlex.quote(str(original.with_name(path.name)))}",
        )


def study_text(found: Found, source: StudySource, *, module: str) -> str:
    """The study as Python: the same search gives the same text."""
    variant = next(each for each in source.study.variants if each.name == found.variant)
    recipe = found.space.recipe(variant.recipe, found.chosen.values)
    fields = [name for name in found.space.names if "." not in name]
    if recipe.optimizer_options != variant.recipe.optimizer_options or len(fields) < len(found.space.names):
        fields.append("optimizer_options")
    name = f"{found.variant[: _LONGEST_NAME - len(SUFFIX)].strip()}{SUFFIX}"
    if name == found.variant:
        name = f"{name[: _LONGEST_NAME - 2]} 2"
    title = printable(f"{found.title}: {found.variant}, tuned")
    return plain_text(Path(__file__).parent / "templates" / "tuned.py.jinja").render(
        title=title.replace("\\", "").replace('"', "'"),
        module=module,
        comment=textwrap.wrap(how_chosen(found), _WIDTH),
        variant=_code(found.variant),
        name=_code(name),
        description=_code(f"its recipe chosen among {counted(len(found.candidates), 'candidate')}"),
        changes=[(each, _code(_plain(getattr(recipe, each)))) for each in fields],
        seeds=found.seeds,
        study_title=_code(title),
        sentence=_code(
            f"The tuned recipe of {found.variant} is right more often on the test split than the one before"
        ),
    )


def how_chosen(found: Found) -> str:
    """How the values were chosen, in sentences."""
    space = " ".join(f"{each.field}={each.words}" for each in found.space.fields)
    stopped, failed = found.count(Ending.STOPPED), found.count(Ending.FAILED)
    ends = ", ".join(
        [f"{found.count(Ending.FINISHED)} for all epochs", *([f"{stopped} stopped early"] if stopped else [])]
        + ([f"{failed} failed"] if failed else [])
    )
    chosen, before = found.chosen.spread, found.before.spread
    assert chosen is not None
    was = "failed" if before is None else f"has {100 * before.mean:.2f}%"
    edge = "".join(
        f" {name}={as_text(found.chosen.values[name])} is at the edge of its range." for name in found.at_edge
    )
    return (
        f"How it was chosen: `forty tune` tried {counted(len(found.candidates), 'candidate')} of {space} on "
        f"{counted(found.validated, 'validation example')} of {found.dataset} {found.dataset_digest[:12]} ({ends}). "
        f"Of the best {len(found.finalists)}, trained with the seeds {', '.join(map(str, found.seeds))}, candidate "
        f"{found.chosen.number} has the best mean validation accuracy: {100 * chosen.mean:.2f}%; the recipe before "
        f"{was}.{edge} Choosing the best of many flatters it, so a claim is judged on other seeds and on the test "
        f"split, which no try has opened. Sampler: TPE of Optuna {found.optuna}, seed {found.sampler_seed}, batches "
        f"of {found.width}."
    )


def write_study(path: Path, text: str) -> None:
    """Write a reader's file. One with this very text stays, and so does any other.

    Raises:
        UsageError: there is another file already.
        StorageError: it cannot be written.
    """
    if is_there(path) and files.is_file(path) and files.sha256_of_file(path) == files.sha256_of_bytes(text.encode()):
        return
    check_free(path)
    with shared(path):
        files.write_text(path, text)


def check_free(path: Path) -> None:
    """Raise UsageError where the study would have to replace a file."""
    if is_there(path):
        raise UsageError(f"There is a {path} already, and it stays as it is.", hint="Give another name: -o FILE.py")


def is_there(path: Path) -> bool:
    """Whether there is something at a path, and be it a link to nothing."""
    return files.exists(path) or path.is_symlink()


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "items") else value


def _code(value: Any) -> str:
    """A value as Python text, with double quotes as the project's format has them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_code(name)}: {_code(each)}' for name, each in value.items())}}}"
    return repr(value)


def _is_another(name: str, path: Path) -> bool:
    """Whether Python finds another file than this one under a module's name."""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):  # one that is loaded without saying from where
        return True
    return spec is not None and (spec.origin is None or Path(spec.origin).resolve() != path.resolve())


def _as_identifier(name: str) -> str:
    kept = "".join(each if each.isascii() and each.isalnum() else "_" for each in name)
    return kept if kept != name and kept.isidentifier() else f"my_{kept}"
