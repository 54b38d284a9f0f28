"""What is pinned about a dataset, and what a source of one must be able to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fortydays.base.errors import DataError
from fortydays.base.progress import Progress
from fortydays.data.layouts import Examples
from fortydays.data.splits import SplitSizes


class SourceFailedError(DataError):
    """One source could not give a dataset; the next one is tried."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the program is with sources.

    Attributes:
        connect_seconds: for a public address to be reached at all, name look-up included.
        stall_seconds: without a single byte, after which a download is given up and tried again.
        whole_seconds: for all downloads of one source together.
        tries: how often a download that broke off is tried.
        back_off_seconds: before the second try; three times as long before each further one.
        package_seconds: for a package client to do its work.
    """

    connect_seconds: float = 5.0
    stall_seconds: float = 20.0
    whole_seconds: float = 3600.0
    tries: int = 3
    back_off_seconds: float = 1.0
    package_seconds: float = 900.0


@dataclass(frozen=True, kw_only=True)
class Errand:
    """All that a source may use while it gets a dataset.

    Attributes:
        offline: neither the network nor a package client may be used.
        scratch: an empty folder that is removed afterwards.
        downloads: a folder where downloads are kept until the dataset is whole, to be continued later.
        limits: how patient to be.
        progress: who listens.
    """

    offline: bool
    scratch: Path
    downloads: Path
    limits: Limits
    progress: Progress


class Source(Protocol):
    """One place where a dataset can be had."""

    @property
    def title(self) -> str:
        """What the place is called in messages."""

    @property
    def by_hand(self) -> str:
        """Which files of it a reader can put in the mirror folder; "" if none."""

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """Read the dataset from files that a reader put in a folder.

        Returns:
            Whether the files of this source were there.

        Raises:
            DataError: they were there and are damaged.
        """

    def read(self, examples: Examples, errand: Errand) -> None:
        """Get the dataset and write it into ``examples``.

        Raises:
            SourceFailedError: this place cannot give it.
            DataError: what it gives is damaged.
            StorageError: the disk refuses.
        """


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What is pinned about a dataset.

    Attributes:
        name: the catalog's name, such as "mnist".
        title: its name in text.
        version: number of the published content.
        digest: SHA-256 over the decoded arrays in published order (:func:`~fortydays.data.layouts.digest_of`).
        classes: the classes' names; position is label.
        image_shape: (height, width) or (height, width, channels).
        official_train: examples in the official training part (all, where there is no official test part).
        official_test: examples in the official test part; 0 if there is none.
        sizes: examples in each split.
        split_version: number of the rule that makes the splits.
        licence: under which terms it is published.
        citation: whom to cite.
        download_bytes: about how much the first remote source sends; 0 if nothing is downloaded.
        sources: where it can be had, in the order to try.
        strokes: whether its images are light strokes on a dark ground, centred by their mass, as MNIST's digits are;
            what is drawn dark on light has to be turned into that before a model of it is asked.
    """

    name: str
    title: str
    version: int
    digest: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    official_train: int
    official_test: int
    sizes: SplitSizes
    split_version: int
    licence: str
    citation: str
    download_bytes: int
    sources: tuple[Source, ...]
    strokes: bool = False

    @property
    def count(self) -> int:
        """How many examples there are in all."""
        return self.official_train + self.official_test
