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
    """One form in which a dataset is published: one archive, or the files of the layout in their order.

    In an archive, ``inside`` stands before the names of the raw files, such as "package/". Else it is None.
    """

    files: tuple[PublishedFile, ...]
    layout: Layout
    inside: str | None = None


def archive(name: str, inside: str, layout: Layout, *remote: Remote) -> Source:
    """Raw files in one tar archive, compressed or not, where each may be compressed itself."""
    # With a readme and the like, and a little more where the bytes cannot be compressed.
    max_bytes = sum(file.max_bytes * 101 // 100 + 1024 for file in layout) + 2**20
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
            for file in layout
        ),
        layout=layout,
    )


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What is pinned about a dataset.

    Attributes:
        version: number of the published content.
        digest: SHA-256 over the decoded arrays in published order (:func:`~fortydays.data.layouts.digest_of`).
        training_digest: the same over the train and validation examples, as the cache stores them.
        test_digest: the same over the test examples.
        classes: the classes' names; position is label.
        official_test: examples in the official test part; 0 if there is none.
        split_version: number of the rule that makes the splits.
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
    official_test: int
    sizes: SplitSizes
    split_version: int
    licence: str
    citation: str
    download_bytes: int
    sources: tuple[Source, ...]

    @property
    def source_titles(self) -> tuple[str, ...]:
        """What the places are called where the first file of each form may be, beside the mirror folder."""
        firsts = [source.files[0] for source in self.sources]
        titles = [
            [place.title for place in file.installed] + [place.title for place in file.remote] for file in firsts
        ]
        return tuple(dict.fromkeys(title for several in titles for title in several))
