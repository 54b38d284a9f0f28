"""The sample of each class that the service gives, and what it says of what its model has learned from."""

import io
import json
from pathlib import Path

import numpy as np
import requests
from made_up_bundles import bundle, served
from PIL import Image

from fortydays.registry.package import seal


def test_a_sample_of_each_class_can_be_had_and_is_answered_as_it_was_registered(tmp_path: Path) -> None:
    bundle(tmp_path / "one", labels=(5, 3))  # the second golden image has the bright pixel that means a 3
    with served(tmp_path / "one") as running:
        assert requests.get(f"{running.address}/model", timeout=10).json()["samples"] == ["3", "5"]
        answer = requests.get(f"{running.address}/model/samples/0", timeout=10)
        assert answer.headers["content-type"] == "image/png"
        pixels = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert pixels.shape == (8, 8)
        assert np.argwhere(pixels).tolist() == [[0, 0]]
        predicted = requests.post(
            f"{running.address}/predict", data=answer.content, headers={"content-type": "image/png"}, timeout=10
        )
        assert predicted.json()["predictions"][0]["top"][0]["class"] == "3"
        for wrong in ("2", "-1", "one", "99999", "²"):
            refused = requests.get(f"{running.address}/model/samples/{wrong}", timeout=10)
            assert refused.status_code == 404
            assert refused.json()["error"]["message"] == "There is no such sample; there are 2, counted from 0."


def test_an_older_bundle_has_no_samples(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    with served(tmp_path / "one") as running:
        told = requests.get(f"{running.address}/model", timeout=10).json()
        assert (told["samples"], told["learned_from"]) == ([], None)
        assert requests.get(f"{running.address}/model/samples/0", timeout=10).status_code == 404


def test_what_a_model_has_learned_from_is_told_where_its_lineage_tells_it(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    bundle(folder)
    for dataset, expected in (
        ({"name": "mnist", "train": 55000}, {"dataset": "mnist", "images": 55000}),
        ({"name": "own:pets@0123456789ab", "train": 90}, {"dataset": "pets", "images": 90}),
        ({"name": "mnist", "train": True}, None),
        ({"name": ["mnist"], "train": 5}, None),
    ):
        (folder / "lineage.json").write_text(json.dumps({"schema_version": 1, "dataset": dataset}))
        seal(folder, kind="bundle", facts={"name": "digits", "version": 1})
        with served(folder) as running:
            assert requests.get(f"{running.address}/model", timeout=10).json()["learned_from"] == expected
