"""What a trial needs that its spec only names: the files of a study of one's own, and those of a dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import DataError, FortydaysError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cluster.nodes import Node
from fortydays.cluster.worker import StudyFiles

MOST_STUDY_BYTES = 10_000_000
MOST_DATA_BYTES = 4 * 2**30


def study_files(path: Path) -> StudyFiles:
    """The file of a study and the modules beside it that it imports.

    Raises:
        UsageError: they are larger than code ever is.
        StorageError: a file cannot be read.
    """
    from fortydays.study.code import files_of

    folder, found = path.parent, files_of(path)
    size = 0
    content = {}
    for each in found:
        with files.storage_errors("read", each):
            content[each.relative_to(folder).as_posix()] = each.read_bytes()
        size += len(content[each.relative_to(folder).as_posix()])
    if size > MOST_STUDY_BYTES:
        raise UsageError(
            f"The study {path} and the modules beside it have {size_in_words(size)}; expected at most "
            f"{size_in_words(MOST_STUDY_BYTES)} to send to a cluster.",
            hint="Keep data out of the code.",
        )
    return StudyFiles(folder=folder.name or "study", study=path.name, content=content)


def send_dataset(ray: Any, name: str, nodes: Sequence[Node], settings: Settings, progress: Progress) -> None:
    """Give the nodes that do not have a dataset the files of this machine's cache. They check every digest on loading.

    Raises:
        DataError: it cannot be sent, or a node cannot keep it.
    """
    lacking = [node for node in nodes if node.facts is not None and not node.facts.has_data]
    if not lacking:
        return
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place, content = cached_files(name, settings)
    progress.say(f"Sending {name} to {len(lacking)} of {len(nodes)} nodes")
    sent = {each: ray.put(bytes_of) for each, bytes_of in content.items()}
    receive = ray.remote(receive_dataset)
    for node in lacking:
        there = NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
        # Arguments are in that node's memory when the function begins; lists of references would not be.
        answer = receive.options(**options).remote(name, place, list(sent), *sent.values())
        try:
            problem = ray.get(answer)
        except Exception as error:
            problem = str(getattr(error, "cause", None) or error).strip().splitlines()[-1][:300]
        if problem:
            raise DataError(
                f"The dataset {name!r} could not be sent to node {node.number} ({node.address}): {problem}"
            )


def cached_files(name: str, settings: Settings) -> tuple[str, dict[str, bytes]]:
    """Where in the folder of datasets a dataset lies, and its files, by their paths there ("" where it is one file).

    Raises:
        DataError: it is of a reader's own, lies elsewhere, or is too large to send.
    """
    from fortydays.data import library
    from fortydays.data.own import dataset as own

    hint = "Put it there first: `forty data get` on that machine, or a FORTYDAYS_DATASETS that all machines share."
    if own.is_own(name):
        raise DataError(
            f"The data {name} of your own are not on every node of the cluster.",
            hint="Use a workspace that all machines share (FORTYDAYS_HOME), or --on local:N.",
        )
    place, cached = library.place(name, settings)
    if not cached or not place.is_relative_to(settings.datasets):
        raise DataError(f"The dataset {name!r} is not on every node of the cluster.", hint=hint)
    found = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    size = sum(path.stat().st_size for path in found)
    if size > MOST_DATA_BYTES:
        raise DataError(
            f"The dataset {name!r} has {size_in_words(size)}, more than the {size_in_words(MOST_DATA_BYTES)} that are "
            "sent to nodes without it.",
            hint=hint,
        )
    content = {}
    for path in found:
        with files.storage_errors("read", path):
            inside = path.relative_to(place).as_posix() if place.is_dir() else ""
            content[inside] = path.read_bytes()
    return place.relative_to(settings.datasets).as_posix(), content


def receive_dataset(name: str, place: str, names: Sequence[str], *contents: bytes) -> str:
    """On a node: write a dataset's files into the cache of this machine. Returns what is wrong, or ""."""
    settings = read_settings()
    try:
        return _received(name, place, names, contents, settings)
    except FortydaysError as error:
        return error.message


def _received(name: str, place: str, names: Sequence[str], contents: Sequence[bytes], settings: Settings) -> str:
    from fortydays.data import library

    expected, cached = library.place(name, settings)
    if expected != settings.datasets / place:
        return "it would lie at another place there"
    if cached:
        return ""
    files.make_folder(expected.parent)
    with files.locked(expected.parent / "lock"):
        if files.exists(expected):
            return ""
        if list(names) == [""]:
            files.write_bytes(expected, contents[0])
            return ""
        with files.folder_built_whole(expected) as building:
            for inside, content in zip(names, contents, strict=True):
                target = building / inside
                if not target.resolve().is_relative_to(building.resolve()):
                    return f"{inside} is no path in its folder"
                files.make_folder(target.parent)
                files.write_bytes(target, content)
    return ""
