"""A study of drills at the command line: run, shown, compared, reported, verified; not set or registered."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute
from fortydays.days import loading
from fortydays.study import evidence as documents
from fortydays.study.evidence import Published
from fortydays.study.seal import sealed

FILE = '''
"""A reader's own drill."""
from fortydays.study.claims import InEverySeed
from fortydays.study.design import Study
from fortydays.study.drills import Drill
from fortydays.tasks.metric import Metric


def listing(bench):
    workspace = bench.settings.workspace
    bench.say("looking")
    return {"empty": not list(workspace.iterdir())}


study = Study(
    title="A fresh start",
    drills=(
        Drill(
            name="looking",
            do=listing,
            metrics=(Metric(name="empty", title="workspace empty", unit="share", better="higher"),),
            description="what is in a workspace",
        ),
    ),
    claims=(InEverySeed(sentence="Each workspace is empty", variant="looking", metric="empty", at_least=1),),
    seeds=(0, 1),
)
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


def test_drills_are_run_and_shown_and_cannot_be_registered(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("fortydays.cli.models.opened", lambda *_: None)  # a registry that is not needed

    def forty(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = execute(list(arguments))
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    code, _, error = forty("run", file, "--set", "epochs=1")
    assert code == 2
    assert "the drill 'looking' has no recipe" in error
    code, out, error = forty("run", file, "--no-track", "--strict")
    assert code == 0, error
    assert "looking, seed 1: empty 1" in error
    assert "study: 2 of 2 drills" in error or "study: done" in error
    for told in (out, forty("show", file)[1]):
        assert "supported Each workspace is empty" in told
        assert "smallest of 2 seeds: 100.0%" in told
        assert "dataset" not in told
    assert "2/2" in forty("runs")[1]
    page = tmp_path / "page.html"
    assert forty("report", file, "-o", str(page))[0] == 0
    assert "what is in a workspace" in page.read_text("utf-8")
    code, _, error = forty("register", file)
    assert code == 2
    assert "is of drills, which give no model, so there is nothing to register." in error


def test_a_day_of_drills_is_current_where_its_evidence_is_that_of_the_study(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert execute(["run", file, "--no-track", "--json"]) == 0
    (kept,) = (tmp_path / "home").glob("runs/*/evidence.json")
    evidence = json.loads(kept.read_text("utf-8"))
    capsys.readouterr()
    source = loading.load_study(loading.find_study(file), threads=1)
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path))
    monkeypatch.setattr(loading, "find_study", lambda text: None)
    monkeypatch.setattr(loading, "load_study", lambda *_, **__: source)

    def verified() -> tuple[int, str, list[str]]:
        code = execute(["verify", "--json"])
        (day,) = json.loads(capsys.readouterr().out)["days"]
        return code, day["state"], day["reasons"]

    def publish(**changes: Any) -> None:
        (tmp_path / "day27.json").write_text(json.dumps(sealed({**evidence, "day": 27, **changes})))

    publish()
    assert verified() == (0, "current", ["its drills are compared by running them: --rerun"])
    publish(seeds=[0])
    assert verified() == (3, "stale", ["the seeds are not those of the study"])
    publish()
    source = replace(source, study=replace(source.study, claims=()))
    assert verified() == (3, "stale", ["its verdicts are not what its trials give"])
