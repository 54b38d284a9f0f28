"""Photographs: from a folder to a registered model, beside the journal's program; and how large a folder may be.

Usage: python bench/bench_photographs.py [fit] [journal] [large]

Minutes each, on an otherwise idle machine; ``large`` writes 10,000 photographs of 12 megapixels, 15 GB, and removes
them again. The workspaces are thrown away.
"""

import io
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from measure import Run, record, run, settle, spread
from PIL import Image

from fortydays.base.settings import read_settings
from fortydays.data import photographs

FORTY = [sys.executable, "-m", "fortydays"]
FLOWERS = photographs.PHOTOGRAPHS["tf_flowers"]
TIMES = 3
LARGE, PICTURES, CLASSES = 10_000, 100, 4
_STAGES = {"Looking at the photographs": "decoding", "Features of the photographs": "features"}


def main() -> None:
    """Measure what is asked for, or everything."""
    asked = sys.argv[1:] or ["fit", "journal", "large"]
    with tempfile.TemporaryDirectory() as place:
        os.environ["FORTYDAYS_DATASETS"] = f"{place}/datasets"
        folder = photographs.get(FLOWERS, read_settings())
        if "fit" in asked:
            fit(folder, Path(place))
        if "journal" in asked:
            journal(folder, Path(place))
        if "large" in asked:
            large(Path(place))


def fit(folder: Path, place: Path) -> None:
    """With defaults: into a new workspace; again with nothing changed; and again, all but the features made anew."""
    first, unchanged, anew, accuracies = [], [], [], []
    for number in range(TIMES):
        environment = {"FORTYDAYS_HOME": str(place / f"fit-{number}")}
        command = [*FORTY, "fit", str(folder), "--name", "flowers", "--no-track", "--json"]
        made = run(command, environment, accepted=(0, 3))
        first.append(made.wall_seconds)
        accuracies.append(made.output["findings"]["test"]["accuracy"])
        unchanged.append(run(command, environment, accepted=(0, 3)).wall_seconds)
        anew.append(run([*command, "--fresh"], environment, accepted=(0, 3)).wall_seconds)
    record(
        "photographs, fit",
        question="`forty fit` on tf_flowers: seconds from photographs to a registered model, "
        "and seconds the second time",
        judged=["seconds", "test accuracy", "seconds, again"],
        target="under 240 s and at least 90% of the test photographs right; the second time under 20 s",
        met=max(first) < 240 and min(accuracies) >= 0.9 and spread(unchanged)["median"] < 20,
        method=f"{TIMES} new workspaces, whole processes. 'again': nothing has changed. 'anew': with --fresh, "
        "which keeps the features and makes all else again.",
        figures={
            "seconds": spread(first),
            "test accuracy": spread(accuracies),
            "seconds, again": spread(unchanged),
            "seconds, anew": spread(anew),
        },
    )


def journal(folder: Path, place: Path) -> None:
    """The journal's program once, and the same backbone here: until all is learned, decoding included."""
    theirs = run([sys.executable, str(Path(__file__).with_name("keras_flowers.py")), str(folder)], {})
    ours: list[Run] = []
    for number in range(TIMES):
        environment = {"FORTYDAYS_HOME": str(place / f"journal-{number}")}
        command = [*FORTY, "fit", str(folder), "--name", "flowers", "--backbone", "mobilenetv2-1.0", "--no-track"]
        ours.append(run([*command, "--json"], environment, accepted=(0, 3)))
    seconds = [sum(each.output["findings"]["seconds"][stage] for stage in ("looking", "learning")) for each in ours]
    accuracies = [each.output["findings"]["test"]["accuracy"] for each in ours]
    ratios = [theirs.output["seconds"] / each for each in seconds]
    record(
        "photographs, journal",
        question="Day 10, seconds to learn five flowers: the journal's program in plain Keras / fortydays",
        judged=["ratio", "test accuracy", "test accuracy, the program"],
        target="at least 8x, to the same accuracy",
        met=spread(ratios)["median"] >= 8 and spread(accuracies)["median"] >= theirs.output["test_accuracy"] - 0.02,
        method=f"Both use a frozen MobileNetV2. The program runs once, for ten epochs. fortydays runs {TIMES} times. "
        "Each time it decodes, looks for duplicates, computes features, searches and trains three seeds. "
        "Each is tested on its own test photographs.",
        figures={
            "ratio": spread(ratios),
            "seconds": spread(seconds),
            "test accuracy": spread(accuracies),
            "seconds, the program": theirs.output["seconds"],
            "test accuracy, the program": theirs.output["test_accuracy"],
        },
    )


def large(place: Path) -> None:
    """10,000 photographs of 12 megapixels: how busy the cores are, and how much memory it takes."""
    folder = _written(place / "large")
    environment = {"FORTYDAYS_HOME": str(place / "large-home")}
    command = [*FORTY, "fit", str(folder), "--name", "large", "--no-track", "--json"]
    watched = _Watched(command, environment)
    record(
        "photographs, large",
        question=f"`forty fit` of {LARGE:,} photographs of 12 megapixels: share of two cores in use, largest memory",
        judged=[*(f"cores in use, {stage}" for stage in watched.busy), "MiB"],
        target="over 85% of both cores while decoding and computing features, under 2,048 MiB",
        met=min(watched.busy.values()) > 0.85 and watched.peak < 2048,
        method=f"{PICTURES} pictures, each {LARGE // PICTURES} times, with other bytes at the end of each file. "
        "Cores in use: the processor time of the process, divided by time and cores, from the first to the last "
        "photograph of a stage.",
        figures={
            "MiB": watched.peak,
            **{f"cores in use, {stage}": share for stage, share in watched.busy.items()},
            **{f"photographs a second, {stage}": rate for stage, rate in watched.rates.items()},
        },
    )


class _Watched:
    """A fit, watched from outside: what it says on standard error tells the stage."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        process = psutil.Popen(
            command, stdout=-3, stderr=-1, text=True, env={**os.environ, **environment}
        )  # subprocess.DEVNULL and PIPE
        self.busy: dict[str, float] = {}
        self.rates: dict[str, float] = {}
        self.peak = 0.0
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(0.05):
                try:
                    self.peak = max(self.peak, process.memory_info().rss / 2**20)
                except psutil.Error:
                    return

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        began: dict[str, tuple[float, float]] = {}
        ended_stages: set[str] = set()
        for line in process.stderr:
            stage = next((name for name in _STAGES if line.startswith(name)), None)
            if stage is None or stage in ended_stages:
                continue
            if ": done" in line:
                ended_stages.add(stage)
            times = process.cpu_times()
            now = (time.perf_counter(), times.user + times.system)
            if stage not in began:
                began[stage] = now
            elif now[0] - began[stage][0] > 1:
                wall = now[0] - began[stage][0]
                name = _STAGES[stage]
                self.busy[name] = (now[1] - began[stage][1]) / wall / 2
                self.rates[name] = LARGE / wall
        process.wait()
        ended.set()
        sampler.join()
        settle(environment)


def _written(folder: Path) -> Path:
    """The photographs: camera-like noise over coarse colours, 4,000 x 3,000, in four classes."""
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        image = Image.fromarray(coarse).resize((4000, 3000), Image.Resampling.BICUBIC)
        pixels = np.asarray(image, np.int16) + random.integers(-12, 13, (3000, 4000, 1))
        buffer = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
        content = buffer.getvalue()
        place = folder / f"class-{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        for copy in range(LARGE // PICTURES):
            # Bytes behind the end of a JPEG are not looked at, but make it another file.
            (place / f"{number:03}-{copy:03}.jpg").write_bytes(content + f"{number} {copy}".encode())
    return folder


if __name__ == "__main__":
    main()
