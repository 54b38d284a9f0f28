"""What is kept of a reader's photographs: what each file held, and its pixels as a network takes them.

A collection lies in the workspace, in ``own/NAME/``; the reader's own folder is only ever read::

    224.1.index      what each file held when it was read, and what is known of each content
    224.1.pixels     the pixels of each content at 224 x 224, in the order in which they were first met

Contents are told apart by their SHA-256. A file whose size and time of change are the same is not read again, so that
a second look at a hundred thousand photographs takes seconds, and a look that was stopped goes on where it was. What
is kept after a crash is a whole number of photographs: pixels are on disk before the index speaks of them.
"""

import base64
import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.images import Reason
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted, size_in_words
from fortydays.data.own import dataset as own
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.decoding import Content, FileRead, decoders, read_files, status_of
from fortydays.data.own.duplicates import SMALL_SIDE
from fortydays.data.own.index import Index
from fortydays.data.own.listing import Listing
from fortydays.data.own.old_index import old_index, taken_over
from fortydays.data.own.pixels import folder_of, kept_pixels, pixel_file
from fortydays.data.own.rows import append_checksums, append_rows, damage_file
from fortydays.data.own.splitting import SPLITS

_AT_ONCE = 256
_GREYS = 2
"""Number of the way from grey pixels of many bits to eight. What was prepared in another way is read anew."""


class Collection:
    """The kept photographs of one name; from :func:`opened`."""

    kind = own.PHOTOGRAPHS

    def __init__(self, folder: Path, side: int, index: Index) -> None:
        self.folder = folder
        self.side = side
        self._pixel_file = pixel_file(folder, side)
        self._index = index
        self._warnings: list[str] = []

    def read(self, listing: Listing, *, workers: int, progress: Progress = SILENT) -> dict[str, Content | str]:
        """Look at every photograph of a listing, as far as it was not looked at before.

        Returns:
            For each path what its bytes are; or, in words, why they could not be had.

        Raises:
            DataError: the workspace has not enough room for the pixels.
            StorageError: it cannot be written, or pixels that it had are gone.
        """
        for warning in (self._index.warning, *self._warnings):
            if warning:
                progress.warn(warning)
        self._check_pixels(progress)
        found: dict[str, Content | str] = {}
        waiting = []
        for photograph in listing.photographs:
            known = self._known(photograph.path, status_of(listing.root / photograph.path))
            if known is None:
                waiting.append(photograph.path)
            else:
                found[photograph.path] = known
        if waiting:
            self._check_room(len(waiting))
            task, done = "Looking at the photographs", 0
            progress.start(task, total=float(len(waiting)), unit="files")
            most = max(1, min(_AT_ONCE, 2**26 // (3 * self.side**2)))
            with contextlib.closing(read_files(listing.root, waiting, side=self.side, workers=workers)) as reads:
                while batch := list(islice(reads, most)):
                    found.update(self._keep(batch))
                    done += len(batch)
                    progress.advance(task, done=float(done))
            progress.finish(task)
        return {photograph.path: found[photograph.path] for photograph in listing.photographs}

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels of every content that was ever prepared.

        Returns:
            A read-only memory map: uint8, shape (rows, side, side, 3).

        Raises:
            StorageError: there are fewer than the index knows of.
        """
        pixels, rows = kept_pixels(self.folder, self.side), self._index.facts["rows"]
        if len(pixels) < rows:
            raise StorageError(
                f"{self._pixel_file} is shorter than its index says.",
                hint=f"Remove the folder {self.folder} and run the command again.",
            )
        return pixels[:rows]

    def owner(self) -> str:
        """The folder or table that the name belongs to, or ""."""
        return str(self._index.facts.get("owner", ""))

    def keep_owner(self, place: str) -> None:
        """Let the name belong to a folder or table. Raises StorageError."""
        self._index.write(facts={"owner": place})

    def is_empty(self) -> bool:
        """Whether no photograph was looked at yet."""
        return not self._index.contents

    def knows(self, sha256: str) -> bool:
        """Whether a content was looked at."""
        # Of an index that was lost, the splits may still be known.
        return sha256 in self._index.contents or sha256 in self._index.splits

    def splits(self) -> dict[str, str]:
        """The split of every content that has one, by its SHA-256."""
        return dict(self._index.splits)

    def keep_splits(self, splits: dict[str, str]) -> None:
        """Write down the splits of contents, by their SHA-256. Raises StorageError."""
        new = {sha256: split for sha256, split in splits.items() if self._index.splits.get(sha256) != split}
        if new:
            self._index.write(splits=new)

    def _check_pixels(self, progress: Progress) -> None:
        """Let photographs be read anew whose pixels were found to be damaged; give the others checksums."""
        append_checksums(self._pixel_file, self.pixels())
        told = damage_file(self._pixel_file)
        if files.is_file(told):
            damaged = {int(row) for row in files.read_json(told)["rows"]}
            progress.warn(
                f"{self._pixel_file} was damaged: {counted(len(damaged), 'photograph')} of it are read anew."
            )
            # A row of pixels is never written over: the same bytes get another one.
            contents = self._index.contents.items()
            self._index.write(contents={sha256: None for sha256, values in contents if values[-1] in damaged})
            files.remove(told)

    def _forget_outdated(self) -> None:
        """Let files be looked at again that this program reads, or prepares, in another way than they were."""
        today = decoders()
        if self._index.facts.get("decoders") != today:
            reasons, contents = (Reason.UNKNOWN.value, Reason.DAMAGED.value), self._index.contents.items()
            unreadable = {sha256: None for sha256, values in contents if values[0] in reasons}
            self._index.write(contents=unreadable, facts={"decoders": today})
        if self._index.facts.get("greys") != _GREYS:
            greys = {sha256: None for sha256, values in self._index.contents.items() if values[4].startswith("I")}
            self._index.write(contents=greys, facts={"greys": _GREYS})

    def _mend_index(self, name: str, settings: Settings) -> None:
        """Let an index that is new, or has lost lines, take over what is there of the one before."""
        rows = self._index.facts.get("rows", 0)
        good = self._index.whole and "rows" in self._index.facts
        if good and len(kept_pixels(self.folder, self.side)) <= rows:
            return
        states = self._states(name, settings)
        needed = {path: int(state.rows.max()) + 1 for path, state in states.items() if state.side == self.side}
        if good:
            # A look that was killed leaves pixels that nothing tells of. What a state tells of, the index has lost.
            if max(needed.values(), default=0) <= rows:
                return
            self._index.make_anew()
        self._begin_anew(states, needed)

    def _begin_anew(self, states: dict[Path, OwnExamples], needed: dict[Path, int]) -> None:
        rows = len(kept_pixels(self.folder, self.side))
        owner, splits, warning = taken_over(self.folder)
        for state in states.values():
            splits |= {each: SPLITS[split] for each, split in zip(state.contents, state.splits, strict=True)}
        # Whatever kills this process in between, the splits are written down somewhere, and the rows come last.
        self._index.write(splits={**splits, **self._index.splits}, facts={"owner": owner, **self._index.facts})
        lost = [path for path, least in needed.items() if least > rows]
        if lost or not rows:  # others will be in these rows
            for path in self.folder.glob("*.features"):
                files.remove(path)
        aside = [f"{path.name} as {files.set_aside(path).name}" for path in lost]
        contents = self._index.contents.items()
        self._index.write(
            contents={sha256: None for sha256, values in contents if values[-1] >= rows},
            facts={"rows": rows},
        )
        files.remove(old_index(self.folder))
        self._warnings = [warning] if warning else []
        if aside:
            self._warnings.append(
                f"{self._pixel_file} has lost pixels. What was written down of them is of no use any more. "
                f"It is kept: {', '.join(aside)}."
            )

    def _states(self, name: str, settings: Settings) -> dict[Path, OwnExamples]:
        """The states that were written down of this collection, as far as they can be read, by their files."""
        found = {}
        for path in own.documents_of(self.folder):
            with contextlib.suppress(DataError, StorageError):
                found[path] = own.read(f"{own.PREFIX}{name}@{path.stem}", settings)
        return found

    def _known(self, path: str, status: tuple[int, int] | str) -> Content | str | None:
        """What is known of a file whose size and time of change are still the same."""
        size, changed, sha256, reason = self._index.files.get(path, (None, None, "", ""))
        if (size, changed) != status:
            return None
        if not sha256:
            return str(reason)
        return self._content(sha256) if sha256 in self._index.contents else None

    def _content(self, sha256: str) -> Content:
        reason, width, height, kind, mode, hashed, small, row = self._index.contents[sha256]
        return Content(
            sha256=sha256,
            reason=reason,
            width=width,
            height=height,
            format=kind,
            mode=mode,
            hash=hashed,
            small=np.frombuffer(base64.b64decode(small), np.uint8).reshape(SMALL_SIDE, SMALL_SIDE, 3),
            row=row,
        )

    def _keep(self, batch: Sequence[FileRead]) -> dict[str, Content | str]:
        """Write down what was read: first the pixels, then, when they are on disk, what the index says of them."""
        new: dict[str, FileRead] = {}
        for each in batch:
            if each.content is not None:
                before = self._index.contents.get(each.content.sha256)
                # What a decoder could not read once, another one may.
                if before is None or (before[0] and not each.content.reason):
                    new[each.content.sha256] = each
        rows = self._index.facts["rows"]
        pixels = [each.pixels for each in new.values() if each.pixels is not None]
        if pixels:
            # What a process that was killed wrote beyond the rows that the index tells of is written over.
            append_rows(self._pixel_file, np.stack(pixels), after=rows)
        contents = {}
        for sha256, each in new.items():
            contents[sha256] = _values(each, rows)
            rows += each.pixels is not None
        told = {
            each.path: [each.size, each.changed, each.content.sha256 if each.content else "", each.reason]
            for each in batch
            if each.size >= 0
        }
        self._index.write(contents=contents, files=told, facts={"rows": rows})
        return {each.path: self._content(each.content.sha256) if each.content else each.reason for each in batch}

    def _check_room(self, count: int) -> None:
        needed = count * 3 * self.side**2
        free = files.free_bytes(self.folder)
        if needed > free:
            raise DataError(
                f"The pixels of {counted(count, 'photograph')} need {size_in_words(needed)} in {self.folder}; "
                f"there is room for {size_in_words(free)}.",
                hint="Make room, or let FORTYDAYS_HOME name a folder on a larger disk.",
            )


@contextlib.contextmanager
def opened(name: str, settings: Settings, *, side: int) -> Iterator[Collection]:
    """The collection of a name, made where there is none; held by one process at a time.

    Raises:
        DataError: another process is at work on it.
        StorageError: it cannot be read or written.
    """
    folder = files.make_folder(folder_of(name, settings))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(folder / "lock", timeout=0))
        except TimeoutError:
            raise DataError(
                f"Another process is looking at the photographs of {name!r}.", hint="Wait until it is done."
            ) from None
        index = Index(pixel_file(folder, side).with_suffix(".index"))
        collection = Collection(folder, side, index)
        collection._mend_index(name, settings)
        collection._forget_outdated()
        yield collection


def _values(read: FileRead, row: int) -> list[Any]:
    content = read.content
    assert content is not None
    small = base64.b64encode(content.small.tobytes()).decode()
    return [
        content.reason, content.width, content.height, content.format, content.mode, content.hash, small,
        row if read.pixels is not None else -1,
    ]  # fmt: skip
