"""Texts go the whole way that images go: trained, killed, resumed, registered, gated, bundled, served, and asked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import reviews

from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data import catalog as datasets
from fortydays.inputs.tokens import MASK, TOKENS
from fortydays.registry.bundle import make_bundle
from fortydays.registry.contents import open_bundle
from fortydays.registry.names import Reference
from fortydays.registry.package import DamagedPackageError
from fortydays.registry.promotion import promote
from fortydays.registry.registration import register
from fortydays.registry.registry import Registry, Version
from fortydays.study.runs import list_runs
from fortydays.track.store import destination, open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PRAISE, SCORN, OTHER = "A lovely film.", "the plot was AWFUL", "it was of the film"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A workspace with a finished run of the study, and the model that was registered of it."""

    settings: Settings
    evidence: dict[str, Any]
    registry: Registry
    version: Version
    evaluation: dict[str, Any]


@pytest.fixture(scope="module")
def made(keras: Any, tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Made]:
    folder, home = tmp_path_factory.mktemp("reviews"), tmp_path_factory.mktemp("home")
    shutil.copy(empty_store, home / "mlflow.db")
    settings = read_settings({"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "DATASETS", reviews.datasets_with_it(folder))
        patch.setenv(reviews.FOLDER, str(folder))
        _, evidence = reviews.run(settings)
        registry = Registry(open_store(destination(settings)))
        registered = register(reviews.__file__, registry, settings, progress=SILENT, name="reviews")
        yield Made(
            settings=settings,
            evidence=evidence,
            registry=registry,
            version=registered.version,
            evaluation=dict(registered.evaluation),
        )


@pytest.fixture(scope="module")
def bundle(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "reviews"
    make_bundle(Reference(name="reviews", version=1), folder, made.registry, made.settings)
    return folder


def test_an_lstm_with_a_mask_and_attention_learn_to_read(made: Made) -> None:
    assert {c["claim"]: c["verdict"] for c in made.evidence["claims"]} == {
        "The LSTM learns": "supported",
        "Attention learns": "supported",
    }
    cost = {name: details["multiply_adds"] for name, details in made.evidence["details"].items()}
    assert all(isinstance(each, int) and each > 0 for each in cost.values())


def test_killed_and_resumed_it_gives_the_same_bits(made: Made, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen([sys.executable, reviews.__file__, str(home)])
    settings = read_settings({"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1"})
    end = time.monotonic() + 120
    while not list(settings.runs.rglob("*checkpoint*")) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (killed,) = list_runs(settings.runs)
    assert not killed.evidence.exists()

    run, evidence = reviews.run(settings)

    assert run == killed
    assert evidence["results_digest"] == made.evidence["results_digest"]


def test_the_exported_model_answers_as_keras_does_and_passes_the_gates(made: Made) -> None:
    assert made.evaluation["onnx"]["difference"] < 1e-5
    assert [each["change"] for each in made.evaluation["behaviours"]] == ["an unknown word is added"]

    reference = Reference(name="reviews", version=1)
    outcome = promote(reference, "champion", made.registry, made.settings, progress=SILENT)

    assert [gate.gate for gate in outcome.gates if not gate.passed] == []
    assert "stable, an unknown word is added" in [gate.gate for gate in outcome.gates]


def test_the_bundle_knows_how_a_text_becomes_tokens(bundle: Path) -> None:
    opened = open_bundle(bundle, threads=1)

    assert opened.input == reviews.TEXT
    assert opened.model.signature.as_dict()["inputs"] == [
        {"name": "tokens", "datatype": "INT32", "shape": [-1, 8]},
        {"name": "mask", "datatype": "BOOL", "shape": [-1, 8]},
    ]
    assert "It takes a text of up to 8 words and gives the probability of each of 2 classes." in " ".join(
        opened.card.split()
    )
    assert sorted(opened.samples) == [0, 1]


def test_a_bundle_whose_vocabulary_was_changed_is_refused(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "changed")
    path = tmp_path / "changed" / "preprocessing.json"
    path.write_text(path.read_text().replace("awful", "aware"))

    with pytest.raises(DamagedPackageError, match=r"the content of preprocessing\.json has changed"):
        open_bundle(tmp_path / "changed", threads=1)


@pytest.fixture(scope="module")
def address(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service of the bundle answers."""
    home = tmp_path_factory.mktemp("serving")
    process = subprocess.Popen(
        [sys.executable, "-m", "fortydays", "serve", str(bundle), "--port", "0"],
        env={**os.environ, "FORTYDAYS_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        _, _, told = process.stdout.readline().partition(" answers at ")
        yield told.split()[0].removesuffix(".")
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(30)


def best(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["top"][0]["class"] for each in answer.json()["predictions"]]


def test_a_service_answers_texts_over_http(address: str) -> None:
    plain = {"content-type": "text/plain; charset=utf-8"}
    assert best(requests.post(f"{address}/predict", data=PRAISE.encode(), headers=plain, timeout=20)) == ["good"]
    assert best(requests.post(f"{address}/predict", json={"texts": [SCORN, PRAISE]}, timeout=20)) == ["bad", "good"]
    files = [("file", ("a.txt", PRAISE)), ("file", ("b.txt", SCORN))]
    assert best(requests.post(f"{address}/predict", files=files, timeout=20)) == ["good", "bad"]
    told = requests.get(f"{address}/model", timeout=20).json()
    assert told["input"] == {
        "kind": "tokens", "length": 8, "words": 15, "truncation": "end", "accepts": ["text/plain"],
    }  # fmt: skip
    sample = requests.get(f"{address}/model/samples/0", timeout=20)
    assert sample.headers["content-type"].startswith("text/plain")
    assert best(requests.post(f"{address}/predict", data=sample.content, headers=plain, timeout=20)) == ["bad"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"\xff\xfe", "text/plain", 422, "The text has no word."),
        (b"\x89PNG\r\n\x1a\n", "text/plain", 415, "It is a PNG picture; expected a text"),
        (b"zxqv qqq", "text/plain", 422, "The model knows none of the words of this text, so there is no answer."),
        (b"...", "text/plain", 422, "The text has no word."),
        (b"", "text/plain", 400, "The body is empty; expected one text file."),
        (b"a " * 600_000, "text/plain", 413, "The text has 1,200,000 characters; expected at most 1,000,000."),
        (b'{"texts": 3}', "application/json", 422, "The texts are no text and no list of texts."),
        (b'{"pixels": []}', "application/json", 422, 'The JSON has no "texts"; expected {"texts": [...]}.'),
        (b"GIF89a", "image/gif", 415, "expected text/plain, application/octet-stream for a file"),
    ],
)
def test_what_is_no_text_is_refused_with_what_is_expected(
    address: str, body: bytes, kind: str, status: int, said: str
) -> None:
    answer = requests.post(f"{address}/predict", data=body, headers={"content-type": kind}, timeout=20)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


def test_a_service_answers_tensors_of_the_inference_protocol(address: str) -> None:
    encoded = [reviews.TEXT.encode(text) for text in (PRAISE, SCORN)]
    tokens, mask = (np.stack([each[name] for each in encoded]) for name in (TOKENS, MASK))
    spelled_out = [
        {"name": "tokens", "datatype": "INT32", "shape": [2, 8], "data": tokens.tolist()},
        {"name": "mask", "datatype": "BOOL", "shape": [2, 8], "data": mask.ravel().tolist()},
    ]
    url = f"{address}/v2/models/reviews/infer"

    (output,) = requests.post(url, json={"inputs": spelled_out}, timeout=20).json()["outputs"]

    assert output["shape"] == [2, 2]
    assert np.array(output["data"]).reshape(2, 2).argmax(axis=1).tolist() == [1, 0]

    parts = [(TOKENS, "INT32", tokens.astype("<i4").tobytes()), (MASK, "BOOL", mask.tobytes())]
    inputs = [
        {"name": name, "datatype": kind, "shape": [2, 8], "parameters": {"binary_data_size": len(content)}}
        for name, kind, content in reversed(parts)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    body = head + b"".join(content for *_, content in reversed(parts))
    answer = requests.post(url, data=body, headers={"inference-header-content-length": str(len(head))}, timeout=20)
    np.testing.assert_allclose(answer.json()["outputs"][0]["data"], output["data"])

    missing = requests.post(url, json={"inputs": spelled_out[:1]}, timeout=20)
    assert missing.status_code == 400
    assert "There are other inputs than this model takes; expected 'tokens', 'mask'." in missing.text


def test_the_command_line_answers_text_files(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, text in (("a.txt", PRAISE), ("b.txt", SCORN), ("c.txt", "")):
        (folder / name).write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "fortydays", "predict", str(bundle), str(folder), "--json"],
        env={**os.environ, "FORTYDAYS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    first, second, third = json.loads(done.stdout)["predictions"]
    assert [each["top"][0]["class"] for each in (first, second)] == ["good", "bad"]
    assert third["error"] == "It is empty; expected one text file."
