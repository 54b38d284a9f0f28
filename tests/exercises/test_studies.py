"""Exercises that ask for a study: what a reader is told, with the process in which the file runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from fortydays import Comparison, Drill, Study
from fortydays.exercises.design import Exercise, study, wrong
from fortydays.exercises.finding import Place
from fortydays.exercises.judge import State, Verdict, assess, judge
from fortydays.exercises.running import Called
from fortydays.exercises.starter import solution
from fortydays.exercises.studies import (
    MOST_CLAIMS,
    MOST_DRILLS,
    MOST_METRICS,
    MOST_SEEDS,
    carried_out,
    claims_first,
    has_drills,
    has_seeds,
    read_carried,
)
from fortydays.study.bench import Bench


def double_is_more() -> Study:
    """A study of "one" and "double"."""

    def one(bench: Bench) -> dict[str, float]:
        return {"points": 10 + bench.seed}

    def double(bench: Bench) -> dict[str, float]:
        return {"points": 20 + 2 * bench.seed}

    return Study(
        title="Double",
        seeds=(0, 1, 2),
        drills=(Drill(name="one", do=one, metrics=("points",)), Drill(name="double", do=double, metrics=("points",))),
        claims=(
            Comparison(sentence="Double is more", metric="points", variant="double", than="one", direction="above"),
        ),
    )


def begun() -> Study:
    raise NotImplementedError("to be written")


def tripled() -> Study:
    one, double = double_is_more().drills
    return replace(double_is_more(), drills=(one, replace(double, do=lambda bench: {"points": 30 + 3 * bench.seed})))


DRILLS = has_drills("one", "double", metric="points")
CLAIM = claims_first("Claim it.", Comparison, metric="points", variant="double", than="one", direction="above")
TASK = study(
    double_is_more, begun=begun, demands=(DRILLS, CLAIM, has_seeds(3)), mistakes=(wrong("It is tripled.", tripled),)
)
IMPORTS = "import math\n\nfrom fortydays import Comparison, Drill, Study\nfrom fortydays.study.bench import Bench\n"
EXERCISE = Exercise(title="Double", text="Do.", tasks=(TASK,), hints=("Do.",), afterwards="Done.", imports=IMPORTS)
RIGHT = solution(Place(day=1, number=1, exercise=EXERCISE))


@pytest.fixture
def judged(tmp_path: Path):
    def judged(old: str, new: str) -> Verdict:
        assert old in RIGHT
        path = tmp_path / "mine.py"
        path.write_text(RIGHT.replace(old, new), "utf-8")
        return judge(path, EXERCISE, seed=0)

    return judged


def test_a_right_study_passes_and_the_numbers_that_decide_are_told(judged):
    (finding,) = judged("2 * bench.seed", "2 * bench.seed").findings
    assert finding.state is State.PASSED
    # 20 - 10, 22 - 11 and 24 - 12: 11, and 4.3027 * 1 / sqrt(3) to both sides.
    assert finding.says == "the claim is supported by 3 seeds: +11 points (+8.516 to +13.48)"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'name="double", do',
            'name="twice", do',
            "Line 23, `return Study(`: There is no variant 'double', which the claim 'Double is more' names. Known:",
        ),
        ("claims=(", "claims=(); (", "Line 27, `claims=(); (`: SyntaxError: invalid syntax."),
        ("seeds=(0, 1, 2)", "seeds=(0, 1)", "It has too few seeds: at least 3 are to decide the claim."),
        ('direction="above"', 'direction="below"', "Claim it."),
        ("20 + 2 * bench.seed", "30 + 3 * bench.seed", "It is tripled."),
        (
            "20 + 2 * bench.seed",
            "20 + bench.seed",
            'With the seed 1, the drill "double" gives 21 points, not 22. '
            "Do the drills train and measure as the text asks?",
        ),
        ("+ bench.seed", "+ 1", 'With the seed 0, the drill "one" gives 11 points, not 10. Do the drills'),
        ("20 + 2 * bench.seed", "math.inf", "The drill gave 'inf' as points; expected a finite number."),
        (
            "20 + 2 * bench.seed",
            "undefined",
            "Line 21, `return {\"points\": undefined}`: NameError: name 'undefined' is not defined.",
        ),
        (
            "study = double_is_more()",
            "",
            "The file sets no `study`. It ends with the line `study = double_is_more()`.",
        ),
        ("study = double_is_more()", "study = 3", "`study` is int; expected a Study."),
        ("seeds=(0, 1, 2)", "seeds=range(51)", "The study has 51 seeds; the judge takes at most 50."),
        (
            "import math",
            "import fortydays.lessons.day02_activations.exercises",
            "Line 8, `import fortydays.lessons.day02_activations.exercises`: A file that is judged may not import "
            "fortydays.lessons: the solutions are there.",
        ),
        (
            "study = double_is_more()",
            "from fortydays.exercises.finding import find_exercises\nstudy = find_exercises('2')",
            "Line 34, `study = find_exercises('2')`: A file that is judged may not import fortydays.lessons",
        ),
    ],
)
def test_what_is_wrong_is_told(judged, old: str, new: str, says: str):
    (finding,) = judged(old, new).findings
    assert finding.state is State.WRONG
    assert finding.says.startswith(says)


IN_PLACE = """
import fortydays.exercises.studies as judging

def instead(study):
    n = {count}
    drills = {{name: [{{"name": "points", "title": "points"}}] for name in ("one", "double")}}
    times = {{"one": 1, "double": 2}}
    numbers = {{name: [{{"points": times[name] * (10.0 + k)}} for k in range(n)] for name in times}}
    claim = {{"kind": "Comparison", "sentence": "Double is more", "metric": "points", "variant": "double",
             "than": "one", "direction": "above"}}
    return {{"seeds": list(range(n)), "drills": drills, "numbers": numbers, "claims": [claim]}}

judging.carried_out = instead
study = 0
"""


def test_a_file_that_tells_a_study_of_its_own_is_held_to_the_same_bounds(judged):
    (finding,) = judged("study = double_is_more()", IN_PLACE.format(count=51)).findings
    assert finding.state is State.WRONG
    assert finding.says == (
        "What it measured cannot be read (no study: The study has 51 seeds; the judge takes at most 50.)."
    )


def test_drills_that_do_not_use_their_seed_are_told_as_that():
    one, double = double_is_more().drills
    fixed = replace(
        double_is_more(),
        drills=(
            replace(one, do=lambda bench: {"points": 11}),
            replace(double, do=lambda bench: {"points": 22}),
        ),
    )
    finding = assess(TASK, [()], Called(study=carried_out(fixed)))
    assert finding.says.startswith("Every repetition gives the same number")


def test_a_claim_that_the_numbers_do_not_support_is_told_with_them():
    # 1, -1 and 3 points more: 1 ± 4.3027 * 2 / sqrt(3).
    one, double = double_is_more().drills
    unsure = replace(
        double_is_more(),
        drills=(
            replace(one, do=lambda bench: {"points": 0}),
            replace(double, do=lambda bench: {"points": (1, -1, 3)[bench.seed]}),
        ),
    )
    finding = assess(replace(TASK, reference=lambda: unsure), [()], Called(study=carried_out(unsure)))
    assert finding.state is State.WRONG
    assert finding.says.startswith("The claim is undecided, not supported: +1 points (-3.968 to +5.968).")
    assert finding.shown == "one      = [0. 0. 0.]\ndouble   = [ 1. -1.  3.]"


def test_what_is_told_in_the_place_of_a_study_is_refused():
    whole = carried_out(double_is_more())
    for change in (
        {"seeds": []},
        {"numbers": {"one": [], "double": []}},
        {"claims": [{"kind": "os.system"}]},
        {"claims": [{"kind": "Comparison", "sentence": "x", "metric": "points", "variant": "one"}]},
        {"drills": 3},
        {"seeds": list(range(51))},
        {"seeds": [0, 1, -1]},
        {"seeds": [0, 1, 1]},
        {"seeds": [0, 1, 2**40]},
        {"seeds": ["0", "1", "2"]},
        {"drills": {f"d{n}": whole["drills"]["one"] for n in range(7)}},
        {"drills": {"\x1b[2J": whole["drills"]["one"]}},
        {"drills": {"one": whole["drills"]["one"] * 13, "double": whole["drills"]["double"]}},
        {"drills": {"one": [{"name": "points", "title": 3}], "double": whole["drills"]["double"]}},
        {"claims": whole["claims"] * 7},
        {"claims": [whole["claims"][0] | {"than": "nobody"}]},
        {"claims": [whole["claims"][0] | {"scale": "2"}]},
        {"claims": [whole["claims"][0] | {"metric": "nothing"}]},
        {"numbers": whole["numbers"] | {"one": [{"points": 10**400}] * 3}},
        {"numbers": whole["numbers"] | {"one": [{"points": 1.7e308}] * 2 + [{"points": -1.7e308}]}},
    ):
        with pytest.raises(ValueError, match=r"numbers are missing|no study"):
            read_carried(whole | change)


def test_the_page_about_the_judge_states_its_bounds() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "exercises.md").read_text("utf-8")
    bounds = f"{MOST_SEEDS} seeds, {MOST_DRILLS} drills, {MOST_CLAIMS} claims, {MOST_METRICS} metrics"
    assert bounds in " ".join(page.split())
