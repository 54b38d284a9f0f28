"""Evidence renewed by two engines, as a contributor does it: a checkout with a small day 1, its engine changed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fortydays.study.side_by_side import PACKAGE

pytestmark = pytest.mark.slow

STUDY = '''
"""Two small networks on small digits."""

from keras import Input, Sequential, layers

from fortydays.study.claims import Threshold
from fortydays.study.design import Measure, Study, Variant
from fortydays.train.recipe import Recipe


def network():
    return Sequential([
        Input((8, 8)), layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dropout(0.1),
        layers.Dense(10, activation="softmax"),
    ])


def linear():
    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


RECIPE = Recipe(epochs=3, batch_size=64, learning_rate=0.01, schedule="cosine", shift=1)

study = Study(
    title="Small networks",
    dataset="digits",
    variants=(
        Variant(name="network", model=network, recipe=RECIPE),
        Variant(name="linear", model=linear, recipe=RECIPE),
    ),
    claims=(Threshold(sentence="It beats guessing", variant="network", metric="test_accuracy", at_least=0.2),),
    seeds=(0, 1),
    measures=(Measure(name="layers", variants=("linear",), function=lambda model, images: len(model.layers)),),
)
'''  # fmt: skip


class Checkout:
    """A Git checkout of this program in which day 1 takes seconds; its evidence is published and committed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder.parent / "home"
        self.package = folder / "src" / PACKAGE.name
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        (self.package / "days/day01_first_network/study.py").write_text(STUDY)
        (folder / ".gitignore").write_text("__pycache__/\n")
        self.git("init", "--quiet")
        self.commit("Begin")
        ended = self.forty("run", "1", "--publish", "--no-track", "--json")
        assert ended.returncode == 0, ended.stderr
        self.commit("Evidence")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A Reader", "-c", "user.email=reader@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "src"),
            "FORTYDAYS_HOME": str(self.home),
            "FORTYDAYS_THREADS": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-P", "-m", PACKAGE.name, *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def forty(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.started(*arguments)
        out, err = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def evidence(self) -> dict[str, object]:
        content: dict[str, object] = json.loads((self.folder / "evidence/day01.json").read_text("utf-8"))
        return content

    def change(self, file: str, old: str, new: str) -> None:
        path = self.package / file
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    if shutil.which("git") is None:
        pytest.skip("there is no Git here")
    return Checkout(tmp_path_factory.mktemp("original") / "checkout")


@pytest.fixture
def checkout(original: Checkout) -> Checkout:
    """The checkout as it was committed first."""
    first = original.git("rev-list", "--reverse", "HEAD").splitlines()[1]
    original.git("reset", "--quiet", "--hard", first)
    return original


RENAMED = ("train/history.py", "names = [f.name for f in dataclasses.fields(Point)]\n        return {name:",
           "names = [field.name for field in dataclasses.fields(Point)]\n        return {name:")  # fmt: skip
ANOTHER_RATE = ("train/schedule.py", "return ", "return np.float32(1.0001) * ")


def test_a_change_of_no_number_renews_the_evidence_and_says_how(checkout: Checkout) -> None:
    before = checkout.evidence
    against = checkout.git("rev-parse", "HEAD")
    checkout.change(*RENAMED)
    assert checkout.forty("verify", "1").returncode == 3

    ended = checkout.forty("verify", "1", "--renew", "--against", "HEAD", "--json")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["days"][0]["state"] == "current"
    for engine, note in ((f"the engine of {against[:12]}", "1 epoch in float32"), ("today's engine", "the same bits")):
        for variant in ("network", "linear"):
            assert f"{variant}, seed 0, {engine}: {note}" in ended.stderr
    after = checkout.evidence
    (entry,) = after["code"].pop("renewed")
    assert entry["engine"] == before["code"]["engine"] != after["code"]["engine"]
    assert entry["against"] == against
    assert [(c["variant"], c["seed"], c["epochs"]) for c in entry["checked"]] == [("network", 0, 1), ("linear", 0, 1)]
    assert {**before, "code": None} == {**after, "code": None}


def test_a_change_of_numbers_is_found_and_leaves_the_evidence_as_it_was(checkout: Checkout) -> None:
    before = checkout.evidence
    checkout.change(*ANOTHER_RATE)

    ended = checkout.forty("verify", "1", "--renew", "--against", "HEAD")

    assert ended.returncode == 3
    assert "network, seed 0, today's engine: other bits" in ended.stderr
    assert "Day 1: network with seed 0 gives other bits with today's engine than with the evidence's." in ended.stderr
    assert "What differs first: the history." in ended.stderr
    assert checkout.evidence == before


def test_a_revision_after_the_change_is_refused_and_the_one_before_it_named(checkout: Checkout) -> None:
    right = checkout.git("rev-parse", "HEAD")
    checkout.change(*RENAMED)
    wrong = checkout.commit("Rename")

    ended = checkout.forty("verify", "1", "--renew", "--against", "HEAD")

    assert ended.returncode == 2
    assert f"the engine at the commit {wrong[:12]} has the digest " in ended.stderr
    assert f"That one is at: forty verify 1 --renew --against {right[:12]}" in ended.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_or_killed_in_the_middle_it_leaves_no_process_and_no_change(
    checkout: Checkout, number: int, status: int
) -> None:
    before = checkout.evidence
    checkout.change(*RENAMED)
    process = checkout.started("verify", "1", "--renew", "--against", "HEAD", "--epochs", "3")
    assert process.stderr is not None
    while "network, seed 0, the engine of" not in process.stderr.readline():
        assert process.poll() is None
    training = psutil.Process(process.pid).children()
    assert len(training) == 1

    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode == status
    gone, alive = psutil.wait_procs(training, timeout=60)
    assert (len(gone), alive) == (1, [])
    assert checkout.evidence == before
