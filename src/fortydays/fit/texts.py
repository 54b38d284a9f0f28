"""The texts of a fit: found by what the reader names, looked at, divided, and what is tried on them."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import weights as published
from fortydays.data.own import dataset as own
from fortydays.data.own.inspection import Inspection
from fortydays.data.own.naming import check_owner
from fortydays.data.own.texts.arrays import ENCODER, pieces_of_texts, prepared_ngrams
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.kept import TextCollection, digest_of, opened
from fortydays.data.own.texts.listing import list_texts
from fortydays.data.own.texts.looking import NOUN, inspect_texts
from fortydays.data.own.texts.vocabulary import usual_runs
from fortydays.data.version_documents import DataVersion
from fortydays.fit import findings as found_out
from fortydays.fit import text_study as plans
from fortydays.fit.analysis import dense_features, errors_and_curve, places_of
from fortydays.fit.attention import weights_of
from fortydays.fit.balance import balance
from fortydays.fit.choice import AUTOMATIC
from fortydays.fit.encoded_texts import what_decides
from fortydays.fit.head import CalibratedHead
from fortydays.fit.learning_curve import LearningCurve
from fortydays.fit.linear_texts import SPARSE, sparse
from fortydays.fit.material import Learner, Material, check_splits
from fortydays.fit.request import FitRequest, model_name
from fortydays.fit.text_study import TextPlan, planned, text_study
from fortydays.inputs.input import rows_of
from fortydays.inputs.ngrams import CHARACTERS, FIRST, NGRAMS, VALUES, Ngrams
from fortydays.inputs.wordpieces import Wordpieces
from fortydays.models.encoders import find_encoder
from fortydays.study.features import TextFeatures
from fortydays.study.frozen import pretrained_model

EXCERPT = 600
"""Characters of a text that a page shows."""

_WORDS, _BECAUSE = 14, 8
_LOOKED_AT = 16
_COUNTED = 500
"""Texts whose runs of characters are counted to plan."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts(Material):
    """Texts to make a model from; their collection, which is open, keeps them."""

    NOUN = NOUN

    collection: TextCollection

    def content(self) -> Mapping[str, str]:
        """The texts that are used, by their paths."""
        return contents_of(self.inspection, self.collection)

    def learner(self, request: FitRequest, settings: Settings, progress: Progress) -> "TextLearner":
        """Networks on words and pairs of words, on runs of characters, and on the features of an encoder."""
        takes, _ = prepared_ngrams(self.kept, settings, progress)
        train = self.kept.of("train")
        some = train[:: -(-len(train) // _COUNTED)]
        usual = usual_runs(self.collection.texts([self.kept.contents[place] for place in some]))
        balanced = balance(self.kept.labels[train], self.kept.classes, noun=NOUN).weighted
        pieces, encoder_notes = self._pieces(settings, progress)
        plan, notes = planned(
            takes, texts=len(train), classes=len(self.kept.classes), seconds=request.seconds, target=request.target,
            balanced=balanced, threads=settings.threads, runs=usual,
            pieces=len(self.kept.contents) * pieces.length if pieces else 0,
        )  # fmt: skip
        runs = prepared_ngrams(self.kept, settings, progress, units=CHARACTERS)[0] if plan.characters else None
        if plan.encoded:
            try:
                published.obtain(ENCODER, settings, progress)
            except DataError as error:
                plan, encoder_notes = dataclasses.replace(plan, encoded=False), [_without_encoder(error)]
        pieces = pieces if plan.encoded else None
        return TextLearner(self, takes, plan, [*notes, *encoder_notes], runs, pieces)

    def _pieces(self, settings: Settings, progress: Progress) -> tuple[Wordpieces | None, list[str]]:
        """What an encoder takes of these texts, where one may be tried; and why it is not, where that is told."""
        if len(self.kept.of("train")) > plans.MOST_ENCODED:
            return None, []
        try:
            return pieces_of_texts(self.kept, settings, progress), []
        except DataError as error:
            return None, [_without_encoder(error)]


def _without_encoder(error: DataError) -> str:
    what, *tried = error.message.splitlines()
    places = f": {'; '.join(line.removeprefix('  - ') for line in tried)}." if tried else "."
    return f"Features of {find_encoder(ENCODER).title} are not tried. {what.removesuffix('.')}{places} {error.hint}"


@contextlib.contextmanager
def inspected(
    request: FitRequest, place: Path, version: DataVersion | None, settings: Settings, progress: Progress
) -> Iterator[tuple[Inspection, TextCollection]]:
    """Look at texts. No other process works on the same ones meanwhile.

    Args:
        request: what is asked for.
        place: their table or folder, as it is found.
        version: the version of a reader's data that they are, or None.
        settings: the workspace.
        progress: told of the work.

    Raises:
        UsageError: a name, a column or an option does not fit.
        DataError: they cannot be had or used, or another process works on them.
        StorageError: the workspace cannot be read or written.
    """
    _check_options(request)
    content = place if files.is_folder(place) else place.parent
    owner = content.parents[1] if version else None
    progress.say(f"Reading {printable(str(place))}")
    listing = list_texts(place, Wanted(text=request.text, label=request.label, group=request.group))
    some = listing.texts[:: max(1, len(listing.texts) // _LOOKED_AT)]
    with opened(request.name, settings) as collection:
        check_owner(
            place, lambda: [digest_of(each.text) for each in some], collection, settings, owner=owner, noun=NOUN
        )
        yield inspect_texts(listing, collection, progress=progress), collection


@contextlib.contextmanager
def texts_of(
    request: FitRequest, place: Path, version: DataVersion | None, settings: Settings, progress: Progress
) -> Iterator[Texts]:
    """The texts of a request, looked at; arguments and errors are those of :func:`inspected`."""
    model = model_name(request.name, settings)
    with inspected(request, place, version, settings, progress) as (inspection, collection):
        kept = own.keep(inspection, collection, name=request.name, data_version=version)
        check_splits(kept, noun=NOUN)
        yield Texts(
            name=request.name,
            model=model,
            place=str(version or printable(str(place))),
            inspection=inspection,
            collection=collection,
            kept=kept,
            folder=collection.folder,
        )


def contents_of(inspection: Inspection, collection: TextCollection) -> Mapping[str, str]:
    """The texts that are used, by their paths."""
    found = collection.texts([each.sha256 for each in inspection.used])
    return {each.path: text for each, text in zip(inspection.used, found, strict=True)}


def _check_options(request: FitRequest) -> None:
    given = {
        "--backbone": request.backbone != AUTOMATIC,
        "--fine-tune": request.fine_tune,
        "--fixed-camera": request.fixed_camera,
    }
    if wrong := [option for option, is_given in given.items() if is_given]:
        raise UsageError(
            f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} for photographs, and these are texts.",
            hint="For texts there are --text, --label, --group, --time and --target.",
        )


class TextLearner(Learner):
    """Linear models on n-grams of words and of characters and on an encoder's features; a sum of words' vectors."""

    def __init__(
        self,
        material: Texts,
        takes: Ngrams,
        plan: TextPlan,
        notes: Sequence[str],
        runs: Ngrams | None = None,
        pieces: Wordpieces | None = None,
    ) -> None:
        self.material: Texts = material
        self.notes = tuple(notes)
        self.seeds = plan.seeds
        self._takes, self._plan, self._runs, self._pieces = takes, plan, runs, pieces

    def study_text(self) -> str:
        """The study as Python."""
        return text_study(self.material.kept, self._takes, self._plan, self._runs, self._pieces)

    def pretrained(self, head: CalibratedHead, settings: Settings) -> found_out.BackboneFacts | None:
        """The encoder, where the head learned from its features."""
        made = _features_of(head)
        if made is None:
            return None
        # Its weights were there when the features were made.
        obtained = published.obtain(made.backbone, settings)
        return found_out.backbone_facts(obtained, title=made.title, name=made.backbone, length=made.length)

    def _taken_by(self, head: CalibratedHead) -> Ngrams:
        """What a head is given of a text."""
        takes = head.features.dataset.training.input
        assert isinstance(takes, Ngrams)
        return takes

    def from_features(
        self,
        head: CalibratedHead,
        settings: Settings,
        progress: Progress,
    ) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
        """From the n-grams or the features that the head is given, by linear heads."""
        if _features_of(head) is not None:
            return errors_and_curve(self.material, dense_features(head.features), progress=progress)
        takes = self._taken_by(head)
        _, arrays = prepared_ngrams(self.material.kept, settings, progress, units=takes.units)
        features = sparse(rows_of(arrays, places_of(self.material)), takes.size)
        return errors_and_curve(self.material, features, by=SPARSE, progress=progress)

    def words(self, head: CalibratedHead) -> tuple[found_out.ClassWords, ...]:
        """The n-grams that add most to the logit of each class, more than to those of the others, in the mean text.

        Of an encoder's features nothing is known of all texts together.
        """
        if _features_of(head) is not None:
            return ()
        weights, takes = _centered_weights(head), self._taken_by(head)
        train = head.features.dataset.training.train
        means = np.zeros(takes.size)
        for start in range(0, len(train), 1_000):
            some = rows_of(train.inputs, slice(start, start + 1_000))
            means += np.bincount(some[NGRAMS].ravel(), some[VALUES].ravel(), minlength=len(means))
        means /= len(train)
        found = []
        for label, name in enumerate(self.material.kept.classes):
            added = means[: len(weights)] * weights[:, label]
            added[:FIRST] = 0
            best = np.argsort(-added, kind="stable")[:_WORDS]
            words = tuple(
                (takes.ngram_of(int(number)), round(float(added[number]), 4)) for number in best if added[number] > 0
            )
            found.append(found_out.ClassWords(name=name, words=words))
        return tuple(found)

    def shown(self, head: CalibratedHead, answers: Sequence[Any], settings: Settings) -> tuple[Any, ...]:
        """The same with the beginning of each text, and with the n-grams or the words that decided an answer."""
        if not answers:
            return ()
        kept = self.material.kept
        place_of = {path: place for place, path in enumerate(kept.paths)}
        texts = self.material.collection.texts([kept.contents[place_of[each.file]] for each in answers])
        changes: list[dict[str, Any]] = [{"text": _excerpt(text)} for text in texts]
        if isinstance(answers[0], found_out.Answer):
            labels = [kept.classes.index(each.answer) for each in answers]
            for change, because in zip(changes, self._decided(head, texts, labels, settings), strict=True):
                change["because"] = because
        return tuple(dataclasses.replace(each, **change) for each, change in zip(answers, changes, strict=True))

    def _decided(
        self, head: CalibratedHead, texts: Sequence[str], labels: Sequence[int], settings: Settings
    ) -> list[tuple[tuple[str, float], ...]]:
        """What of each text changes the logit of a class most, with by how much."""
        made = _features_of(head)
        if made is None:
            weights, takes = _centered_weights(head), self._taken_by(head)
            return [_because(takes, text, weights[:, label]) for text, label in zip(texts, labels, strict=True)]
        assert self._pieces is not None  # the study that trained the head has the variant
        raw = weights_of(head.model)
        return what_decides(
            pretrained_model(made, settings),
            self._pieces,
            texts,
            raw - raw.mean(axis=1, keepdims=True),
            labels,
            np.asarray(head.features.dataset.training.train.array).mean(axis=0),
            most=_BECAUSE,
        )


def _features_of(head: CalibratedHead) -> TextFeatures | None:
    """What a head learned from in the place of n-grams, or None."""
    frozen = head.features.frozen
    made = None if frozen is None else frozen.features
    assert made is None or isinstance(made, TextFeatures)
    return made


def _because(takes: Ngrams, text: str, weights: NDArray[np.float32]) -> tuple[tuple[str, float], ...]:
    """The n-grams of a text that change a class's logit most, with by how much."""
    arrays = takes.encode(text)
    numbers = arrays[NGRAMS]
    known = (numbers >= FIRST) & (numbers < len(weights))
    added = np.where(known, arrays[VALUES] * weights[np.where(known, numbers, 0)], 0)
    most = np.argsort(-np.abs(added), kind="stable")[:_BECAUSE]
    return tuple((takes.ngram_of(int(numbers[at])), round(float(added[at]), 3)) for at in most if added[at] != 0)


def _excerpt(text: str) -> str:
    words = printable(" ".join(text.split()))
    return words if len(words) <= EXCERPT else f"{words[: EXCERPT - 3]}..."


def _centered_weights(head: CalibratedHead) -> NDArray[np.float32]:
    """What each n-gram adds to the logit of each class, more than to the others: float32, shape (n-grams, classes)."""
    first, *others = (np.asarray(weights, np.float32) for weights in head.model.get_weights())
    weights = first @ others[0] if others else first
    return np.asarray(weights - weights.mean(axis=1, keepdims=True), np.float32)
