"""Seconds to an accuracy on CIFAR-10: ``forty speedrun`` beside the journal's programs in plain Keras.

Usage: python bench/bench_speedrun.py [70] [80] [90] [94]

The plain programs of days 5 and 6 run once, whole, unless the results have them from the last three hours; the
speedrun's clock is its own (training and evaluation; loading and compiling are shown apart). More than an hour in all,
on an otherwise idle machine.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from measure import RESULTS, record, run, spread

from fortydays.base import files

HERE = Path(__file__).parent
PLAIN = [sys.executable, str(HERE / "keras_journal.py")]
SPEEDRUN = [sys.executable, "-m", "fortydays", "speedrun", "cifar10", "--json", "--to"]
TARGETS = {"70": ("day5", 1 / 6), "80": ("day6", 1 / 20), "90": ("day6", None), "94": ("day6", 0.75)}
SEEDS = {"70": 10, "80": 10, "90": 3, "94": 3}


def main() -> None:
    """Measure what is asked for, or everything."""
    asked = sys.argv[1:] or list(TARGETS)
    for accuracy in asked:
        day, share = TARGETS[accuracy]
        compare(accuracy, program(day), day=day, share=share)


def program(day: str) -> dict[str, Any]:
    """Seconds and accuracy of a day's program in plain Keras."""
    results = files.read_json(RESULTS) if RESULTS.exists() else {}
    for accuracy, (of_day, _) in TARGETS.items():
        known = results.get(f"speedrun, {accuracy}%")
        if known and of_day == day:
            age = datetime.now(UTC) - datetime.fromisoformat(known["measured"])
            if age < timedelta(hours=3):
                figures = known["figures"]
                return {
                    "train_seconds": figures["seconds, plain Keras"],
                    "test_accuracy": figures["test accuracy, plain Keras"],
                }
    output = run([*PLAIN, day], dict(os.environ)).output
    print(f"{day}: {json.dumps(output)}", flush=True)
    return output


def compare(accuracy: str, plain: dict[str, Any], *, day: str, share: float | None) -> None:
    """One preset against one program."""
    found = run([*SPEEDRUN, f"0.{accuracy}", "--seeds", str(SEEDS[accuracy])], dict(os.environ), accepted=(0, 3))
    document = found.output
    seconds = [each["seconds"] for each in document["seeds"]]
    there = plain["train_seconds"]
    reached = document["reached"]
    if share is None:
        target = "to be shown"
    elif share < 0.5:
        target = f"the program takes at least {1 / share:.0f}x as long; {accuracy}% reached"
    else:
        target = f"at most {share}x the program's time; {accuracy}% reached"
    record(
        f"speedrun, {accuracy}%",
        question=f"Seconds to {accuracy}% on CIFAR-10's test images: {day}'s program in plain Keras / fortydays",
        judged=["ratio", "mean test accuracy"],
        target=target,
        met=reached and (share is None or spread(seconds)["median"] <= share * there),
        method=f"The mean of {len(seconds)} seeds must reach it. The program runs once; its training alone is timed.",
        figures={
            "ratio": spread([there / each for each in seconds]),
            "seconds, speedrun": spread(seconds),
            "mean test accuracy": document["accuracy"]["mean"],
            "seconds of compiling": document["compile_seconds"],
            "peak MiB": found.peak_mib,
            "seconds, plain Keras": there,
            "test accuracy, plain Keras": plain["test_accuracy"],
            "precision": document["precision"],
        },
    )


if __name__ == "__main__":
    main()
