"""What a drill works with is fresh for each seed, and all that it starts is ended with it."""

import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_frozen
import tiny_study

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.process import PARENT
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.inputs.images import IMAGE, Images
from fortydays.study import frozen as networks
from fortydays.study.bench import Bench, a_bench, carry_out
from fortydays.study.drills import Drill
from fortydays.tasks.classification import Classification


@pytest.fixture(autouse=True)
def own_children_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the environment as it was: other tests' processes do not end with this one."""
    monkeypatch.setenv(PARENT, "")


def drill(do: Callable[[Bench], Any]) -> Drill:
    return Drill(name="a drill", do=do, metrics=("found",))


def test_each_repetition_has_an_empty_workspace_of_its_own_and_the_same_draws_again(tmp_path: Path) -> None:
    settings = dataclasses.replace(
        tiny_study.settings(tmp_path), tracking_uri="http://tracker.example", service_token="a-secret-of-the-reader"
    )
    seen: list[tuple[Path, float]] = []

    def do(bench: Bench) -> dict[str, float]:
        workspace = bench.settings.workspace
        assert list(workspace.iterdir()) == []
        assert workspace.is_relative_to(tmp_path)
        assert (bench.settings.tracking_uri, bench.settings.service_token) == ("", "")
        assert bench.settings.datasets.is_relative_to(workspace)
        (workspace / "kept").mkdir()
        (workspace / "kept" / "file").write_text("x")
        seen.append((workspace, bench.random.random()))
        return {"found": bench.seed}

    for seed in (7, 8, 7):
        result = carry_out(drill(do), seed=seed, settings=settings, say=lambda text: None)
        assert (result["status"], result["metrics"]) == ("finished", {"found": float(seed)})
    folders, draws = zip(*seen, strict=True)
    assert len(set(folders)) == 3
    assert not any(folder.exists() for folder in folders)
    assert draws[0] == draws[2] != draws[1]


def test_this_programs_commands_run_in_the_fresh_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTYDAYS_DATASETS", "/nowhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://nowhere")
    said: list[str] = []
    with a_bench(seed=0, settings=tiny_study.settings(tmp_path), say=said.append) as bench:
        done = bench.forty("doctor", "--json")
        assert str(bench.settings.workspace) in done.stdout
        assert "nowhere" not in done.stdout
        assert bench.forty("run", "99").returncode == 2
        with pytest.raises(FortydaysError, match=r"forty list was not done within 0.01 s\."):
            bench.forty("list", seconds=0.01)
    assert said == ["forty doctor --json", "forty run 99", "forty list"]


def test_parts_that_run_beside_are_heard_and_ended_with_the_drill(tmp_path: Path) -> None:
    """Also one that starts another program, and one that does not heed the request to end."""
    program = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"
    started: list[int] = []

    def do(bench: Bench) -> dict[str, float]:
        part = bench.start(sys.executable, "-c", program)
        with pytest.raises(FortydaysError, match="has ended"):
            part.wait_for("never")
        started.append(int(part.wait_for(r"\d+")[0]))
        slow = bench.start("sleep", "600")
        started.append(slow.process.pid)
        with pytest.raises(FortydaysError, match=r"sleep 600 has not said 'ready' within 0.1 s\. It said: ''"):
            slow.wait_for("ready", seconds=0.1)
        raise RuntimeError("the drill fails")

    result = carry_out(drill(do), seed=0, settings=tiny_study.settings(tmp_path), say=lambda text: None)
    assert (result["status"], result["error"]) == ("failed", "RuntimeError: the drill fails")
    assert not any(runs(pid) for pid in started)


def runs(pid: int) -> bool:
    """Whether a process runs; one that has just been killed gets a moment to go."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"found": math.nan}, "The drill gave 'nan' as found; expected a finite number."),
        ({"found": math.inf}, "The drill gave 'inf' as found; expected a finite number."),
        ({"found": None}, "The drill gave 'None' as found; expected a finite number."),
        ({}, "The drill gave no found; expected a number for each metric."),
        ({"found": 1.0, "fuond": 1.0}, "There is no metric 'fuond' of the drill 'a drill'. Did you mean 'found'?"),
        (1.0, "The drill gave float; expected a number for each of found."),
    ],
)
def test_what_is_no_number_for_each_metric_is_a_failure_in_words(given: Any, error: str, tmp_path: Path) -> None:
    settings = tiny_study.settings(tmp_path)
    result = carry_out(drill(lambda bench: given), seed=0, settings=settings, say=lambda text: None)
    assert (result["status"], result["error"], result["metrics"]) == ("failed", error, {})


# -------------------------------------------------------------------------------------- numbers for each test example


def test_a_metric_that_is_given_for_each_example_is_their_mean(tmp_path: Path) -> None:
    numbers = np.array([0.1234567, 0.5, 1.0])
    result = carry_out(
        drill(lambda bench: {"found": numbers}), seed=0, settings=tiny_study.settings(tmp_path), say=lambda text: None
    )
    assert result["by_example"] == {"found": [0.123457, 0.5, 1.0]}
    assert result["metrics"]["found"] == pytest.approx(1.623457 / 3)


@pytest.mark.parametrize("numbers", [np.array([1.0, math.nan]), np.zeros((2, 2)), np.array([]), np.array(["1"] * 2)])
def test_numbers_for_each_example_that_are_none_fail(numbers: Any, tmp_path: Path) -> None:
    result = carry_out(
        drill(lambda bench: {"found": numbers}), seed=0, settings=tiny_study.settings(tmp_path), say=lambda text: None
    )
    assert result["status"] == "failed"
    assert result["error"].endswith("as found; expected a finite number.")


# -------------------------------------------------------------------------------------------------------- features


def test_features_are_made_of_the_studys_dataset_in_the_readers_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_study.settings(tmp_path)
    images = np.full((4, 8, 8, 3), 51, np.uint8)
    split = Split(inputs={IMAGE: images}, labels=np.zeros(4, np.uint8))
    dataset = Dataset(
        name="grey",
        digest="ab" * 32,
        split_version=1,
        classes=("grey",),
        training=TrainingData(
            input=Images(shape=(8, 8, 3)), task=Classification(classes=1), train=split, validation=split
        ),
        test=SealedSplit(lambda: split),
        captions=lambda split: ((split,),),
    )
    monkeypatch.setattr(networks, "frozen_network", lambda *_: tiny_frozen.frozen(tmp_path / "means", (8, 8, 3)))
    for _ in range(2):  # computed once
        with a_bench(seed=0, settings=settings, say=lambda text: None, dataset=dataset) as bench:
            found, network = bench.learned_from(tiny_frozen.FEATURES)
            assert found.training.train.array == pytest.approx(np.full((4, 1, 1, 3), 0.2))
            assert found.captions is not None
            assert found.captions("test") == (("test",),)
            assert network.shape == (1, 1, 3)
    assert len(list((settings.workspace / "features").rglob("training-*.features"))) == 1


def test_a_study_without_a_dataset_has_no_features(tmp_path: Path) -> None:
    with (
        a_bench(seed=0, settings=tiny_study.settings(tmp_path), say=lambda text: None) as bench,
        pytest.raises(UsageError, match="The study has no dataset, so there are no features"),
    ):
        bench.learned_from(tiny_frozen.FEATURES)
