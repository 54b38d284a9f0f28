"""The examples of docs/python.md do what they say."""

import re
from pathlib import Path
from typing import Any

import pytest

import fortydays as fd

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
WRITEFILE = "%%writefile my_study.py\n"
TRAINING = ("fd.run(", "fd.fit(", "fd.load(")


def test_the_examples_that_train_nothing_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    run = [text for text in EXAMPLES if not text.startswith(WRITEFILE) and not any(each in text for each in TRAINING)]
    assert len(run) >= 5
    for text in run:
        exec(compile(text, "docs/python.md", "exec"), names)
    assert (tmp_path / "curves.svg").is_file()
    assert list(names["last"].seed.unique()) == [0, 1, 2, 3, 4]
    printed = capsys.readouterr().out
    assert "supported | ReLU is more accurate than sigmoid after 5 epochs | 0.0" in printed
    assert (
        "There is no field 'validation_acuracy' of this result. Did you mean 'validation_accuracy'?\nKnown:" in printed
    )


def test_the_others_are_python_and_their_names_are_there() -> None:
    for text in EXAMPLES:
        compile(text.removeprefix(WRITEFILE), "docs/python.md", "exec")
    assert {name for name in re.findall(r"\bfd\.(\w+)", PAGE) if name not in dir(fd)} == set()


def test_the_study_of_the_page_is_one(keras: Any, tmp_path: Path) -> None:
    from fortydays.days.loading import find_study, load_study

    (text,) = (text for text in EXAMPLES if text.startswith(WRITEFILE))
    (tmp_path / "my_study.py").write_text(text.removeprefix(WRITEFILE), "utf-8")
    study = load_study(find_study(str(tmp_path / "my_study.py")), threads=1).study
    assert isinstance(study, fd.Study)
    assert study.title == "One layer"
    assert study.variants[0].model().count_params() == 7850


def test_the_page_names_all_that_a_study_is_made_of() -> None:
    of_studies = {name for home, names in fd._HOMES.items() if home != "api" for name in names} - {"FortydaysError"}
    assert {name for name in of_studies if f"`{name}`" not in PAGE} == set()
