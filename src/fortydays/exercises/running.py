"""Runs a reader's file in a process of its own, with limits, and reads what its functions returned.

That process gets arguments and no answers. It runs ``child.py`` with ``-I``, so that neither the environment nor the
folder that a reader is in changes what it imports. The installed package, which has the answers, is closed to it: all
of it for functions, its lessons for a study, which is made of its parts. It gets no input, and what it prints is cut
off.
"""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.text import printable, size_in_words
from fortydays.days.journey import LESSONS
from fortydays.exercises.child import OURS
from fortydays.exercises.design import Task

LARGEST_FILE = 200_000
"""Bytes of a reader's file."""

_SHOWN_PRINT = 1000
_CHILD = Path(__file__).with_name("child.py")


class JudgeError(FortydaysError):
    """The judge itself could not do its work. That is never the reader's mistake."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a reader's file may take.

    Attributes:
        seconds: of a processor, for all its functions together.
        wait: seconds until the judge waits no longer, for a file that does not compute.
        memory: bytes.
        written: bytes that it may print.
    """

    seconds: int = 5
    wait: float = 15
    memory: int = 2 * 10**9
    written: int = 8 * 10**6


LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a function returned nothing: an exception, or an end of the whole process.

    Attributes:
        kind: the name of the exception, or "" where the process ended.
        text: what happened.
        line: the reader's own line, or 0 where that is not known.
        code: what stands in that line.
        shapes: the shapes of the arrays in that line, by name.
    """

    kind: str = ""
    text: str
    line: int = 0
    code: str = ""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a function returned for one case.

    Attributes:
        outputs: as arrays; an empty one where something else was returned.
        kinds: for each output "", or the name of its type where it is no array of numbers or texts.
        changed: the arguments whose arrays it changed.
    """

    outputs: tuple[np.ndarray, ...]
    kinds: tuple[str, ...]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Called:
    """What came of calling one function, case by case.

    Attributes:
        answers: up to the first problem.
        problem: what ended the calls early, or None.
        missing: whether the file has no such function, or no study.
        study: of a task that asks for a study, what the process has told of it.
    """

    answers: tuple[Answer, ...] = ()
    problem: Problem | None = None
    missing: bool = False
    study: dict[str, Any] | None = None


Cases = Sequence[tuple[Any, ...]]


def run(
    path: Path, tasks: Sequence[Task], cases: Sequence[Cases], *, limits: Limits = LIMITS
) -> tuple[list[Called], str]:
    """Call the functions of a reader's file.

    Args:
        path: the file.
        tasks: whose functions are called.
        cases: for each task its cases.
        limits: what the file may take.

    Returns:
        What came of each task, and the beginning of what the file printed.

    Raises:
        UsageError: the file cannot be read.
        JudgeError: the process could not be started.
    """
    source = _read(path)
    found: list[Called] = []
    printed = ""
    # A function that ends the whole process takes no other one with it: those after it get a process of their own.
    while len(found) < len(tasks):
        rest = slice(len(found), None)
        some, text = _run_once(source, path, tasks[rest], cases[rest], limits)
        found += some
        printed = printed or text
    return found, printed


def _read(path: Path) -> bytes:
    if not files.is_file(path):
        raise UsageError(f"There is no file {path}.", hint="`forty exercise DAY` writes the files to begin with.")
    with files.storage_errors("read", path), path.open("rb") as file:
        source = file.read(LARGEST_FILE + 1)
    if len(source) > LARGEST_FILE:
        raise UsageError(f"{path} is larger than {LARGEST_FILE:,} bytes; expected an exercise's file.")
    return source


def _run_once(
    source: bytes, path: Path, tasks: Sequence[Task], cases: Sequence[Cases], limits: Limits
) -> tuple[list[Called], str]:
    with tempfile.TemporaryDirectory(prefix="forty-judge-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        copy = folder / "exercise.py"
        copy.write_bytes(source)
        _write_plan(folder, copy, tasks, cases, limits)
        code, late = _start_and_wait(folder, limits)
        told = _told(folder / "told.jsonl", limits)
        printed = _beginning(folder / "printed.txt").replace(str(copy), path.name).replace(f"{folder}/", "")
        if not told or told[0].get("ready") is not True:
            reason = (printed.strip().splitlines() or ["no reason is known"])[-1]
            raise JudgeError(f"The judge could not run {path}: {reason}.")
        broken = next((each["problem"] for each in told if "problem" in each), None)
        if broken is not None:
            return [_called({"records": [{"problem": broken}]}, folder, limits, 0)] * len(tasks), printed
        done = {each["done"]: each for each in told if isinstance(each.get("done"), int)}
        found = [
            _called(done[n], folder / f"answers{n}.npz", limits, 0 if tasks[n].demands else len(cases[n]))
            for n in range(len(tasks))
            if n in done
        ]
        begun = any("begun" in each for each in told)
        if len(found) < len(tasks):
            ended = Called(problem=_ending(folder, source, code, late, limits))
            found += [ended] if begun else [ended] * (len(tasks) - len(found))
        return found, printed


def _write_plan(folder: Path, copy: Path, tasks: Sequence[Task], cases: Sequence[Cases], limits: Limits) -> None:
    arrays: dict[str, np.ndarray] = {}
    planned = []
    for n, (task, some) in enumerate(zip(tasks, cases, strict=True)):
        calls: list[list[list[Any] | None]] = []
        for c, case in enumerate(some):
            call: list[list[Any] | None] = []
            for a, value in enumerate(case):
                if isinstance(value, np.ndarray):
                    arrays[f"{n}.{c}.{a}"] = value
                call.append(None if isinstance(value, np.ndarray) else [value])
            calls.append(call)
        planned.append(
            {"name": task.name, "arguments": task.arguments, "several": len(task.outputs) > 1,
             "cases": calls, "study": bool(task.demands)}
        )  # fmt: skip
    limit = {"seconds": limits.seconds, "bytes": limits.memory, "written": limits.written}
    closed = "fortydays.lessons" if any(task.demands for task in tasks) else "fortydays"
    ours = {"package": str(LESSONS.parents[1]), "closed": closed, "lessons": str(LESSONS)}
    plan = {"path": str(copy), "tasks": planned, **ours, **limit}
    (folder / "plan.json").write_text(json.dumps(plan), "utf-8")
    np.savez(folder / "cases.npz", allow_pickle=False, **arrays)


def _start_and_wait(folder: Path, limits: Limits) -> tuple[int, bool]:
    """The exit code of the process, and whether it was ended because the judge had waited long enough."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")}
    with (folder / "printed.txt").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-IB", "-X", "utf8", str(_CHILD), str(folder)],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, cwd=folder, env=one,
            start_new_session=True,
        )  # fmt: skip
    late = False
    try:
        try:
            process.wait(limits.wait)
        except subprocess.TimeoutExpired:
            late = True
            process.send_signal(signal.SIGXCPU)  # it then writes down where it is
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # whatever it may have started
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    return code, late


def _told(path: Path, limits: Limits) -> list[dict[str, Any]]:
    """What the process has told, line by line; what is no such line is left out."""
    found = []
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file.read(limits.written).splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                each = json.loads(line)
                if isinstance(each, dict):
                    found.append(each)
    return found


def _beginning(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        text = file.read(_SHOWN_PRINT + 1).decode("utf-8", "replace")
        return text if len(text) <= _SHOWN_PRINT else text[:_SHOWN_PRINT] + " ..."
    return ""


def _called(done: dict[str, Any], answers: Path, limits: Limits, count: int) -> Called:
    """What a task's line and file say; a file that is not what the child writes is the reader's doing.

    ``count`` is that of the function's cases; 0 is a study.
    """
    if done.get("missing"):
        return Called(missing=True)
    if not count and isinstance(done.get("study"), dict):
        return Called(study=done["study"])
    try:
        records = done["records"]
        problem = next((_problem(each["problem"], limits) for each in records if "problem" in each), None)
        good = [each for each in records if "problem" not in each]
        if problem is None and len(good) != count:
            raise ValueError("answers are missing")
        arrays = _arrays(answers, limits) if good else {}
        found = tuple(
            Answer(
                outputs=tuple(arrays[f"{c}.{k}"] for k in range(len(each["kinds"]))),
                kinds=tuple(map(str, each["kinds"])),
                changed=tuple(map(str, each["changed"])),
            )
            for c, each in enumerate(good)
        )
        return Called(answers=found, problem=problem)
    except (
        ValueError, KeyError, TypeError, AttributeError, ArithmeticError, MemoryError, OSError, EOFError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        return Called(problem=Problem(text=f"What it returned cannot be read ({type(error).__name__})."))


def _arrays(path: Path, limits: Limits) -> dict[str, np.ndarray]:
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > limits.written:
            raise ValueError("too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


_TOO_LARGE = 27
"""What a system says of a file that is beyond the limit, in the words of an exception: ``[Errno 27]``."""


def _problem(told: dict[str, Any], limits: Limits) -> Problem:
    """A problem as the child tells it, with our words for what the judge itself has refused."""
    kind, text = str(told["type"]), printable(str(told["text"]))
    if kind == "MemoryError":
        text = f"It takes more memory than the judge allows, {size_in_words(limits.memory)}. {text}".strip()
    elif kind == "EOFError" and not text.replace("EOF when reading a line", ""):
        text = "It asks for an input, and nobody answers here: leave input() out."
    elif kind == "OSError" and text.startswith(f"[Errno {_TOO_LARGE}]"):
        text = f"It prints more than the judge allows, {size_in_words(limits.written)}."
    elif kind == "SystemExit":
        text = "It ends the program: leave exit() out."
    elif "inhomogeneous shape" in text:
        text = "Its rows have different lengths, or some are lists and some numbers. An array has rows of one length."
    elif "mismatch in its core dimension" in text:  # NumPy's words for it name neither array
        text = "The shapes do not fit for a product of matrices."
    elif kind != OURS:
        text = f"{kind}: {text}" if text else kind
    return Problem(
        kind=kind,
        text=text,
        line=int(told["line"]),
        code=printable(str(told["code"])),
        shapes={str(name): tuple(map(int, shape)) for name, shape in dict(told["shapes"]).items()},
    )


def _ending(folder: Path, source: bytes, code: int, late: bool, limits: Limits) -> Problem:
    """Why the process ended before it was done."""
    still = re.search(r'exercise\.py", line (\d+)', _beginning(folder / "still.txt"))
    if late or still or code == -signal.SIGXCPU:
        line = int(still[1]) if still else 0
        lines = source.decode("utf-8", "replace").splitlines()
        after = f"after {limits.wait:g} seconds" if late else f"after {limits.seconds} seconds of computing"
        return Problem(
            text=f"It has not ended {after}.",
            line=line,
            code=lines[line - 1].strip() if 0 < line <= len(lines) else "",
        )
    if code == -signal.SIGKILL:
        return Problem(text="The system ended it: it took too much memory or time.")
    if code < 0:
        return Problem(text=f"Python itself crashed ({signal.strsignal(-code) or f'signal {-code}'}).")
    return Problem(text=f"It ended the program itself, with the exit code {code}: leave os._exit() out.")
