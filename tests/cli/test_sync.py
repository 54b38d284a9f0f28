"""``forty sync`` as a reader calls it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fortydays.base.errors import TrackingError, UsageError
from fortydays.cli.runs import sync
from fortydays.study.runs import RunFolder, RunState, create_run

APP = typer.Typer()
APP.command()(sync)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def ended_run(workspace: Path) -> RunFolder:
    run = create_run(workspace / "runs", day=1, name="first-network", request={}, identity={})
    run.update(state=str(RunState.FINISHED))
    return run


def test_without_runs_nothing_is_started(workspace: Path) -> None:
    done = CliRunner().invoke(APP, [], catch_exceptions=False)
    assert done.output == f"There is no run in {workspace / 'runs'}.\n"
    assert not (workspace / "mlflow.db").exists()


@pytest.mark.slow
def test_each_run_has_a_line_and_is_sent_once(workspace: Path) -> None:
    first, second = ended_run(workspace), ended_run(workspace)
    done = CliRunner().invoke(APP, [], catch_exceptions=False)
    assert sorted(done.stdout.splitlines()) == sorted([f"{first.run_id}: sent", f"{second.run_id}: sent"])
    again = CliRunner().invoke(APP, [first.run_id], catch_exceptions=False)
    assert again.stdout == f"{first.run_id}: already there\n"
    as_json = CliRunner().invoke(APP, ["--json", second.run_id], catch_exceptions=False)
    assert json.loads(as_json.stdout) == {
        "schema_version": 1,
        "destination": f"sqlite:///{workspace}/mlflow.db",
        "notes": [],
        "runs": [{"run_id": second.run_id, "outcome": "already there", "trials": 0, "reason": ""}],
    }


def test_a_server_that_is_not_there_ends_it_without_its_password(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_run(workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://reader:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = CliRunner().invoke(APP, [])
    assert isinstance(done.exception, TrackingError)
    assert done.exception.message == "The tracking server http://127.0.0.1:9 cannot be reached: no connection."
    assert done.exception.exit_code == 1
    assert "hunter2" not in done.output


def test_an_unknown_run_is_named(workspace: Path) -> None:
    done = CliRunner().invoke(APP, ["day99"])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == "There is no run 'day99'."


def test_a_damaged_run_is_named_and_left_out(workspace: Path) -> None:
    run = ended_run(workspace)
    (run.path / "run.json").write_text("{", "utf-8")
    done = CliRunner().invoke(APP, [], catch_exceptions=False)
    assert f"Left out, because its run.json is damaged: {run.path}" in done.stderr
