import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest
from numpy.typing import NDArray

from fortydays.data.arrays import Split, TrainingData
from fortydays.data.own.rows import rows_of
from fortydays.inputs.images import IMAGE, Images
from fortydays.registry import evaluation
from fortydays.registry.evaluation import (
    calibration_by_chance,
    calibration_error,
    cross_entropy,
    in_turn,
    measure,
    reference_graph,
    side_by_side,
    some_of,
)
from made_up_data import data_of, split_of


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    # Two images at 0.9, one of them right: a gap of 0.4. Two at 0.6, both right: a gap of 0.4 as well.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    labels = np.array([0, 1, 0, 0])

    assert calibration_error(probabilities, labels) == pytest.approx(0.4)


def test_a_model_that_is_certain_and_right_is_calibrated() -> None:
    probabilities = np.eye(4, dtype=np.float32)

    assert calibration_error(probabilities, np.arange(4)) == 0
    assert calibration_error(probabilities, np.array([1, 0, 3, 2])) == 1


def test_images_with_the_same_confidence_fall_into_one_interval() -> None:
    # The sixth of fifteen intervals is from 0.333 up to 0.4.
    probabilities = np.array([[0.35, 0.25, 0.25, 0.15], [0.21, 0.2, 0.2, 0.39]], np.float32)

    # The mean confidence is 0.37, the accuracy one half.
    assert calibration_error(probabilities, np.array([0, 1])) == pytest.approx(0.13)
    # Apart, 0.32 and 0.39 differ from their accuracies by 0.68 and 0.39.
    probabilities[0, 0] = 0.32
    assert calibration_error(probabilities, np.array([0, 1])) == pytest.approx((0.68 + 0.39) / 2)


def test_cross_entropy_is_the_mean_logarithm_and_never_infinite() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)

    assert cross_entropy(probabilities, np.array([0, 0])) == pytest.approx(np.log(2) / 2)
    assert cross_entropy(probabilities, np.array([0, 1])) == pytest.approx((np.log(2) + np.log(1e7)) / 2)


def disturbed(images: NDArray[np.uint8], change: str) -> Iterator[NDArray[np.uint8]]:
    (chosen,) = (each for each in Images(shape=images.shape[1:]).disturbances if each.change == change)
    return (way[IMAGE] for way in chosen.ways({IMAGE: images}))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_shift_moves_by_one_pixel_each_way_and_repeats_the_edge(channels: tuple[int, ...]) -> None:
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    images = np.broadcast_to(image.reshape(1, 3, 3, *(1 for _ in channels)), (1, 3, 3, *channels))

    up, down, left, right = (
        moved.reshape(3, 3, -1)[:, :, 0].tolist() for moved in disturbed(images, "shifted by one pixel")
    )

    assert up == [[3, 4, 5], [6, 7, 8], [6, 7, 8]]
    assert down == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert left == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert right == [[0, 0, 1], [3, 3, 4], [6, 6, 7]]


def test_each_image_is_changed_once_in_one_of_the_ways_in_turn() -> None:
    ways = [{IMAGE: np.full((5, 1, 1), way, np.uint8)} for way in (10, 20)]

    assert in_turn(ways)[IMAGE].ravel().tolist() == [10, 20, 10, 20, 10]


def test_brightness_changes_by_a_tenth_and_stays_within_a_byte() -> None:
    images = np.array([[[0, 100, 250]]], np.uint8)

    assert [changed.tolist() for changed in disturbed(images, "a tenth brighter or darker")] == [
        [[[0, 110, 255]]],
        [[[0, 91, 227]]],
    ]


def split(count: int) -> Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 8, 8)).astype(np.uint8)
    return split_of(images, random.integers(0, 10, count).astype(np.uint8))


def validated_on(validation: Split) -> TrainingData:
    """What nothing was trained on."""
    return data_of(validation.rows(slice(0)), validation, classes=10)


def test_of_many_large_images_as_many_are_measured_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = split(10)
    monkeypatch.setattr(evaluation, "MOST_NUMBERS", 10 * 64)
    assert some_of(whole) is whole

    monkeypatch.setattr(evaluation, "MOST_NUMBERS", 4 * 64 + 63)
    some = some_of(whole)

    # Evenly spaced, the first and the last among them.
    assert (some.array == whole.array[[0, 3, 6, 9]]).all()
    assert some.labels.tolist() == np.asarray(whole.labels)[[0, 3, 6, 9]].tolist()
    monkeypatch.setattr(evaluation, "MOST_NUMBERS", 1)
    assert len(some_of(whole)) == 1


def test_a_model_is_measured_in_parts_as_in_one_and_scattered_rows_as_an_array(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = np.random.default_rng(1).normal(0, 0.3, (64, 10)).astype(np.float32)
    content, whole = made_up_versions.onnx_of(weights), split(30)
    expected = measure(content, validated_on(whole), threads=1)
    assert 0 < expected.behaviours[0].same < 1

    monkeypatch.setattr(evaluation, "_AT_ONCE", 4)
    order = np.arange(30)[::-1]
    rows = rows_of(whole.array[order], order, file=Path("some.pixels"))
    for images in (whole.array, rows):
        found = measure(content, validated_on(Split(inputs={IMAGE: images}, labels=whole.labels)), threads=1)
        assert (found.right == expected.right).all()
        for name in ("images", "accuracy", "largest_share", "behaviours", "bytes"):
            assert getattr(found, name) == getattr(expected, name), name
        for name in ("loss", "calibration_error"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-6), name


@pytest.mark.parametrize(("room", "largest"), [(8 * 64 + 7, 8), (11 * 64, 8), (1, 4), (10**9, 256)])
def test_large_images_are_answered_a_few_at_a_time_in_whole_turns(
    monkeypatch: pytest.MonkeyPatch, room: int, largest: int
) -> None:
    weights = np.random.default_rng(1).normal(0, 0.3, (64, 10)).astype(np.float32)
    asked: list[int] = []
    real = evaluation.OnnxModel.predict

    def predict(model: Any, inputs: Any) -> Any:
        asked.append(len(inputs[IMAGE]))
        return real(model, inputs)

    monkeypatch.setattr(evaluation, "NUMBERS_AT_ONCE", room)
    monkeypatch.setattr(evaluation.OnnxModel, "predict", predict)
    measure(made_up_versions.onnx_of(weights), validated_on(split(300)), threads=1)

    assert max(asked) == largest


def test_time_is_measured_in_turns_and_interruptions_by_others_are_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, order = [0.0], list[str]()

    def takes(name: str, *seconds: float) -> Any:
        def run(turn: int) -> None:
            order.append(name)
            now[0] += seconds[turn % len(seconds)]

        return run

    monkeypatch.setattr(evaluation.clock, "cpu_seconds", lambda: now[0])
    # Neighbours that fill the caches make most of the turns slower; the least of them is the model's own.
    milliseconds, reference = side_by_side(takes("model", 0.098, 0.028, 0.060), takes("reference", 0.007, 0.002))

    assert (round(milliseconds, 6), round(reference, 6)) == (28.0, 2.0)
    assert order[:4] == ["model", "reference", "model", "reference"]


def test_time_in_which_another_program_has_the_core_is_not_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_TIMED", 3)
    milliseconds, _ = side_by_side(lambda _turn: time.sleep(0.02), lambda _turn: None)
    assert milliseconds < 20  # it did nothing but wait


def test_the_reference_graph_computes() -> None:
    (answer,) = reference_graph()()  # type: ignore[misc]
    assert answer.shape == (256, 256)
    assert float(answer.max()) == pytest.approx(1 / 256)


def of_confidence(*confidences: float) -> np.ndarray:
    return np.array([[c, *[(1 - c) / 4] * 4] for c in confidences], np.float32)


def test_an_interval_of_confidence_holds_its_upper_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "BINS", 2)
    # Both are in the lower of two: 0.5 + 0.4 expected and 1 right. Were 0.5 in the upper one, it were (0.5 + 0.4) / 2.
    assert calibration_error(of_confidence(0.5, 0.4), np.array([0, 1])) == pytest.approx(0.05)
    assert calibration_error(of_confidence(0.5, 0.6), np.array([0, 1])) == pytest.approx(0.55)
    assert calibration_error(of_confidence(1.0), np.array([0])) == 0
    # By chance: in one interval with seven others. In one of its own it would add half an answer: 0.34.
    assert calibration_by_chance(of_confidence(*[0.25] * 7, 0.5)) == pytest.approx(0.28125)
