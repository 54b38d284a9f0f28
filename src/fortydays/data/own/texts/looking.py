"""What a reader's texts are, before anything is learned from them: what is used, what is left out, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import printable, shown
from fortydays.data.own.duplicates import groups_of, largest_first
from fortydays.data.own.inspection import (
    Inspection,
    Used,
    check_classes,
    concluded,
    same_content,
    too_small,
)
from fortydays.data.own.listing import in_order
from fortydays.data.own.pictures import Pictures, Placed
from fortydays.data.own.texts.duplicates import near_duplicates
from fortydays.data.own.texts.kept import TextCollection, digest_of
from fortydays.data.own.texts.languages import SAMPLED, counted_languages, languages_of, notes_on
from fortydays.data.own.texts.listing import Text, TextListing
from fortydays.inputs.ngrams import words_of

NOUN = "text"

_SAMPLE = 4_000
"""Texts in which is looked for words that give the label away."""

_IN_CLASS, _ELSEWHERE = 0.9, 0.02
"""A word in at least this share of the texts of a class, and at most in that share of the others, gives it away."""

_LABEL_IN_CLASS, _LABEL_ELSEWHERE = 0.7, 0.1
"""The same of the words of the label itself."""

_FEWEST = 10
"""Texts of a class, for a word to be said to give it away."""

_WORDS = 3


@dataclass(frozen=True, kw_only=True)
class TextContent:
    """What is known of a text: its digest, where it is kept, and how many words it has."""

    sha256: str
    row: int
    words: int


def inspect_texts(listing: TextListing, collection: TextCollection, *, progress: Progress = SILENT) -> Inspection:
    """Look at every text and decide which are used and as what.

    Texts of one group, and such as are almost the same, come into one split. The splits of new ones are written down
    in the collection, and so are the texts.

    Raises:
        DataError: fewer than two classes can be used; the message says what is wrong with the others.
        StorageError: the workspace cannot be written.
    """
    if collection.warning:
        progress.warn(collection.warning)
    by_content: dict[str, list[Text]] = {}
    for each in listing.texts:
        by_content.setdefault(digest_of(each.text), []).append(each)
    left_out = list(listing.left_out)
    exact, contradictions = same_content(by_content, left_out, what=NOUN)
    first = {digest: same[0] for digest, same in by_content.items()}
    collection.keep({digest: each.text for digest, each in first.items()})
    order, places = sorted(first, key=lambda digest: in_order(first[digest].path)), collection.places()
    texts = [first[digest] for digest in order]
    progress.say("Looking for texts that are almost the same")
    lengths: list[int] = []

    def words() -> Iterator[list[str]]:
        for each in texts:
            found = words_of(each.text)
            lengths.append(len(found))
            yield found

    pairs = near_duplicates(words())
    near = groups_of(len(order), pairs)
    grouped = [each.group for each in texts]
    contents = Pictures(
        order=tuple(order),
        photographs=tuple[Placed, ...](texts),
        contents=tuple(
            TextContent(sha256=digest, row=places[digest], words=count)
            for digest, count in zip(order, lengths, strict=True)
        ),
        groups=groups_of(len(order), np.concatenate([pairs, _of_groups(grouped)])),
    )
    thin = too_small(contents, listing.classes, noun=NOUN)
    heard = texts[:: -(-len(texts) // SAMPLED) or 1]
    languages = languages_of([each.text for each in heard])
    inspection = concluded(
        contents,
        thin,
        collection,
        used_of=_used_of,
        left_out=left_out,
        exact=exact,
        contradictions=contradictions,
        notes=[*listing.notes, *notes_on(languages, [each.label for each in heard]), *_leaks(texts)],
        near=[contents.paths(group) for group in largest_first(near)],
        noun=NOUN,
    )
    check_classes(inspection, listing.source, hint=_hint(texts, thin, grouped))
    return replace(inspection, languages=counted_languages(languages))


def _used_of(each: Placed, known: TextContent, split: str) -> Used:
    return Used(
        path=each.path, sha256=known.sha256, label=each.label, split=split, row=known.row, width=known.words, height=1
    )


def _of_groups(groups: Sequence[str]) -> NDArray[np.int64]:
    """Pairs that join all texts of one group; a text without one is alone."""
    first: dict[str, int] = {}
    pairs = [
        (first[group], place)
        for place, group in enumerate(groups)
        if group and first.setdefault(group, place) != place
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _hint(texts: Sequence[Text], thin: Mapping[str, str], groups: Sequence[str]) -> str:
    """What to do where hardly a class can be used."""
    if any(groups) and len(set(groups)) < len(texts) // 2:
        return "Texts of one group stay together, so a class needs three groups at least: see --group."
    if len(thin) > max(20, len(texts) // 4):
        return "Almost every text has a label of its own. Name the column with the labels: --label COLUMN"
    return ""


def _leaks(texts: Sequence[Text]) -> list[str]:
    """Sentences about words that give the label away: its own, and such as are in hardly another class."""
    sample = texts[:: -(-len(texts) // _SAMPLE) or 1]
    counts, of_class = Counter(each.label for each in sample), dict[str, Counter[str]]()
    for each in sample:
        of_class.setdefault(each.label, Counter()).update(set(words_of(each.text)))
    everywhere = sum(of_class.values(), Counter[str]())
    found = []
    for label in sorted(of_class):
        inside, outside = counts[label], len(sample) - counts[label]
        if inside < _FEWEST or outside < _FEWEST:
            continue
        own = set(words_of(label))
        telling = []
        for word, count in sorted(of_class[label].items(), key=lambda each: (-each[1], each[0])):
            if count < _LABEL_IN_CLASS * inside:
                break
            elsewhere = (everywhere[word] - count) / outside
            least, most = (_LABEL_IN_CLASS, _LABEL_ELSEWHERE) if word in own else (_IN_CLASS, _ELSEWHERE)
            if count >= least * inside and elsewhere <= most:
                telling.append((word, count / inside, elsewhere))
        for word, share, elsewhere in telling[:_WORDS]:
            found.append(
                f"The word {shown(word)} is in {100 * share:.0f}% of the texts of {printable(label)!r} and in "
                f"{100 * elsewhere:.1f}% of the others. The model will go by it. If the texts that you will "
                "ask about do not have this word, remove it from these texts."
            )
    return found[:10]
