"""What is pinned about a dataset, and the forms in which it is published."""

from collections.abc import Callable
from dataclasses import dataclass

from fortydays.data.layouts import Layout
from fortydays.data.places import Installed, Remote
from fortydays.data.published import PublishedFile
from fortydays.data.splits import SplitSizes
from fortydays.inputs.input import Input


@dataclass(frozen=True, kw_only=True)
class Source:
    """One form in which a dataset is published.

    Attributes:
        files: that together hold all examples: one archive, or the files of the layout in their order.
        layout: the raw files.
        inside: what stands before the names of the raw files in the archive, such as "package/"; None where there is
            no archive.
    """

    files: tuple[PublishedFile, ...]
    layout: Layout
    inside: str | None = None

    @property
    def places(self) -> tuple[Installed | Remote, ...]:
        """Where the first of its files may be, beside the mirror folder."""
        return (*self.files[0].installed, *self.files[0].remote)


def archive(name: str, inside: str, layout: Layout, *remote: Remote) -> Source:
    """Raw files in one tar archive, compressed or not, where each may be compressed itself."""
    # With a readme and the like, and a little more where the bytes cannot be compressed.
    max_bytes = sum(file.max_bytes * 101 // 100 + 1024 for file in layout.files) + 2**20
    return Source(files=(PublishedFile(name=name, max_bytes=max_bytes, remote=remote),), layout=layout, inside=inside)


def loose(
    layout: Layout, *, installed: tuple[Installed, ...] = (), remote: Callable[[str], Remote] | None = None
) -> Source:
    """Raw files one by one, each as it is or with ".gz"."""
    return Source(
        files=tuple(
            PublishedFile(
                name=f"{file.name}.gz",
                max_bytes=file.max_bytes * 101 // 100 + 1024,
                installed=installed,
                remote=(remote(f"{file.name}.gz"),) if remote else (),
            )
            for file in layout.files
        ),
        layout=layout,
    )


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What is pinned about a dataset.

    Attributes:
        name: the catalog's name, such as "mnist".
        title: its name in text.
        version: number of the published content.
        digest: SHA-256 over the decoded arrays in published order (:func:`~fortydays.data.layouts.digest_of`).
        training_digest: the same over the train and validation examples, as the cache stores them.
        test_digest: the same over the test examples.
        classes: the classes' names; position is label.
        input: what its examples are.
        official_train: examples in the official training part (all, where there is no official test part).
        official_test: examples in the official test part; 0 if there is none.
        sizes: examples in each split.
        split_version: number of the rule that makes the splits.
        licence: under which terms it is published.
        citation: whom to cite.
        download_bytes: about how much the first remote place sends; 0 if nothing is downloaded.
        sources: the forms in which it is published, in the order to try.
    """

    name: str
    title: str
    version: int
    digest: str
    training_digest: str
    test_digest: str
    classes: tuple[str, ...]
    input: Input
    official_train: int
    official_test: int
    sizes: SplitSizes
    split_version: int
    licence: str
    citation: str
    download_bytes: int
    sources: tuple[Source, ...]

    @property
    def count(self) -> int:
        """How many examples there are in all."""
        return self.official_train + self.official_test
