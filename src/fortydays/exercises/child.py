"""``python -IB child.py FOLDER``: calls the functions of a reader's file and writes down what they return.

Run as a file, without the package, which only an exercise that asks for a study may load. It runs in a process of its
own that may not take long, take much memory, start a program or change a file. It is told arguments, never answers,
and may not import or read the lessons, which have them. What is refused here guards against slips and shortcuts, not
against somebody who wants to break out.
"""

import contextlib
import faulthandler
import importlib.abc
import io
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

LARGEST_OUTPUT = 100_000
"""Numbers in one output; the largest right one has a few hundred."""

OURS = "FortydaysError"
"""What an exception of the package is called, whatever its type is."""

_LONGEST_TEXT = 400
_REFUSED = (
    "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "pty.spawn", "subprocess.Popen",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate",
    "os.utime", "os.setxattr", "shutil.", "socket.",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ClosedError(PermissionError):
    """The reader's file has asked for what has the solutions."""


class Closed(importlib.abc.MetaPathFinder):
    """Refuses a package, in every way of importing it, and what is in a folder, in Python's ways of reading it.

    Args:
        package: that no module may be imported of, such as "fortydays.lessons".
        folder: whose files may not be opened.
    """

    def __init__(self, package: str, folder: str) -> None:
        self._package, self._folder = package, os.path.realpath(folder)

    def close(self) -> None:
        """From now on."""
        sys.meta_path.insert(0, self)  # importlib tells audit hooks nothing
        sys.addaudithook(self._audit)

    def find_spec(self, fullname: str, *_rest: object) -> None:
        """Find nothing. Raises ClosedError for a module of the package."""
        if fullname == self._package or fullname.startswith(f"{self._package}."):
            raise ClosedError(
                f"A file that is judged may not import {self._package}: the solutions are there. "
                "`forty hint` and, after one try, `forty solution` help."
            )

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import":
            self.find_spec(str(arguments[0]))
        elif event == "open" and isinstance(arguments[0], str | bytes):
            there = os.path.realpath(os.fsdecode(arguments[0]))
            if there == self._folder or there.startswith(f"{self._folder}{os.sep}"):
                raise ClosedError(
                    "A file that is judged may not read the lessons: the solutions are there. "
                    "`forty hint` and, after one try, `forty solution` help."
                )


def main(folder: Path) -> None:
    """Judge nothing: call, and write ``told.jsonl`` and an ``answers`` file for each task."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    with np.load(folder / "cases.npz", allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    path = Path(plan["path"])
    source = path.read_bytes()
    told = (folder / "told.jsonl").open("w", encoding="utf-8")
    answers = [(folder / f"answers{n}.npz").open("wb") for n in range(len(plan["tasks"]))]
    still = (folder / "still.txt").open("w", encoding="utf-8")
    faulthandler.register(signal.SIGXCPU, file=still, all_threads=False, chain=True)
    _limit(plan)
    sys.addaudithook(_refuse)
    Closed(plan["closed"], plan["lessons"]).close()

    def tell(**what: Any) -> None:
        told.write(json.dumps(what) + "\n")
        told.flush()

    tell(ready=True)
    module: dict[str, Any] = {"__name__": "exercise", "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), module)  # noqa: S102 - the reader's own file, as Python runs it
    except BaseException as error:
        tell(problem=problem(error, str(path)))
    else:
        for number, task in enumerate(plan["tasks"]):
            tell(begun=number)
            if task["study"]:
                tell(done=number, **_carried(module, plan["package"], str(path)))
                continue
            function = module.get(task["name"])
            if not callable(function):
                tell(done=number, missing=True)
                continue
            cases = [
                [arrays[f"{number}.{c}.{a}"] if each is None else each[0] for a, each in enumerate(case)]
                for c, case in enumerate(task["cases"])
            ]
            records, outputs = call(function, cases, task["arguments"], several=task["several"], path=str(path))
            try:
                _save(answers[number], outputs)
            except OSError as error:
                records = [{"problem": problem(error, str(path))}]
            tell(done=number, records=records)
    tell(end=True)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(0)  # threads that the reader has started do not matter any more


def _carried(module: dict[str, Any], package: str, path: str) -> dict[str, Any]:
    """What the reader's study gives. It is made of parts of the package, so that this alone loads it."""
    if "study" not in module:
        return {"missing": True}
    try:
        sys.path.append(package)
        from fortydays.exercises.studies import carried_out

        return {"study": carried_out(module["study"])}
    except BaseException as error:
        return {"records": [{"problem": problem(error, path)}]}


def call(
    function: Callable[..., Any], cases: Sequence[Sequence[Any]], names: Sequence[str], *, several: bool, path: str
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Call a function once for each case, until it fails.

    Args:
        function: the reader's.
        cases: its arguments, call by call.
        names: what the arguments are called.
        several: whether it is to return several outputs.
        path: the reader's file, whose lines are told.

    Returns:
        What happened in each call, as JSON values, and the outputs, the k-th of call c as ``"c.k"``.
    """
    records: list[dict[str, Any]] = []
    outputs: dict[str, np.ndarray] = {}
    for number, case in enumerate(cases):
        given = [each.copy() if isinstance(each, np.ndarray) else each for each in case]
        try:
            result = function(*given)
            parts = list(result) if isinstance(result, tuple) or (several and isinstance(result, list)) else [result]
            kinds = []
            for k, part in enumerate(parts[:20]):
                array = np.empty(0) if part is None else np.asarray(part)
                fits = array.dtype.kind in "biufU" and array.size <= LARGEST_OUTPUT
                kinds.append("" if fits and part is not None else type(part).__name__)
                outputs[f"{number}.{k}"] = array if fits else np.empty(0)
        except BaseException as error:
            records.append({"problem": problem(error, path)})
            break
        changed = [
            name
            for name, was, now in zip(names, case, given, strict=True)
            if isinstance(was, np.ndarray) and not np.array_equal(was, now, equal_nan=was.dtype.kind == "f")
        ]
        records.append({"kinds": kinds, "changed": changed})
    return records, outputs


def problem(error: BaseException, path: str) -> dict[str, Any]:
    """An exception as JSON values, with the reader's own line, and the shapes of the arrays in that line."""
    found: dict[str, Any] = {"type": type(error).__name__, "text": "", "line": 0, "code": "", "shapes": {}}
    with contextlib.suppress(Exception):
        found["text"] = (error.msg if isinstance(error, SyntaxError) else str(error))[:_LONGEST_TEXT]
        # An error of a study, or of ours, has words of its own.
        if isinstance(error, ClosedError) or type(error).__module__.startswith("fortydays."):
            told = f"{getattr(error, 'message', error)} {getattr(error, 'hint', '')}".strip()
            found |= {"type": OURS, "text": told[:_LONGEST_TEXT]}
    if isinstance(error, SyntaxError):
        return found | {"line": error.lineno or 0, "code": (error.text or "").strip()[:_LONGEST_TEXT]}
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == path:
            code = _line(path, line)
            shapes = {
                name: list(value.shape)
                for name, value in frame.f_locals.items()
                if isinstance(value, np.ndarray) and name in code
            }
            found |= {"line": line, "code": code[:_LONGEST_TEXT], "shapes": shapes}
    return found


def _line(path: str, number: int) -> str:
    with contextlib.suppress(OSError, IndexError):
        return Path(path).read_text("utf-8", "replace").splitlines()[number - 1].strip()
    return ""


def _save(file: IO[bytes], outputs: dict[str, np.ndarray]) -> None:
    whole = io.BytesIO()
    np.savez(whole, allow_pickle=False, **outputs)
    file.write(whole.getvalue())
    file.close()


def _limit(plan: dict[str, Any]) -> None:
    seconds, most = plan["seconds"], plan["bytes"]
    for name, soft, hard in (
        ("RLIMIT_CPU", seconds, seconds + 2),
        ("RLIMIT_AS", most, most),
        ("RLIMIT_FSIZE", plan["written"], plan["written"]),
        ("RLIMIT_NPROC", 0, 0),
        ("RLIMIT_CORE", 0, 0),
    ):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # systems differ in what they can limit
            resource.setrlimit(getattr(resource, name), (soft, hard))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
            raise PermissionError("the judge lets no exercise write files")
    elif event.startswith(_REFUSED):
        raise PermissionError(f"the judge lets no exercise do this: {event}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
