"""A made-up dataset small enough to serve, damage and count by hand; run as a script, it is loaded by one process."""

import sys
from pathlib import Path

import numpy as np

from fortydays.base.settings import Settings, read_settings
from fortydays.data import store
from fortydays.data.layouts import Examples, digest_of, idx_layout
from fortydays.data.sources import PublicFiles
from fortydays.data.spec import DatasetSpec, Limits, Source
from fortydays.data.splits import SplitSizes

TRAIN, TEST, SIDE = 60, 20, 64
LAYOUT = idx_layout(train=TRAIN, test=TEST, image_shape=(SIDE, SIDE))
IMPATIENT = Limits(connect_seconds=2, stall_seconds=0.4, whole_seconds=20, back_off_seconds=0.01, package_seconds=0.5)


def examples() -> Examples:
    count = TRAIN + TEST
    pixels = np.arange(count * SIDE * SIDE, dtype=np.int64)
    return Examples(
        images=(pixels * 7919 % 251).astype(np.uint8).reshape(count, SIDE, SIDE),
        labels=(np.arange(count) % 3).astype(np.uint8),
    )


def raw_files() -> dict[str, bytes]:
    """The four idx files, written out by hand: magic number, sizes (big-endian), bytes."""
    whole = examples()

    def sizes(*values: int) -> bytes:
        return b"".join(value.to_bytes(4, "big") for value in values)

    content = {}
    for name, part, count in (("train", slice(0, TRAIN), TRAIN), ("t10k", slice(TRAIN, None), TEST)):
        images, labels = whole.images[part], whole.labels[part]
        content[f"{name}-images-idx3-ubyte"] = b"\0\0\x08\x03" + sizes(count, SIDE, SIDE) + images.tobytes()
        content[f"{name}-labels-idx1-ubyte"] = b"\0\0\x08\x01" + sizes(count) + labels.tobytes()
    return content


def spec_from(*sources: Source, digest: str | None = None) -> DatasetSpec:
    return DatasetSpec(
        name="tiny",
        title="Tiny",
        version=1,
        digest=digest or digest_of(examples()),
        classes=("zero", "one", "two"),
        image_shape=(SIDE, SIDE),
        official_train=TRAIN,
        official_test=TEST,
        sizes=SplitSizes(train=50, validation=10, test=TEST),
        split_version=1,
        licence="none",
        citation="nobody",
        download_bytes=0,
        sources=sources,
    )


def settings_in(home: Path, **variables: str) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(home), **variables})


def main(address: str, home: str) -> None:
    spec = spec_from(PublicFiles(folder=address, layout=LAYOUT))
    dataset = store.load(spec, settings_in(Path(home)), limits=Limits(stall_seconds=60))
    print(len(dataset.training.train), int(dataset.test.open().labels.sum()))


if __name__ == "__main__":
    main(*sys.argv[1:])
