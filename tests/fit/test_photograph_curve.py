"""Whether more photographs would help: where the answer is known, it is given, and where not, none is."""

import numpy as np
import pytest
from made_up_features import clouds
from numpy.typing import NDArray

from fortydays.fit.learning_curve import (
    FLAT,
    MORE,
    UNKNOWN,
    CurvePoint,
    LearningCurve,
    PowerLaw,
    Prediction,
    curve_of,
    measure_learning_curve,
)

SIZES = (100, 200, 400, 800, 1600)


def answers(accuracies: list[float], *, validated: int, draws: int = 5) -> list[NDArray[np.bool_]]:
    """Answers of which so many are right: the easiest photographs, the same in every draw but one or two."""
    found = []
    for accuracy in accuracies:
        right = np.tile(np.arange(validated) < round(accuracy * validated), (draws, 1))
        found.append(right)
    found[-1] = found[-1][:1]
    return found


def test_a_power_law_is_found_again_and_extended_to_twice_as_many() -> None:
    law = PowerLaw(limit=0.95, factor=4.0, exponent=0.5)

    curve = curve_of(SIZES, answers([law.at(n) for n in SIZES], validated=5_000))

    assert curve.law is not None
    assert curve.law.limit == pytest.approx(0.95, abs=0.005)
    assert curve.law.exponent == pytest.approx(0.5, abs=0.051)
    assert curve.twice is not None
    assert curve.twice.images == 3200
    assert curve.twice.accuracy == pytest.approx(law.at(3200), abs=0.003)
    assert curve.twice.low < curve.twice.gain < curve.twice.high
    assert curve.verdict == MORE
    assert curve.sentence.startswith(
        "Twice as many photographs to learn from would probably raise the accuracy from 85.0% to about 87.9% (a gain "
    )


def test_a_curve_that_has_stopped_rising_is_flat() -> None:
    curve = curve_of(SIZES, answers([0.8, 0.88, 0.9, 0.9, 0.9], validated=1000))

    assert curve.verdict == FLAT
    assert curve.sentence.startswith("The curve is flat: more photographs alone will not help. The accuracy is 90.0%")


def test_what_is_all_right_cannot_become_better() -> None:
    curve = curve_of(SIZES, answers([1.0] * 5, validated=100))

    assert (curve.verdict, curve.twice and curve.twice.accuracy) == (FLAT, 1.0)
    assert curve.sentence.endswith("would probably change it by 0.0 to 0.0 points.")


def test_no_law_goes_beyond_all_right() -> None:
    # By the same step for each doubling: a law without a bound would end above 1.
    curve = curve_of(SIZES, answers([0.59, 0.69, 0.79, 0.89, 0.99], validated=1000))

    assert curve.law is not None
    assert curve.law.limit <= 1.0
    assert curve.twice is not None
    assert curve.twice.accuracy <= 1.0
    assert curve.twice.high <= 0.02


def test_noise_of_few_validation_photographs_is_no_answer() -> None:
    random = np.random.default_rng(0)
    right = [random.random((draws, 60)) < 0.75 for draws in (5, 5, 5, 5, 1)]

    curve = curve_of(SIZES, right)

    assert curve.verdict == UNKNOWN
    assert curve.sentence.startswith("There are too few photographs to tell whether more would help: the accuracy is ")


@pytest.mark.parametrize(("sizes", "validated"), [(3, 1000), (5, 49)])
def test_too_few_points_or_validation_photographs_have_no_law(sizes: int, validated: int) -> None:
    curve = curve_of(SIZES[-sizes:], answers([0.6, 0.7, 0.8, 0.85, 0.9][-sizes:], validated=validated))

    assert (curve.law, curve.twice, curve.verdict) == (None, None, UNKNOWN)
    assert curve.sentence == "There are too few photographs to tell whether more would help."
    assert curve.points[-1].accuracy == pytest.approx(0.9, abs=0.01)


def test_the_interval_of_a_point_is_as_wide_as_its_validation_photographs_are_few() -> None:
    few = curve_of(SIZES, answers([0.5] * 5, validated=100)).points[0]
    many = curve_of(SIZES, answers([0.5] * 5, validated=2500)).points[0]

    # 1.96 standard errors of a share of one half are 9.8 and 1.96 points.
    assert (few.high - few.low) / 2 == pytest.approx(0.098, abs=0.012)
    assert (many.high - many.low) / 2 == pytest.approx(0.0196, abs=0.003)


def test_draws_that_differ_widen_the_interval() -> None:
    alike = answers([0.5] * 5, validated=2500)
    unlike = [*alike]
    unlike[0] = np.stack([np.arange(2500) < share * 2500 for share in (0.3, 0.4, 0.5, 0.6, 0.7)])

    first, second = curve_of(SIZES, alike).points[0], curve_of(SIZES, unlike).points[0]

    assert second.accuracy == pytest.approx(first.accuracy)
    assert second.high - second.low > 3 * (first.high - first.low)


def test_heads_that_learn_from_more_photographs_are_better_and_more_of_them_would_help() -> None:
    features, labels = clouds(160, classes=4, apart=3.0, channels=32)
    validation, validation_labels = clouds(250, classes=4, apart=3.0, channels=32, draw=1)

    curve = measure_learning_curve(features, labels, validation, validation_labels, classes=4)

    assert [(point.images, point.draws) for point in curve.points] == [(40, 5), (80, 5), (160, 5), (320, 5), (640, 1)]
    assert curve.points[0].accuracy < curve.points[2].accuracy < curve.points[4].accuracy
    assert curve.validated == 1000


def test_shares_with_less_than_two_of_a_class_are_left_out() -> None:
    features, labels = clouds(8, classes=3, apart=6.0)

    curve = measure_learning_curve(features, labels, features, labels, classes=3)

    assert [point.images for point in curve.points] == [6, 12, 24]
    assert curve.verdict == UNKNOWN
    assert curve == measure_learning_curve(features, labels, features, labels, classes=3)


def test_one_photograph_of_each_class_is_a_curve_of_one_point() -> None:
    features, labels = clouds(1, classes=2, apart=8.0)

    curve = measure_learning_curve(features, labels, features, labels, classes=2)

    assert [point.images for point in curve.points] == [2]


def test_as_json_it_has_points_law_and_sentence() -> None:
    curve = LearningCurve(
        points=(CurvePoint(images=10, accuracy=0.8, low=0.75, high=0.85, draws=1),),
        validated=200,
        law=PowerLaw(limit=0.9, factor=1.0, exponent=1.0),
        twice=Prediction(images=20, accuracy=0.85, gain=0.05, low=0.01, high=0.09),
        verdict=MORE,
    )

    assert curve.as_dict() == {
        "points": [{"images": 10, "accuracy": 0.8, "low": 0.75, "high": 0.85, "draws": 1}],
        "validated": 200,
        "noun": "photograph",
        "law": {"limit": 0.9, "factor": 1.0, "exponent": 1.0},
        "twice": {"images": 20, "accuracy": 0.85, "gain": 0.05, "low": 0.01, "high": 0.09},
        "verdict": "more",
        "sentence": "Twice as many photographs to learn from would probably raise the accuracy from 80.0% to about "
        "85.0% (a gain of 1.0 to 9.0 points).",
    }
