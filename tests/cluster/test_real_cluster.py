"""Real clusters on this machine: the same bits as here, and nothing lost when something is killed.

Everything is done by the commands that a reader types. Where Ray is not installed, there is nothing to try. Each start
of Ray takes ten seconds, so a test kills several things in turn, and most commands use one cluster.
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

import numpy as np
import psutil
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "own"))
from made_up_bundles import bundle
from photographs import make_folder
from real_nodes import TOKEN, Cluster, cluster, processes_named

from fortydays.base.settings import read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.serve.kept_answers import BATCHES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.timeout(900),
]

PARTS = 8
IMAGES = 64 * BATCHES * (PARTS - 1) + 100

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

RUN = ("run", "widths.py", "--no-track", "--json")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, a model, and images for some parts, one of them broken."""
    folder = tmp_path_factory.mktemp("reader") / "my studies"
    folder.mkdir()
    (folder / "beside.py").write_text("EPOCHS = 500\n")
    (folder / "widths.py").write_text(STUDY)
    # What Python would find first in the folder that the command is typed in.
    (folder / "random.py").write_text("raise SystemExit('the wrong module')\n")
    bundle(folder / "model")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "images" / f"{number:05}.png")
    (folder / "images" / "00007.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def start(place: Path) -> Iterator[Start]:
    """Starts a command in the folder, with its workspace in a home."""
    running: list[subprocess.Popen[str]] = []

    def begin(home: Path, *arguments: str, token: str = TOKEN) -> "subprocess.Popen[str]":
        settings = {"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "fortydays", *arguments],
            cwd=place,
            env={**os.environ, **settings, "RAY_AUTH_TOKEN": token, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()  # which closes the pipes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """A cluster of two nodes with a CPU each, and a workspace each."""
    with cluster(1, 1) as found:
        yield found


def ended(process: "subprocess.Popen[str]", code: int, *, seconds: float = 600) -> tuple[str, str]:
    """What a command printed, and what it said."""
    printed, said = process.communicate(timeout=seconds)
    assert process.returncode == code, said
    return printed, said


def wait_for(found: Callable[[], Any], what: str, *, seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, what
        time.sleep(0.02)
    return value


def named(name: str, root: int | None = None) -> list[psutil.Process]:
    """The processes below another one, or below this one, that have a name in their command line."""
    found = []
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(root).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if name in " ".join(each.cmdline()):
                    found.append(each)
    return found


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def folder_of(cluster: list[psutil.Process]) -> Path:
    """Where the files of a cluster are, whose processes these are."""
    words = [word for each in cluster for word in each.cmdline() if word.startswith("--temp-dir=")]
    return Path(words[0].removeprefix("--temp-dir="))


def states(home: Path) -> list[Path]:
    return list(home.glob("runs/*/trials/*/checkpoint.npz"))


def parts(home: Path) -> list[Path]:
    """The answered parts of a question; one that is being written has a name that begins with a dot."""
    return list(home.glob("answers/*/[0-9]*.part"))


def digests(evidence: dict[str, Any]) -> dict[tuple[str, int], str]:
    return {(trial["variant"], trial["seed"]): trial["weights_digest"] for trial in evidence["trials"]}


def test_a_study_is_stopped_and_goes_on_and_a_worker_is_killed_and_the_evidence_is_the_same_bit_for_bit(
    start: Start, nodes: Cluster, tmp_path: Path
) -> None:
    here = json.loads(ended(start(tmp_path / "here", *RUN), 0)[0])
    home = tmp_path / "there"

    process = start(home, *RUN, "--on", "local:2")
    wait_for(lambda: states(home), "no state of a trial came back")
    of_its_own = named("ray", process.pid)
    folder = folder_of(of_its_own)
    assert folder.is_dir()
    assert named("ray::TrialWorker", process.pid)
    process.send_signal(signal.SIGINT)
    _, said = ended(process, 130, seconds=60)
    hint = json.loads(said.splitlines()[-1])["error"]["hint"]
    assert hint == "Continue with: forty run widths.py --no-track --json --on local:2"
    wait_for(lambda: are_gone(of_its_own), "the cluster goes on after Ctrl-C", seconds=30)
    wait_for(lambda: not folder.exists(), "the cluster's files are still there", seconds=30)

    process = start(home, *RUN, "--on", nodes.client)
    wait_for(lambda: len(states(home)) == 2 and len(nodes.workers("ray::TrialWorker")) == 2, "no two trials ran")
    # On the first node, so that the second one has a trial when it ends, and not only a worker that begins.
    processes_named("ray::TrialWorker", nodes.nodes[0].pid)[0].kill()
    wait_for(
        lambda: len(states(home)) == 2 and len(nodes.workers("ray::TrialWorker")) == 2, "no other worker was started"
    )
    nodes.end_newest()
    nodes.add(1)
    printed, said = ended(process, 0)
    evidence = json.loads(printed)
    assert "Continuing " in said
    assert "Sending digits to 2 nodes" in said
    assert said.count("has ended by itself. The trial goes on from what is kept of it (attempt 2 of 3).") == 2
    assert f"Node 3 ({nodes.host}) has joined, with room for 1 trial." in said
    assert evidence["results_digest"] == here["results_digest"]
    assert digests(evidence) == digests(here)
    assert [trial["resumed_from_epoch"] > 0 for trial in evidence["trials"] if trial["attempts"] == 2] == [True] * 2
    assert sum(trial["attempts"] for trial in evidence["trials"]) == 6
    assert {trial["worker"] for trial in evidence["trials"]} <= {f"worker {number}" for number in range(1, 6)}
    assert all(trial["machine"] == here["trials"][0]["machine"] for trial in evidence["trials"])


def test_a_cluster_then_the_command_then_a_worker_is_killed_and_the_answers_are_the_same_to_the_byte(
    start: Start, nodes: Cluster, tmp_path: Path
) -> None:
    question = ("predict", "./model", "images", "--csv")
    ended(start(tmp_path / "here", *question, str(tmp_path / "here.csv")), 1)
    home, out = tmp_path / "there", tmp_path / "there.csv"
    again = (*question, str(out), "--on")

    process = start(home, *again, "local:2")
    wait_for(lambda: named("ray::PieceWorker", process.pid), "no worker was started")
    of_its_own = named("ray", process.pid)
    named("gcs_server", process.pid)[0].kill()
    _, said = ended(process, 1, seconds=60)
    assert "Error: The cluster on this machine has ended by itself.\nWhat is done is kept." in said
    assert "Traceback" not in said
    wait_for(lambda: are_gone(of_its_own), "the cluster goes on after its head node", seconds=30)

    process = start(home, *again, "local:2")
    wait_for(lambda: named("ray::PieceWorker", process.pid), "no worker was started again")
    wait_for(lambda: parts(home), "no part was answered")
    of_its_own = named("ray", process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: are_gone(of_its_own), "the cluster goes on without its command", seconds=30)
    assert not out.exists()

    process = start(home, *again, nodes.client)
    wait_for(lambda: nodes.workers("ray::PieceWorker"), "no worker was started")
    # As soon as it has begun, it has a part.
    done = len(parts(home))
    wait_for(lambda: len(parts(home)) > done, "no part was answered on the cluster")
    nodes.workers("ray::PieceWorker")[0].kill()
    printed, said = ended(process, 1)
    assert "Going on: " in said
    assert "2 nodes, room for 2 parts at once" in said
    assert "has ended by itself. Another one begins that part (attempt 2 of 3)." in said
    assert "There is no answer for 1 of 7,268 images." in said
    assert "7,267 images answered by digits@1." in printed
    assert out.read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert not parts(home)


def test_a_search_over_data_of_ones_own_finds_what_it_finds_here(
    start: Start, nodes: Cluster, place: Path, tmp_path: Path
) -> None:
    """The data are sent to the nodes; their own workspaces have none of them."""
    found: list[Any] = []
    photographs = make_folder(tmp_path / "photographs", {"red": 10, "blue": 20})
    for home, on in (("here", ()), ("there", ("--on", nodes.address))):
        name = kept_photographs(photographs, tmp_path / home)
        study = STUDY.replace("from beside import EPOCHS", "EPOCHS = 2").replace('"digits"', repr(name))
        study = study.replace("Input((8, 8))", "Input((16, 16, 3))").replace("Dense(10,", "Dense(2,")
        (place / "short.py").write_text(study.replace("batch_size=64", "batch_size=8"))
        space = ("--set", "learning_rate=1e-3..1:log", "--trials", "3", "--batch", "3")
        command = ("tune", "short.py", "--only", "16 units", *space, "--json", "-o", f"tuned_{home}.py")
        printed, said = ended(start(tmp_path / home, *command, *on), 0)
        found.append({**json.loads(printed)["found"], "created": ""})
    assert found[0] == found[1]
    assert f"Sending {name} to " in said


def kept_photographs(folder: Path, home: Path) -> str:
    """Photographs of a reader's own in a workspace; how a study names them."""
    with opened("colours", read_settings({"FORTYDAYS_HOME": str(home)}), side=16) as collection:
        return own.keep(inspect(list_photographs(folder), collection, workers=1), collection, name="colours").name


def test_the_nodes_of_a_cluster_are_shown_to_who_has_its_token(start: Start, nodes: Cluster, tmp_path: Path) -> None:
    printed, _ = ended(start(tmp_path, "cluster", "--on", nodes.client, "--json"), 0)
    found = json.loads(printed)["nodes"]
    assert [(n["address"], n["cpus"], n["trials"], n["problems"]) for n in found] == [(nodes.host, 1, 1, [])] * 2
    assert {"keras", "ray"} <= set(found[0]["packages"])
    for address in (nodes.client, nodes.address):
        _, said = ended(start(tmp_path, "cluster", "--on", address, token="f" * 64), 2)
        assert f"The cluster {address} does not take the token that is set here." in said
