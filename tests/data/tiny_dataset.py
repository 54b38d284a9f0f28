"""A made-up dataset small enough to serve, damage and count by hand; run as a script, it is loaded by one process."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base.settings import Settings, read_settings
from fortydays.data import store
from fortydays.data.arrays import Split
from fortydays.data.download import Limits
from fortydays.data.layouts import digest_of, idx_layout
from fortydays.data.places import Installed, at_address
from fortydays.data.published import PublishedFile
from fortydays.data.spec import DatasetSpec, Source, loose
from fortydays.data.splits import SplitSizes, split_indices
from fortydays.inputs.images import IMAGE, Images

TRAIN, TEST, SIDE = 60, 20, 64
LAYOUT = idx_layout(train=TRAIN, test=TEST, image_shape=(SIDE, SIDE))
IMPATIENT = Limits(connect_seconds=2, stall_seconds=0.4, whole_seconds=20, back_off_seconds=0.01, package_seconds=0.5)


def examples() -> Split:
    count = TRAIN + TEST
    pixels = np.arange(count * SIDE * SIDE, dtype=np.int64)
    return Split(
        inputs={IMAGE: (pixels * 7919 % 251).astype(np.uint8).reshape(count, SIDE, SIDE)},
        labels=(np.arange(count) % 3).astype(np.uint8),
    )


def raw_files() -> dict[str, bytes]:
    """The four idx files, written out by hand: magic number, sizes (big-endian), bytes."""
    whole = examples()

    def sizes(*values: int) -> bytes:
        return b"".join(value.to_bytes(4, "big") for value in values)

    content = {}
    for name, part, count in (("train", slice(0, TRAIN), TRAIN), ("t10k", slice(TRAIN, None), TEST)):
        images, labels = whole.array[part], whole.labels[part]
        content[f"{name}-images-idx3-ubyte"] = b"\0\0\x08\x03" + sizes(count, SIDE, SIDE) + images.tobytes()
        content[f"{name}-labels-idx1-ubyte"] = b"\0\0\x08\x01" + sizes(count) + labels.tobytes()
    return content


def served(address: str) -> Source:
    """The raw files at a server, as they are."""

    def file(name: str, max_bytes: int) -> PublishedFile:
        return PublishedFile(name=name, max_bytes=max_bytes, remote=(at_address(address + name),))

    return Source(files=tuple(file(each.name, each.max_bytes) for each in LAYOUT), layout=LAYOUT)


def installed(folder: Path | None, title: str = "origin") -> Source:
    """The raw files in a folder of this machine, while it is there."""
    return loose(LAYOUT, installed=(Installed(title=title, folder=lambda: _there(folder)),))


def _there(folder: Path | None) -> Path | None:
    return folder if folder is not None and folder.is_dir() else None


def part_digest(rows: NDArray[np.int64]) -> str:
    """The digest of some examples, as the cache stores them."""
    whole = examples()
    return digest_of(Split(inputs={IMAGE: whole.array[rows]}, labels=whole.labels[rows]))


def spec_from(*sources: Source) -> DatasetSpec:
    digest, sizes = digest_of(examples()), SplitSizes(train=50, validation=10, test=TEST)
    split = split_indices(examples().labels, digest=digest, split_version=1, sizes=sizes, official_test=TEST)
    return DatasetSpec(
        name="tiny",
        title="Tiny",
        version=1,
        digest=digest,
        training_digest=part_digest(np.concatenate([split.train, split.validation])),
        test_digest=part_digest(split.test),
        classes=("zero", "one", "two"),
        input=Images(shape=(SIDE, SIDE)),
        official_test=TEST,
        sizes=sizes,
        split_version=1,
        licence="none",
        citation="nobody",
        download_bytes=0,
        sources=sources,
    )


def settings_in(home: Path, **variables: str) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(home), **variables})


def main(address: str, home: str) -> None:
    spec = spec_from(served(address))
    dataset = store.load(spec, settings_in(Path(home)), limits=Limits(stall_seconds=60))
    print(len(dataset.training.train), int(dataset.test.open().labels.sum()))


if __name__ == "__main__":
    main(*sys.argv[1:])
