"""Made-up reviews with labels, whose words one can tell: for tests of texts of one's own."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TELLING = {
    "good": ("lovely", "charming", "superb", "moving", "bright"),
    "bad": ("dreadful", "boring", "clumsy", "tired", "hollow"),
    "mixed": ("uneven", "patchy", "average", "decent", "tolerable"),
}
"""Words of the texts of each class."""

_PLAIN = (
    "the", "film", "story", "actor", "scene", "music", "ending", "camera", "plot", "cast", "director", "evening",
    "cinema", "pace", "light", "city", "river", "winter", "garden", "letter", "window", "train", "morning", "table",
)  # fmt: skip


def reviews(counts: dict[str, int], *, seed: int = 0, mistaken: int = 0) -> list[tuple[str, str]]:
    """Text and label of so many reviews of each class, in a mixed order.

    Args:
        counts: of each class of :data:`TELLING`.
        seed: another one gives other reviews.
        mistaken: how many bear the label of the next class.
    """
    random = np.random.default_rng(seed)
    labels = [label for label, count in counts.items() for _ in range(count)]
    random.shuffle(labels)
    names, found = list(counts), []
    for number, label in enumerate(labels):
        words = list(random.choice(_PLAIN, 14)) + list(random.choice(TELLING[label], 2))
        random.shuffle(words)
        said = names[(names.index(label) + 1) % len(names)] if number < mistaken else label
        found.append((f"{' '.join(words).capitalize()}, number {number} of {seed}.", said))
    return found


def misspelled(rows: Sequence[tuple[str, str]], *, seed: int = 0) -> list[tuple[str, str]]:
    """The same texts, and in most of the words that tell their classes a letter is left out, doubled or exchanged."""
    random = np.random.default_rng(seed)
    telling = {word for words in TELLING.values() for word in words}

    def spelled(word: str) -> str:
        if word.lower() not in telling or random.random() < 0.2:
            return word
        place = int(random.integers(1, len(word) - 1))
        letter = ("", 2 * word[place], "abcdefghijklmnopqrstuvwxyz"[int(random.integers(26))])[int(random.integers(3))]
        return word[:place] + letter + word[place + 1 :]

    return [(" ".join(map(spelled, text.split(" "))), label) for text, label in rows]


def without_spaces(counts: dict[str, int], *, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of signs without spaces, as in Chinese: words of three signs tell the class, whose signs and pairs do not.

    Args:
        counts: texts of each class, two of them.
        seed: another one gives other texts.
    """
    random = np.random.default_rng(seed)
    signs = [chr(0x4E00 + number) for number in range(60)]
    a, b, c, d = "\u597d\u58de\u5929\u5730"
    # Each word of one class shares its first two signs with one of the other class, and its last two with another.
    words = dict(zip(counts, ((a + b + c, d + b + d), (a + b + d, d + b + c)), strict=True))
    found = []
    for label, count in counts.items():
        for _ in range(count):
            parts = ["".join(random.choice(signs, 9)), "".join(random.choice(signs, 9))]
            found.append((str(random.choice(words[label])).join(parts), label))
    random.shuffle(found)
    return [(str(text), str(label)) for text, label in found]


def write_table(
    path: Path, rows: Sequence[Sequence[str]], *, head: Sequence[str] = ("text", "label"), delimiter: str = ","
) -> Path:
    """A table of rows, in UTF-8."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([head, *rows])
    return path
