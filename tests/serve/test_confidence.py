"""Answers that are marked as unknown: where a bundle says how to tell, and nowhere else."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from made_up_bundles import CONFIDENCE, Running, bundle, served
from PIL import Image

from fortydays.registry.contents import Confidence, open_bundle
from fortydays.registry.package import DamagedPackageError

KNOWN, UNKNOWN = [[255] + [0] * 7, *[[0] * 8] * 7], [[0] * 8] * 8
"""The model is sure of an image whose first pixel is bright, and gives every class a tenth of any other."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bundles")
    bundle(folder / "one", confidence=CONFIDENCE)
    bundle(folder / "two", version=2)
    with served(folder / "one", shadow=folder / "two") as found:
        yield found


def png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def predictions(running: Running, pixels: Any) -> list[dict[str, Any]]:
    answer = requests.post(f"{running.address}/predict?top=1", json={"pixels": pixels}, timeout=10)
    return list(answer.json()["predictions"])


def test_a_bundle_tells_its_threshold_and_how_often_that_is_wrong(tmp_path: Path) -> None:
    bundle(tmp_path / "with", confidence=CONFIDENCE)
    bundle(tmp_path / "without")

    opened = open_bundle(tmp_path / "with", threads=1)

    assert opened.confidence == Confidence(temperature=1.5, unknown_below=0.4, false_alarms=0.05, images=367)
    assert opened.unknown_below == 0.4
    assert open_bundle(tmp_path / "without", threads=1).unknown_below is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, r"confidence\.json has another schema version than 1"),
        ({"temperature": 0}, r"temperature in confidence\.json is no number from 0\.001 to 1000"),
        ({"temperature": "1.5"}, r"temperature in confidence\.json is no number"),
        ({"unknown_below": 1.01}, r"unknown_below in confidence\.json is no number from 0 to 1"),
        ({"unknown_below": -0.1}, r"unknown_below in confidence\.json is no number from 0 to 1"),
        ({"unknown_below": float("nan")}, r"unknown_below in confidence\.json is no number"),
        ({"unknown_below": None}, r"unknown_below in confidence\.json is no number"),
        ({"false_alarms": True}, r"false_alarms in confidence\.json is no number"),
        ({"images": 0}, r"images in confidence\.json is no number from 1 to 1e\+09"),
        ({"images": 3.5}, r"images in confidence\.json is no whole number"),
    ],
)
def test_a_bundle_with_a_threshold_that_cannot_be_one_is_none(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    bundle(tmp_path / "one", confidence={**CONFIDENCE, **changes})
    with pytest.raises(DamagedPackageError, match=f"is no bundle: {message}"):
        open_bundle(tmp_path / "one", threads=1)


@pytest.mark.parametrize("document", [[], {}, "x"])
def test_a_bundle_whose_threshold_is_no_document_is_none(tmp_path: Path, document: Any) -> None:
    bundle(tmp_path / "one", confidence=document)
    with pytest.raises(DamagedPackageError, match=r"is no bundle: confidence\.json"):
        open_bundle(tmp_path / "one", threads=1)


def test_an_answer_says_whether_it_is_unknown(running: Running) -> None:
    known, unknown = predictions(running, [KNOWN, UNKNOWN])

    assert known == {"top": [{"class": "3", "index": 3, "probability": pytest.approx(0.998891)}], "unknown": False}
    assert unknown == {"top": [{"class": "0", "index": 0, "probability": pytest.approx(0.1)}], "unknown": True}
    answer = requests.post(f"{running.address}/predict", data=png(UNKNOWN), timeout=10)
    assert answer.json()["predictions"][0]["unknown"] is True


def test_what_is_exactly_at_the_threshold_is_known(tmp_path: Path) -> None:
    tenth = float(np.float32(0.1))  # a little above 0.1
    for name, below in (("at", tenth), ("above", np.nextafter(tenth, 1))):
        bundle(tmp_path / name, confidence={**CONFIDENCE, "unknown_below": float(below)})
        with served(tmp_path / name) as running:
            (found,) = predictions(running, UNKNOWN)
        assert found["unknown"] is (name == "above")


def test_where_nothing_was_measured_no_answer_says_anything_of_it(running: Running) -> None:
    second = requests.post(f"{running.address}/compare", data=png(UNKNOWN), timeout=10).json()

    assert second["version"] == 2
    assert set(second["predictions"][0]) == {"top"}


def test_the_model_tells_its_threshold(running: Running, tmp_path: Path) -> None:
    told = requests.get(f"{running.address}/model", timeout=10).json()["confidence"]
    assert told == {"temperature": 1.5, "unknown_below": 0.4, "false_alarms": 0.05, "images": 367}

    bundle(tmp_path / "one")
    with served(tmp_path / "one") as other:
        assert requests.get(f"{other.address}/model", timeout=10).json()["confidence"] is None


def test_the_inference_protocol_gives_what_it_always_gave(running: Running) -> None:
    tensor = {"name": "image", "shape": [1, 8, 8], "datatype": "UINT8", "data": UNKNOWN}
    answer = requests.post(f"{running.address}/v2/models/digits/infer", json={"inputs": [tensor]}, timeout=10).json()

    assert set(answer) == {"model_name", "model_version", "outputs"}
    assert "unknown" not in json.dumps(answer)


def test_unknown_answers_are_counted_by_version(tmp_path: Path) -> None:
    bundle(tmp_path / "one", confidence=CONFIDENCE)
    with served(tmp_path / "one") as running:
        predictions(running, KNOWN)
        before = requests.get(f"{running.address}/metrics", timeout=10).text
        predictions(running, [UNKNOWN, KNOWN, UNKNOWN])
        after = requests.get(f"{running.address}/metrics", timeout=10).text

    assert 'fortydays_unknown_answers_total{version="1"} 0.0' in before
    assert 'fortydays_unknown_answers_total{version="1"} 2.0' in after
