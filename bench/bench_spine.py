"""Days 1 and 3 against plain Keras, the memory of day 1, the cost of tracking, and how fast the small commands are.

Takes about twenty minutes on two cores. Run it on an otherwise idle machine: ``make bench``.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import Run, in_turn, peak_of_all, record, run, settle, spread

from fortydays.base.settings import Settings, read_settings
from fortydays.data import library

FORTY = [sys.executable, "-m", "fortydays"]
PLAIN = [sys.executable, str(Path(__file__).with_name("plain_keras.py"))]


def main() -> None:
    """Measure what is asked for, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("parts", nargs="*", choices=["day1", "day3", "tracking", "commands", []], default=[])
    arguments = parser.parse_args()
    chosen = arguments.parts or ["day1", "day3", "tracking", "commands"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = read_settings()
        arrays = save_arrays(settings, folder / "mnist.npz")
        environment = {"FORTYDAYS_HOME": str(folder / "home"), "FORTYDAYS_DATASETS": str(settings.datasets)}
        # Once, not counted: the tracking store is made, files come into the page cache.
        forty(environment, "run", "1", "--seeds", "1", "--fresh", "--json")
        if "day1" in chosen:
            day1(environment, arrays, arguments.times)
        if "day3" in chosen:
            day3(environment, arrays, arguments.times)
        if "tracking" in chosen:
            tracking(environment, arguments.times)
        if "commands" in chosen:
            commands(environment, arguments.times)


def forty(environment: dict[str, str], *arguments: str) -> Run:
    """Run a command of ours; the tracker's process may end, uncounted, before anything else begins."""
    found = run([*FORTY, *arguments], environment)
    settle(environment)
    return found


def pairs_in_turn(times: int) -> str:
    """How a ratio was measured, in words."""
    return f"two programs in turn, {times} times each"


def save_arrays(settings: Settings, path: Path) -> Path:
    """MNIST's splits as one file for the plain programs."""
    dataset = library.load("mnist", settings)
    splits = {
        "train": dataset.training.train,
        "validation": dataset.training.validation,
        "test": dataset.test.open(),
    }
    arrays = {f"{name}_images": split.array for name, split in splits.items()}
    arrays |= {f"{name}_labels": split.labels for name, split in splits.items()}
    np.savez(path, **arrays)
    return path


def day1(environment: dict[str, str], arrays: Path, times: int) -> None:
    """One seed of day 1's network against the same in plain Keras."""

    def ours() -> Run:
        return forty(environment, "run", "1", "--only", "network", "--seeds", "1", "--fresh", "--json")

    def plain() -> Run:
        return run([*PLAIN, "day1", str(arrays)], environment)

    pairs = in_turn(ours, plain, times=times)
    whole = [b.wall_seconds / a.wall_seconds for a, b in pairs]
    training = [b.output["train_seconds"] / a.output["trials"][0]["train_seconds"] for a, b in pairs]
    record(
        "day 1, whole process",
        question="Day 1, one seed, whole process: plain Keras / fortydays",
        target="at least 4x",
        met=spread(whole)["median"] >= 4,
        method=pairs_in_turn(times),
        figures={
            "ratio": spread(whole),
            "seconds here": spread([a.wall_seconds for a, _ in pairs]),
            "seconds plain": spread([b.wall_seconds for _, b in pairs]),
        },
    )
    record(
        "day 1, training alone",
        question="Day 1, one seed, training alone: plain Keras / fortydays",
        target="at least 7x",
        met=spread(training)["median"] >= 7,
        method=pairs_in_turn(times),
        figures={
            "ratio": spread(training),
            "seconds here": spread([a.output["trials"][0]["train_seconds"] for a, _ in pairs]),
            "seconds plain": spread([b.output["train_seconds"] for _, b in pairs]),
            "test accuracy here": pairs[0][0].output["trials"][0]["metrics"]["test_accuracy"],
            "test accuracy plain": pairs[0][1].output["results"][0]["test_accuracy"],
        },
    )
    study = [*FORTY, "run", "1", "--fresh", "--json"]
    peak = spread([peak_of_all(study, environment) for _ in range(times)])
    alone = spread([forty(environment, *study[len(FORTY) :]).peak_mib for _ in range(times)])
    record(
        "day 1, memory",
        question="Peak memory of `forty run 1` with its tracker, MiB",
        target="at most 1,229 MiB",
        met=peak["max"] <= 1229,
        method=f"sum over its processes, {times} runs",
        figures={"MiB": peak, "MiB of the study's process alone": alone},
    )


def day3(environment: dict[str, str], arrays: Path, times: int) -> None:
    """Five seeds of four optimizers here against one seed of each in plain Keras."""

    def ours() -> Run:
        return forty(environment, "run", "3", "--only", "default", "--seeds", "5", "--fresh", "--json")

    def plain() -> Run:
        return run([*PLAIN, "day3", str(arrays)], environment)

    pairs = in_turn(ours, plain, times=times)
    ratios = [b.wall_seconds / a.wall_seconds for a, b in pairs]
    record(
        "day 3, five seeds against one",
        question="Day 3, four optimizers: plain Keras with one seed / fortydays with five, whole processes",
        target="above 1x",
        met=spread(ratios)["median"] > 1,
        method=pairs_in_turn(times),
        figures={
            "ratio": spread(ratios),
            "seconds here, 20 trials": spread([a.wall_seconds for a, _ in pairs]),
            "seconds plain, 4 trials": spread([b.wall_seconds for _, b in pairs]),
        },
    )


def tracking(environment: dict[str, str], times: int) -> None:
    """A whole study with and without its tracker."""
    waited: list[float] = []

    def tracked() -> Run:
        found = run([*FORTY, "run", "1", "--fresh", "--json"], environment)
        waited.append(settle(environment))
        return found

    def untracked() -> Run:
        return run([*FORTY, "run", "1", "--fresh", "--json", "--no-track"], environment)

    pairs = in_turn(tracked, untracked, times=times)
    ratios = [a.wall_seconds / b.wall_seconds for a, b in pairs]
    record(
        "tracking",
        question="Wall time of `forty run 1` (ten trials) with tracking / without",
        target="at most 1.05x",
        met=spread(ratios)["median"] <= 1.05,
        method=pairs_in_turn(times),
        figures={
            "ratio": spread(ratios),
            "seconds with": spread([a.wall_seconds for a, _ in pairs]),
            "seconds without": spread([b.wall_seconds for _, b in pairs]),
            "seconds the tracker went on in the background": spread(waited),
        },
    )


def commands(environment: dict[str, str], times: int) -> None:
    """How soon the small commands answer, beside the interpreter doing nothing."""
    for name, arguments in (("--help", ["--help"]), ("list", ["list"])):
        pairs = in_turn(
            lambda arguments=arguments: run([*FORTY, *arguments], environment),
            lambda: run([sys.executable, "-c", "pass"], environment),
            times=max(times, 5),
        )
        seconds = spread([a.wall_seconds for a, _ in pairs])
        record(
            f"forty {name}",
            question=f"Seconds until `forty {name}` has answered",
            target="under 0.25 s",
            met=seconds["median"] < 0.25,
            method=pairs_in_turn(max(times, 5)),
            figures={"seconds": seconds, "bare interpreter": spread([b.wall_seconds for _, b in pairs])},
        )
    code = "; ".join(
        [
            "import json, time, numpy",
            "from fortydays.base.settings import read_settings",
            "from fortydays.data import library",
            "settings = read_settings()",
            "began = time.perf_counter()",
            "library.load('NAME', settings).training.train.array.sum()",
            "print(json.dumps({'seconds': time.perf_counter() - began}))",
        ]
    )
    for name, limit in (("mnist", 0.2), ("cifar10", 0.5)):
        if not library.place(name, read_settings(dict(os.environ) | environment))[1]:
            continue
        runs = [run([sys.executable, "-c", code.replace("NAME", name)], environment) for _ in range(times)]
        seconds = spread([r.output["seconds"] for r in runs])
        record(
            f"cache of {name}",
            question=f"Seconds to open {name} in the cache and read every training pixel",
            target=f"under {limit} s",
            met=seconds["median"] < limit,
            method=f"{times} processes",
            figures={"seconds": seconds},
        )


if __name__ == "__main__":
    main()
