"""Which labels are probably wrong: confident learning (Northcutt, Jiang and Chuang, 2021).

Each photograph is judged by a head that has not learned from it, nor from pictures that are almost the same. Where the
head finds a class in a photograph as surely as it finds it, on average, in those that bear its label, the photograph
counts as confidently of that class; how often it bears another label then says how many labels are wrong. About as
many photographs are suspect: those for which another class is most clearly more probable than their label. (The paper
counts within each class or pair of classes; here all are counted together, since a small class estimates too little
alone.) What is suspect is for a person to look at; nothing is changed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fortydays.base.progress import SILENT, Progress
from fortydays.fit.softmax_regression import DENSE, Heads, some_of_each

FOLDS = 5
"""Parts of the photographs; each is judged by a head that has learned from the others."""

FEWEST = 5
"""With fewer than this a class is not judged, and is suggested for nothing: a head learns too little of it."""

MOST_LEARNED = 30_000
"""A head learns from about this many photographs at most, of each class its share; all are judged all the same."""

_MOST_TO_CHOOSE_BY = 5_000


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A photograph, by its place among those that were judged, whose label is probably wrong.

    ``score`` is the probability of its label less that of the suggested one, from -1 to 0; the smaller, the more
    suspect.
    """

    index: int
    label: int
    suggested: int
    score: float


def find_label_errors(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    *,
    classes: int,
    groups: Sequence[int] | NDArray[np.int64] | None = None,
    by: Heads = DENSE,
    progress: Progress = SILENT,
) -> tuple[Suspect, ...]:
    """The photographs whose labels are probably wrong, the most suspect first.

    They are at most as many as labels are estimated to be wrong, and a standard error more.

    Args:
        features: float32, shape (n, channels).
        labels: shape (n,), from 0 up to ``classes``.
        classes: how many there are.
        groups: shape (n,); what has the same number is almost the same picture. Each is alone by default.
        by: how heads are trained.
        progress: told of the folds.
    """
    counts = np.bincount(labels, minlength=classes)
    large = counts >= FEWEST
    judged = np.flatnonzero(large[labels])
    if not len(judged):
        return ()
    probabilities = out_of_sample(features, labels, classes=classes, groups=groups, by=by, progress=progress)
    thresholds = np.full(classes, np.inf)
    for label in np.flatnonzero(large):
        thresholds[label] = probabilities[labels == label, label].mean(dtype=np.float64)
    estimated = _estimate(probabilities[judged], labels[judged], thresholds, counts)
    # A count is uncertain by its square root: rather a few false alarms more than a wrong label less.
    most = math.ceil(estimated + math.sqrt(estimated) - 1e-9)
    return tuple(_ranked(probabilities, labels, judged, large)[:most])


def out_of_sample(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    *,
    classes: int,
    groups: Sequence[int] | NDArray[np.int64] | None = None,
    by: Heads = DENSE,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """For each photograph the probabilities of a head that has not learned from its group: float32, (n, classes).

    The arguments are those of :func:`find_label_errors`; one class has :data:`FOLDS` photographs at least. Where a
    group leaves no others to learn from, every class is as probable as every other.
    """
    random, spread, task = np.random.default_rng(0), 0.0, "Looking for wrong labels"
    fold = _folds(labels, np.arange(len(labels)) if groups is None else np.asarray(groups), random)
    found = np.full((len(labels), classes), 1 / classes, np.float32)
    parts = np.unique(fold)
    if len(parts) < 2:
        return found
    progress.start(task, total=float(len(parts)), unit="folds")
    for done, part in enumerate(parts, start=1):
        inside, others = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
        if not spread:
            few = _at_most(_MOST_TO_CHOOSE_BY, labels, others, random)
            spread = by.choose_spread(features, labels, few, inside, classes=classes)
        rows = _at_most(MOST_LEARNED, labels, others, random)
        found[inside] = by.learned(features, labels, rows, features[inside], classes=classes, spread=spread)
        progress.advance(task, done=float(done))
    progress.finish(task)
    return found


def _folds(
    labels: NDArray[np.intp], groups: NDArray[np.int64] | NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.int8]:
    """The fold of each photograph: groups stay whole, and each class is divided as evenly as they allow.

    scikit-learn's StratifiedGroupKFold takes forty times as long where each photograph is a group.
    """
    fold = np.zeros(len(labels), np.int8)
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    counts, totals = np.zeros((FOLDS, int(labels.max(initial=0)) + 1), np.intp), np.zeros(FOLDS, np.intp)
    shuffled = random.permutation(len(starts))
    # The largest first, while there is room to make up for them.
    for place in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        members = order[starts[place] : starts[place] + sizes[place]]
        label = labels[members[0]]
        part = min(range(FOLDS), key=lambda each: (counts[each, label], totals[each]))
        fold[members] = part
        totals[part] += len(members)
        np.add.at(counts[part], labels[members], 1)
    return fold


def _at_most(
    most: int, labels: NDArray[np.intp], rows: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.intp]:
    return rows if len(rows) <= most else some_of_each(labels, rows, most / len(rows), random)


def _estimate(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.intp],
    thresholds: NDArray[np.float64],
    counts: NDArray[np.intp],
) -> float:
    """How many labels are wrong, if of each label the same share is as among those that count in the joint.

    In the confident joint, a photograph counts for the most probable of the classes whose thresholds it reaches.
    """
    joint = np.zeros((len(thresholds), len(thresholds)), np.intp)
    reached = np.where(probabilities >= thresholds, probabilities, -1)
    counted = reached.max(axis=1) >= 0
    np.add.at(joint, (labels[counted], reached[counted].argmax(axis=1)), 1)
    totals = joint.sum(axis=1)
    shares = 1 - np.diag(joint) / np.maximum(totals, 1)
    return float((shares * counts)[totals > 0].sum())


def _ranked(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.intp],
    judged: NDArray[np.intp],
    large: NDArray[np.bool_],
) -> list[Suspect]:
    """The photographs for which another class is more probable than their label, by how much more."""
    rows = np.arange(len(judged))
    others = np.where(large, probabilities[judged], -1)
    others[rows, labels[judged]] = -1
    other = others.argmax(axis=1)
    mine, theirs = probabilities[judged, labels[judged]], others[rows, other]
    found = [
        Suspect(
            index=int(judged[row]),
            label=int(labels[judged[row]]),
            suggested=int(other[row]),
            score=float(mine[row]) - float(theirs[row]),
        )
        for row in np.flatnonzero(theirs > mine)
    ]
    return sorted(found, key=lambda each: (each.score, each.index))
