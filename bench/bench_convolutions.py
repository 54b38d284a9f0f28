"""The throughput of days 5, 6 and 7 against ``keras.Model.fit``; minutes, on an otherwise idle machine.

Usage: python bench/bench_convolutions.py [day5] [day6] [day7] [precision] [accuracy]
"""

import os
import sys
import tempfile
from pathlib import Path

from measure import Run, in_turn, record, run, spread

from fortydays.base.machine import describe_machine
from fortydays.base.settings import read_settings
from fortydays.study.statistics import interval

HERE = Path(__file__).parent
PROGRAM = [sys.executable, str(HERE / "keras_convolutions.py")]
IMAGES = {"5": 44_800, "6": 12_800, "7": 12_800}
JOURNAL_BATCH, LARGE_BATCH = 64, 256
TARGETS = {"5": (2.5, 1.3), "6": (2.5, 1.3), "7": (3.0, None)}
TIMES = {"5": 5, "6": 3, "7": 3}


def measured(who: str, day: str, *, batch: int, precision: str, together: int) -> Run:
    """One process."""
    arguments = [who, day, str(batch), precision, str(together), str(IMAGES[day]), "3"]
    return run([*PROGRAM, *arguments], dict(os.environ))


def compare(day: str, *, name: str, peer: dict[str, object], batch: int, target: float) -> None:
    """The engine at its default precision against one setting of ``fit``, the batch equal on both sides."""
    precision = "bfloat16" if describe_machine().bfloat16_is_fast else "float32"
    pairs = in_turn(
        lambda: measured("engine", day, batch=batch, precision=precision, together=1),
        lambda: measured("keras", day, batch=batch, **peer),  # type: ignore[arg-type]
        times=TIMES[day],
    )
    here = [a.output["images_per_second"] for a, _ in pairs]
    there = [b.output["images_per_second"] for _, b in pairs]
    ratios = [a / b for a, b in zip(here, there, strict=True)]
    record(
        f"day {day}, {name}",
        question=f"Day {day}, training throughput at batch {batch}: fortydays / Keras `fit`, {name}",
        target=f"at least {target}x",
        met=spread(ratios)["median"] >= target,
        method=f"{TIMES[day]} pairs of processes in turn, {IMAGES[day]:,} images, second and third epoch",
        figures={
            "ratio": spread(ratios),
            f"images a second here ({precision})": spread(here),
            "images a second in Keras": spread(there),
            "peak MiB here": spread([a.peak_mib for a, _ in pairs]),
        },
    )


def precisions(day: str) -> None:
    """What bfloat16 gains over float32 in the engine itself."""
    pairs = in_turn(
        lambda: measured("engine", day, batch=JOURNAL_BATCH, precision="bfloat16", together=1),
        lambda: measured("engine", day, batch=JOURNAL_BATCH, precision="float32", together=1),
        times=TIMES[day],
    )
    ratios = [a.output["images_per_second"] / b.output["images_per_second"] for a, b in pairs]
    record(
        f"day {day}, precision",
        question=f"Day {day}, training throughput at batch {JOURNAL_BATCH}: bfloat16 / float32, both here",
        target="above 1x",
        met=spread(ratios)["median"] > 1,
        method=f"{TIMES[day]} pairs of processes in turn, {IMAGES[day]:,} images, second and third epoch",
        figures={"ratio": spread(ratios)},
    )


def accuracies() -> None:
    """Whether bfloat16 costs accuracy: day 5's headline variant in both precisions, the same seeds."""
    command = [sys.executable, "-m", "fortydays", "run", "5", "--only", "convolution", "--no-track", "--json"]
    trials = {}
    with tempfile.TemporaryDirectory() as home:
        environment = {"FORTYDAYS_HOME": home, "FORTYDAYS_DATASETS": str(read_settings().datasets)}
        for precision in ("bfloat16", "float32"):
            done = run([*command, "--set", f"precision={precision}"], environment)
            trials[precision] = [each["metrics"]["test_accuracy"] for each in done.output["trials"]]
    difference = interval([a - b for a, b in zip(trials["bfloat16"], trials["float32"], strict=True)])
    assert difference.low is not None
    assert difference.high is not None
    record(
        "day 5, accuracy in bfloat16",
        question="Day 5, test accuracy: bfloat16 minus float32, both here, the same seeds",
        target="0 within the 95% interval of the mean difference",
        met=difference.low <= 0 <= difference.high,
        method=f"{difference.n} seeds in each precision",
        figures={
            "difference": {"min": difference.low, "median": difference.mean, "max": difference.high},
            **{precision: spread(values) for precision, values in trials.items()},
        },
    )


def main() -> None:
    """Run the benchmarks asked for, all of them by default."""
    asked = sys.argv[1:] or ["day5", "day6", "day7", "precision", "accuracy"]
    for day, (least, of_best) in TARGETS.items():
        if f"day{day}" not in asked:
            continue
        plain = {"precision": "float32", "together": 1}
        compare(day, name="as it is", peer=plain, batch=JOURNAL_BATCH, target=least)
        if of_best is not None:
            best = {"precision": "bfloat16", "together": 32}
            compare(day, name="at its best", peer=best, batch=LARGE_BATCH, target=of_best)
    if "precision" in asked:
        precisions("6")
    if "accuracy" in asked:
        accuracies()


if __name__ == "__main__":
    main()
