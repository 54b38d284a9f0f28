"""Files that do what they should not: each is told in one sentence, harms nothing, and takes no other task with it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.days.journey import LESSONS
from fortydays.exercises import running
from fortydays.exercises.design import Exercise, Task, grid, wrong
from fortydays.exercises.finding import find_exercises
from fortydays.exercises.judge import State, judge
from fortydays.exercises.running import JudgeError, Limits

QUICK = Limits(seconds=1, wait=60, memory=10**9, written=10**5)


def double(x: np.ndarray) -> np.ndarray:
    """Twice x."""
    return 2 * x


def triple(x: np.ndarray) -> np.ndarray:
    """Three times x."""
    return 3 * x


def _cases(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (grid(rng, n, 2),)


TWO = Exercise(
    title="Two",
    text="",
    tasks=(Task(reference=double, cases=_cases), Task(reference=triple, cases=_cases)),
    hints=("",),
    afterwards="",
)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the judge makes its folders; it leaves none."""
    (tmp_path / "judge").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "judge"))
    return tmp_path / "judge"


def told(tmp_path: Path, body: str, *, limits: Limits = QUICK) -> str:
    """What is said of a first function with this body; the second one, which is right, passes all the same."""
    path = tmp_path / "mine.py"
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    path.write_text(
        f"import os, sys, time\nimport numpy as np\ndef double(x):\n{lines}\n    return 2 * x\n"
        "def triple(x):\n    return 3 * x\n"
    )
    verdict = judge(path, TWO, seed=0, limits=limits)
    first, second = verdict.findings
    assert second.state is State.PASSED, second
    assert first.state is State.WRONG, first
    assert list((tmp_path / "judge").iterdir()) == []
    return first.says


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("while True: pass", "Line 4, `while True: pass`: It has not ended after 1 seconds of computing."),
        ("os._exit(0)", "It ended the program itself, with the exit code 0: leave os._exit() out."),
        ("sys.exit()", "Line 4, `sys.exit()`: It ends the program: leave exit() out."),
        ("input()", "Line 4, `input()`: It asks for an input, and nobody answers here: leave input() out."),
        ("for _ in range(10**6): print('x' * 100)", "It prints more than the judge allows, 100 kB."),
        ("os.fork()", "Line 4, `os.fork()`: PermissionError: the judge lets no exercise do this: os.fork."),
        ("os.system('true')", "the judge lets no exercise do this: os.system."),
        ("raise KeyboardInterrupt", "Line 4, `raise KeyboardInterrupt`: KeyboardInterrupt."),
        ("double(x)", "Line 4, `double(x)`: RecursionError: maximum recursion depth exceeded"),
        ("return x.nothing", "Line 4, `return x.nothing`: AttributeError: 'numpy.ndarray' object has no attribute"),
        ("os.kill(os.getpid(), 11)", "the judge lets no exercise do this: os.kill."),
        (
            "return lambda: 0",
            "What it returns is of the kind function; expected an array of numbers, and not a huge one.",
        ),
        (
            "return np.zeros(10**6)",
            "What it returns is of the kind ndarray; expected an array of numbers, and not a huge one.",
        ),
        ("return [[1, 2], [3]]", "Its rows have different lengths, or some are lists and some numbers."),
        ("return np.array([[1], [2, 3]])", "`return np.array([[1], [2, 3]])`: Its rows have different lengths, or"),
        ("return np.max(0, x @ x.T)", "np.maximum(a, b) compares two arrays number by number. np.max(a, axis) takes"),
        ("return np.amin(0, x)", "np.minimum(a, b) compares two arrays number by number. np.min(a, axis) takes"),
        ("return max(0, x)", "max compares single numbers. np.maximum(a, b) compares arrays number by number."),
        ("return x if x > 0 else 0", "np.where(condition, a, b) decides for each number."),
        ("pass; return", "It returns None. Is there a `return`?"),
        ("raise ValueError('a space at the end ')", "ValueError: a space at the end."),
        ("return x, x", "It returns 2 outputs; expected the result alone."),
    ],
)
def test_what_a_function_does_instead_is_told(tmp_path: Path, body: str, sentence: str) -> None:
    assert sentence in told(tmp_path, body)


def test_a_huge_array_is_told_with_the_limit(tmp_path: Path) -> None:
    says = told(tmp_path, "y = np.ones(1_500_000_000)")
    assert "It takes more memory than the judge allows, 1.0 GB. Unable to allocate 11.2 GiB" in says


def test_who_only_waits_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()
    says = told(tmp_path, "time.sleep(600)", limits=Limits(seconds=1, wait=1))
    assert says == "Line 4, `time.sleep(600)`: It has not ended after 1 seconds."
    assert time.monotonic() - begun < 60


def test_no_file_is_changed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    for body in (
        f"open({str(precious)!r}, 'w')",
        f"os.remove({str(precious)!r})",
        f"os.rename({str(precious)!r}, 'x')",
    ):
        assert "the judge lets no exercise" in told(tmp_path, body)
    assert precious.read_text() == "mine"


def test_a_program_that_was_started_all_the_same_ends_with_the_judge(tmp_path: Path) -> None:
    """By a way around that is not watched for."""
    body = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nnumber = libc.fork()\nif number == 0:\n    time.sleep(600)\n"
        "print(number)\nos._exit(3)"
    )
    if os.geteuid() != 0:
        pytest.skip("the system itself refuses that")
    path = tmp_path / "mine.py"
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    path.write_text(f"import os, time\ndef double(x):\n{lines}\ndef triple(x):\n    return 3 * x\n")
    verdict = judge(path, TWO, seed=0, limits=QUICK)
    number = verdict.printed.strip()
    if number.isdigit():
        state = subprocess.run(["ps", "-o", "stat=", "-p", number], capture_output=True, text=True, check=False).stdout
        assert state.strip()[:1] in ("", "Z")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def double(x):\n  return (", "Line 2, `return (`: SyntaxError: '(' was never closed."),
        ("import fortydays_nothing", "Line 1, `import fortydays_nothing`: ModuleNotFoundError: No module named"),
        ("x = 1 / 0", "Line 1, `x = 1 / 0`: ZeroDivisionError: division by zero."),
        ("\x00", "source code string cannot contain null bytes"),
        ("while True: pass", "Line 1, `while True: pass`: It has not ended after 1 seconds of computing."),
        ("import os; os._exit(7)", "It ended the program itself, with the exit code 7"),
        ("double = triple = 3", "The file has no function double. It keeps its name."),
        ("", "The file has no function double. It keeps its name."),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_told_for_each_task(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    for finding in judge(path, TWO, seed=0, limits=QUICK).findings:
        assert sentence.replace("double", finding.name) in finding.says
        assert finding.state is State.WRONG


def test_another_signature_is_told_with_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def double(x, y):\n    return 2 * x\ndef triple():\n    return 3\n")
    assert [finding.says for finding in judge(path, TWO, seed=0, limits=QUICK).findings] == [
        "TypeError: double() missing 1 required positional argument: 'y'. It is called as double(x).",
        "TypeError: triple() takes 0 positional arguments but 1 was given. It is called as triple(x).",
    ]


def test_what_it_prints_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("print('hello ' * 500)\ndef double(x):\n    return 2 * x\ndef triple(x):\n    return 3 * x\n")
    verdict = judge(path, TWO, seed=0, limits=QUICK)
    assert verdict.state is State.PASSED
    assert verdict.printed.startswith("hello hello")
    assert len(verdict.printed) < 1010


def test_a_warning_names_the_file_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "1_mine.py"
    path.write_text("import numpy as np\ndef double(x):\n    return x / 0\ndef triple(x):\n    return 3 * x\n")
    printed = judge(path, TWO, seed=0, limits=QUICK).printed
    assert printed.startswith("1_mine.py:3: RuntimeWarning: "), printed
    assert "exercise.py" not in printed


def test_answers_that_were_written_by_the_file_itself_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import os, sys\nfor n in range(3, 30):\n"
        '    try:\n        os.write(n, b\'{"done": 0, "records": [{}, 3]}\\n{"done": 1, "records": 5}\\n\')\n'
        "    except OSError:\n        pass\nos._exit(0)\n"
    )
    for finding in judge(path, TWO, seed=0, limits=QUICK).findings:
        assert finding.says.startswith(("What it returned cannot be read", "It ended the program itself"))


@pytest.mark.parametrize(
    "line",
    [
        '{"problem": 3}',
        '{"problem": {"type": "x", "text": "y", "line": "z", "code": "", "shapes": {}}}',
        '{"done": 0, "records": [{"problem": []}]}',
        "[" * 100_000,
        '{"done": 0, "records": [{"kinds": [""], "changed": []}]}',
        '{"done": 0, "records": []}',
        '{"done": 0, "study": {}}',
    ],
)
def test_whatever_the_file_tells_in_the_place_of_the_judge_is_its_own_mistake(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        f"import os\nline = {line!r}\nfor n in range(3, 30):\n    try:\n"
        "        os.write(n, (line + '\\n').encode())\n    except OSError:\n        pass\nos._exit(0)\n"
    )
    for finding in judge(path, TWO, seed=0, limits=QUICK).findings:
        assert finding.says.startswith(("What it returned cannot be read", "It ended the program itself"))


NO_IMPORT = "A file that is judged may not import fortydays: the solutions are there."
NO_READING = "A file that is judged may not read the lessons: the solutions are there."
LESSON = LESSONS / "day01_first_network" / "exercises.py"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("import fortydays.lessons.day01_first_network.exercises as e", NO_IMPORT),
        ("from fortydays.lessons.day01_first_network import exercises", NO_IMPORT),
        ("import fortydays", NO_IMPORT),
        ("import importlib; importlib.import_module('fortydays.exercises.finding')", NO_IMPORT),
        ("import importlib.util as u; u.find_spec('fortydays.lessons')", NO_IMPORT),
        ("__import__('fortydays')", NO_IMPORT),
        (
            "import importlib; sys.meta_path.pop(0); importlib.import_module('fortydays.lessons.day01_first_network')",
            NO_READING,
        ),
        (f"open({str(LESSON)!r}).read()", NO_READING),
        (f"open({str(LESSON).encode()!r}, 'rb').read()", NO_READING),
        (f"from pathlib import Path; Path({str(LESSON)!r}).read_text()", NO_READING),
        (f"os.open({str(LESSONS)!r}, os.O_RDONLY)", NO_READING),
        (f"open({str(LESSONS / '..' / 'lessons' / LESSON.parent.name / LESSON.name)!r})", NO_READING),
        (f"os.chdir({str(LESSONS.parent)!r}); open('lessons/{LESSON.parent.name}/exercises.py')", NO_READING),
        (f"import runpy; runpy.run_path({str(LESSON)!r})", NO_READING),
        (
            f"import importlib.util as u; s = u.spec_from_file_location('e', {str(LESSON)!r}); "
            "m = u.module_from_spec(s); s.loader.exec_module(m)",
            NO_READING,
        ),
    ],
)
def test_the_solutions_are_closed_to_the_file(tmp_path: Path, body: str, sentence: str) -> None:
    assert sentence in told(tmp_path, body)


def test_a_link_to_the_solutions_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(LESSONS)
    assert NO_READING in told(tmp_path, f"open({str(tmp_path / 'link' / LESSON.parent.name / LESSON.name)!r})")


def test_a_file_that_calls_the_solutions_does_not_pass(tmp_path: Path) -> None:
    """The whole file of a learner who takes this way, and what they are told."""
    (place,) = find_exercises("1", 2)
    path = tmp_path / place.file_name
    path.write_text(
        "import fortydays.lessons.day01_first_network.exercises as e\n\n\ndef softmax(z):\n    return e.softmax(z)\n"
    )
    verdict = judge(path, place.exercise, seed=0)
    assert [(finding.state, finding.says) for finding in verdict.findings] == [
        (
            State.WRONG,
            "Line 1, `import fortydays.lessons.day01_first_network.exercises as e`: A file that is judged may not "
            "import fortydays: the solutions are there. `forty hint` and, after one try, `forty solution` help.",
        )
    ] * len(verdict.findings)


def test_the_environment_and_the_folder_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", "nothing")
    path = tmp_path / "mine.py"
    path.write_text(
        "import os\ndef double(x):\n    return 2 * x\ndef triple(x):\n    return 3 * x * ('HOME' not in os.environ)\n"
    )
    assert judge(path, TWO, seed=0, limits=QUICK).state is State.PASSED


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.mkdir(), "There is no file"),
        (lambda path: path.write_bytes(b"#" * 300_000), "is larger than 200,000 bytes; expected an exercise's file."),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "mine.py")  # type: ignore[operator]
    with pytest.raises(UsageError, match=message):
        judge(tmp_path / "mine.py", TWO, seed=0)


def test_where_the_judge_cannot_start_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, broken = tmp_path / "mine.py", tmp_path / "child.py"
    path.write_text("")
    broken.write_text("raise RuntimeError('no NumPy here')")
    monkeypatch.setattr(running, "_CHILD", broken)
    with pytest.raises(JudgeError, match=r"The judge could not run .*: RuntimeError: no NumPy here\."):
        judge(path, TWO, seed=0)


def test_where_the_judge_itself_fails_that_is_told(tmp_path: Path) -> None:
    def broken(_x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("a slip of ours")

    task = Task(reference=double, cases=_cases, mistakes=(wrong("x", broken),))
    path = tmp_path / "mine.py"
    path.write_text("def double(x):\n    return x\n")
    exercise = Exercise(title="One", text="", tasks=(task,), hints=("",), afterwards="")
    with pytest.raises(
        JudgeError, match=r"The judge failed at .*mine\.py: ZeroDivisionError: a slip of ours\."
    ) as told:
        judge(path, exercise, seed=0, limits=QUICK)
    assert told.value.hint == "That is its own mistake and says nothing about the file."


def test_an_interrupt_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def wait(self, timeout: float | None = None) -> int:
            if not started:
                started.append(self)
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    (tmp_path / "mine.py").write_text("import time\ntime.sleep(600)")
    with pytest.raises(KeyboardInterrupt):
        judge(tmp_path / "mine.py", TWO, seed=0)
    assert started[0].returncode == -signal.SIGKILL
