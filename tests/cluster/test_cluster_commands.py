"""What is wrong with --on is said before anything heavy is loaded, and nothing is begun."""

import importlib.util
from pathlib import Path

import pytest

from fortydays.cli.main import execute


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "1", "--on", "there"], "Error: --on is 'there'; expected local:N, HOST:PORT or ray://HOST:PORT."),
        (["run", "1", "--on", "local:0"], "Error: --on is 'local:0'; expected local:N, with N workers"),
        (["cluster", "--on", "there"], "Error: --on is 'there'; expected local:N, HOST:PORT or ray://HOST:PORT."),
        (["cluster"], "Missing option '--on'"),
        (
            ["tune", "1", "--set", "epochs=1..3", "--on", "there"],
            "Error: --on is 'there'; expected local:N, HOST:PORT",
        ),
        (["verify", "1", "--on", "local:2"], "Error: --on says where to train again, and without --rerun nothing is."),
    ],
)
def test_a_mistake_in_on_is_told(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "home" / "runs").exists()


def test_a_cluster_without_a_token_is_refused_by_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "ray" else found(name))
    assert execute(["run", "1", "--on", "ray://192.0.2.7:10001"]) == 2
    assert "Error: There is no token for the cluster ray://192.0.2.7:10001." in capsys.readouterr().err
