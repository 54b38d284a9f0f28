"""What a cluster must not lose, tried with real workers, nodes and commands that are killed.

Usage: python bench/cluster_drills.py files [--files 100000]      # 5 workers killed while many files are answered
       python bench/cluster_drills.py kills                       # 10 workers, 1 node and 3 commands killed in a study
       python bench/cluster_drills.py searches                    # the same search by 1, 2 and 4 workers
       python bench/cluster_drills.py speed [--epochs 2000]       # two workers and one process, trials of a minute

Each drill prints what it does and one JSON document with what it found. Exit code 3 says that something was lost or
differs. Needs ``make setup-dev``, whose packages have Ray. All files go into a temporary folder.
"""

import argparse
import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from measure import record
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "serve"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cluster"))
from real_nodes import OF_RAY, Cluster, cluster, processes_named

WORKER_KILLS_WITH_FILES = 5
WORKER_KILLS = 10
TRIALS = 20
EPOCHS = {"kills": 400, "speed": 2000}
"""Of a trial: some seconds with kills, a minute for the speed."""

LEAST_SPEED_UP = 1.8

RECORDED = {
    "files": (
        "A cluster: files answered by two workers, of which five are killed",
        "the bytes of one process, none twice",
        (
            "files",
            "workers killed",
            "parts begun again",
            "files answered twice",
            "seconds here",
            "seconds on the cluster",
        ),
    ),
    "kills": (
        "A cluster: trials on two nodes; ten workers, a node and three commands are killed",
        "all finished with the bits of one process, at most 2 at once",
        ("trials", "finished", "resumed above epoch 0", "most trials at once"),
    ),
    "speed": (
        "A cluster: trials of a minute, one process / two workers on two cores",
        f"at least {LEAST_SPEED_UP}x in seconds of processors",
        ("speed-up in seconds of processors", "speed-up"),
    ),
}
"""Of a drill whose figures are kept: what it asks, what they should come to, and which they are."""

STUDY = '''"""Two widths of a network, from several seeds."""
from keras import Input, Sequential, layers

from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe


def network(units):
    def build():
        hidden = [layers.Dense(units, activation="relu"), layers.Dropout(0.1)]
        return Sequential([Input((8, 8)), layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")])

    return build


study = Study(
    title="Two widths",
    dataset="digits",
    variants=tuple(
        Variant(name=f"{units} units", model=network(units), recipe=Recipe(epochs=EPOCHS, batch_size=64))
        for units in (16, 32)
    ),
    claims=(),
    seeds=tuple(range(SEEDS)),
)
'''

SECONDS = 1800.0
"""That a command may take before the drill gives up."""


class FailedError(Exception):
    """A drill could not be carried out, or found a fault."""


# ------------------------------------------------------------------------------------------------- commands, processes


def started(folder: Path, home: Path, *arguments: str, said: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start ``forty`` with arguments in a folder; what it says goes into a file."""
    settings = {"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"}
    with said.open("a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "fortydays", *arguments],
            cwd=folder,
            env={**os.environ, **settings, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )


def printed_by(process: subprocess.Popen[str], said: Path) -> str:
    """What a command prints until it ends well. Raises FailedError."""
    printed, _ = process.communicate(timeout=SECONDS)
    if process.returncode:
        raise FailedError(f"A command ended with exit code {process.returncode}: {said.read_text()[-2000:]}")
    return printed


def wait_for(found: Callable[[], Any], what: str, process: subprocess.Popen[str]) -> Any:
    """Wait until something is found while a command runs. Raises FailedError."""
    until = time.monotonic() + SECONDS
    while not (value := found()):
        if process.poll() is not None:
            raise FailedError(f"The command has ended before {what}.")
        if time.monotonic() > until:
            raise FailedError(f"The drill waited {SECONDS:.0f} seconds for this: {what}.")
        time.sleep(0.2)
    return value


def wait_until_kept(found: Callable[[], Sequence[Path]], count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many files are there while a command runs. Raises FailedError."""
    wait_for(lambda: len(found()) >= count, f"{count} of its results were kept", process)


def say(text: str) -> None:
    """Tell how far the drill is."""
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------------------------------- many files


def many_files(count: int, folder: Path) -> dict[str, Any]:
    """Answer many files on one process, and on two workers of which five are killed."""
    from made_up_bundles import bundle

    bundle(folder / "model")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "images" / f"{number:06}.png")
    say(f"{count:,} images made in {time.perf_counter() - began:.0f} s")
    command = ("predict", "./model", "images", "--csv")

    began = time.perf_counter()
    said = folder / "here.txt"
    printed_by(started(folder, folder / "home here", *command, "here.csv", said=said, variables={}), said)
    here = time.perf_counter() - began
    say(f"answered by one process in {here:.1f} s")

    began = time.perf_counter()
    said = folder / "there.txt"
    home = folder / "home there"
    process = started(folder, home, *command, "there.csv", "--on", "local:2", said=said, variables={})
    kills = []
    try:
        parts = -(-count // 1024)
        for kill in range(WORKER_KILLS_WITH_FILES):
            due = parts * (kill + 1) // (WORKER_KILLS_WITH_FILES + 2)
            wait_until_kept(lambda: list(home.glob("answers/*/*.part")), due, process)
            # The newest worker may not have begun a part: the oldest one has.
            victim = wait_for(lambda: processes_named("ray::PieceWorker", process.pid), "a worker ran", process)[0]
            victim.kill()
            kills.append(len(list(home.glob("answers/*/*.part"))))
            say(f"worker {victim.pid} killed, {kills[-1]} of {parts} parts kept")
        printed_by(process, said)
    finally:
        process.kill()
    there = time.perf_counter() - began
    say(f"answered by two workers in {there:.1f} s")

    with (folder / "there.csv").open(newline="") as file:
        names = [row[0] for row in csv.reader(file)][1:]
    return {
        "files": count,
        "seconds here": here,
        "seconds on the cluster": there,
        "workers killed": len(kills),
        "parts begun again": said.read_text().count("Another one begins that part"),
        "same bytes": (folder / "here.csv").read_bytes() == (folder / "there.csv").read_bytes(),
        "rows": len(names),
        "files answered twice": len(names) - len(set(names)),
    }


def is_fine_with_files(found: dict[str, Any]) -> bool:
    """Whether nothing was lost, and nothing answered twice."""
    right = found["same bytes"] and found["rows"] == found["files"] and not found["files answered twice"]
    # A worker may be killed between two parts. Where nearly all were, the kills have tried nothing.
    return bool(right and found["parts begun again"] >= found["workers killed"] - 1)


# ------------------------------------------------------------------------------------------------------- kills of all


def kills(epochs: int, folder: Path) -> dict[str, Any]:
    """Train a study on one process, and on two nodes while workers, a node and the command itself are killed."""
    study = STUDY.replace("EPOCHS", str(epochs)).replace("SEEDS", str(TRIALS // 2))
    (folder / "widths.py").write_text(study)
    command = ("run", "widths.py", "--no-track", "--json")
    said = folder / "here.txt"
    began = time.perf_counter()
    here = json.loads(printed_by(started(folder, folder / "home here", *command, said=said, variables={}), said))
    say(f"trained by one process in {time.perf_counter() - began:.0f} s")

    home, said = folder / "home there", folder / "there.txt"
    began = time.perf_counter()
    with cluster(1, 1) as ray, Counting(ray) as counted:
        there_too = (*command, "--on", ray.address)
        process = started(folder, home, *there_too, said=said, variables=OF_RAY)
        wait_for(lambda: len(ray.workers("ray::TrialWorker")) == 2, "two workers ran", process)
        killed = {"workers": 0, "nodes": 0, "commands": 0}
        steps = ["workers"] * WORKER_KILLS
        for place, step in ((4, "commands"), (7, "nodes"), (9, "commands"), (12, "commands")):
            steps.insert(place, step)
        for number, step in enumerate(steps):
            due = (number + 1) * TRIALS // (len(steps) + 2)
            wait_until_kept(lambda: finished(home) if is_amid(home) else [], due, process)
            if step == "workers":
                # The oldest: a trial that was interrupted just now goes on, because after three times it has failed.
                wait_for(lambda: ray.workers("ray::TrialWorker"), "a worker ran", process)[0].kill()
            elif step == "nodes":
                ray.end_newest()
                ray.add(1)
            else:
                process.kill()
                process.communicate()
                process = started(folder, home, *there_too, said=said, variables=OF_RAY)
            killed[step] += 1
            say(f"{step[:-1]} killed, {len(finished(home))} of {TRIALS} trials kept")
        there = json.loads(printed_by(process, said))
    say(f"trained on two nodes in {time.perf_counter() - began:.0f} s")
    trials = there["trials"]
    return {
        "trials": len(trials),
        "killed": killed,
        "finished": sum(trial["status"] == "finished" for trial in trials),
        "same results": here["results_digest"] == there["results_digest"],
        "same weights": digests(here) == digests(there),
        "resumed above epoch 0": sum(trial["resumed_from_epoch"] > 0 for trial in trials),
        "attempts": sorted(trial["attempts"] for trial in trials),
        "most trials at once": counted.most,
    }


def is_fine_with_kills(found: dict[str, Any]) -> bool:
    """Whether nothing was lost, all bits are the same, and no more was trained at once than there are cores."""
    same = found["same results"] and found["same weights"] and found["finished"] == TRIALS
    # Attempts are counted since the last command was given: most workers were killed before.
    tried = found["resumed above epoch 0"] >= WORKER_KILLS / 4 and sum(found["attempts"]) > TRIALS
    return bool(same and tried and found["most trials at once"] <= 2)


class Counting(threading.Thread):
    """Counts the workers that there are at the same moment: each trains, and Ray names a worker after its class."""

    def __init__(self, ray: Cluster) -> None:
        super().__init__(daemon=True)
        self.ray, self.most, self._over = ray, 0, threading.Event()

    def __enter__(self) -> "Counting":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look until it is over."""
        while not self._over.wait(0.5):
            self.most = max(self.most, len(self.ray.workers("ray::TrialWorker")))


def finished(home: Path) -> list[Path]:
    """The trials that are kept."""
    return list(home.glob("runs/*/trials/*/result.json"))


def is_amid(home: Path) -> bool:
    """Whether the state of a trial is kept that is not finished."""
    return any(not path.with_name("result.json").exists() for path in home.glob("runs/*/trials/*/checkpoint.npz"))


def digests(evidence: dict[str, Any]) -> dict[tuple[str, int], str]:
    """The digest of the weights of each trial."""
    return {(trial["variant"], trial["seed"]): trial["weights_digest"] for trial in evidence["trials"]}


# ----------------------------------------------------------------------------------------------------------- searches


def searches(folder: Path) -> dict[str, Any]:
    """Search a recipe in this process, and with 1, 2 and 4 workers."""
    (folder / "widths.py").write_text(STUDY.replace("EPOCHS", "9").replace("SEEDS", "2"))
    options = ("--set", "learning_rate=1e-3..1:log", "--set", "optimizer=adam,sgd", "--trials", "12", "--batch", "6")
    found, seconds = {}, {}
    # Where this machine has fewer than four cores, four workers share them on a cluster that is told otherwise.
    with cluster(4) as ray:
        for workers in (0, 1, 2, 4):
            on = {0: (), 4: ("--on", ray.address)}.get(workers, ("--on", f"local:{workers}"))
            command = ("tune", "widths.py", "--only", "16 units", *options, "--json", "-o", f"tuned{workers}.py", *on)
            said, home = folder / f"{workers}.txt", folder / f"home {workers}"
            began = time.perf_counter()
            process = started(folder, home, *command, said=said, variables=OF_RAY if workers == 4 else {})
            document = json.loads(printed_by(process, said))["found"]
            found[workers] = {**document, "created": ""}
            seconds[workers] = time.perf_counter() - began
            say(f"searched with {workers or 'no'} workers in {seconds[workers]:.0f} s")
    return {
        "workers": list(found),
        "seconds": seconds,
        "tries": len(found[0]["tries"]) if "tries" in found[0] else None,
        "same search": [found[workers] == found[0] for workers in found],
    }


# -------------------------------------------------------------------------------------------------------------- speed


def speed(epochs: int, folder: Path) -> dict[str, Any]:
    """Train four trials in one process, and in two workers, each of which trains two of them.

    Where others use the machine, seconds say more about them. So the speed-up is also given in seconds of processors:
    those of one process over those of the worker that has computed longest. Its start is in them.
    """
    study = STUDY.replace("EPOCHS", str(epochs)).replace("SEEDS", "2").replace("(16, 32)", "(1000, 1024)")
    (folder / "widths.py").write_text(study)
    command = ("run", "widths.py", "--no-track", "--json")
    seconds, of_processors, evidence = {}, {}, {}
    for place, on in (("here", ()), ("two workers", ("--on", "local:2"))):
        said = folder / f"{place}.txt"
        began = time.perf_counter()
        process = started(folder, folder / f"home {place}", *command, *on, said=said, variables={})
        with Computing(process, "ray::TrialWorker" if on else "") as computing:
            evidence[place] = json.loads(printed_by(process, said))
        seconds[place] = time.perf_counter() - began
        of_processors[place] = sorted(computing.seconds.values())
        say(f"{place}: {seconds[place]:.0f} s, of processors {sum(of_processors[place]):.0f} s")
    return {
        "seconds": seconds,
        "seconds of processors": of_processors,
        "speed-up": seconds["here"] / seconds["two workers"],
        "speed-up in seconds of processors": of_processors["here"][-1] / of_processors["two workers"][-1],
        "same weights": digests(evidence["here"]) == digests(evidence["two workers"]),
    }


class Computing(threading.Thread):
    """Adds up what a command, or those below it that have a name, have computed; the last half second is missed.

    Attributes:
        seconds: of processors, by process.
    """

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        super().__init__(daemon=True)
        self.seconds: dict[int, float] = {}
        self._process, self._named, self._over = process, name, threading.Event()

    def __enter__(self) -> "Computing":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look until it is over."""
        root = psutil.Process(self._process.pid)
        while not self._over.wait(0.5):
            for each in processes_named(self._named, root.pid) if self._named else [root]:
                with contextlib.suppress(psutil.Error):
                    times = each.cpu_times()
                    self.seconds[each.pid] = max(self.seconds.get(each.pid, 0.0), times.user + times.system)


# ------------------------------------------------------------------------------------------------------------ command


def main(arguments: Sequence[str]) -> int:
    """Carry out a drill. Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("drill", choices=["files", "kills", "searches", "speed"])
    parser.add_argument("--files", type=int, default=100_000, help="how many files are answered [100000]")
    parser.add_argument(
        "--epochs", type=int, help=f"of a trial, with kills [{EPOCHS['kills']}] and for the speed [{EPOCHS['speed']}]"
    )
    parser.add_argument("--record", action="store_true", help="keep the figures in results.json; on an idle machine")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # and what was started is ended
    with tempfile.TemporaryDirectory(prefix="forty drill ") as temporary:  # a space, as a reader's path may have
        folder = Path(temporary)
        if given.drill == "files":
            found = many_files(given.files, folder)
            fine = is_fine_with_files(found)
        elif given.drill == "kills":
            found = kills(given.epochs or EPOCHS["kills"], folder)
            fine = is_fine_with_kills(found)
        elif given.drill == "searches":
            found = searches(folder)
            fine = all(found["same search"])
        else:
            found = speed(given.epochs or EPOCHS["speed"], folder)
            fine = found["same weights"] and found["speed-up in seconds of processors"] >= LEAST_SPEED_UP
    print(json.dumps(found, indent=2))
    if given.record and given.drill in RECORDED:
        question, target, figures = RECORDED[given.drill]
        record(
            f"cluster_{given.drill}",
            question=question,
            target=target,
            met=fine,
            method=f"once; python bench/cluster_drills.py {given.drill}",
            figures={name: found[name] for name in figures},
            judged=figures,
        )
    return 0 if fine else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
