"""Public collections of texts: fetched, cleaned of duplicates, divided, and kept as the numbers of their words.

The cache of each lies in ``DATASETS/NAME/v<version>.<split version>-<start of the digest>/``::

    vocabulary.txt        the words, the most frequent first, one on a line
    training_tokens.npy   uint16: the words of the training texts, then of the validation texts, one after the other
    training_offsets.npy  int64, shape (n + 1,): where each text begins
    training_labels.npy
    training_stars.npy    uint8: the stars that each review gives
    test_tokens.npy, test_offsets.npy, test_labels.npy, test_stars.npy

The vocabulary is of the training split alone. As a word's number is its rank, a recipe's smaller vocabulary is a
comparison, and a recipe's length a slice: neither needs the texts.

For an encoder, the texts are kept a second time, as the numbers of their pieces of words, in a folder beside this one:
see :func:`in_pieces`.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data import weights as published
from fortydays.data.arrays import Dataset, Reading, SealedSplit, Split, TrainingData
from fortydays.data.cache import PARTS, Cache, Verification, path
from fortydays.data.download import PATIENT, Limits
from fortydays.data.layouts import DamagedSourceError
from fortydays.data.own.texts.arrays import ENCODER
from fortydays.data.own.texts.duplicates import near_duplicates
from fortydays.data.places import at_address
from fortydays.data.published import PublishedFile, Search
from fortydays.data.review_files import Review, read_json_lines, read_review_folders
from fortydays.data.splits import SplitSizes, split_indices
from fortydays.data.store import read_array, write_array
from fortydays.inputs.tokens import FIRST_WORD, MOST_WORDS, UNKNOWN, Tokens, words_of
from fortydays.inputs.wordpieces import FEWEST, LONGEST, PIECES, WORDPIECES, Wordpieces
from fortydays.tasks.classification import Classification

FEWEST_TIMES = 2
"""How often a word of the training texts must occur to get a number."""

STARS, LENGTH = "stars", "words"
"""What is known of a text besides: the stars that it gives, and how many words it has in all."""

_NAMES = ("tokens", "offsets", "labels", STARS)
_OF_PIECES = ("pieces", "offsets")
_DIGESTS = "sha256.json"
_DTYPES = {"tokens": "uint16", "offsets": "int64", "labels": "uint8", STARS: "uint8"}


@dataclass(frozen=True, kw_only=True)
class TextsSource:
    """One file with all texts, and what reads it."""

    file: PublishedFile
    read: Any


@dataclass(frozen=True, kw_only=True)
class TextsSpec:
    """What is pinned about a public collection of texts.

    Attributes:
        version: number of the published content.
        digest: over the published texts, their labels, parts and numbers (:func:`digest_of_reviews`).
        training_digest: over the files of the training and validation texts, and the vocabulary.
        test_digest: over those of the test texts.
        classes: the classes' names; position is label.
        length: tokens of a text, where a recipe says nothing.
        words: of the vocabulary.
        split_version: number of the rule that makes the splits.
        sources: the forms in which it is published, in the order to try.
    """

    name: str
    title: str
    version: int
    folder: str
    digest: str
    training_digest: str
    test_digest: str
    classes: tuple[str, ...]
    length: int
    words: int
    sizes: SplitSizes
    split_version: int
    licence: str
    citation: str
    download_bytes: int
    sources: tuple[TextsSource, ...]

    @property
    def input(self) -> Tokens:
        """What its examples are; the vocabulary is in the cache."""
        return Tokens(length=self.length, vocabulary=())

    @property
    def source_titles(self) -> tuple[str, ...]:
        """What its files are called."""
        return tuple(source.file.name for source in self.sources)


TEXTS: Mapping[str, TextsSpec] = MappingProxyType(
    {
        "imdb": TextsSpec(
            name="imdb",
            title="IMDB",
            version=1,
            folder="imdb",
            digest="da0c584a388240bc35b6db1f0103838fb1c7fb8247efbf09116f479460c41aac",
            training_digest="14db135440969908e0f0740ba6d0bc4eed3fbe4c415a3ca431984e23393510d0",
            test_digest="c656919637af03431a9fe4e340818adc90065f91a4fc4bbb330ae8ed75bf42ca",
            classes=("negative", "positive"),
            length=512,
            words=47_645,
            sizes=SplitSizes(train=22_257, validation=2_500, test=25_000),
            split_version=1,
            licence="none stated; free to use with citation",
            citation="Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
            download_bytes=84_125_825,
            sources=(
                TextsSource(
                    file=PublishedFile(name="aclImdb_50k.jsonl.xz", max_bytes=18_315_784), read=read_json_lines
                ),
                TextsSource(
                    file=PublishedFile(
                        name="aclImdb_v1.tar.gz",
                        max_bytes=84_125_825,
                        remote=(at_address("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"),),
                    ),
                    read=read_review_folders,
                ),
            ),
        )
    }
)
"""Every public collection of texts by its name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """Texts as the numbers of their words, one text after the other.

    Attributes:
        tokens: uint16, shape (tokens,).
        offsets: int64, shape (n + 1,): where each text begins, and where the last one ends.
        labels: uint8, shape (n,).
        stars: uint8, shape (n,).
    """

    tokens: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]
    stars: NDArray[np.uint8]

    def first(self, count: int) -> "Ragged":
        """The first so many texts."""
        return Ragged(
            tokens=self.tokens,
            offsets=self.offsets[: count + 1],
            labels=self.labels[:count],
            stars=self.stars[:count],
        )

    def rest(self, count: int) -> "Ragged":
        """All texts but the first so many."""
        return Ragged(
            tokens=self.tokens, offsets=self.offsets[count:], labels=self.labels[count:], stars=self.stars[count:]
        )

    def read_by(self, text: Tokens) -> Split:
        """As a network is given them."""
        about = {STARS: self.stars, LENGTH: np.diff(self.offsets)}
        return Split(inputs=text.filled(self.tokens, self.offsets), labels=self.labels, about=about)


# ------------------------------------------------------------------------------------------------------- the cache


def cached(spec: TextsSpec, settings: Settings) -> bool:
    """Whether the texts are in the cache; their content is not checked."""
    folder = path(spec, settings)
    names = [f"{part}_{name}.npy" for part in PARTS for name in _NAMES]
    return all(files.is_file(folder / name) for name in (*names, "vocabulary.txt"))


def load(spec: TextsSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Dataset:
    """The texts as a dataset, from the cache; they are fetched first where they are missing or damaged.

    Raises:
        DataError: no place can give them.
        StorageError: the cache cannot be read or written.
    """
    folder = path(spec, settings)
    if _problem(folder, spec, "training") or _problem(folder, spec, "test", look_only=True):
        get(spec, settings, progress, limits=limits)
    training, size, vocabulary = _part(folder, spec, "training"), spec.sizes.train, _vocabulary(folder, spec)

    def read_test() -> Ragged:
        _cache(spec, settings).check_test()
        return _part(folder, spec, "test")

    def read_as(reading: Reading) -> Dataset:
        if reading.units == WORDPIECES:
            return in_pieces(spec, settings, progress, length=reading.length or spec.length, limits=limits)
        text = Tokens(
            length=reading.length or spec.length,
            vocabulary=vocabulary[: reading.vocabulary],
            truncation=reading.truncation,
        )
        return _dataset(
            spec,
            text,
            train=training.first(size).read_by(text),
            validation=training.rest(size).read_by(text),
            test=lambda: read_test().read_by(text),
        )

    return dataclasses.replace(read_as(Reading()), texts=read_as)


def _dataset(
    spec: TextsSpec, takes: Tokens | Wordpieces, *, train: Split, validation: Split, test: Callable[[], Split]
) -> Dataset:
    return Dataset(
        name=spec.name,
        digest=spec.digest,
        split_version=spec.split_version,
        classes=spec.classes,
        training=TrainingData(
            input=takes, task=Classification(classes=len(spec.classes)), train=train, validation=validation
        ),
        test=SealedSplit(test),
    )


def in_pieces(
    spec: TextsSpec, settings: Settings, progress: Progress = SILENT, *, length: int, limits: Limits = PATIENT
) -> Dataset:
    """The texts as pieces of words for an encoder, in the same splits and the same order.

    The words of the cache are in lower case, without punctuation, and rare ones are lost. So the pieces are made of
    the published file, which is looked for again the first time, and kept beside the cache.

    Args:
        spec: of the texts, which are in the cache.
        settings: the workspace.
        progress: told of the work.
        length: pieces of every text, of which one begins it and one ends it: the first ones of a longer text.
        limits: of a download.

    Raises:
        UsageError: an encoder takes no texts of that length.
        DataError: the published file, or the vocabulary, cannot be had.
        StorageError: the cache cannot be read or written.
    """
    if not FEWEST <= length <= LONGEST:
        raise UsageError(
            f"Texts are to have {length:,} pieces of words; expected a whole number from {FEWEST} to {LONGEST}.",
            hint=f"Set length to at most {LONGEST}.",
        )
    folder = path(spec, settings)
    takes = Wordpieces(length=length, vocabulary=published.vocabulary_of(ENCODER, settings, progress))
    place = folder.with_name(f"{folder.name}.wordpieces-{files.sha256_of_json(list(takes.vocabulary))[:12]}")

    def of(part: str) -> Split:
        with files.locked(place.with_name(f".{place.name}.lock")):
            if files.is_folder(place) and (problem := _problem_of_pieces(place, part)):
                aside = files.set_aside(place)
                progress.warn(f"{place} is damaged: {problem}. It is kept as {aside.name}, and made again.")
            if not files.is_folder(place):
                _cut(spec, settings, folder, place, takes.vocabulary, progress, limits)
        pieces, offsets = (np.load(place / f"{part}_{name}.npy", mmap_mode="r") for name in _OF_PIECES)
        return Split(inputs={PIECES: takes.filled(pieces, offsets)}, labels=_part(folder, spec, part).labels)

    training, size = of("training"), spec.sizes.train
    return _dataset(
        spec,
        takes,
        train=training.rows(slice(size)),
        validation=training.rows(slice(size, None)),
        test=lambda: of("test"),
    )


def get(spec: TextsSpec, settings: Settings, progress: Progress = SILENT, *, limits: Limits = PATIENT) -> Path:
    """Make sure that the cache holds the texts, every byte of them, and give its folder; raises as :func:`load`."""
    return _cache(spec, settings).get(progress, limits=limits)


def verify(spec: TextsSpec, settings: Settings) -> Verification:
    """Read every byte of the cached texts and compare with what is pinned: see :meth:`Cache.verify`."""
    return _cache(spec, settings).verify()


def _cache(spec: TextsSpec, settings: Settings) -> Cache:
    folder = path(spec, settings)
    return Cache(
        spec=spec,
        settings=settings,
        problem=lambda part: _problem(folder, spec, part),
        fetch=lambda progress, limits: _fetch(spec, settings, folder, progress, limits),
    )


def _part(folder: Path, spec: TextsSpec, part: str) -> Ragged:
    """Read-only memory maps of a part's files. Raises DamagedSourceError."""
    rows = spec.sizes.test if part == "test" else spec.sizes.train + spec.sizes.validation
    offsets = read_array(folder / f"{part}_offsets.npy", "int64", (rows + 1,))
    tokens = read_array(folder / f"{part}_tokens.npy", "uint16", (int(offsets[-1]),))
    labels, stars = (read_array(folder / f"{part}_{name}.npy", "uint8", (rows,)) for name in ("labels", STARS))
    return Ragged(tokens=tokens, offsets=offsets, labels=labels, stars=stars)


def _vocabulary(folder: Path, spec: TextsSpec) -> tuple[str, ...]:
    """The words. Raises DamagedSourceError."""
    try:
        words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedSourceError(f"vocabulary.txt cannot be read: {error}") from error
    if len(words) != spec.words:
        raise DamagedSourceError(f"vocabulary.txt has {len(words):,} words, expected {spec.words:,}")
    return tuple(words)


def _problem(folder: Path, spec: TextsSpec, part: str, *, look_only: bool = False) -> str:
    """What is wrong with a part of the cache, found by reading all of it, or only its headers; or ""."""
    try:
        found, vocabulary = _part(folder, spec, part), _vocabulary(folder, spec)
    except DamagedSourceError as error:
        return error.message
    expected = spec.test_digest if part == "test" else spec.training_digest
    digest = expected if look_only else digest_of_texts(found, vocabulary if part == "training" else ())
    return "" if digest == expected else f"the {part} texts have digest {digest}, expected {expected}"


# --------------------------------------------------------------------------------------------------- from the files


def digest_of_reviews(reviews: Sequence[Review]) -> str:
    """SHA-256, in hexadecimal, over the published texts, sorted by part, class and number."""
    digest = hashlib.sha256()
    for each in reviews:
        digest.update(f"{each.part} {each.label} {each.number} {each.stars} {len(each.text)}\n{each.text}".encode())
    return digest.hexdigest()


def digest_of_texts(texts: Ragged, vocabulary: Sequence[str]) -> str:
    """SHA-256, in hexadecimal, over some texts and words."""
    digest = hashlib.sha256("\n".join(vocabulary).encode())
    for name in _NAMES:
        array = getattr(texts, name)
        digest.update(f"{name} {array.dtype} {len(array)}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Published texts as they are kept.

    Attributes:
        parts: the training and validation texts together, and the test texts, by "training" and "test".
        vocabulary: the words of the training texts that have a number.
        left_out: how many training texts are not learned from, because they occur twice.
    """

    parts: Mapping[str, Ragged]
    vocabulary: tuple[str, ...]
    left_out: int


def prepare(
    reviews: Sequence[Review], *, digest: str, split_version: int, sizes: SplitSizes | None = None
) -> Prepared:
    """Divide texts, learn the vocabulary from those to train on, and write them in its numbers.

    Of training texts that are the same or nearly the same, the first stays; they are found as those of a reader's own
    are. Those that are, or nearly are, also in the test part are left out. The test part stays as it was published.

    Args:
        reviews: the published texts in the order of their parts: training, then test.
        digest: of them.
        split_version: number of the rule that draws the validation texts.
        sizes: of the splits; unless given, a tenth of the training texts are to validate.
    """
    lexicon: dict[str, int] = {}
    numbers = [
        np.array([lexicon.setdefault(word, len(lexicon)) for word in words_of(each.text)], np.int64)
        for each in reviews
    ]
    places, learned = _divided(reviews, digest=digest, split_version=split_version, sizes=sizes)
    rank_of, vocabulary = _ranked([numbers[i] for i in places["training"][:learned]], list(lexicon))

    def ragged(which: NDArray[np.int64]) -> Ragged:
        tokens, offsets = _one_after_the_other([rank_of[numbers[i]] for i in which])
        labels, stars = (np.array([getattr(reviews[i], name) for i in which], np.uint8) for name in ("label", "stars"))
        return Ragged(tokens=tokens, offsets=offsets, labels=labels, stars=stars)

    return Prepared(
        parts={part: ragged(which) for part, which in places.items()},
        vocabulary=vocabulary,
        left_out=len(reviews) - sum(map(len, places.values())),
    )


def _divided(
    reviews: Sequence[Review], *, digest: str, split_version: int, sizes: SplitSizes | None
) -> tuple[dict[str, NDArray[np.int64]], int]:
    """The places of the texts of each part, and how many of "training" are to train on: the first ones."""
    near = near_duplicates(words_of(each.text) for each in reviews)
    is_test = np.array([each.part == "test" for each in reviews])
    labels = np.array([each.label for each in reviews], np.uint8)
    leave_out = _to_leave_out(near, is_test)
    kept = np.concatenate([np.flatnonzero(~is_test & ~leave_out), np.flatnonzero(is_test)])
    if sizes is None:
        pool = len(kept) - int(is_test.sum())
        sizes = SplitSizes(train=pool - pool // 10, validation=pool // 10, test=int(is_test.sum()))
    split = split_indices(
        labels[kept], digest=digest, split_version=split_version, sizes=sizes, official_test=sizes.test
    )
    training = np.concatenate([split.train, split.validation])
    return {"training": kept[training], "test": kept[split.test]}, len(split.train)


def _one_after_the_other(texts: Sequence[NDArray[np.uint16]]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Texts as one array, and where each begins and the last one ends."""
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return np.concatenate(texts), offsets


def _ranked(texts: Sequence[NDArray[np.int64]], lexicon: list[str]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """The token of each word of the lexicon, and the words that have one of their own, the most frequent first."""
    counts = Counter(dict(enumerate(np.bincount(np.concatenate(texts), minlength=len(lexicon)).tolist())))
    often = [(-count, lexicon[word], word) for word, count in counts.items() if count >= FEWEST_TIMES]
    ranking = sorted(often)[:MOST_WORDS]
    rank_of = np.full(len(lexicon), UNKNOWN, np.uint16)
    for rank, (_, _, word) in enumerate(ranking, FIRST_WORD):
        rank_of[word] = rank
    return rank_of, tuple(word for _, word, _ in ranking)


def _to_leave_out(pairs: NDArray[np.int64], is_test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which training texts are not learned from: the doubles of test texts, and all but the first of their like."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(is_test)
    joined = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group = connected_components(joined, directed=False)
    of_test = np.isin(group, group[is_test])
    first = np.zeros(count, np.bool_)
    first[np.unique(group, return_index=True)[1]] = True
    found: NDArray[np.bool_] = ~is_test & (of_test | ~first)
    return found


def _fetch(spec: TextsSpec, settings: Settings, folder: Path, progress: Progress, limits: Limits) -> None:
    """Get the texts from the first place that gives the right content, and write them into the cache."""
    reviews = _published(spec, settings, folder, progress, limits)
    prepared = prepare(reviews, digest=spec.digest, split_version=spec.split_version, sizes=spec.sizes)
    _write(prepared, folder)
    progress.say(f"{spec.title} is in {folder}; {prepared.left_out} training texts that occur twice are left out.")


def _published(spec: TextsSpec, settings: Settings, folder: Path, progress: Progress, limits: Limits) -> list[Review]:
    """The published texts, from the first place that gives the right content. Raises DataError."""
    search = Search(
        title=f"the dataset {spec.name!r}",
        groups=[(source.file,) for source in spec.sources],
        folder=spec.folder,
        kept=folder.parent / "downloads",
        settings=settings,
        limits=limits,
        progress=progress,
    )
    for candidate in search.candidates():
        try:
            reviews: list[Review] = spec.sources[candidate.group].read(candidate.paths[0], classes=len(spec.classes))
            if (found := digest_of_reviews(reviews)) != spec.digest:
                raise DamagedSourceError(f"its content has digest {found}, expected {spec.digest}")
        except DamagedSourceError as error:
            search.refuse(candidate, error.message)
            continue
        files.remove(search.kept)
        progress.say(f"Reading {len(reviews):,} texts")
        return reviews
    raise search.failed()


def _write(prepared: Prepared, folder: Path) -> None:
    with files.folder_built_whole(folder) as building:
        files.write_text(building / "vocabulary.txt", "\n".join(prepared.vocabulary))
        for part, texts in prepared.parts.items():
            for name in _NAMES:
                write_array(building / f"{part}_{name}.npy", getattr(texts, name).astype(_DTYPES[name]))


def _cut(
    spec: TextsSpec,
    settings: Settings,
    folder: Path,
    place: Path,
    vocabulary: tuple[str, ...],
    progress: Progress,
    limits: Limits,
) -> None:
    """Cut the published texts into pieces of words and write these into a folder. Raises DataError."""
    reviews = _published(spec, settings, folder, progress, limits)
    places, _ = _divided(reviews, digest=spec.digest, split_version=spec.split_version, sizes=spec.sizes)
    longest = Wordpieces(length=LONGEST, vocabulary=vocabulary)
    task, done = "Cutting texts into pieces of words", 0
    progress.start(task, total=float(sum(map(len, places.values()))), unit="texts")
    with files.folder_built_whole(place) as building:
        digests = {}
        for part, which in places.items():
            # The cache was made by the same rule: with other labels, its texts would be others.
            if [reviews[i].label for i in which] != _part(folder, spec, part).labels.tolist():
                raise StorageError(f"The texts in {folder} are not in the order of the published ones.")
            texts = []
            for i in which:
                texts.append(np.array(longest.pieces_of(reviews[i].text), np.uint16))
                done += 1
                if done % 1_000 == 0:
                    progress.advance(task, done=float(done))
            pieces, offsets = _one_after_the_other(texts)
            for name, array in ((f"{part}_pieces", pieces), (f"{part}_offsets", offsets)):
                write_array(building / f"{name}.npy", array)
                digests[name] = files.sha256_of_file(building / f"{name}.npy")
        files.write_json(building / _DIGESTS, digests)
    progress.finish(task)


def _problem_of_pieces(place: Path, part: str) -> str:
    """What is wrong with the files of the pieces of a part, found by reading all of them; or ""."""
    try:
        digests = files.read_json(place / _DIGESTS)
        wrong = [
            name
            for name in (f"{part}_{each}" for each in _OF_PIECES)
            if files.sha256_of_file(place / f"{name}.npy") != digests[name]
        ]
    except (StorageError, KeyError, TypeError) as error:
        return f"it cannot be read: {error}"
    return f"the disk has changed {wrong[0]}.npy" if wrong else ""
