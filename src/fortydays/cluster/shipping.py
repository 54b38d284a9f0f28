"""What a trial needs that its spec only names: the files of a study of one's own, and those of a dataset."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import DataError, FortydaysError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted, printable, size_in_words
from fortydays.cluster.link import Link, LostClusterError
from fortydays.cluster.nodes import Node, on_node
from fortydays.cluster.worker import StudyFiles

MOST_STUDY_BYTES = 10_000_000
MOST_DATA_BYTES = 4 * 2**30

_PIECE_BYTES = 8 * 2**20
"""Far less than the memory that Ray shares between processes."""

_SECONDS_FOR_A_PIECE = 120.0
_SECONDS_FOR_ANOTHER = 600.0
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_ABANDON = 10.0

WANTED, KEPT, BUSY = "wanted", "kept", "busy"
"""What a node says of a dataset: it lacks it, it has it, or somebody writes it there now."""


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


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What is sent of a dataset.

    Attributes:
        name: of the dataset.
        place: where it belongs on a node, see :class:`Receiver`.
        content: its files, by their paths at that place; "" where it is one file.
        note: what lies beside the files and says that they are whole; b"" of most.
    """

    name: str
    place: str
    content: Mapping[str, Path]
    note: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.content.values())


def send_dataset(link: Link, name: str, nodes: Sequence[Node], settings: Settings, progress: Progress) -> None:
    """Give the nodes that do not have a dataset the files of this machine's cache, a piece at a time.

    They check every digest on loading. No more than one piece is in memory, here and there. Of a reader's own data, a
    copy is sent that has no others: see :mod:`fortydays.data.own.alone`.

    Raises:
        DataError: it cannot be sent, or a node cannot keep it or does not answer.
    """
    lacking = [node for node in nodes if node.facts is not None and not node.facts.has_data]
    if not lacking:
        return
    with contextlib.ExitStack() as held:
        _send(link, held.enter_context(parcel_of(name, settings)), lacking, progress)


def _send(link: Link, parcel: Parcel, lacking: Sequence[Node], progress: Progress) -> None:
    """Send a parcel to nodes. Those that share a folder are given it once: the others find it there afterwards."""
    task, left, until = f"Sending {parcel.name} to {counted(len(lacking), 'node')}", list(lacking), None
    progress.start(task, total=float(parcel.size), unit="bytes")
    try:
        while left:
            busy = _send_at_once(link, parcel, left, lambda done: progress.advance(task, done=float(done)))
            if len(busy) == len(left):  # another command writes it there
                until = until or clock.seconds() + _SECONDS_FOR_ANOTHER
                if clock.seconds() > until:
                    node = busy[0]
                    raise DataError(
                        f"The dataset {parcel.name!r} could not be sent to node {node.number} ({node.address}). "
                        f"Another command has been writing it there for {_SECONDS_FOR_ANOTHER:.0f} seconds.",
                        hint="Wait until that has ended, or end it, and give this command again.",
                    )
                threading.Event().wait(_SECONDS_BETWEEN_LOOKS)
            left = busy
    finally:
        progress.finish(task)


def _send_at_once(link: Link, parcel: Parcel, nodes: Sequence[Node], told: Callable[[int], object]) -> list[Node]:
    """Send a parcel to the nodes where nobody else writes it now. Returns those where somebody does."""
    receiver = link.ray.remote(Receiver)
    options = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0}
    receivers: dict[int, Any] = {}

    def ask(method: str, *arguments: Any) -> dict[int, Any]:
        """What all receivers return. Raises DataError."""
        asked = {n: link.call(getattr(each, method).remote, *arguments) for n, each in receivers.items()}
        ready = link.call(link.ray.wait, list(asked.values()), num_returns=len(asked), timeout=_SECONDS_FOR_A_PIECE)[0]
        return {
            node.number: _answer(link, parcel.name, node, asked[node.number], ready)
            for node in nodes
            if node.number in asked
        }

    try:
        for node in nodes:
            there = receiver.options(scheduling_strategy=on_node(link.ray, node), **options)
            receivers[node.number] = link.call(there.remote, parcel.name, parcel.place)
        begun = ask("begin", parcel.size)
        for number, state in begun.items():
            if state != WANTED:
                link.call(link.ray.kill, receivers.pop(number))
        done = 0
        for inside, path in parcel.content.items() if receivers else ():
            for after, content in _pieces(path):
                ask("write", inside, after, link.call(link.ray.put, content))
                done += len(content)
                told(done)
        if receivers:
            ask("finish", parcel.note)
        return [node for node in nodes if begun[node.number] == BUSY]
    except BaseException:
        for each in receivers.values():  # or what has come would lie there
            with contextlib.suppress(Exception):
                link.call(link.ray.get, link.call(each.abandon.remote), timeout=_SECONDS_TO_ABANDON)
        raise
    finally:
        for each in receivers.values():
            with contextlib.suppress(Exception):  # it has ended, or the cluster has
                link.call(link.ray.kill, each)


def _answer(link: Link, name: str, node: Node, asked: Any, ready: Collection[Any]) -> Any:
    """What a receiver has returned. Raises DataError."""
    where = f"The dataset {name!r} could not be sent to node {node.number} ({node.address})"
    if asked not in ready:
        raise DataError(
            f"{where}: it has not answered within {_SECONDS_FOR_A_PIECE:.0f} seconds.",
            hint="What is done is kept. Is its disk busy, or its network slow?",
        )
    try:
        found = link.call(link.ray.get, asked)
    except LostClusterError:
        raise
    except Exception as error:
        said = str(getattr(error, "cause", None) or error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{where}: {printable(said[-1])[:300]}") from error
    if isinstance(found, _Refused):
        raise DataError(f"{where}: {found.message}", hint=found.hint)
    return found


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file in pieces, each with its place; of an empty file, one that is empty."""
    after = 0
    with files.storage_errors("read", path), path.open("rb") as file:
        while (content := file.read(_PIECE_BYTES)) or not after:
            yield after, content
            after += len(content)
            if not content:
                return


@contextlib.contextmanager
def parcel_of(name: str, settings: Settings) -> Iterator[Parcel]:
    """What is sent of a dataset, while the block runs.

    Raises:
        DataError: it is not on this machine, or is too large to send.
        StorageError: the disk has changed it, or there is no room for a copy.
    """
    from fortydays.data import photographs
    from fortydays.data.own import alone
    from fortydays.data.own import dataset as own

    if not own.is_own(name):
        inside, content = cached_files(name, settings)
        spec = photographs.PHOTOGRAPHS.get(name)
        note = photographs.note_of(spec, settings) if spec else b""
        yield Parcel(name=name, place=inside, content=content, note=note)
        return
    hint = "Use --on local:N, which sends nothing."
    _check_size(name, alone.bytes_of(name, settings), hint=hint)  # before as much is copied
    place = alone.place_of(name, settings)
    with files.temporary_folder(settings.workspace / "cache" / "sending", "copy") as folder:
        alone.write_alone(name, settings, folder)
        found = _files_in(folder)
        _check_size(name, sum(path.stat().st_size for path in found), hint=hint)
        content = {path.relative_to(folder).as_posix(): path for path in found}
        yield Parcel(name=name, place=place.name, content=content)


def cached_files(name: str, settings: Settings) -> tuple[str, dict[str, Path]]:
    """Where in the folder of datasets a dataset lies, and its files, by their paths there ("" where it is one file).

    Raises:
        DataError: it lies elsewhere, or is too large to send.
    """
    from fortydays.data import library

    hint = "Put it there first: `forty data get` on that machine, or a FORTYDAYS_DATASETS that all machines share."
    place, cached = library.place(name, settings)
    if not cached or not place.is_relative_to(settings.datasets):
        raise DataError(f"The dataset {name!r} is not on every node of the cluster.", hint=hint)
    found = _files_in(place) if place.is_dir() else [place]
    _check_size(name, sum(path.stat().st_size for path in found), hint=hint)
    inside = {path: path.relative_to(place).as_posix() if place.is_dir() else "" for path in found}
    return place.relative_to(settings.datasets).as_posix(), {inside[path]: path for path in found}


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _check_size(name: str, size: int, *, hint: str) -> None:
    if size > MOST_DATA_BYTES:
        raise DataError(
            f"The dataset {name!r} has {size_in_words(size)}, more than the {size_in_words(MOST_DATA_BYTES)} that are "
            "sent to nodes without it.",
            hint=hint,
        )


def _place_on_node(name: str, settings: Settings) -> tuple[Path, str, bool]:
    """Where a dataset belongs on this machine, how the driver names that, and whether it is there.

    Raises UsageError.
    """
    from fortydays.data import library
    from fortydays.data.own import alone
    from fortydays.data.own import dataset as own

    if own.is_own(name):
        expected = alone.place_of(name, settings)
        return expected, expected.name, alone.has(name, settings)
    expected, cached = library.place(name, settings)
    inside = expected.relative_to(settings.datasets).as_posix() if expected.is_relative_to(settings.datasets) else ""
    return expected, inside, cached


@dataclass(frozen=True)
class _Refused:
    """Why a node cannot keep a dataset, and what to do next."""

    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: FortydaysError) -> "_Refused":
        return cls(error.message, error.hint)


class Receiver:
    """On a node: writes a dataset's files into the cache of this machine, as they come.

    Its methods return what is wrong, if anything is. Where it ends before :meth:`finish`, nothing is in the cache.

    Args:
        name: of the dataset.
        place: where in the folder of datasets it lies, or the name of the copy of a reader's own data.
    """

    def __init__(self, name: str, place: str) -> None:
        self._name, self._place = name, place
        self._held = contextlib.ExitStack()
        self._file: Path | None = None
        self._building: Path | None = None
        self._whole: Path | None = None

    def begin(self, size: int = 0) -> "str | _Refused":
        """Whether this machine lacks the dataset, so that its files are to come: one of those above.

        Args:
            size: bytes that are to come.
        """
        from fortydays.data.own import dataset as own

        settings = read_settings()
        try:
            expected, place, is_there = _place_on_node(self._name, settings)
            if place != self._place:
                return _Refused("it would lie at another place there")
            if is_there:
                return KEPT
            files.make_folder(expected.parent)
            self._held.enter_context(files.locked(expected.parent / "lock", timeout=0))
            if files.exists(expected):
                if not own.is_own(self._name) or _place_on_node(self._name, settings)[2]:
                    return KEPT
                files.remove(expected)  # a copy that the disk has changed
            files.remove_leftovers(expected.parent)
            if size > (free := files.free_bytes(expected.parent)):
                return _Refused(f"it needs {size_in_words(size)}, and there is room for {size_in_words(free)}")
            self._whole = expected
        except TimeoutError:
            return BUSY
        except FortydaysError as error:
            return _Refused.of(error)
        return WANTED

    def write(self, inside: str, after: int, content: bytes) -> "bool | _Refused":
        """Write the bytes of a file that begin at a place of it."""
        assert self._whole is not None
        try:
            if not inside:
                target = self._file = files.part_of(self._whole)
            else:
                if self._building is None:
                    self._building = self._held.enter_context(files.folder_built_whole(self._whole))
                target = self._building / inside
                if not target.resolve().is_relative_to(self._building.resolve()):
                    return _Refused(f"{inside} is no path in its folder")
            files.make_folder(target.parent)
            files.append_bytes(target, after=after, content=content)
        except FortydaysError as error:
            return _Refused.of(error)
        return True

    def finish(self, note: bytes = b"") -> "bool | _Refused":
        """Give what has come its name in the cache; of photographs, write their note beside them."""
        from fortydays.data import photographs

        assert self._whole is not None
        try:
            if self._file is not None:
                files.complete_part(self._whole)
            self._held.close()
            if note:
                photographs.write_note(photographs.PHOTOGRAPHS[self._name], read_settings(), note)
        except FortydaysError as error:
            return _Refused.of(error)
        return True

    def abandon(self) -> None:
        """Remove what has come."""
        if self._file is not None:
            files.remove(self._file)
        # As if writing had failed, so that no part gets the name of the whole.
        self._held.__exit__(DataError, DataError("It is not sent any further."), None)
