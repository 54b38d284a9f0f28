"""Digests of code: whether what a run was made by is what is here now."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from fortydays.base import files

_PACKAGE = Path(__file__).parent.parent
_ROOMS = ("base", "inputs", "tasks", "data", "models", "train", "study", "lessons")
"""The rooms that the numbers of variants can come from; the others only look at them."""
_NO_PART = "exercises.py"
"""What lies beside a study and is for readers to write: no number comes from it."""


def engine_digest() -> str:
    """SHA-256 of this program, as far as a variant's numbers can come from it: whatever a study imports of it.

    Of the package's own files that is the one with its public names; the commands and :mod:`fortydays.api` only ask
    for numbers.

    Raises:
        StorageError: a file cannot be read.
    """
    rooms = (path for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py") if path.name != _NO_PART)
    return _digest([_PACKAGE / "__init__.py", *rooms])


def program_digest() -> str:
    """SHA-256 of this whole program, as drills can practise on every room.

    Raises:
        StorageError: a file cannot be read.
    """
    of_program = {".css", ".html", ".jinja", ".js", ".mplstyle", ".py", ".svg", ".toml", ".txt"}
    return _digest(path for path in _PACKAGE.rglob("*") if path.suffix in of_program)


def _digest(paths: Iterable[Path]) -> str:
    found = []
    for path in sorted(paths):
        with files.storage_errors("read", path):
            found.append([path.relative_to(_PACKAGE).as_posix(), files.sha256_of_bytes(path.read_bytes())])
    return files.sha256_of_json(found)


def study_digest(study: Path) -> str:
    """SHA-256 of a study's file and of the modules beside it that it imports, directly or through each other.

    Comments and layout are no part of it. A module that is imported under a name made at run time is not seen.

    Raises:
        StorageError: a file cannot be read.
    """
    return digest_of([(path.relative_to(study.parent).as_posix(), code) for path, code in _found(study).items()])


def files_of(study: Path) -> list[Path]:
    """A study's file, and the modules beside it that it imports, as :func:`study_digest` finds them.

    Raises:
        StorageError: a file cannot be read.
    """
    return sorted(_found(study))


def _found(study: Path) -> dict[Path, str]:
    """By path, the code of a study's file and of the modules beside it that it imports."""
    found: dict[Path, str] = {}
    waiting = [study]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path], imported = _read(path)
            waiting += _beside(study.parent, path, imported)
    return found


def digest_of(parts: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of the code of some files, each with its name, in whatever order."""
    return files.sha256_of_json(sorted(parts))


def code_of(path: Path) -> str:
    """The code of a Python file, without comments and layout."""
    return _read(path)[0]


def _read(path: Path) -> tuple[str, ast.AST]:
    with files.storage_errors("read", path):
        content = path.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # said where it is loaded
        return files.sha256_of_bytes(content), ast.Module(body=[], type_ignores=[])
    return ast.unparse(tree), tree


def _beside(folder: Path, path: Path, tree: ast.AST) -> Iterator[Path]:
    """The files that a file imports: the packages on the way, the module, and what may be a module inside it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            start, names = folder, [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = path.parents[min(node.level, len(path.parents)) - 1] if node.level else folder
            before = node.module.split(".") if node.module else []
            names = [[*before, alias.name] for alias in node.names]
        else:
            continue
        for parts in names:
            for end in range(len(parts) + 1):
                place = start.joinpath(*parts[:end])
                candidates = [place / "__init__.py", *([place.with_name(f"{place.name}.py")] if end else [])]
                yield from (each for each in candidates if each.is_file() and each.is_relative_to(folder))
