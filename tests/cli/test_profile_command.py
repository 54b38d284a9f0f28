"""``forty profile``: its table and its document, with a profile that costs nothing."""

from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute
from fortydays.data import store
from fortydays.study import profile as profiles
from fortydays.study.profile import Profile

TINY = Path(__file__).parent / "studies" / "tiny.py"


@pytest.fixture
def forty(keras: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``forty profile`` on the tiny study; gives exit code, output and errors."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "80")

    class Made:
        training = "the training data"

    def profiled(variant: Any, data: Any) -> Profile:
        assert data == Made.training
        return Profile(
            variant=variant.name,
            precision="bfloat16",
            batch_size=64,
            milliseconds=16.0,
            operations={"Conv2D": 15.0, "MaxPool": 5.0},
        )

    def run(*arguments: str) -> Any:
        code = execute(["profile", str(TINY), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    monkeypatch.setattr(store, "load", lambda *_: Made)
    monkeypatch.setattr(profiles, "profile_variant", profiled)
    return run


def test_operations_are_a_table_with_shares(forty: Any) -> None:
    code, out, _ = forty()
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert ["Conv2D", "75.0%", "15.00"] in rows and ["MaxPool", "25.0%", "5.00"] in rows
    assert "Tiny · network · bfloat16 · batches of 64" in out
    assert "16.00 ms a step without the profiler, 4,000 images a second." in out


def test_only_names_the_variant(forty: Any) -> None:
    assert "Tiny · linear" in forty("--only", "linear")[1]


def test_a_variant_that_learns_from_features_is_not_profiled(
    forty: Any, keras: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["profile", "9"]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "learns from features, and a profile is of networks that learn from pixels" in err


def test_jax_is_told_before_anything_is_loaded(forty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    code, out, err = forty()
    assert (code, out) == (2, "")
    assert "A profile is for the backend 'tensorflow'" in err
