"""``forty ui`` as a reader calls it; the page itself is tested in the room ``track``."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fortydays.base.errors import UsageError
from fortydays.cli.runs import ui
from fortydays.track import page

APP = typer.Typer()
APP.command()(ui)


def test_the_address_is_printed_when_the_page_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))

    def serve(settings: Any, *, port: int, ready: Any, note: Any) -> None:
        assert settings.workspace == tmp_path
        note("The store was damaged.")
        ready(f"http://127.0.0.1:{port}")

    monkeypatch.setattr(page, "serve_page", serve)
    done = CliRunner().invoke(APP, ["--port", "5011"], catch_exceptions=False)
    assert "The store was damaged.\n" in done.stderr
    assert done.stdout == "The runs are shown at http://127.0.0.1:5011\n"
    assert done.stderr.endswith("Ctrl-C ends it. MLflow's telemetry is off: it sends nothing about you.\n")


def test_with_a_tracking_server_its_address_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://reader:hunter2@tracking.example")
    done = CliRunner().invoke(APP, [])
    assert isinstance(done.exception, UsageError)
    assert done.exception.hint.startswith("Open https://tracking.example in a browser")
    assert "hunter2" not in done.output + str(done.exception)


@pytest.mark.parametrize("port", ["0", "65536", "five"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert CliRunner().invoke(APP, ["--port", port]).exit_code == 2
