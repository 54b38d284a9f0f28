"""Grades a folder of other people's work: a sub-folder or a file for each student.

A file belongs to the exercise whose functions it defines, whatever it is called. Nothing that is wrong with one file
stops the others: where the judge itself fails, that is told in the place of a grade.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.text import printable
from fortydays.exercises.finding import Place, usual_folder
from fortydays.exercises.judge import State, Verdict, judge
from fortydays.exercises.running import LARGEST_FILE, LIMITS, JudgeError, Limits

MISSING, JUDGE_FAILED, UNREADABLE = "missing", "judge failed", "cannot be read"
_MOST_FILES = 1000


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What one student has for one exercise.

    Attributes:
        student: the name of the sub-folder or file.
        place: the exercise.
        state: a :class:`~fortydays.exercises.judge.State`'s word, or "missing", "cannot be read" or "judge failed".
        passed: how many of its tasks passed.
        says: what is wrong, task by task.
        file: which file was judged, from the graded folder; "" where there is none.
    """

    student: str
    place: Place
    state: str
    passed: int = 0
    says: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Grades:
    """What came of grading a folder.

    Attributes:
        grades: one for each student and exercise, in order.
        alone: the student's name, where the folder has the files of one student alone; "" where of a class.
        strange: the Python files that are no exercises, from the graded folder.
    """

    grades: tuple[Grade, ...]
    alone: str = ""
    strange: tuple[str, ...] = ()

    @property
    def students(self) -> dict[str, list[Grade]]:
        """The grades of each student."""
        found: dict[str, list[Grade]] = {}
        for each in self.grades:
            found.setdefault(each.student, []).append(each)
        return found


def grade(
    folder: Path, places: Sequence[Place], *, only: Iterable[int], seed: int, workers: int, limits: Limits = LIMITS
) -> Grades:
    """Grade all students' files.

    Args:
        folder: with a sub-folder or a Python file for each student; or that of one student, as ``forty exercise``
            makes it.
        places: all exercises that there are.
        only: the days to grade; none for those that any student has worked on.
        seed: decides the inputs.
        workers: how many files are judged at once.
        limits: what one file may take.

    Raises:
        UsageError: there is no such folder, or nobody's work in it.
    """
    if not files.is_folder(folder):
        raise UsageError(
            f"There is no folder {folder}.", hint="Name one that has a folder or a file for each student."
        )
    with files.storage_errors("read", folder):
        students = sorted(
            each
            for each in folder.iterdir()
            if not each.name.startswith(".") and (each.is_dir() or (_is_python(each) and each.is_file()))
        )
    if not students:
        raise UsageError(
            f"{folder} has no folder and no Python file in it.", hint="Each student has one of them, with their name."
        )
    alone = _is_one_student(students, places)
    if alone:
        students = [folder]
    strange: list[Path] = []
    found = {student: _work_of(student, places, strange) for student in students}
    days = set(only) or {place.day for work in found.values() for place in work}
    asked = [(s, place, work.get(place)) for s, work in found.items() for place in places if place.day in days]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting = [pool.submit(_grade, folder, *each, seed, limits) for each in asked]
        try:
            grades = tuple(each.result() for each in waiting)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Grades(
        grades=grades,
        alone=_name_of(folder) if alone else "",
        strange=tuple(str(path.relative_to(folder)) for path in strange),
    )


def _is_one_student(children: Sequence[Path], places: Sequence[Place]) -> bool:
    """Whether a folder has a student's files in it, and no student's folder."""
    folders = {usual_folder(place.day).name for place in places}
    names = {place.file_name for place in places}

    def usual(path: Path) -> bool:
        return path.name in (folders if path.is_dir() else names)

    others = [path for path in children if path.is_dir() and not usual(path)]
    return any(map(usual, children)) and not any(usual(each) for other in others for each in _within(other))


def _within(folder: Path) -> list[Path]:
    with files.storage_errors("read", folder):
        return list(folder.iterdir())


def _name_of(student: Path) -> str:
    return student.stem if _is_python(student) else student.resolve().name


def _is_python(path: Path) -> bool:
    return path.suffix == ".py"


def _work_of(student: Path, places: Sequence[Place], strange: list[Path]) -> "dict[Place, Path]":
    """Which file of a student belongs to which exercise; of several, the one with the name that it began with.

    The files that belong to none are added to ``strange``.
    """
    found: dict[Place, Path] = {}
    for path in _files_of(student):
        names = _functions_in(path)
        counts = {place: len(names & {task.name for task in place.exercise.tasks}) for place in places}
        belongs = False
        for place, count in counts.items():
            usual = (usual_folder(place.day).name, place.file_name)
            named = path.name == usual[1] and (path.parent.name == usual[0] or count > 0)
            belongs = belongs or named or count > 0
            if named or (count and place not in found):
                found[place] = path
        if not belongs:
            strange.append(path)
    return found


def _files_of(student: Path) -> Iterator[Path]:
    if student.is_dir():
        some = sorted(path for path in student.rglob("*.py") if path.is_file())
        yield from some[:_MOST_FILES]
    else:
        yield student


def _functions_in(path: Path) -> set[str]:
    # With an expression, so that a file that is no Python has its exercise, too.
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return set()
    return set(re.findall(r"^def (\w{1,80})\s*\(", text, re.MULTILINE))


def _grade(folder: Path, student: Path, place: Place, path: Path | None, seed: int, limits: Limits) -> Grade:
    name = _name_of(student)
    if path is None:
        return Grade(student=name, place=place, state=MISSING)
    file = str(path.relative_to(folder))
    try:
        verdict = judge(path, place.exercise, seed=seed, limits=limits)
    except JudgeError as error:
        return Grade(student=name, place=place, state=JUDGE_FAILED, says=error.message, file=file)
    except FortydaysError as error:
        return Grade(student=name, place=place, state=UNREADABLE, says=error.message, file=file)
    except Exception as error:  # whatever it is, it is the judge's, and stops no other grade
        says = printable(f"{type(error).__name__}: {error}")
        return Grade(student=name, place=place, state=JUDGE_FAILED, says=says, file=file)
    passed = sum(finding.state is State.PASSED for finding in verdict.findings)
    return Grade(student=name, place=place, state=verdict.state.value, passed=passed, says=_says(verdict), file=file)


def _says(verdict: Verdict) -> str:
    return " ".join(f"{f.name}: {f.says}" for f in verdict.findings if f.state is not State.PASSED)
