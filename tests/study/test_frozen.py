"""Pretrained networks as files: built once, told when damaged, and what Keras itself makes of images."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tiny_frozen
from tiny_frozen import FEATURES
from tiny_study import Watch
from tiny_study import settings as settings_in

from fortydays.base import files
from fortydays.base.errors import DataError, FortydaysError, StorageError
from fortydays.base.settings import Settings
from fortydays.data import weights as published
from fortydays.data.weights import Obtained
from fortydays.study import frozen as networks
from fortydays.study.frozen import frozen_network, load_weights, whole_model

IMAGE = (4, 5, 3)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "home")


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SHA-256 of the weights that are found, one element."""
    found = ["ab" * 32]
    monkeypatch.setattr(
        published, "obtain", lambda *_: Obtained(path=Path("w.h5"), form="keras", sha256=found[0], source="a shelf")
    )
    return found


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was asked to be built; in its place comes the tiny network."""
    asked: list[dict[str, Any]] = []

    def export(_module: str, request: dict[str, Any], _scratch: Path, *, title: str) -> None:
        asked.append(request)
        path, content = Path(request["onnx"]), tiny_frozen.onnx_of(tuple(request["shape"]))
        files.write_bytes(path, content)
        facts = {"sha256": files.sha256_of_bytes(content), "parameters": 12, "multiply_adds": 34}
        files.write_json(path.with_suffix(".json"), facts)

    monkeypatch.setattr(networks, "export_elsewhere", export)
    return asked


RANDOM = dataclasses.replace(FEATURES, pretrained=False)


@pytest.fixture(scope="module")
def backbone(keras: Any) -> Any:
    """The smallest one with random weights; no test changes them."""
    return networks._network(RANDOM)


def test_a_network_is_built_once_for_each_thing_that_it_is_made_of(
    settings: Settings, weights: list[str], built: list[dict[str, Any]]
) -> None:
    progress = Watch()
    first = frozen_network(FEATURES, IMAGE, settings, progress)
    again = frozen_network(FEATURES, IMAGE, settings, progress)

    assert first == again
    assert len(built) == 1
    assert progress.said == ["Preparing MobileNetV2, width 0.35"]
    assert (first.weights, first.parameters, first.multiply_adds) == ("ab" * 32, 12, 34)
    assert first.path.parent == settings.workspace / "backbones"
    keys = {first.key}
    for changes in ({"side": 64}, {"before_last_block": True}, {"backbone": "mobilenetv2-1.0"}):
        keys.add(frozen_network(dataclasses.replace(FEATURES, **changes), IMAGE, settings).key)
    keys.add(frozen_network(FEATURES, (4, 6, 3), settings).key)
    weights[0] = "cd" * 32
    keys.add(frozen_network(FEATURES, IMAGE, settings).key)
    assert len(keys) == len(built) == 6


def test_what_an_export_leaves_when_it_is_killed_goes_at_the_next_start(
    settings: Settings, weights: list[str], built: list[dict[str, Any]]
) -> None:
    left = settings.workspace / "backbones" / ".export.abc.part"
    left.mkdir(parents=True)
    (left / ".0123.onnx.xyz.part").write_bytes(b"half")

    found = frozen_network(FEATURES, IMAGE, settings)

    assert Path(built[0]["onnx"]).parent.name.startswith(".export.")  # nothing is written beside the finished ones
    assert sorted(each.suffix for each in found.path.parent.iterdir()) == [".json", ".lock", ".onnx"]


def test_random_weights_need_no_file(
    settings: Settings, built: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> Obtained:
        raise AssertionError("nothing is looked for")

    monkeypatch.setattr(published, "obtain", none)

    found = frozen_network(dataclasses.replace(FEATURES, pretrained=False), IMAGE, settings)

    assert (found.weights, built[0]["path"]) == ("", "")
    assert found.title == "MobileNetV2, width 0.35 with random weights"


def test_weights_that_cannot_be_had_are_told_with_every_place(settings: Settings) -> None:
    with pytest.raises(DataError) as refused:
        frozen_network(FEATURES, IMAGE, settings)

    assert refused.value.message == (
        "Could not get the weights of 'mobilenetv2-0.35' from any place.\n"
        "  - storage.googleapis.com: not tried, because FORTYDAYS_OFFLINE is set"
    )
    assert "and set FORTYDAYS_MIRROR=FOLDER" in refused.value.hint


def test_a_damaged_network_is_removed_and_made_again(
    settings: Settings, weights: list[str], built: list[dict[str, Any]]
) -> None:
    path = frozen_network(FEATURES, IMAGE, settings).path
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(StorageError) as refused:
        frozen_network(FEATURES, IMAGE, settings)

    assert refused.value.message == f"{path} was damaged, and is removed."
    assert refused.value.hint == "Run the command again; it is made anew."
    assert frozen_network(FEATURES, IMAGE, settings).path == path
    assert len(built) == 2


def test_weights_that_do_not_fit_are_named(backbone: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"

    for form, content in (("keras", b"no HDF5"), ("torch", b"no checkpoint")):
        path.write_bytes(content)
        with pytest.raises(FortydaysError) as refused:
            load_weights(backbone, path, form)
        assert refused.value.message.startswith(f"The weights in {path} do not fit the network: ")


def test_another_seed_gives_other_random_weights_and_the_first_is_not_told() -> None:
    assert "seed" not in RANDOM.as_dict()
    assert dataclasses.replace(RANDOM, seed=2).as_dict() == {**RANDOM.as_dict(), "seed": 2}
    assert type(RANDOM)(**dataclasses.replace(RANDOM, seed=2).as_dict()) == dataclasses.replace(RANDOM, seed=2)


def test_random_weights_are_always_the_same_for_a_seed(backbone: Any, keras: Any) -> None:
    keras.utils.set_random_seed(2)

    for mine, theirs in zip(backbone.get_weights(), networks._network(RANDOM).get_weights(), strict=True):
        assert (mine == theirs).all()
    other = networks._network(dataclasses.replace(RANDOM, seed=1)).get_weights()
    assert (backbone.get_weights()[0] != other[0]).any()


@pytest.mark.parametrize("image", [(8, 8), (8, 10, 1), (40, 36, 3), (32, 32, 3)])
def test_images_of_any_size_and_in_grey_become_what_the_backbone_is_shown(
    image: tuple[int, ...], backbone: Any, keras: Any
) -> None:
    head = keras.Sequential([keras.Input(FEATURES.shape), keras.layers.Flatten()])
    images = np.random.default_rng(0).uniform(0, 1, (2, *image)).astype(np.float32)

    model = whole_model(FEATURES, image, backbone, head)

    shown = images if len(image) == 3 else images[..., None]
    shown = np.repeat(shown, 3, axis=-1) if shown.shape[-1] == 1 else shown
    resized = np.asarray(keras.ops.image.resize(shown, (32, 32), interpolation="bilinear"))
    expected = np.asarray(backbone(resized, training=False)).mean(axis=(1, 2))
    assert np.asarray(model(images, training=False)) == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("before_last_block", [False, True])
def test_a_network_that_is_really_built_computes_what_keras_does(
    before_last_block: bool, settings: Settings, keras: Any
) -> None:
    features = dataclasses.replace(FEATURES, pretrained=False, before_last_block=before_last_block)
    images = np.random.default_rng(0).integers(0, 256, (20, 40, 36, 3)).astype(np.uint8)

    network = frozen_network(features, (40, 36, 3), settings)
    found = network.session(threads=1)(images)

    part = features.frozen_part((40, 36, 3), networks._network(features))
    expected = np.asarray(part(images.astype(np.float32) / 255, training=False))
    assert found.shape == (20, *features.shape) == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    assert network.parameters == 410_208 or before_last_block
    assert network.multiply_adds > 500_000


@pytest.mark.slow
def test_the_export_ends_with_a_killed_command_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    code = (
        "from fortydays.base.settings import read_settings\n"
        "from fortydays.study.features import Features\n"
        "from fortydays.study.frozen import frozen_network\n"
        "features = Features(backbone='mobilenetv2-0.35', side=32, pretrained=False)\n"
        "frozen_network(features, (32, 32, 3), read_settings())\n"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(tmp_path)}
    killed = subprocess.Popen([sys.executable, "-c", code], env=environment)
    command = psutil.Process(killed.pid)
    while not command.children():
        time.sleep(0.05)
    exports = command.children()
    time.sleep(1)
    killed.kill()
    killed.wait()
    assert list((tmp_path / "backbones").glob(".export.*.part"))
    assert psutil.wait_procs(exports, timeout=60)[1] == []

    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert len(list((tmp_path / "backbones").glob("*.onnx"))) == 1
    assert not list((tmp_path / "backbones").glob(".*.part"))
