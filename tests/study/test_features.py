"""Features are computed once for each image, kept, and the same however they came about."""

import dataclasses
import errno
import importlib.metadata
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_frozen
from numpy.typing import NDArray
from tiny_frozen import FEATURES, channel_means
from tiny_study import Watch
from tiny_study import settings as settings_in

from made_up_data import data_of, split_of

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "own"))
from photographs import make_folder

from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, SealedSplit, Split
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of
from fortydays.data.own.rows import rows_of, scattered
from fortydays.study import features as computing
from fortydays.study import frozen as networks
from fortydays.study.features import (
    Features,
    Prepared,
    extended,
    first_of_each_class,
    prepare,
    some_of_each_class,
)
from fortydays.study.frozen import Frozen

IMAGE = (4, 5, 3)
SIDE = 16


def images(count: int, *, seed: int = 0, shape: tuple[int, ...] = IMAGE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def builder() -> Any:
    raise AssertionError("nothing is built to prepare what is learned from")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "home")


@pytest.fixture
def frozen(tmp_path: Path) -> Frozen:
    return tiny_frozen.frozen(tmp_path / "networks", IMAGE)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images every call of the network was given."""
    counts: list[int] = []
    real = Frozen.session

    def counted(self: Frozen, *, threads: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        compute = real(self, threads=threads)

        def noted(some: NDArray[np.uint8]) -> NDArray[np.float32]:
            counts.append(len(some))
            return compute(some)

        return noted

    monkeypatch.setattr(Frozen, "session", counted)
    return counts


# ------------------------------------------------------------------------------------------------- what is asked for


def test_features_have_the_shape_of_what_the_backbone_gives() -> None:
    assert Features(backbone="efficientnet-lite0", side=224).shape == (1, 1, 1280)
    assert Features(backbone="efficientnet-lite0", side=224, before_last_block=True).shape == (7, 7, 192)
    assert Features(backbone="mobilenetv2-0.35", side=100, before_last_block=True).shape == (4, 4, 56)


@pytest.mark.parametrize("side", [31, 513, 0, -224, 224.0, "224", None, True])
def test_a_side_that_no_backbone_is_shown_is_refused(side: Any) -> None:
    with pytest.raises(UsageError) as refused:
        Features(backbone="efficientnet-lite0", side=side)

    assert refused.value.message == (
        f"Features are of images of {side!r} pixels; expected a whole number from 32 to 512."
    )


def test_features_of_an_unknown_backbone_are_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no backbone 'efficientnet'. Did you mean 'efficientnet-lite0'\?"):
        Features(backbone="efficientnet", side=224)


# ------------------------------------------------------------------------------------------ computed once, and kept


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 300])
def test_the_network_always_sees_as_many_images_at_once(
    count: int, frozen: Frozen, settings: Settings, tmp_path: Path
) -> None:
    some = images(count)

    found = extended(tmp_path / "some.features", some, frozen, settings, task="features")

    assert found.shape == (count, 1, 1, 3)
    assert found.dtype == np.float32
    assert np.abs(found - channel_means(some)).max(initial=0) < 1e-6


def test_what_is_kept_is_not_computed_again(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int]
) -> None:
    path, some = tmp_path / "some.features", images(300)
    progress = Watch()
    first = np.array(extended(path, some, frozen, settings, progress, task="features"))

    again = extended(path, some, frozen, settings, progress, task="more")

    assert computed == [256, 44]
    assert (progress.tasks, progress.done) == (["features"], {"features": 300.0})
    assert (again == first).all()


def test_of_images_that_are_added_only_the_new_ones_are_computed(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int]
) -> None:
    path, some = tmp_path / "some.features", images(50)
    extended(path, some[:20], frozen, settings, task="features")

    found = extended(path, some, frozen, settings, task="features")

    assert computed == [20, 30]
    extended(tmp_path / "whole.features", some, frozen, settings, task="features")
    assert path.read_bytes() == (tmp_path / "whole.features").read_bytes()
    assert np.abs(found - channel_means(some)).max() < 1e-6


def test_features_that_the_disk_has_changed_are_set_aside_and_computed_anew(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int]
) -> None:
    path, some, progress = tmp_path / "some.features", images(20), Watch()
    right = np.array(extended(path, some, frozen, settings, task="features"))
    status, content = path.stat(), bytearray(path.read_bytes())
    content[33] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert (extended(path, some, frozen, settings, progress, task="features") == right).all()
    assert computed == [20, 20]
    (aside,) = tmp_path.glob("some.features.damaged-*")
    assert aside.read_bytes() == content
    assert progress.warned == [
        f"{path} is damaged: the disk has changed it. It is kept as {aside.name}, and computed anew."
    ]


def test_of_fewer_images_the_first_are_taken(frozen: Frozen, settings: Settings, tmp_path: Path) -> None:
    path, some = tmp_path / "some.features", images(20)
    whole = np.array(extended(path, some, frozen, settings, task="features"))
    content = path.read_bytes()

    assert (extended(path, some[:7], frozen, settings, task="features") == whole[:7]).all()
    assert path.read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_images_that_have_been_looked_at_take_no_memory(settings: Settings, tmp_path: Path) -> None:
    def of_files() -> int:
        status = Path("/proc/self/status").read_text("utf-8")
        return int(status.split("RssFile:")[1].split()[0]) // 1024

    class Largest:
        """Makes one feature of an image: its largest value."""

        features, shape = FEATURES, (1,)

        def session(self, *, threads: int) -> Any:
            return lambda some: some.max(axis=1, keepdims=True).astype(np.float32)

    path = tmp_path / "some.pixels"
    path.write_bytes(bytes(64 * 2**20))
    mapped = np.memmap(path, np.uint8, "r", shape=(1024, 2**16))  # 16 MiB in each part of 256
    before, seen = of_files(), []
    progress = Watch(at=lambda _task, _done: seen.append(of_files() - before))

    extended(tmp_path / "some.features", mapped[:1000], Largest(), settings, progress, task="features")  # type: ignore[arg-type]

    assert len(seen) == 4
    assert max(seen) < 16


def whole_file(settings: Settings, frozen: Frozen, some: NDArray[np.uint8], path: Path) -> bytes:
    extended(path, some, frozen, settings, task="features")
    return path.read_bytes()


def test_interrupted_and_continued_they_are_the_same_bytes(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = images(700)
    expected = whole_file(settings, frozen, some, tmp_path / "whole.features")
    computed.clear()

    def stop(_task: str, done: float) -> None:
        if done == 512:
            raise KeyboardInterrupt

    path, progress = tmp_path / "some.features", Watch(at=stop)
    with pytest.raises(KeyboardInterrupt):
        extended(path, some, frozen, settings, progress, task="features")
    assert progress.running == {}
    assert path.read_bytes() == expected[: 512 * 12]
    path.write_bytes(expected[: 512 * 12 + 7])  # killed in the midst of a row

    extended(path, some, frozen, settings, task="features")

    assert computed == [256, 256, 188]
    assert path.read_bytes() == expected


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may have more than 4,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_is_said_and_what_was_written_is_gone_on_from(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int], request: pytest.FixtureRequest
) -> None:
    some = images(700)
    expected = whole_file(settings, frozen, some, tmp_path / "whole.features")
    computed.clear()
    path, progress = tmp_path / "some.features", Watch()

    request.getfixturevalue("small_files")
    with pytest.raises(StorageError, match=r"Could not write .*some\.features: File too large"):
        extended(path, some, frozen, settings, progress, task="features")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    assert progress.running == {}
    assert 256 * 12 <= path.stat().st_size <= 4_000
    extended(path, some, frozen, settings, task="features")
    assert sum(computed[2:]) <= 700 - 256
    assert path.read_bytes() == expected


def test_a_full_disk_is_said_with_the_way_out(
    frozen: Frozen, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, *, after: int, content: bytes) -> None:
        with computing.files.storage_errors("write", _path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(computing.files, "append_bytes", full)
    with pytest.raises(StorageError, match=r"some\.features: No space left on device") as refused:
        extended(tmp_path / "some.features", images(3), frozen, settings, task="features")
    assert refused.value.hint == (
        "The disk is full. Free some space and run the command again: it continues where it stopped."
    )


def test_where_there_is_no_room_nothing_is_computed(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computing.files, "free_bytes", lambda _: 100 * 12 - 1)

    with pytest.raises(DataError) as refused:
        extended(tmp_path / "some.features", images(100), frozen, settings, task="features")

    said = f"The features need 1,200 bytes in {tmp_path}; there is room for 1,199 bytes."
    assert refused.value.message == said
    assert refused.value.hint == "Make room, or let FORTYDAYS_HOME name a folder on a larger disk."
    assert computed == []
    extended(tmp_path / "some.features", images(99), frozen, settings, task="features")


def test_two_at_once_compute_each_image_once(
    frozen: Frozen, settings: Settings, tmp_path: Path, computed: list[int]
) -> None:
    path, some = tmp_path / "some.features", images(600)
    found: list[NDArray[np.float32]] = []

    def work() -> None:
        found.append(np.array(extended(path, some, frozen, settings, task="features")))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert computed == [256, 256, 88]
    assert (found[0] == found[1]).all()


# ------------------------------------------------------------------------------------------------ a reader's folder


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Features]:
    """In the place of every backbone the means of the channels; what was asked for."""
    asked: list[Features] = []

    def made(features: Features, image_shape: tuple[int, ...], *_: object) -> Frozen:
        asked.append(features)
        key = computing.files.sha256_of_json(features.as_dict())
        return tiny_frozen.frozen(tmp_path / "networks", image_shape, key=key, features=features)

    monkeypatch.setattr(networks, "frozen_network", made)
    return asked


def kept(folder: Path, settings: Settings) -> own.OwnExamples:
    with opened("mine", settings, side=SIDE) as collection:
        return own.keep(inspect(list_photographs(folder), collection, workers=2), collection, name="mine")


def of(photographs: own.OwnExamples, settings: Settings, **asked: Any) -> Prepared:
    return prepare(
        own.load(photographs, settings),
        asked.pop("builder", builder),
        features=asked.pop("features", FEATURES),
        examples=asked.pop("examples", None),
        settings=settings,
        **asked,
    )


def test_a_readers_photographs_get_theirs_together_beside_their_pixels(
    tmp_path: Path, settings: Settings, network: list[Features], computed: list[int]
) -> None:
    photographs = kept(make_folder(tmp_path / "mine", {"red": 10, "blue": 20}), settings)
    progress = Watch()

    found = of(photographs, settings, progress=progress)

    # Up to the last that is needed: the very last photograph is one of the test split.
    assert computed == [29]
    assert progress.tasks == ["Features of the photographs, MobileNetV2, width 0.35"]
    pixels = own.load(photographs, settings)
    parts = [
        (found.dataset.training.train, pixels.training.train),
        (found.dataset.training.validation, pixels.training.validation),
        (found.dataset.test.open(), pixels.test.open()),
    ]
    for ours, theirs in parts:
        assert ours.array.dtype == np.float32
        assert np.abs(ours.array - channel_means(np.asarray(theirs.array))).max() < 1e-6
        assert ours.labels.tolist() == theirs.labels.tolist()
    assert (found.dataset.name, found.dataset.digest) == (photographs.name, photographs.digest)
    assert computed == [29, 1]
    (path,) = folder_of("mine", settings).glob("*.features")
    assert path.name == f"16.1.{networks.frozen_network(FEATURES, (SIDE, SIDE, 3), settings).kept_as}.features"
    assert found.frozen is not None
    details = found.frozen.as_dict()
    assert (details["backbone"], details["weights"], details["shape"]) == ("mobilenetv2-0.35", "cd" * 32, [1, 1, 3])
    assert found.builder is builder


def test_photographs_that_are_added_cost_what_they_are(
    tmp_path: Path, settings: Settings, network: list[Features], computed: list[int]
) -> None:
    first = kept(make_folder(tmp_path / "mine", {"red": 10, "blue": 20}), settings)
    before = np.array(of(first, settings).dataset.training.train.array)
    of(first, settings).dataset.test.open()
    assert sum(computed) == 30

    second = kept(make_folder(tmp_path / "mine", {"red": 15, "blue": 20, "green": 4}), settings)
    found = of(second, settings)
    found.dataset.test.open()

    assert sum(computed) == 39
    pixels = own.load(second, settings).training.train.array
    assert np.abs(found.dataset.training.train.array - channel_means(np.asarray(pixels))).max() < 1e-6
    # The state before still has its own, for it names rows.
    assert (of(first, settings).dataset.training.train.array == before).all()
    assert sum(computed) == 39


def test_the_part_before_the_last_block_and_random_weights_have_files_of_their_own(
    tmp_path: Path, settings: Settings, network: list[Features], computed: list[int]
) -> None:
    photographs = kept(make_folder(tmp_path / "mine", {"red": 5, "blue": 5}), settings)

    for changes in ({}, {"before_last_block": True}, {"pretrained": False}):
        of(photographs, settings, features=dataclasses.replace(FEATURES, **changes)).dataset.test.open()

    assert sum(computed) == 3 * 10
    assert len(list(folder_of("mine", settings).glob("*.features"))) == 3


def test_another_onnx_runtime_computes_all_of_them_itself(
    tmp_path: Path, settings: Settings, network: list[Features], computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs = kept(make_folder(tmp_path / "mine", {"red": 10, "blue": 20}), settings)
    of(photographs, settings).dataset.test.open()
    assert sum(computed) == 30

    installed = importlib.metadata.version
    newer = {"onnxruntime": "99.1"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: newer.get(name) or installed(name))
    catalog = catalog_dataset()
    found = of(photographs, settings)
    found.dataset.test.open()

    assert sum(computed) == 60
    assert found.frozen is not None
    assert found.frozen.as_dict()["onnxruntime"] == "99.1"
    prepare(catalog, builder, features=FEATURES, examples=None, settings=settings)
    assert sum(computed) == 140

    # The one before finds its own again.
    newer.clear()
    of(photographs, settings).dataset.test.open()
    assert sum(computed) == 140
    prepare(catalog, builder, features=FEATURES, examples=None, settings=settings)
    assert sum(computed) == 220


# ------------------------------------------------------------------------------------------------------- the catalog


def catalog_dataset(opened_test: list[bool] | None = None) -> Dataset:
    def test() -> Split:
        if opened_test is not None:
            opened_test.append(True)
        return split(20, seed=3)

    def split(count: int, *, seed: int) -> Split:
        labels = (np.arange(count) % 4).astype(np.uint8)
        return split_of(images(count, seed=seed), labels)

    training = data_of(split(70, seed=1), split(10, seed=2), classes=4)
    return Dataset(
        name="made up", digest="ef" * 32, split_version=1, classes=("a", "b", "c", "d"), training=training,
        test=SealedSplit(test),
    )  # fmt: skip


def test_test_images_of_the_catalog_get_theirs_when_the_split_is_opened(
    settings: Settings, network: list[Features], computed: list[int]
) -> None:
    opened_test: list[bool] = []
    dataset = catalog_dataset(opened_test)
    progress = Watch()

    found = prepare(dataset, builder, features=FEATURES, examples=None, settings=settings, progress=progress)
    assert computed == [70, 10]
    assert opened_test == []

    test = found.dataset.test.open()
    assert computed == [70, 10, 20]
    assert np.abs(test.array - channel_means(dataset.test.open().array)).max() < 1e-6
    assert progress.tasks == [
        f"Features of the {name} images, MobileNetV2, width 0.35" for name in ("training", "validation", "test")
    ]
    place = settings.workspace / "features/made up-efefefefefef"
    assert sorted(path.name.partition("-")[0] for path in place.glob("[a-z]*")) == ["test", "training", "validation"]
    prepare(dataset, builder, features=FEATURES, examples=None, settings=settings).dataset.test.open()
    assert computed == [70, 10, 20]


def test_without_features_a_variant_is_given_the_images_themselves(settings: Settings) -> None:
    dataset = catalog_dataset()

    found = prepare(dataset, builder, features=None, examples=None, settings=settings)

    assert (found.dataset, found.builder, found.frozen) == (dataset, builder, None)


@pytest.mark.parametrize("features", [None, FEATURES])
def test_a_variant_may_learn_from_the_first_of_each_class(
    features: Features | None, settings: Settings, network: list[Features]
) -> None:
    dataset = catalog_dataset()

    found = prepare(dataset, builder, features=features, examples=3, settings=settings)

    train = found.dataset.training.train
    assert train.labels.tolist() == [0, 1, 2, 3] * 3
    expected = dataset.training.train.array[:12]
    assert np.abs(train.array - (expected if features is None else channel_means(expected))).max() < 1e-6
    assert len(found.dataset.training.validation) == 10
    assert len(found.dataset.test.open()) == 20


def test_a_variant_may_learn_from_some_of_each_class_that_a_seed_draws(settings: Settings) -> None:
    found = prepare(catalog_dataset(), builder, features=None, examples=3, seed=1, settings=settings)

    rows = some_of_each_class(catalog_dataset().training.train.labels, 3, seed=1)
    assert (found.dataset.training.train.array == catalog_dataset().training.train.array[rows]).all()
    assert np.bincount(found.dataset.training.train.labels).tolist() == [3, 3, 3, 3]


def test_features_that_memory_has_no_room_for_are_refused(
    settings: Settings, network: list[Features], computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computing, "MOST_BYTES", 4 * 70 * 1280 - 1)

    with pytest.raises(DataError) as refused:
        prepare(catalog_dataset(), builder, features=FEATURES, examples=None, settings=settings)

    assert refused.value.message.startswith("The features of 70 images before the last block of mobilenetv2-0.35 take")
    assert refused.value.hint == "Train a head alone on so many, without fine-tuning."
    assert computed == []


def test_the_first_of_each_class_keep_their_order_and_a_small_class_gives_all() -> None:
    labels = np.array([2, 0, 0, 2, 1, 0, 2], np.uint8)
    some = images(7)

    found = first_of_each_class(split_of(some, labels), 2)

    assert found.labels.tolist() == [2, 0, 0, 2, 1]
    assert (found.array == some[[0, 1, 2, 3, 4]]).all()
    rows = rows_of(some, [6, 5, 4, 3, 2, 1, 0], file=Path("x"))
    of_rows = first_of_each_class(split_of(rows, labels), 1)
    chosen = scattered(of_rows.array)
    assert chosen is not None
    assert chosen.places.tolist() == [6, 5, 2]
    assert of_rows.labels.tolist() == [2, 0, 1]


def test_a_seed_draws_as_many_of_each_class_and_a_small_class_gives_all() -> None:
    labels = np.array([2] * 50 + [0] * 3 + [1] * 50, np.uint8)

    drawn = [some_of_each_class(labels, 5, seed=seed).tolist() for seed in (0, 0, 1)]

    assert drawn[0] == drawn[1] != drawn[2]
    for rows in drawn:
        assert np.bincount(labels[rows]).tolist() == [3, 5, 5]
        assert rows == sorted(rows)
    assert max(drawn[0]) > 60, "not the first ones"
    assert set(some_of_each_class(labels, 2, seed=1)) <= set(drawn[2])


# -------------------------------------------------------------------------------------------------- what is built


def test_a_last_block_begins_with_pretrained_weights_which_are_read_once(
    settings: Settings, network: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.models import backbones

    read: list[Features] = []
    filled: list[tuple[Any, Any]] = []
    monkeypatch.setattr(networks, "pretrained_model", lambda features, *_: read.append(features) or "pretrained")
    monkeypatch.setattr(backbones, "fill_last_blocks", lambda model, pretrained: filled.append((model, pretrained)))
    features = dataclasses.replace(FEATURES, before_last_block=True)

    found = prepare(
        catalog_dataset(), lambda: "model", features=features, examples=None, settings=settings, progress=SILENT
    )

    assert read == []
    assert [found.builder(), found.builder()] == ["model", "model"]
    assert filled == [("model", "pretrained")] * 2
    assert read == [features]
    random = dataclasses.replace(features, pretrained=False)
    untouched = prepare(catalog_dataset(), builder, features=random, examples=None, settings=settings)
    assert untouched.builder is builder
