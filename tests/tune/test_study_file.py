"""The study that comes of a search: what it says, that it can be run, and that nothing is written over."""

import dataclasses
import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from made_up_search import found

from fortydays.base.errors import UsageError
from fortydays.study.design import Study, Variant
from fortydays.study.plan import StudySource
from fortydays.train.recipe import Recipe
from fortydays.tune.found import Finalist
from fortydays.tune.space import Space
from fortydays.tune.study_file import check_free, check_place, module_of, study_text, write_study

ORIGINAL = """
from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=3, optimizer="adam", optimizer_options={"beta_1": 0.8})
study = Study(
    title="A 'study' of \\"mine\\"",
    dataset="digits",
    variants=(Variant(name="network", model=dict, recipe=RECIPE), Variant(name="other", model=dict, recipe=RECIPE)),
    claims=(),
    seeds=(0, 1, 2),
)
"""


def loaded(path: Path) -> Study:
    """The study of a file, imported as ``forty run`` does; without Keras."""
    spec = importlib.util.spec_from_file_location(f"made_up_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    study: Study = module.study
    return study


@pytest.fixture
def source(tmp_path: Path) -> StudySource:
    path = tmp_path / "made_up_original.py"
    path.write_text(ORIGINAL)
    return StudySource(day=None, name="made-up", path=path, study=loaded(path))


def test_the_written_study_has_the_tuned_variant_beside_the_one_before(source: StudySource) -> None:
    content = found(title=source.study.title)
    path = source.path.with_name("tuned.py")
    write_study(path, study_text(content, source, module=module_of(source.path, day_module=None)))
    study = loaded(path)
    before, tuned = study.variants
    assert before == source.study.variants[0] or before.recipe == source.study.variants[0].recipe
    assert (before.name, tuned.name) == ("network", "network tuned")
    assert tuned.recipe == Recipe(epochs=3, optimizer="sgd", learning_rate=0.1)
    assert tuned.tuning_seeds == (1000, 1001)
    assert study.seeds == (0, 1, 2)
    assert study.title == "A 'study' of \"mine\": network, tuned"
    (claim,) = study.claims
    assert claim.variants == ("network tuned", "network")
    del sys.modules["made_up_original"]


def test_an_option_of_the_optimizer_is_written_with_the_others(source: StudySource, tmp_path: Path) -> None:
    values = {"optimizer_options.beta_2": 0.95}
    content = found(
        space=Space.parse(["optimizer_options.beta_2=0.9..0.99"]),
        finalists=(Finalist(number=1, values=values, accuracies=(0.9, 0.91)),),
        at_edge=(),
    )
    text = study_text(content, source, module="made_up_original")
    assert 'optimizer_options={"beta_1": 0.8, "beta_2": 0.95},' in text


def test_it_tells_how_the_values_were_chosen(source: StudySource) -> None:
    text = study_text(found(), source, module="made_up_original")
    said = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    for part in (
        "tried 4 candidates of learning_rate=0.0001..0.1:log optimizer=adam,sgd patience=none,3 on 200 validation",
        "(2 for all epochs, 1 stopped early, 1 failed)",
        "with the seeds 1000, 1001, candidate 1 has the best mean validation accuracy: 91.00%; the recipe before has "
        "88.50%.",
        "learning_rate=0.1 is at the edge of its range.",
        "TPE of Optuna 5.0.0, seed 0, batches of 4.",
    ):
        assert part in said, part


def test_it_is_formatted_as_the_project_is(source: StudySource, tmp_path: Path) -> None:
    for name, module in (("of_a_file.py", "made_up_original"), ("of_a_day.py", "fortydays.lessons.day01.study")):
        path = tmp_path / name
        path.write_text(study_text(found(), source, module=module))
        for arguments in (
            ["format", "--check", "--line-length", "119"],
            ["check", "--select", "E,F,I", "--line-length", "119"],
        ):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", name],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_a_long_name_stays_a_name(source: StudySource) -> None:
    name = "a" * 40
    variant = dataclasses.replace(source.study.variants[0], name=name)
    study = dataclasses.replace(source.study, variants=(variant,))
    text = study_text(found(variant=name), dataclasses.replace(source, study=study), module="m")
    assert f'name="{"a" * 34} tuned",' in text
    Variant(name=f"{'a' * 34} tuned", model=dict, recipe=Recipe(epochs=1))


def test_a_file_that_is_there_stays_but_for_the_very_same(tmp_path: Path) -> None:
    path = tmp_path / "tuned.py"
    write_study(path, "a = 1\n")
    write_study(path, "a = 1\n")
    with pytest.raises(UsageError, match=r"There is a .*tuned\.py already, and it stays as it is\.") as error:
        write_study(path, "a = 2\n")
    assert "-o FILE.py" in error.value.hint
    assert path.read_text() == "a = 1\n"
    link = tmp_path / "link.py"
    link.symlink_to(tmp_path / "nothing.py")
    with pytest.raises(UsageError, match="already"):
        check_free(link)


def test_a_place_where_the_study_could_not_be_is_refused(tmp_path: Path) -> None:
    original = tmp_path / "own.py"
    check_place(tmp_path / "tuned.py", original)
    check_place(tmp_path / "tuned.py", None)
    (tmp_path / "other").mkdir()
    named = shlex.quote(str(tmp_path / "tuned.py"))
    for path, message, hint in (
        (tmp_path / "tuned.txt", "The name of a study file ends in .py", "tuned.txt.py"),
        (tmp_path / "none" / "tuned.py", "There is no folder", "Make it first"),
        (tmp_path / "other" / "tuned.py", "imports own.py, so it must be beside it", f"-o {named}"),
    ):
        with pytest.raises(UsageError) as error:
            check_place(path, original)
        assert message in error.value.message
        assert hint in error.value.hint


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("my-study.py", "a module's name is letters, digits and _", "as my_study.py"),
        ("random.py", "Python has another module of this name", "my_random.py"),
        ("numpy.py", "Python has another module of this name", "my_numpy.py"),
        ("class.py", "a module's name is letters, digits and _", "my_class.py"),
    ],
)
def test_a_file_that_cannot_be_imported_by_its_name_is_refused(
    tmp_path: Path, name: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        module_of(tmp_path / name, day_module=None)
    assert message in error.value.message
    assert hint in error.value.hint
    assert module_of(tmp_path / name, day_module="fortydays.lessons.day01.study") == "fortydays.lessons.day01.study"


def test_a_file_on_the_path_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_up_here.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert module_of(tmp_path / "made_up_here.py", day_module=None) == "made_up_here"
