"""What is wrong with a study file, in words: where, which field, what is known."""

import ast
import dataclasses
import difflib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.text import shown
from fortydays.base.traces import is_readers, shown_path
from fortydays.study.fields import check_fields

_UNEXPECTED = re.compile(r"(?P<call>[\w.<>]+)\(\) got an unexpected keyword argument '(?P<name>\w+)'")
_MISSING = re.compile(
    r"(?P<call>[\w.<>]+)\(\) missing \d+ required (?:keyword-only|positional) arguments?: (?P<names>.*)"
)
_POSITIONAL = re.compile(r"(?P<call>[\w.<>]+)\(\) takes \d+ positional arguments? but \d+")
_ALONE = (
    "A study file stands alone. Import with whole names: "
    "from fortydays.lessons.day05_first_convolutions.study import ..."
)


def explained(error: BaseException, path: Path, module: ModuleType) -> UsageError:
    """An exception from the import of a study file, as an error for its reader. ``module`` may be half made."""
    if isinstance(error, SyntaxError):
        where = _place(Path(error.filename or path), error.lineno)
        text = (error.text or "").strip()
        return UsageError(f"{where}: this is not Python: {error.msg}{f': {shown(text)}' if text else ''}.")
    frame, position = _own_frame(error, path)
    if frame is None:
        # Python before 3.11.4 refuses null bytes with a ValueError.
        text = f"this is not Python: {error}" if isinstance(error, ValueError) else _text(error)
        return UsageError(f"{_place(path, None)}: {text}")
    found = _in_words(error, module)
    line = _line_of(found, frame, position) or position[0]
    return UsageError(f"{_place(Path(frame.f_code.co_filename), line)}: {found.message}", hint=found.hint)


def placed(error: FortydaysError, path: Path) -> UsageError:
    """An error about a name that a study file gives in quotes, with the line that gives it."""
    name = getattr(error, "name", None)
    lines = [n.lineno for n in ast.walk(_tree(path)) if isinstance(n, ast.Constant) and name and n.value == name]
    where = _place(path, lines[0] if len(lines) == 1 else None)
    return UsageError(f"{where}: {error.message}", hint=error.hint)


def without_study(path: Path, module: ModuleType) -> UsageError:
    """The error for a file that was imported and sets no ``study``."""
    from fortydays.study.design import Study

    others = [name for name, value in vars(module).items() if isinstance(value, Study)]
    hint = "To begin with a whole one: forty copy 1 my_study.py"
    if others:
        hint = f"It has a study with the name {others[0]!r}. Call it study."
    elif hasattr(module, "study"):
        hint = f"`study` is {shown(repr(module.study))[1:-1]} there. {hint}"
    return UsageError(
        f"{_place(path, None)} sets no study; expected `study = Study(...)` at its top level.", hint=hint
    )


def _in_words(error: BaseException, module: ModuleType) -> FortydaysError:
    """What happened, as an error of ours, whose place is still to be told."""
    if isinstance(error, FortydaysError):
        return error
    if isinstance(error, SystemExit):
        return UsageError(
            "The file ended the program; expected it to set `study` and no more.", hint="Leave exit() out."
        )
    wrong = _wrong_field(error)
    if wrong is not None:
        return wrong
    if isinstance(error, TypeError):
        return _of_call(error, module) or UsageError(_text(error))
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and error.name:
        return _named(UsageError(f"{error.obj.__name__} has no {error.name!r}."), error.name, dir(error.obj))
    if isinstance(error, NameError) and error.name:
        return _named(UsageError(f"The name {error.name!r} is not defined."), error.name, dir(module))
    if isinstance(error, ImportError):
        return _of_import(error)
    return UsageError(_text(error))


def _text(error: BaseException) -> str:
    said = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}{f': {said}' if said else ''}"


def _wrong_field(error: BaseException) -> UsageError | None:
    """Where a value of ours failed to check itself, because one of its fields is of another kind."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        value = frame.f_locals.get("self")
        if frame.f_code.co_name == "__post_init__" and dataclasses.is_dataclass(value):
            try:
                check_fields(value)
            except UsageError as found:
                return found
    return None


def _of_call(error: TypeError, module: ModuleType) -> UsageError | None:
    """A call with a wrong, a missing or an unnamed argument."""
    text = str(error)
    for pattern in (_UNEXPECTED, _MISSING, _POSITIONAL):
        match = pattern.match(text)
        if match is None:
            continue
        name = match["call"].removesuffix(".__init__").rpartition(".")[2]
        called = _callable(name, module)
        what = "field" if dataclasses.is_dataclass(called) else "argument"
        known = list(inspect.signature(called).parameters) if called is not None else []
        if pattern is _UNEXPECTED:
            return unknown_name(f"{name} {what}", match["name"], known)
        if pattern is _MISSING:
            missing = re.findall(r"'(\w+)'", match["names"])
            several = "s" if len(missing) > 1 else ""
            needed = ", ".join(map(repr, missing))
            return UsageError(f"{name} needs the {what}{several} {needed}.", hint=_known(known))
        return UsageError(
            f"{name} takes its {what}s by name, such as {known[0] if known else what}=...", hint=_known(known)
        )
    return None


def _known(names: list[str]) -> str:
    return f"Known: {', '.join(names)}." if names else ""


def _callable(name: str, module: ModuleType) -> Any:
    """What a file calls by this name: its own, or what a package of ours that it imports has."""
    places = [module, *(m for n, m in sys.modules.items() if n.startswith("fortydays.") and m is not None)]
    return next((found for place in places if callable(found := vars(place).get(name))), None)


def _of_import(error: ImportError) -> UsageError:
    said = error.msg or str(error)
    if "relative import" in said:
        return UsageError("A relative import does not work here.", hint=_ALONE)
    if isinstance(error, ModuleNotFoundError):
        own = (error.name or "").startswith("fortydays.")
        hint = (
            "Is the name right?" if own else f"Install {error.name!r} where fortydays is, or put it beside the file."
        )
        return UsageError(f"There is no module {error.name!r}.", hint=hint)
    name = getattr(error, "name_from", None) or next(iter(re.findall(r"import name '(\w+)'", said)), "")
    try:
        there = dir(importlib.import_module(error.name or ""))
    except (ImportError, ValueError):
        return UsageError(said)
    return _named(UsageError(f"{error.name} has no {name!r}."), name, there)


def _named(error: UsageError, name: str, known: Iterable[str]) -> UsageError:
    near = difflib.get_close_matches(name, [k for k in known if not k.startswith("__")], n=1, cutoff=0.6)
    return UsageError(error.message + (f" Did you mean {near[0]!r}?" if near else ""))


def _own_frame(error: BaseException, path: Path) -> tuple[FrameType | None, tuple[int, int]]:
    """The deepest frame of the file, or of what lies beside it, with the line and column of what it was doing."""
    found: tuple[FrameType | None, tuple[int, int]] = (None, (0, 0))
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = Path(code.co_filename)
        if place == path or is_readers(place):
            line, _, column, _ = list(code.co_positions())[trace.tb_lasti // 2]
            found = trace.tb_frame, (line or trace.tb_lineno, column or 0)
        trace = trace.tb_next
    return found


def _line_of(error: FortydaysError, frame: FrameType, position: tuple[int, int]) -> int | None:
    """The line of the field or the name that an error is about, inside the call that raised it."""
    tree = _tree(Path(frame.f_code.co_filename))
    call = next((n for n in ast.walk(tree) if isinstance(n, ast.Call) and (n.lineno, n.col_offset) == position), None)
    if call is None:
        return None
    lines = set(_lines(call, error))
    return lines.pop() if len(lines) == 1 else None


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _lines(call: ast.Call, error: FortydaysError) -> Iterator[int]:
    field, owner = getattr(error, "field", None), getattr(error, "owner", None)
    if field is None and (told := re.search(r"recipe field '(\w+)", error.message)):
        field, owner = told[1], "Recipe"
    name = getattr(error, "name", None)
    for node in ast.walk(call):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            for keyword in node.keywords:
                if (
                    keyword.arg is not None
                    and keyword.arg == (field or name)
                    and (called == owner if owner else node is call)
                ):
                    yield keyword.lineno
        elif isinstance(node, ast.Constant) and not field and name is not None and node.value == name:
            yield node.lineno


def _place(path: Path, line: int | None) -> str:
    return f"{shown_path(path)}, line {line}" if line else shown_path(path)
