"""A real cluster of two workers on this machine: the same bits as here, and nothing lost when something is killed.

Everything is done by the commands that a reader types. Where Ray is not installed, there is nothing to try.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.timeout(900),
]

STUDY = '''
"""Two variants of a study of one's own, with a module beside it. A trial is long enough to be killed."""
from keras import Input, Sequential, layers

from beside import EPOCHS
from fortydays.study.design import Measure, Study, Variant
from fortydays.train.recipe import Recipe


def network(units):
    def build():
        return Sequential(
            [
                Input((8, 8)),
                layers.Flatten(),
                layers.Dense(units, activation="relu"),
                layers.Dropout(0.1),
                layers.Dense(10, activation="softmax"),
            ]
        )

    return build


study = Study(
    title="Two widths",
    dataset="digits",
    variants=tuple(
        Variant(name=f"{units} units", model=network(units), recipe=Recipe(epochs=EPOCHS, batch_size=64))
        for units in (16, 32)
    ),
    claims=(),
    seeds=(0, 1),
    measures=(Measure(name="weights", variants=("16 units",), function=lambda model, images: model.count_params()),),
)
'''

Start = Callable[..., "subprocess.Popen[str]"]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader") / "my studies"
    folder.mkdir()
    (folder / "beside.py").write_text("EPOCHS = 400\n")
    (folder / "widths.py").write_text(STUDY)
    # What Python would find first in the folder that the command is typed in.
    (folder / "random.py").write_text("raise SystemExit('the wrong module')\n")
    return folder / "widths.py"


@pytest.fixture
def start(study: Path) -> Iterator[Start]:
    """Starts ``forty run`` of the study in a home, with more arguments."""
    running: list[subprocess.Popen[str]] = []

    def run(home: Path, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "fortydays", "run", study.name, "--no-track", "--json", *arguments]
        process = subprocess.Popen(
            command,
            cwd=study.parent,
            env={**environment(home), "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()  # which closes the pipes


def result(process: "subprocess.Popen[str]") -> tuple[dict[str, Any], str]:
    """The evidence that a command printed, and what it said."""
    printed, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return json.loads(printed), said


@pytest.fixture(scope="module")
def here(study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The evidence of a run in one process."""
    done = subprocess.run(
        [sys.executable, "-m", "fortydays", "run", study.name, "--no-track", "--json"],
        cwd=study.parent,
        env={**environment(tmp_path_factory.mktemp("home")), "PYTHONSAFEPATH": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def wait_for(found: Callable[[], Any], what: str, *, seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, what
        time.sleep(0.05)
    return value


def of_ray(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes of the cluster that a command has started."""
    with contextlib.suppress(psutil.Error):
        return [each for each in psutil.Process(process.pid).children(recursive=True) if "ray" in _words(each)]
    return []


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The workers of a command's cluster."""
    return [each for each in of_ray(process) if "ray::TrialWorker" in _words(each)]


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def checkpoints(home: Path) -> list[Path]:
    return list(home.glob("runs/*/trials/*/checkpoint.npz"))


def digests(evidence: dict[str, Any]) -> dict[tuple[str, int], str]:
    return {(t["variant"], t["seed"]): t["weights_digest"] for t in evidence["trials"]}


def ended(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_a_worker_is_killed_and_the_evidence_is_the_same_bit_for_bit(
    start: Start, here: dict[str, Any], tmp_path: Path
) -> None:
    process = start(tmp_path, "--on", "local:2")
    wait_for(lambda: len(checkpoints(tmp_path)) == 2, "no states of two trials came back")
    workers(process)[0].kill()
    evidence, said = result(process)
    assert "has ended by itself. The trial goes on from what is kept of it (attempt 2 of 3)." in said
    assert evidence["results_digest"] == here["results_digest"]
    assert digests(evidence) == digests(here)
    again = [trial for trial in evidence["trials"] if trial["attempts"] == 2]
    assert len(again) == 1
    assert again[0]["resumed_from_epoch"] > 0
    assert sum(trial["attempts"] for trial in evidence["trials"]) == 5
    assert {trial["worker"] for trial in evidence["trials"]} <= {"worker 1", "worker 2", "worker 3"}
    assert all(trial["machine"] == here["trials"][0]["machine"] for trial in evidence["trials"])
    assert not of_ray(process)


def test_the_driver_is_killed_then_stopped_and_the_same_command_goes_on(
    start: Start, here: dict[str, Any], tmp_path: Path
) -> None:
    process = start(tmp_path, "--on", "local:2")
    wait_for(lambda: checkpoints(tmp_path), "no state of a trial came back")
    cluster = of_ray(process)
    assert cluster
    process.kill()
    process.wait()
    wait_for(lambda: ended(cluster), "the cluster goes on without its command", seconds=30)

    process = start(tmp_path, "--on", "local:2")
    wait_for(lambda: len(workers(process)) == 2, "nothing is trained")
    cluster = of_ray(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Continue with: forty run widths.py --no-track --json --on local:2" in said
    wait_for(lambda: ended(cluster), "the cluster goes on after Ctrl-C", seconds=30)

    evidence, said = result(start(tmp_path, "--on", "local:2"))
    assert "Continuing " in said
    assert evidence["results_digest"] == here["results_digest"]
    assert max(trial["resumed_from_epoch"] for trial in evidence["trials"]) > 0
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("forty-*/session_*"))


def test_the_nodes_of_a_cluster_are_shown(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fortydays", "cluster", "--on", "local:2", "--json"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (node,) = json.loads(done.stdout)["nodes"]
    assert (node["address"], node["cpus"], node["trials"], node["problems"]) == ("127.0.0.1", 2, 2, [])
    assert {"keras", "ray"} <= set(node["packages"])
