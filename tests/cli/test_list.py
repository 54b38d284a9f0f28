"""The map of the forty days."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_runs import BEEF, longest_line, made_up, make_run
from rich.console import Console

from fortydays.cli import days
from fortydays.cli.main import execute
from fortydays.days import journey


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a run of day 4; days 1 and 4 are ready."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(journey, "is_ready", lambda day: day.number in (1, 4))
    make_run(tmp_path, BEEF, evidence=made_up.evidence())
    return tmp_path


def test_every_day_has_a_line_with_its_number_title_data_and_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["list"]) == 0
    text = capsys.readouterr().out
    numbers = [int(n) for n in re.findall(r"^ *(\d+) [○●·] ", text, re.MULTILINE)]
    assert numbers == list(range(1, 41))
    assert re.search(r"^ +1 ○ First neural network +MNIST +ready$", text, re.MULTILINE)
    assert re.search(r"^ +4 ● Overfitting and regularization +MNIST +run by you$", text, re.MULTILINE)
    assert re.search(r"^ +40 · The whole way, once more +a reader's own images$", text, re.MULTILINE)
    assert "○ 1 ready   ● 1 run by you   · 38 to come" in text
    assert "Next: forty read 1, then forty run 1" in text
    assert longest_line(text) <= 80


def test_the_map_is_what_forty_alone_shows(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["list"])
    listed = capsys.readouterr().out
    assert execute([]) == 0
    assert capsys.readouterr().out == listed


def test_json_gives_the_states_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["days"]
    assert len(listed) == 40
    assert [d["state"] for d in listed[:4]] == ["ready", "to come", "to come", "run by you"]
    assert (listed[0]["number"], listed[0]["slug"], listed[0]["data"]) == (1, "first-network", "MNIST")
    assert listed[0]["promise"] == "About 97% of the test digits are named correctly."


@pytest.mark.parametrize("width", [80, 50])
def test_the_map_fits_narrow_screens_and_ascii(width: int) -> None:
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding="ascii")
    days.print_map(Console(file=file, width=width))
    file.flush()
    text = buffer.getvalue().decode("ascii")
    assert longest_line(text) <= width
    assert " 4 * Overfitting and regularization" in text


@pytest.mark.parametrize("arguments", [[], ["list"], ["list", "--json"]])
def test_the_list_loads_no_heavy_library(arguments: list[str]) -> None:
    code = (
        f"import sys; from fortydays.cli.main import execute; execute({arguments}); "
        "heavy = {'tensorflow', 'keras', 'mlflow', 'matplotlib', 'plotext', 'jinja2', 'scipy', 'numpy', 'PIL',"
        "  'pydantic'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_study_of_your_own_with_the_name_of_a_day_is_not_that_day(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, "first-network-1", evidence=made_up.evidence(), day=None, name="first-network")
    assert execute(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["days"]
    assert [d["state"] for d in listed[:4]] == ["ready", "to come", "to come", "run by you"]


def test_the_commands_load_no_library_that_the_list_does_not_need() -> None:
    code = (
        "import sys; import fortydays.cli.main; "
        "unneeded = {'filelock', 'requests', 'rich.console', 'rich.table', 'sqlite3'}; "
        "sys.exit(', '.join(sorted(unneeded & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
