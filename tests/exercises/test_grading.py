"""A folder of many people's work: each file is graded, whatever is wrong with the others."""

import os
from pathlib import Path

import pytest

from fortydays.base.errors import UsageError
from fortydays.days.journey import find_day
from fortydays.exercises import grading
from fortydays.exercises.finding import Place, exercises_of, find_exercises
from fortydays.exercises.grading import Grade, grade
from fortydays.exercises.judge import Verdict, judge
from fortydays.exercises.running import JudgeError, Limits
from fortydays.exercises.starter import solution, starter

QUICK = Limits(seconds=1, wait=60)
PLACES = exercises_of(find_day("1"))


def graded(folder: Path, *, only: tuple[int, ...] = (), seed: int = 1) -> list[Grade]:
    return [*grade(folder, PLACES, only=only, seed=seed, workers=2, limits=QUICK).grades]


def of(grades: list[Grade], student: str) -> dict[int, str]:
    return {each.place.number: each.state for each in grades if each.student == student}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def place(number: int) -> Place:
    return find_exercises("1", number)[0]


def test_each_student_has_a_grade_for_each_exercise(tmp_path: Path) -> None:
    put(tmp_path / "anna" / "day01" / "1_a_dense_layer.py", solution(place(1)))
    put(tmp_path / "anna" / "my softmax.py", solution(place(2)))  # whatever it is called
    put(tmp_path / "bert.py", solution(place(2)).replace("axis=1", "axis=0"))
    put(tmp_path / "carl" / "loop.py", "def softmax(z):\n    while True: pass\n")
    put(tmp_path / "dora" / "2_softmax.py", "def softmax(z:\n")
    put(tmp_path / "emil" / "2_softmax.py", starter(place(2)))
    (tmp_path / "fred").mkdir()
    (tmp_path / "readme.txt").write_text("not a student")
    (tmp_path / ".hidden").mkdir()
    grades = graded(tmp_path)
    assert [each.student for each in grades[::5]] == ["anna", "bert", "carl", "dora", "emil", "fred"]
    missing = {4: "missing", 5: "missing", 3: "missing"}
    assert of(grades, "anna") == {1: "passed", 2: "passed"} | missing
    assert of(grades, "bert") == {1: "missing", 2: "wrong"} | missing
    assert of(grades, "carl") == {1: "missing", 2: "wrong"} | missing
    assert of(grades, "dora") == {1: "missing", 2: "wrong"} | missing
    assert of(grades, "emil") == {1: "missing", 2: "not written"} | missing
    assert set(of(grades, "fred").values()) == {"missing"}
    second = {each.student: each for each in grades if each.place.number == 2}
    assert second["anna"].file == "anna/my softmax.py"
    assert second["bert"].says == "softmax: It works along the other axis of `z`. Look at every `axis=`."
    assert second["carl"].says.endswith("It has not ended after 1 seconds of computing.")
    assert second["dora"].says == "softmax: Line 1, `def softmax(z:`: SyntaxError: '(' was never closed."
    assert [each.passed for each in grades if each.student == "anna"] == [2, 1, 0, 0, 0]


def test_the_file_with_the_name_that_it_began_with_goes_before_others(tmp_path: Path) -> None:
    put(tmp_path / "anna" / "a_first_try.py", "def softmax(z):\n    return z\n")
    put(tmp_path / "anna" / "day01" / "2_softmax.py", solution(place(2)))
    assert of(graded(tmp_path), "anna")[2] == "passed"


def test_where_the_judge_fails_the_others_are_graded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anna", "bert", "carl"):
        put(tmp_path / f"{name}.py", solution(place(2)))

    def failing(path: Path, *arguments: object, **named: object) -> Verdict:
        if path.stem == "anna":
            raise JudgeError("The judge could not run it.")
        if path.stem == "bert":
            raise ZeroDivisionError("a slip of ours")
        return judge(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(grading, "judge", failing)
    grades = [each for each in graded(tmp_path) if each.place.number == 2]
    assert [(each.student, each.state, each.says) for each in grades] == [
        ("anna", "judge failed", "The judge could not run it."),
        ("bert", "judge failed", "ZeroDivisionError: a slip of ours"),
        ("carl", "passed", ""),
    ]


def test_odd_files_stop_nothing(tmp_path: Path) -> None:
    put(tmp_path / "anna" / "2_softmax.py", solution(place(2)))
    (tmp_path / "anna" / "big.py").write_bytes(b"def dense(x):\n" + b"#" * 300_000)
    os.mkfifo(tmp_path / "anna" / "pipe.py")
    os.mkfifo(tmp_path / "bert.py")
    (tmp_path / "anna" / "nowhere.py").symlink_to(tmp_path / "nothing")
    (tmp_path / "anna" / "folder.py").mkdir()
    (tmp_path / "anna" / "bytes.py").write_bytes(bytes(range(256)))
    grades = graded(tmp_path)
    assert {each.student for each in grades} == {"anna"}
    assert of(grades, "anna") == {1: "cannot be read", 2: "passed", 3: "missing", 4: "missing", 5: "missing"}
    assert "is larger than 200,000 bytes" in grades[0].says


def test_days_that_are_named_are_graded_though_nobody_has_worked_on_them(tmp_path: Path) -> None:
    put(tmp_path / "anna.py", "")
    assert graded(tmp_path) == []
    assert of(graded(tmp_path, only=(1,)), "anna") == dict.fromkeys(range(1, 6), "missing")


def test_a_folder_without_work_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no folder and no Python file in it"):
        graded(tmp_path)
    with pytest.raises(UsageError, match="There is no folder"):
        graded(tmp_path / "nowhere")


def test_another_seed_gives_other_inputs(tmp_path: Path) -> None:
    text = "import numpy as np\ndef softmax(z):\n    raise ValueError(str(z))\n"
    put(tmp_path / "anna.py", text)
    says = {seed: graded(tmp_path, seed=seed)[1].says for seed in (1, 1, 2)}
    assert says[1] != says[2]
    assert says[1] == graded(tmp_path, seed=1)[1].says


def test_the_folder_of_one_student_is_one_student(tmp_path: Path) -> None:
    flat, whole = tmp_path / "flat" / "anna", tmp_path / "whole" / "bert"
    for number in (1, 2):
        put(flat / place(number).file_name, solution(place(number)))
        put(whole / "day01" / place(number).file_name, solution(place(number)))
    put(whole / "notes" / "plan.py", "")
    for folder, name in ((flat, "anna"), (whole, "bert")):
        found = grade(folder, PLACES, only=(), seed=1, workers=2, limits=QUICK)
        assert found.alone == name
        assert {student: len(grades) for student, grades in found.students.items()} == {name: 5}
        assert [each.state for each in found.grades][:2] == ["passed", "passed"]
    assert found.strange == ("notes/plan.py",)


def test_a_class_beside_whose_folders_a_day_lies_stays_a_class(tmp_path: Path) -> None:
    put(tmp_path / "day01" / "2_softmax.py", starter(place(2)))
    put(tmp_path / "anna" / "day01" / "2_softmax.py", solution(place(2)))
    found = grade(tmp_path, PLACES, only=(), seed=1, workers=2, limits=QUICK)
    assert (found.alone, [*found.students]) == ("", ["anna", "day01"])


def test_files_that_are_no_exercises_are_named(tmp_path: Path) -> None:
    put(tmp_path / "anna" / "2_softmax.py", solution(place(2)))
    put(tmp_path / "anna" / "first_try.py", solution(place(2)))
    put(tmp_path / "anna" / "drawing.py", "def draw():\n    pass\n")
    put(tmp_path / "bert.py", "print('hello')\n")
    found = grade(tmp_path, PLACES, only=(), seed=1, workers=2, limits=QUICK)
    assert found.strange == ("anna/drawing.py", "bert.py")
