"""Questions and searches on real workers: the same to the byte as here, also where a worker is killed.

Everything is done by the commands that a reader types. Where Ray is not installed, there is nothing to try.
"""

import contextlib
import importlib.util
import json
import os
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
from made_up_bundles import bundle

from fortydays.cluster import connection
from fortydays.serve.kept_answers import BATCHES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.timeout(900),
]

PARTS = 3
IMAGES = 64 * BATCHES * (PARTS - 1) + 100

STUDY = '''
"""A study of one's own to search a recipe of."""
from keras import Input, Sequential, layers

from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe


def network():
    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="Own",
    dataset="digits",
    variants=(Variant(name="plain", model=network, recipe=Recipe(epochs=2, batch_size=64)),),
    claims=(),
    seeds=(0,),
)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, images for three parts, one of them broken, and a study."""
    folder = tmp_path_factory.mktemp("place")
    bundle(folder / "model")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "images" / f"{number:05}.png")
    (folder / "images" / "00007.png").write_bytes(b"no picture")
    (folder / "own.py").write_text(STUDY)
    return folder


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(place: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a command in the folder, with a new workspace for each test."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, home: str = "home", **variables: str) -> "subprocess.Popen[str]":
        settings = {"FORTYDAYS_HOME": str(tmp_path / home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "fortydays", *arguments],
            cwd=place,
            env={**os.environ, **settings, "PYTHONSAFEPATH": "1", **variables},
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
def here(place: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of answers that one process writes."""
    out = tmp_path_factory.mktemp("here") / "here.csv"
    settings = {"FORTYDAYS_HOME": str(out.parent / "home"), "FORTYDAYS_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "fortydays", "predict", "./model", "images", "--csv", str(out)],
        cwd=place, env={**os.environ, **settings}, capture_output=True, check=False,
    )  # fmt: skip
    return out.read_bytes()


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "ray::PieceWorker" in " ".join(each.cmdline()):
                    found.append(each)
    return found


def ended(process: "subprocess.Popen[str]", code: int) -> tuple[str, str]:
    """What a command printed, and what it said."""
    printed, said = process.communicate(timeout=600)
    assert process.returncode == code, said
    return printed, said


def test_a_worker_is_killed_and_the_file_is_the_same_to_the_byte(start: Start, here: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    process = start("predict", "./model", "images", "--csv", str(out), "--on", "local:2")
    until = time.monotonic() + 300
    while not (found := workers_of(process)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no worker was started"
        time.sleep(0.02)
    found[0].kill()
    printed, said = ended(process, 1)
    assert "There is no answer for 1 of 2,148 images." in said
    assert "has ended by itself. Another one begins that part (attempt 2 of 3)." in said
    assert "2,147 images answered by digits@1." in printed
    assert out.read_bytes() == here
    assert not list((tmp_path / "home" / "answers").rglob("*.part"))


def test_a_cluster_that_is_sent_the_files_gives_the_same_to_the_byte(
    start: Start, here: bytes, tmp_path: Path
) -> None:
    out, token = tmp_path / "out.csv", "0123456789abcdef" * 4
    ours = {**connection._ALWAYS, **connection._ON_THE_LOOPBACK, "RAY_AUTH_TOKEN": token}
    with connection._environment(ours), connection._own_cluster(2) as address:
        _, said = ended(start("predict", "./model", "images", "--csv", str(out), "--on", address, **ours), 1)
    assert "1 node, room for 2 parts at once" in said
    assert out.read_bytes() == here


def test_a_search_finds_what_it_finds_here(start: Start, tmp_path: Path) -> None:
    found: list[Any] = []
    for home, on in (("here", ()), ("there", ("--on", "local:2"))):
        command = ("tune", "own.py", "--set", "learning_rate=1e-3..1:log", "--trials", "3", "--batch", "3", "--json")
        printed, _ = ended(start(*command, "-o", f"tuned_{home}.py", *on, home=home), 0)
        document = json.loads(printed)["found"]
        found.append({**document, "created": ""})
    assert found[0] == found[1]
