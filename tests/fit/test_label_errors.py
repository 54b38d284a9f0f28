"""Wrong labels that were planted are found, and others are left in peace."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_up_features import clouds
from numpy.typing import NDArray

from fortydays.fit import label_errors
from fortydays.fit.label_errors import FEWEST, find_label_errors, out_of_sample
from fortydays.fit.softmax_regression import DENSE, SPREADS, choose_spread, learned, some_of_each

CLASSES = 6


def planted(seed: int, *, apart: float = 6.0) -> tuple[NDArray[np.float32], NDArray[np.intp], dict[int, int]]:
    """Features of 6 classes of 60, labels of which 10 are wrong, and the true label of each of these."""
    features, labels = clouds(60, classes=CLASSES, apart=apart, seed=seed)
    features[:, 3] = 7.0  # a channel that is the same in every photograph does no harm
    random = np.random.default_rng(seed)
    places = random.choice(len(labels), 10, replace=False)
    true = {int(place): int(labels[place]) for place in places}
    labels[places] = (labels[places] + random.integers(1, CLASSES, len(places))) % CLASSES
    return features, labels, true


@pytest.mark.parametrize("seed", range(2))
def test_planted_errors_are_found_with_the_class_they_are_of(seed: int) -> None:
    features, labels, true = planted(seed)

    found = find_label_errors(features, labels, classes=CLASSES)

    suspects = {each.index: each for each in found}
    hits = suspects.keys() & true.keys()
    assert len(hits) >= 8
    assert len(suspects) - len(hits) <= 10
    assert all(suspects[place].suggested == true[place] and suspects[place].label == labels[place] for place in hits)
    # The first half of the list is all but free of false alarms.
    assert sum(each.index in true for each in found[:5]) >= 4
    # At most the 15 that are estimated at the most, and their standard error.
    assert len(suspects) <= 19


def test_the_most_suspect_come_first_and_scores_are_the_margin() -> None:
    features, labels, _ = planted(0)

    suspects = find_label_errors(features, labels, classes=CLASSES)
    probabilities = out_of_sample(features, labels, classes=CLASSES)

    assert [each.score for each in suspects] == sorted(each.score for each in suspects)
    for each in suspects:
        # The same photographs give the same answer, to the bit.
        assert each.score == probabilities[each.index, each.label] - float(probabilities[each.index].max())
        assert -1 <= each.score < 0


def test_where_every_label_is_right_hardly_any_is_suspect() -> None:
    features, labels = clouds(60, classes=CLASSES, apart=8.0)

    found = find_label_errors(features, labels, classes=CLASSES)

    assert len(found) <= 2


def test_a_wrong_label_shared_by_near_duplicates_is_not_learned_from_one_to_excuse_the_other() -> None:
    features, labels = clouds(20, classes=3, apart=8.0)
    # Five almost equal pictures of class 0, all of them labelled 2.
    again = features[0] + 0.01 * np.random.default_rng(1).normal(size=(5, features.shape[1]))
    features = np.concatenate([features, again.astype(np.float32)])
    labels = np.concatenate([labels, [2] * 5])
    groups = np.concatenate([np.arange(60), [0] * 5])
    groups[0] = 99

    together = out_of_sample(features, labels, classes=3, groups=groups)
    apart = out_of_sample(features, labels, classes=3)

    assert together[-5:, 0].min() > 0.5
    assert apart[-5:, 2].mean() > together[-5:, 2].mean() + 0.1
    suspects = find_label_errors(features, labels, classes=3, groups=groups)
    assert {each.index for each in suspects} >= set(range(60, 65))


def test_a_class_too_small_to_be_judged_is_neither_suspected_nor_suggested() -> None:
    features, labels = clouds(20, classes=4, apart=8.0)
    keep = np.flatnonzero((labels != 3) | (np.arange(len(labels)) >= len(labels) - (FEWEST - 1)))
    features, labels = features[keep], labels[keep].copy()
    labels[0] = 1
    # Two photographs that look like those of the small class.
    features[[30, 50]] = features[[-1, -2]]

    found = find_label_errors(features, labels, classes=4)

    assert (0, 1, 0) in [(each.index, each.label, each.suggested) for each in found]
    assert all(3 not in (each.label, each.suggested) for each in found)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_next_to_nothing_nothing_is_said(count: int) -> None:
    found = find_label_errors(np.ones((count, 3), np.float32), np.arange(count), classes=2)

    assert found == ()


def test_many_photographs_are_learned_from_in_part_and_all_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "MOST_LEARNED", 90)
    counts = []

    def counted(features: Any, labels: Any, rows: Any, *asked: Any, **more: Any) -> Any:
        counts.append(len(rows))
        return learned(features, labels, rows, *asked, **more)

    features, labels, true = planted(0)

    found = find_label_errors(features, labels, classes=CLASSES, by=dataclasses.replace(DENSE, learned=counted))

    assert counts and all(85 <= count <= 95 for count in counts)
    assert len({each.index for each in found} & true.keys()) >= 6


def test_the_head_is_at_the_optimum_that_can_be_worked_out_by_hand() -> None:
    # One channel, at -1 and 1; by symmetry the weights are w and -w, and the bias is none. At the optimum the slope of
    # the loss, n p(wrong), is that of the prior, 2 w / spread^2 / 2 for each of the two.
    features, labels = np.array([[-1], [1]] * 50, np.float32), np.array([0, 1] * 50)

    found = learned(features, labels, np.arange(100), features[:2], classes=2, spread=1.0)

    wrong = float(found[0, 1])
    assert found[1, 0] == pytest.approx(wrong, rel=1e-3)
    assert 100 * wrong == pytest.approx(np.log((1 - wrong) / wrong) / 2, rel=0.02)


def test_two_classes_are_judged_alike_whether_or_not_a_third_exists() -> None:
    features, labels = clouds(50, classes=2, apart=1.0, channels=8)
    few = np.concatenate([features, np.zeros((1, 8), np.float32)])

    two = learned(features, labels, np.arange(100), features, classes=2, spread=1.0)
    three = learned(few, np.append(labels, 2), np.arange(101), features, classes=3, spread=1.0)

    assert three[:, :2] / three[:, :2].sum(axis=1, keepdims=True) == pytest.approx(two, abs=0.05)


def test_a_class_that_was_not_learned_has_no_probability_and_one_alone_has_all() -> None:
    features, labels = clouds(20, classes=3, apart=4.0)

    without = learned(features, labels, np.flatnonzero(labels != 1), features, classes=3, spread=1.0)
    alone = learned(features, labels, np.flatnonzero(labels == 2), features, classes=3, spread=1.0)

    assert without[:, 1].max() == 0
    assert without.sum(axis=1) == pytest.approx(np.ones(60))
    assert alone.tolist() == [[0, 0, 1]] * 60


def test_features_need_not_be_standardised_and_stay_as_they_are() -> None:
    features, labels = clouds(50, classes=3, apart=4.0, channels=8)
    rows = np.arange(len(labels))
    moved = features * np.float32(50) + np.float32(1000)
    before = moved.copy()

    plain = learned(features, labels, rows, features, classes=3, spread=2.0)
    far = learned(moved, labels, rows, moved, classes=3, spread=2.0)

    assert far == pytest.approx(plain, abs=0.02)
    assert np.array_equal(moved, before)


def test_overlapping_classes_get_a_smoother_head_than_clear_ones() -> None:
    chosen = []
    for apart in (1.0, 12.0):
        features, labels = clouds(60, classes=3, apart=apart)
        rows = np.arange(len(labels))
        chosen.append(choose_spread(features, labels, rows[rows % 5 > 0], rows[rows % 5 == 0], classes=3))

    assert SPREADS[0] <= chosen[0] < chosen[1]


def test_smaller_shares_lie_in_larger_ones_and_each_class_has_its_share() -> None:
    labels = np.array([0] * 40 + [1] * 8 + [2])
    rows = np.arange(len(labels))

    quarter, half = (some_of_each(labels, rows, share, np.random.default_rng(7)) for share in (0.25, 0.5))

    assert set(quarter) < set(half)
    assert np.bincount(labels[quarter]).tolist() == [10, 2, 1]
    assert np.bincount(labels[half]).tolist() == [20, 4, 1]
