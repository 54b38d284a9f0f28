"""The sample of each class that the service gives, and what it says of what its model has learned from."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import requests
from made_up_bundles import bundle, served, text_bundle
from PIL import Image

from fortydays.inputs.tokens import Tokens
from fortydays.registry.contents import LONGEST_SAMPLE, open_bundle
from fortydays.registry.package import DamagedPackageError, seal

TEXT = Tokens(length=4, vocabulary=("good", "bad"), masked=True)
GOODNESS = {"good": 1.0, "bad": -1.0}


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


def test_samples_of_a_model_of_texts_are_texts_where_the_bundle_has_them(tmp_path: Path) -> None:
    text_bundle(
        tmp_path / "one", TEXT, GOODNESS, texts={"0": "A bad\nfilm, caf\u00e9 \U0001f600.", "1": "Quite good!"}
    )
    with served(tmp_path / "one") as running:
        told = requests.get(f"{running.address}/model", timeout=10).json()
        assert (told["samples"], told["samples_are_texts"]) == (["bad", "good"], True)
        answer = requests.get(f"{running.address}/model/samples/0", timeout=10)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.content.decode() == "A bad\nfilm, caf\u00e9 \U0001f600."
        assert requests.get(f"{running.address}/model/samples/1", timeout=10).text == "Quite good!"


def test_without_texts_samples_are_the_words_that_the_model_sees(tmp_path: Path) -> None:
    text_bundle(tmp_path / "one", TEXT, GOODNESS)
    with served(tmp_path / "one") as running:
        assert requests.get(f"{running.address}/model", timeout=10).json()["samples_are_texts"] is False
        assert requests.get(f"{running.address}/model/samples/1", timeout=10).text == "good"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "has no texts of at most 20 classes"),
        ({"2": "a"}, "has a text of a class that the model does not have"),
        ({"x": "a"}, "has a text of a class that the model does not have"),
        ({"0": ""}, "has a text that is none of 1 to 20,000 characters"),
        ({"0": "a" * (LONGEST_SAMPLE + 1)}, "has a text that is none of 1 to 20,000 characters"),
        ({"0": 3}, "has a text that is none of 1 to 20,000 characters"),
    ],
)
def test_a_bundle_whose_samples_are_none_is_refused(texts: object, said: str, tmp_path: Path) -> None:
    text_bundle(tmp_path / "one", TEXT, GOODNESS, texts=texts)
    with pytest.raises(DamagedPackageError, match=f"samples.json {said}"):
        open_bundle(tmp_path / "one", threads=1)


def test_the_encoding_in_which_a_text_was_read_is_told(tmp_path: Path) -> None:
    text_bundle(tmp_path / "one", TEXT, GOODNESS)
    said = "Caf\u00e9, good"
    with served(tmp_path / "one") as running:
        for encoding, told in (("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "cp1252")):
            answer = requests.post(
                f"{running.address}/predict",
                data=said.encode(encoding),
                headers={"content-type": "text/plain"},
                timeout=10,
            ).json()
            (prediction,) = answer["predictions"]
            assert (prediction["top"][0]["class"], prediction["encoding"]) == ("good", told)
        files = [("file", (f"{n}.txt", said.encode(n), "text/plain")) for n in ("cp1252", "utf-8")]
        several = requests.post(f"{running.address}/predict", files=files, timeout=10).json()["predictions"]
        assert [each["encoding"] for each in several] == ["cp1252", "UTF-8"]
        spelled = requests.post(f"{running.address}/predict", json={"texts": [said]}, timeout=10).json()
        assert "encoding" not in spelled["predictions"][0]
