"""`forty notebook`: a day as a Jupyter notebook."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute
from fortydays.days.journey import JOURNEY, find_day, is_ready
from fortydays.days.loading import find_study
from fortydays.report.notebook import make_notebook
from fortydays.report.notes import for_notebook, read_figures, read_notes, render_notes
from fortydays.report.results import read_results
from fortydays.study.evidence import published

READY = [day.number for day in JOURNEY if is_ready(day)]
WRITEFILE = re.compile(r"%%writefile (\S+)\n")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def check(document: dict[str, Any]) -> None:
    """What nbformat 4.5 asks for."""
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert document["metadata"]["kernelspec"].keys() >= {"name", "display_name"}
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in ids)
    for cell in document["cells"]:
        code = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert cell.keys() - {"attachments"} == {"id", "cell_type", "metadata", "source"} | code
        assert cell["cell_type"] in ("code", "markdown")
        assert cell["metadata"] == {}
        assert all(isinstance(line, str) for line in cell["source"])
        assert not code or (cell["execution_count"], cell["outputs"]) == (None, [])
        for bundle in cell.get("attachments", {}).values():
            assert base64.b64decode(bundle["image/svg+xml"], validate=True).startswith(b"<svg")


def texts(document: dict[str, Any], kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == kind]


def test_every_day_makes_a_notebook_of_its_notes_its_study_and_its_results() -> None:
    for number in READY:
        day = find_day(str(number))
        notes, study = read_notes(day), find_study(str(number)).path.read_text("utf-8")
        evidence = published().read(number)
        assert notes is not None
        assert evidence is not None
        figures = read_figures(day)
        filled = render_notes(notes.text, None)  # numbers of evidence that is not anew yet are not this test's
        document = json.loads(make_notebook(read_results(evidence), filled, figures, study, file="mine.py"))
        check(document)
        written, code = "\n".join(texts(document, "markdown")), texts(document, "code")
        assert code[0] == f"%%writefile mine.py\n{study}".strip()
        assert f"fd.show({number}, published=True)" in code[1]
        assert written.count("<details>") == written.count("</details>")
        assert written.count("attachment:") == sum(len(cell.get("attachments", ())) for cell in document["cells"])


def test_the_notes_are_cells_with_pictures_and_folded_answers() -> None:
    notes = (
        "# A day\n\nText.\n\n![A\nline](drawn)\n\n```text\n## no heading\n```\n\n"
        "## Questions\n\n- Why?\n\n  > Because *so*.\n  > And so.\n\n- What?\n"
    )
    first, second = for_notebook(notes, {"drawn": lambda: "<svg/>"})
    assert first == (
        "# A day\n\nText.\n\n![A line](attachment:drawn.svg)\n\n*A line*\n\n```text\n## no heading\n```",
        {"drawn.svg": "<svg/>"},
    )
    assert second == (
        "## Questions\n\n- Why?\n\n  <details><summary>Answer</summary>\n\n  Because *so*.\n  And so.\n\n"
        "  </details>\n\n- What?",
        {},
    )


def test_it_is_written_beside_the_reader_and_over_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["notebook", "1"]) == 0
    assert capsys.readouterr().out == (
        "day01.ipynb is a notebook of day 1. Open it with Jupyter, in this program's environment.\n"
    )
    document = json.loads((here / "day01.ipynb").read_text("utf-8"))
    check(document)
    assert "{{" not in "".join(texts(document, "markdown"))
    (here / "day01.ipynb").write_text("mine")
    assert execute(["notebook", "1"]) == 2
    assert "There is a day01.ipynb already, and it stays as it is." in capsys.readouterr().err
    assert (here / "day01.ipynb").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["40"], "has no notes yet. `forty list` shows"),
        (["mine.py"], "The study mine has no notes yet."),
        (["1", "-o", "a.txt"], "ends in .ipynb; this is a.txt. Write: forty notebook 1 -o a.txt.ipynb"),
        (["1", "-o", "none/a.ipynb"], "There is no folder none. Make it first"),
    ],
)
def test_what_cannot_be_written_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["notebook", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def carried_out(cells: list[str], folder: Path) -> str:
    """What the code cells print, run as Jupyter runs them: one after the other, the last value of each shown."""
    program = folder / "cells.py"
    lines = ["import ast, pathlib, sys", "names = {}"]
    for cell in cells:
        if found := WRITEFILE.match(cell):
            lines.append(f"pathlib.Path({found[1]!r}).write_text({cell[found.end() :]!r}, 'utf-8')")
            continue
        *before, last = ast.parse(cell).body or [None]
        lines += [f"exec({ast.unparse(each)!r}, names)" for each in before]
        if last is not None:
            shown = "getattr(value, '_repr_html_', value.__repr__)()"
            lines.append(f"value = eval({ast.unparse(last)!r}, names); print({shown})")
    program.write_text("\n".join(lines), "utf-8")
    done = subprocess.run(
        [sys.executable, program.name], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_of_day_1(here: Path) -> list[str]:
    assert execute(["notebook", "1"]) == 0
    return texts(json.loads((here / "day01.ipynb").read_text("utf-8")), "code")


def test_its_cells_run_and_show_what_is_published(here: Path) -> None:
    shown = carried_out(code_of_day_1(here), here)
    assert shown.count('<svg role="img"') == 2  # a learning curve has a drawing area of its own inside
    assert "First neural network" in shown
    assert (here / "day01_study.py").read_text("utf-8").strip() == find_study("1").path.read_text("utf-8").strip()
    assert not (here.parent / "home" / "runs").exists()


@pytest.mark.slow
def test_its_own_copy_of_the_study_can_be_run(here: Path) -> None:
    *cells, run = code_of_day_1(here)
    shown = carried_out([*cells, run.replace("# mine", "mine")], here)
    assert "Evidence: your run day01-study-" in shown


@pytest.mark.slow
def test_a_kernel_of_jupyter_runs_it_from_the_first_cell_to_the_last(here: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    assert execute(["notebook", "1"]) == 0
    notebook = nbformat.read(here / "day01.ipynb", as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(here)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]
    shown = [[html for output in cell.outputs if (html := output.get("data", {}).get("text/html"))] for cell in cells]
    assert said[0] == "Writing day01_study.py\n"
    assert [len(each) for each in shown] == [0, 1, 1, 1, 1, 0]
    assert "First neural network" in shown[1][0]
    assert all("<svg" in each for (each,) in shown[2:4])
    assert "<table" in shown[4][0]
    assert (here / "day01_study.py").is_file()
