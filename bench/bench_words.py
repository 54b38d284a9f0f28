"""The throughput of networks that read reviews against ``keras.Model.fit``; minutes, on an otherwise idle machine.

Usage: python bench/bench_words.py [NETWORK LENGTH]...
"""

import os
import sys
from pathlib import Path

from measure import Run, in_turn, record, run, spread

PROGRAM = [sys.executable, str(Path(__file__).parent / "keras_words.py")]
TARGETS = {
    ("lstm", 200): 2.0,
    ("lstm", 400): 3.0,
    ("simple rnn", 200): 2.5,
    ("all states", 200): 2.5,
    ("mean of words", 200): 4.0,
}
"""How many times as fast as ``fit``; where texts have that many words."""

TEXTS, EPOCHS, TIMES = 3_200, 3, 3


def measured(who: str, name: str, length: int) -> Run:
    """One process."""
    return run([*PROGRAM, who, name, str(length), str(TEXTS), str(EPOCHS)], dict(os.environ))


def compare(name: str, length: int, target: float) -> None:
    """The engine against ``fit`` as it is: the same network, texts and batches."""
    pairs = in_turn(lambda: measured("engine", name, length), lambda: measured("keras", name, length), times=TIMES)
    here, there = ([pair[i].output["texts_per_second"] for pair in pairs] for i in (0, 1))
    ratios = [a / b for a, b in zip(here, there, strict=True)]
    record(
        f"words: {name}, {length}",
        question=f"Reviews of {length} words, {name}, training throughput at batch 32: fortydays / Keras `fit`",
        target=f"at least {target}x",
        met=spread(ratios)["median"] >= target,
        method=f"{TIMES} pairs of processes in turn, {TEXTS:,} texts, second and third epoch",
        figures={
            "ratio": spread(ratios),
            "texts a second here": spread(here),
            "texts a second in Keras": spread(there),
            "peak MiB here": spread([a.peak_mib for a, _ in pairs]),
        },
    )


def main() -> None:
    """Run the comparisons asked for, all of them by default."""
    asked = sys.argv[1:]
    chosen = [(name, int(length)) for name, length in zip(asked[::2], asked[1::2], strict=True)] or list(TARGETS)
    for name, length in chosen:
        compare(name, length, TARGETS[name, length])


if __name__ == "__main__":
    main()
