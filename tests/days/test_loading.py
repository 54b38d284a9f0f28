"""From a day's name or a file of one's own to the study in it."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.days.loading import LONGEST_NAME, find_study, is_study_file, load_study, study_name
from fortydays.days.mistakes import explained

STUDY = """
from fortydays.study.claims import Threshold
from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe

study = Study(
    title="Mine",
    dataset="digits",
    variants=(Variant(name='one', model=lambda: None, recipe=Recipe(epochs=1)),),
    claims=(),
)
"""


CLAIM = """claims=(
        Threshold(
            sentence="It learns",
            variant='one',
            metric="test_accuracy",
            at_least=0.5,
        ),)"""


EXHIBIT = """claims=(),
    exhibits=(
        __import__("fortydays.study.exhibits", fromlist=["feature_maps"]).feature_maps(
            variant="one", maps=6
        ),
    )"""


def file(folder: Path, content: str, name: str = "My Study (2).py") -> str:
    path = folder / name
    path.write_text(content, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "is_file"), [("mine.py", True), ("./a/study.py", True), ("1", False), ("day1", False)]
)
def test_a_file_is_told_from_a_day_by_its_ending(text: str, is_file: bool) -> None:
    assert is_study_file(text) is is_file


def test_a_day_is_found_without_importing_it() -> None:
    found = find_study("activations")
    assert (found.day, found.name) == (2, "activations")
    assert found.path.name == "study.py"
    assert found.path.parent.name == "day02_activations"
    assert find_study("2") == found


def test_the_first_day_is_loaded(keras: Any) -> None:
    source = load_study(find_study("1"), threads=1)
    assert (source.day, source.name, source.study.title) == (1, "first-network", "First neural network")
    assert source.study.names == ("network", "linear")
    assert source.path.is_file()


def test_a_file_of_ones_own_is_loaded(keras: Any, tmp_path: Path) -> None:
    source = load_study(find_study(file(tmp_path, STUDY)), threads=1)
    assert (source.day, source.name, source.study.title) == (None, "my-study-2", "Mine")


def test_a_file_is_read_anew_each_time(keras: Any, tmp_path: Path) -> None:
    load_study(find_study(file(tmp_path, STUDY)), threads=1)
    source = load_study(find_study(file(tmp_path, STUDY.replace("Mine", "Yours, longer"))), threads=1)
    assert source.study.title == "Yours, longer"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mine.py", "mine"),
        ("/a/My Study_2.py", "my-study-2"),
        ("/a/small nets/study.py", "small-nets"),
        ("/étude/é.py", "study"),
        ("/a/" + "x" * 100 + ".py", "x" * LONGEST_NAME),
        ("/a/" + "x" * (LONGEST_NAME - 1) + "-y.py", "x" * (LONGEST_NAME - 1)),
    ],
)
def test_runs_of_a_file_are_called_after_it(path: str, name: str) -> None:
    assert study_name(Path(path)) == name


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no study file .*none\.py\."):
        find_study(str(tmp_path / "none.py"))
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UsageError, match=r"There is no study file .*folder\.py\."):
        find_study(str(tmp_path / "folder.py"))
    with pytest.raises(UsageError, match=r"There is no day 'activatoins'\. Did you mean 'activations'"):
        find_study("activatoins")


def test_a_day_still_to_come_says_which_are_ready() -> None:
    with pytest.raises(UsageError) as raised:
        find_study("40")
    assert raised.value.message.startswith("Day 40, ")
    assert raised.value.message.endswith(", is still to come.")
    assert raised.value.hint.startswith("Ready: 1, 2, ")


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("x = 1", " sets no study; expected `study = Study(...)` at its top level.", "forty copy 1 my_study.py"),
        ("study = 'mine'", " sets no study; expected", "`study` is 'mine' there."),
        (
            STUDY.replace("study =", "mine ="),
            " sets no study; expected",
            "a study with the name 'mine'. Call it study.",
        ),
        ("", " sets no study; expected", "forty copy 1 my_study.py"),
        ("x = 1\nstudy = = 2", ", line 2: this is not Python: invalid syntax: 'study = = 2'.", ""),
        ("\x00", ": this is not Python: ", ""),
        ("import no_such_module_at_all", ", line 1: There is no module 'no_such_module_at_all'.", "Install"),
        ("from .study import x", ", line 1: A relative import does not work here.", "stands alone"),
        (
            "from fortydays.study.claims import Treshold",
            ", line 1: fortydays.study.claims has no 'Treshold'. Did you mean 'Threshold'?",
            "",
        ),
        ("from fortydays import Studdy", ", line 1: fortydays has no 'Studdy'. Did you mean 'Study'?", ""),
        ("import fortydays as fd\nfd.Recip()", ", line 2: fortydays has no 'Recip'. Did you mean 'Recipe'?", ""),
        ("def f():\n    return 1 / 0\nf()", ", line 2: ZeroDivisionError: division by zero", ""),
        ("import sys\nsys.exit(3)", ", line 2: The file ended the program", "Leave exit() out."),
        (STUDY.replace("lambda: None", "lamda"), ", line 9: The name 'lamda' is not defined.", ""),
        (
            STUDY.replace("epochs=1", "epochs=0"),
            ", line 9: The recipe field 'epochs' is 0; expected a whole number",
            "",
        ),
        (
            STUDY.replace("epochs=1", "epochs=1, batchsize=128"),
            ", line 9: There is no Recipe field 'batchsize'. Did you mean 'batch_size'?",
            "Known: epochs, batch_size, ",
        ),
        (STUDY.replace("epochs=1", ""), ", line 9: Recipe needs the field 'epochs'.", "Known: epochs, "),
        (STUDY.replace("epochs=1", "1"), ", line 9: Recipe takes its fields by name, such as epochs=...", "Known: "),
        (
            STUDY.replace("epochs=1", "epochs=1, optimizer_options=3"),
            ", line 9: The field 'optimizer_options' of Recipe is 3; expected a dict.",
            "",
        ),
        (
            STUDY.replace("claims=()", "claims=(),\n    seeds=3"),
            ", line 11: The field 'seeds' of Study is 3; expected a tuple of values, each a whole number.",
            "A tuple of one value has a comma: seeds=(3,)",
        ),
        (
            STUDY.replace("claims=()", "claims=(), seeds=(0, '1')"),
            ", line 10: The field 'seeds' of Study holds '1'; expected that each value is a whole number.",
            "",
        ),
        (
            STUDY.replace("claims=()", "claims=(), seeds=(4, 4)"),
            ", line 10: The study 'Mine' has a seed twice: 4.",
            "",
        ),
        (
            STUDY.replace("claims=()", "claims=(), targets=(95,)"),
            ", line 10: The study 'Mine' has the target 95;",
            "0.95",
        ),
        (
            STUDY.replace("claims=()", CLAIM.replace("'one'", "'on'")),
            ", line 13: There is no variant 'on', which the claim 'It learns' names. Did you mean 'one'?",
            "Known: one.",
        ),
        (
            STUDY.replace("claims=()", CLAIM.replace("test_accuracy", "test_acuracy")),
            ", line 14: There is no metric 'test_acuracy', which the claim 'It learns' names. Did you mean",
            "Known: test_accuracy, ",
        ),
        (
            STUDY.replace("claims=()", CLAIM.replace("0.5", "'half'")),
            ", line 15: The field 'at_least' of Threshold is 'half'; expected a number or None.",
            "",
        ),
        (
            STUDY.replace("claims=()", CLAIM.replace("0.5", "97")),
            ", line 15: The claim 'It learns' has at_least=97; test_accuracy is a share of 1.",
            "97% is 0.97.",
        ),
        (
            STUDY.replace("claims=()", CLAIM.replace("at_least=0.5", "about=98")),
            ", line 15: The claim 'It learns' has about=98; test_accuracy is a share of 1.",
            "98% is 0.98.",
        ),
        (
            STUDY.replace(
                "claims=()", CLAIM.replace("at_least=0.5", "about=0.3").replace("test_accuracy", "test_loss")
            ),
            ", line 15: The claim 'It learns' is about test_loss, which is no share of 1; about= is for shares.",
            "Use at_least or at_most.",
        ),
        (
            STUDY.replace("claims=()", CLAIM[:-2] + ")"),
            ", line 10: The field 'claims' of Study is a Threshold; expected a tuple of values, each a Threshold, ",
            "A tuple of one value has a comma: claims=(Threshold(...),)",
        ),
        (
            STUDY.replace('"digits"', '"digts"'),
            ", line 8: There is no dataset 'digts'. Did you mean 'digits'?",
            "Known: mnist, ",
        ),
        (
            "from keras import layers\nlayers.Flaten()",
            ", line 2: keras.layers has no 'Flaten'. Did you mean 'Flatten'?",
            "",
        ),
        (
            STUDY.replace("claims=()", EXHIBIT.replace("6", "0")),
            ", line 13: The argument 'maps' of feature_maps is 0; expected a whole number, at least 1.",
            "",
        ),
        (
            STUDY.replace("claims=()", EXHIBIT.replace("maps=6", "image='first'")),
            ", line 13: The argument 'image' of feature_maps is 'first'; expected a whole number, at least 0.",
            "",
        ),
        (STUDY.replace("name='one'", "name=1"), ", line 9: The field 'name' of Variant is 1; expected a text", ""),
        (
            STUDY.replace("lambda: None", "3"),
            ", line 9: The field 'model' of Variant is 3; expected a function.",
            "",
        ),
        (
            STUDY.replace("lambda: None", "keras.Sequential()").replace("\nfrom", "\nimport keras; from", 1),
            ", line 9: The field 'model' of the variant 'one' is a model; expected a function that builds one.",
            "without ()",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(
    keras: Any, content: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path, content, "broken.py")
    with pytest.raises(UsageError) as raised:
        load_study(find_study("broken.py"), threads=1)
    assert raised.value.message.startswith(f"broken.py{message}")
    assert hint in raised.value.hint


def test_what_a_file_prints_is_no_result(keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_study(find_study(file(tmp_path, "print('hello')\n" + STUDY)), threads=1)
    assert capsys.readouterr() == ("", "hello\n")


def test_a_module_beside_the_file_is_found_and_its_mistakes_are_placed_in_it(keras: Any, tmp_path: Path) -> None:
    file(tmp_path, "EPOCHS = 1\ndef fail(): raise RuntimeError('no luck')\n", "beside_the_study.py")
    good = STUDY.replace("\nfrom", "\nimport beside_the_study\nfrom", 1).replace(
        "epochs=1", "epochs=beside_the_study.EPOCHS"
    )
    assert load_study(find_study(file(tmp_path, good)), threads=1).study.variants[0].recipe.epochs == 1
    with pytest.raises(UsageError, match=r"beside_the_study\.py, line 2: RuntimeError: no luck"):
        load_study(find_study(file(tmp_path, good + "beside_the_study.fail()\n")), threads=1)
    assert str(tmp_path) not in sys.path


def test_a_function_that_builds_no_model_is_named(keras: Any, tmp_path: Path) -> None:
    (variant,) = load_study(find_study(file(tmp_path, STUDY)), threads=1).study.variants
    with pytest.raises(UsageError, match="the function 'model' of the variant 'one' gives NoneType; expected a Keras"):
        variant.model()
    failing = STUDY.replace("lambda: None", "lambda: 1 / 0")
    (variant,) = load_study(find_study(file(tmp_path, failing)), threads=1).study.variants
    with pytest.raises(UsageError, match=r"\.py, line 9: ZeroDivisionError: division by zero"):
        variant.model()


def test_a_model_whose_output_is_not_one_probability_for_each_class_is_named_with_its_line(
    keras: Any, tmp_path: Path
) -> None:
    content = STUDY.replace("lambda: None", "network").replace(
        "\nstudy =",
        """
import keras

def network():
    return keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(5)])

study =""",
    )
    (variant,) = load_study(find_study(file(tmp_path, content)), threads=1).study.variants
    with pytest.raises(
        UsageError, match=r"\.py, line 8: the model of the variant 'one' gives an output of shape"
    ) as told:
        variant.model()
    assert told.value.message.endswith(
        "(None, 5); expected (None, 10), one probability for each of the dataset's 10 classes."
    )
    assert told.value.hint == 'End it with layers.Dense(10, activation="softmax").'


def test_a_file_that_failed_leaves_no_half_of_itself_behind(keras: Any, tmp_path: Path) -> None:
    found = find_study(file(tmp_path, "x = 1\n1 / 0", "half.py"))
    with pytest.raises(UsageError):
        load_study(found, threads=1)
    assert found.module not in sys.modules


def test_what_older_pythons_say_of_a_null_byte_is_told_as_a_file_that_is_no_python(tmp_path: Path) -> None:
    error = ValueError("source code string cannot contain null bytes")  # before 3.11.4; a SyntaxError since

    found = explained(error, tmp_path / "broken.py", ModuleType("broken"))

    assert found.message.endswith("broken.py: this is not Python: source code string cannot contain null bytes")
