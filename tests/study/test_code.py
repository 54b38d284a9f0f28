"""What makes the code of a run another one, so that the run does not go on and no model is built from it."""

import shutil
from pathlib import Path

import pytest

import fortydays
from fortydays.base.errors import StorageError
from fortydays.study import code
from fortydays.study.code import code_of, digest_of, engine_digest, program_digest, study_digest

STUDY = """
import helper

# A remark.
def area(radius):  # of a circle
    return 3.14 * radius**2
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "study.py"
    path.parent.mkdir()
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [("# A remark.\n", ""), ("  # of a circle", " # π"), ("\n\n", "\n\n\n"), ("radius**2", "radius ** 2")],
)
def test_remarks_and_layout_are_no_part_of_a_studys_digest(study: Path, before: str, after: str) -> None:
    digest = study_digest(study)
    assert before in STUDY
    study.write_text(STUDY.replace(before, after))
    assert study_digest(study) == digest


@pytest.mark.parametrize(("before", "after"), [("3.14", "3.15"), ("**2", "**3"), ("radius)", "radius=1)")])
def test_everything_else_is(study: Path, before: str, after: str) -> None:
    digest = study_digest(study)
    assert before in STUDY
    study.write_text(STUDY.replace(before, after))
    assert study_digest(study) != digest


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import helper", "helper.py"),
        ("import helper as other, json", "helper.py"),
        ("from helper import network", "helper.py"),
        ("def model():\n    from helper import network", "helper.py"),
        ("import nets.deep", "nets/deep.py"),
        ("import nets.deep", "nets/__init__.py"),
        ("from nets import deep", "nets/deep.py"),
        ("from nets import again", "nets/deep.py"),  # its __init__ takes it from there
        ("from nets.far import away", "nets/far/away.py"),  # a folder without __init__
        ("from nets import beside", "nets/deep.py"),  # which takes it from the same folder
    ],
)
def test_a_module_beside_the_study_is_part_of_it_however_it_is_imported(study: Path, line: str, file: str) -> None:
    for name, content in {
        "helper.py": "network = 1",
        "nets/__init__.py": "from .deep import again",
        "nets/deep.py": "again = 1",
        "nets/beside.py": "from . import deep",
        "nets/far/away.py": "x = 1",
        "unused.py": "x = 1",
    }.items():
        path = study.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    study.write_text(line + "\n")
    digest = study_digest(study)
    (study.parent / "unused.py").write_text("x = 2")
    assert study_digest(study) == digest
    changed = study.parent / file
    changed.write_text(changed.read_text() + "\ny = 2")
    assert study_digest(study) != digest


def test_a_study_has_the_same_digest_in_another_folder(study: Path, tmp_path: Path) -> None:
    (study.parent / "helper.py").write_text("x = 1")
    moved = shutil.copytree(study.parent, tmp_path / "elsewhere") / "study.py"
    assert study_digest(moved) == study_digest(study)


@pytest.mark.parametrize(
    "line",
    ["from fortydays.train.recipe import Recipe", "from fortydays import Recipe", "import fortydays as fd"],
)
def test_what_a_study_takes_from_this_program_is_no_part_of_its_own_code(study: Path, line: str) -> None:
    """By whichever name: the engine's digest is what tells of it."""
    study.write_text(f"{line}\nx = 1\n")
    assert study_digest(study) == digest_of([("study.py", f"{line}\nx = 1")])


def test_public_names_are_what_the_rooms_have() -> None:
    """What a study makes by a short name is the same value, of the same class, as by the long one."""
    from fortydays.study.claims import Threshold
    from fortydays.study.design import Study
    from fortydays.train.recipe import Recipe

    assert (fortydays.Study, fortydays.Threshold, fortydays.Recipe) == (Study, Threshold, Recipe)


def test_what_is_no_python_or_not_there_is_told_where_it_is_loaded(study: Path) -> None:
    study.write_text("import helper, helper")
    (study.parent / "helper.py").write_text("x = (")
    digest = study_digest(study)
    (study.parent / "helper.py").write_text("y = (")
    assert study_digest(study) != digest
    study.write_text("from ........................................ import x")
    study_digest(study)
    with pytest.raises(StorageError, match=r"Could not read .*none\.py"):
        study_digest(study.with_name("none.py"))


def test_the_engine_is_all_that_numbers_can_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    for name in ("__init__.py", "data/splits.py", "study/search.py", "train/backends/jax.py", "lessons/a/study.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n")
    (package / "serve").mkdir()
    (package / "api.py").write_text("x = 1\n")
    monkeypatch.setattr(code, "_PACKAGE", package)
    digest = engine_digest()
    program = program_digest()
    (package / "serve" / "app.py").write_text("x = 1\n")
    (package / "lessons" / "a" / "exercises.py").write_text("x = 1\n")
    (package / "api.py").write_text("x = 2\n")  # it only asks for numbers
    assert engine_digest() == digest
    assert program_digest() != program  # a drill may practise on it
    seen = {digest}
    for path in sorted(package.rglob("*.py")):
        if path.parent.name != "serve" and path.name not in ("exercises.py", "api.py"):
            path.write_text("x = 2\n")
            seen.add(engine_digest())
    (package / "data" / "splits.py").rename(package / "data" / "parts.py")
    seen.add(engine_digest())
    assert len(seen) == 7


def test_the_digest_of_several_files_depends_on_their_names_and_not_on_their_order(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x  =  1 # one")
    one, two = ("one.py", code_of(tmp_path / "one.py")), ("two.py", "y = 2")
    assert one == ("one.py", "x = 1")
    assert digest_of([one, two]) == digest_of([two, one]) != digest_of([("three.py", one[1]), two])
