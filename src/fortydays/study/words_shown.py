"""What there is to see of a network's vectors of words: the nearest ones of some words, and a map."""

from collections.abc import Mapping, Sequence
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.study.design import Exhibit, Shown
from fortydays.study.word_vectors import nearest, principal_plane, tokens_of_words, vectors_in

MOST_FREQUENT = 5_000
"""Words that are looked among for near ones: the vectors of rare words have learned little."""


def nearest_words(*, variant: str, words: Sequence[str], count: int = 6, title: str = "Nearest words") -> Exhibit:
    """A table of words, each with those whose vectors have the largest cosines to its own.

    Args:
        variant: whose trial.
        words: those of the vocabulary are shown.
        count: how many near ones of each.
        title: of the table.
    """

    def make(shown: Shown) -> dict[str, Any]:
        tokens = tokens_of_words(shown.input)
        frequent = list(tokens)[:MOST_FREQUENT]
        vectors, rows = vectors_in(shown.model), []
        for word in (each for each in words if each in tokens):
            compared = [each for each in frequent if each != word]
            chosen = vectors[[tokens[each] for each in (word, *compared)]]
            near = [f"{compared[place - 1]} {cosine:.2f}" for place, cosine in nearest(chosen, 0, count)]
            rows.append([word, ", ".join(near)])
        return {
            "kind": "table",
            "variant": shown.variant,
            "seed": shown.seed,
            "title": title,
            "caption": f"Of the {len(frequent):,} most frequent words, those whose vectors in {shown.variant!r} point "
            "most nearly the same way. Beside each: the cosine, 1 for the same direction and 0 for a right angle.",
            "columns": ["word", "nearest"],
            "rows": rows,
        }

    return Exhibit(variant=variant, make=make)


def map_of_words(*, variant: str, groups: Mapping[str, Sequence[str]], title: str = "A map of words") -> Exhibit:
    """A map of some words: their vectors along the two directions in which these differ most.

    Args:
        variant: whose trial.
        groups: by name, words that get one color. Those of the vocabulary are shown.
        title: of the map.

    Raises (when the exhibit is made):
        UsageError: the vocabulary has fewer than three of the words.
    """

    def make(shown: Shown) -> dict[str, Any]:
        tokens = tokens_of_words(shown.input)
        known = [(name, word) for name, words in groups.items() for word in words if word in tokens]
        if len(known) < 3:
            raise UsageError(f"A map needs three words; the vocabulary has {len(known)} of those that are asked for.")
        vectors = vectors_in(shown.model)[[tokens[word] for _, word in known]]
        plane = principal_plane(vectors)
        lines = []
        for name in groups:
            places = [at for at, (group, _) in enumerate(known) if group == name]
            if places:
                x, y = (plane[places, axis].round(4).tolist() for axis in (0, 1))
                lines.append({"name": name, "x": x, "y": y, "labels": [known[at][1] for at in places]})
        differences = ((vectors - vectors.mean(axis=0)) ** 2).sum()
        kept = float((plane**2).sum() / differences) if differences else 1.0
        return {
            "kind": "lines",
            "variant": shown.variant,
            "seed": shown.seed,
            "title": title,
            "caption": f"The vectors of some words in {shown.variant!r}, along the two directions in which these "
            f"differ most. The map keeps {100 * kept:.0f}% of their variance.",
            "x_label": "first principal component",
            "y_label": "second principal component",
            "lines": lines,
        }

    return Exhibit(variant=variant, make=make)
