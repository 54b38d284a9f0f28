"""``forty register`` and ``forty reproduce`` as a reader calls them, after a run of a study of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute

STUDY = str(Path(__file__).parents[1] / "registry" / "registered_study.py")


@pytest.mark.slow
def test_a_study_is_run_registered_and_reproduced(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    assert execute(["register", STUDY]) == 2
    assert "has no finished run in this workspace" in capsys.readouterr().err
    assert execute(["run", STUDY, "--no-track"]) == 0
    capsys.readouterr()

    assert execute(["register", STUDY, "--variant", "convolution"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("digits@1: convolution, seed ")
    assert told.out.endswith("Next: forty promote digits@1 --to champion\n")
    assert "Exporting convolution" in told.err
    assert execute(["register", STUDY, "--name", "other", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"]["name"] == "other"
    assert document["evaluation"]["onnx"]["difference"] < 1e-4

    assert execute(["reproduce", "digits@1"]) == 0
    assert capsys.readouterr().out == "digits@1 is reproduced: the weights are the same, bit for bit.\n"
    assert execute(["lineage", "digits@1"]) == 0
    tree = capsys.readouterr().out
    assert "(one of your own), variant convolution, seed" in tree
    assert f"file {STUDY}" in "".join(line.strip("│├─ ") for line in tree.splitlines())
    assert all(len(line) <= 80 for line in tree.splitlines())
    assert not list((tmp_path / "home" / "registry").glob(".*.part"))
