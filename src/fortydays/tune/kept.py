"""The folder in which a search keeps what its tries gave, so that the same command goes on where it was stopped.

    <workspace>/searches/<study>-<digest of what was asked>/
        search.json   what was asked for, what it is a function of, and how far it has come
        tries.json    by the digest of a try's spec, what it gave
        search.lock   held by the process that works on it; the system frees it when that process dies

A search is a function of its tries, which are functions of their specs. So nothing else is kept: a search that goes on
asks Optuna for the same candidates again and finds their tries done. More candidates are the same search, continued.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import StorageError, StudyChangedError, UsageError
from fortydays.base.progress import Progress
from fortydays.study.plan import in_words
from fortydays.study.runs import RunState

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a try gave: a validation accuracy, or None and why it failed."""

    accuracy: float | None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SearchFolder:
    """One search on disk."""

    path: Path

    @property
    def document(self) -> Path:
        """What was asked for, and how far it has come."""
        return self.path / "search.json"

    @property
    def tries(self) -> Path:
        """What the tries gave."""
        return self.path / "tries.json"

    @property
    def lock(self) -> Path:
        """The lock file that its process holds."""
        return self.path / "search.lock"

    def read(self) -> dict[str, Any]:
        """The content of ``search.json``.

        Raises:
            StorageError: it is missing, damaged, or of another version.
        """
        found = files.read_json(self.document)
        fields = {"request", "identity", "state", "created"}
        if (
            found.get("schema_version") != SCHEMA_VERSION
            or not found.keys() >= fields
            or found["state"] not in set(RunState)
            or not isinstance(found["identity"], dict)
        ):
            raise StorageError(f"{self.document} is damaged or was written by another version of fortydays.")
        return found

    def update(self, **changes: Any) -> None:
        """Change some fields of ``search.json``, atomically. Raises StorageError."""
        files.write_json(self.document, {**self.read(), **changes, "updated": clock.timestamp()})

    def read_tries(self, progress: Progress) -> dict[str, Tried]:
        """The tries that are kept, by the digest of their spec. A damaged file is set aside, and told."""
        if not files.exists(self.tries):
            return {}
        try:
            found = files.read_json(self.tries)["tries"]
            return {digest: _tried(each) for digest, each in found.items()}
        except (StorageError, KeyError, TypeError, AttributeError, ValueError):
            aside = files.set_aside(self.tries)
            progress.warn(f"{self.tries} is damaged. It is kept as {aside.name}; the tries begin anew.")
            return {}

    def write_tries(self, tries: Mapping[str, Tried]) -> None:
        """Keep what the tries gave. Raises StorageError."""
        content = {digest: {"accuracy": each.accuracy, "error": each.error} for digest, each in tries.items()}
        files.write_json(self.tries, {"tries": content})

    def is_held(self) -> bool:
        """Whether a process works on the search now."""
        return files.is_held(self.lock)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the search while the block runs. Raises UsageError where another process does."""
        try:
            with files.locked(self.lock, timeout=0):
                files.remove_leftovers(self.path)
                yield
        except TimeoutError:
            raise UsageError(
                f"Another process is working on this search: {self.path.name}.", hint="Wait for it."
            ) from None


def folder_of(searches: Path, *, label: str, request: Mapping[str, Any]) -> SearchFolder:
    """Where a search is kept, which follows from what is asked for."""
    return SearchFolder(path=searches / f"{label}-{files.sha256_of_json(dict(request))[:8]}")


def begin(
    folder: SearchFolder,
    *,
    request: Mapping[str, Any],
    identity: Mapping[str, Any],
    command: str,
    progress: Progress,
    fresh: bool,
) -> bool:
    """Begin a search, or go on with the one in its folder. To be called while the search is held.

    What is there and not gone on with is moved aside, and told.

    Args:
        folder: of the search.
        request: what is asked for.
        identity: by name what the numbers are a function of, as JSON values.
        command: as it was typed.
        progress: told of what was moved.
        fresh: begin anew whatever is there.

    Returns:
        Whether it goes on.

    Raises:
        StudyChangedError: an interrupted one cannot go on, because what it is a function of has changed.
        StorageError: the workspace cannot be read or written.
    """
    found = None
    if files.exists(folder.document):
        try:
            found = folder.read()
        except StorageError as error:
            aside = files.set_aside(folder.document)
            progress.warn(f"{error.message} It is kept as {aside.name}; the search begins anew.")
    if found is not None and not fresh:
        changed = [name for name, value in identity.items() if found["identity"].get(name) != value]
        if not changed:
            folder.update(state=str(RunState.RUNNING), command=command)
            return True
        if found["state"] != RunState.FINISHED and files.exists(folder.tries):
            raise StudyChangedError(
                f"The interrupted search {folder.path.name} cannot continue: {in_words(changed)} changed since.",
                hint="Start over with --fresh; what was tried is moved aside.",
            )
        if files.exists(folder.tries):
            progress.say(f"{in_words(changed)} changed since this search was made, so it begins anew.".capitalize())
    # Tries that a damaged document leaves behind are good: each says what it is of.
    for path in (folder.document, folder.tries) if found is not None or fresh else ():
        if files.exists(path):
            files.set_aside(path, word="earlier")
    files.write_json(
        folder.document,
        {
            "schema_version": SCHEMA_VERSION,
            "request": dict(request),
            "identity": dict(identity),
            "state": str(RunState.RUNNING),
            "command": command,
            "created": clock.timestamp(),
            "updated": clock.timestamp(),
        },
    )
    return False


def _tried(found: Mapping[str, Any]) -> Tried:
    accuracy, error = found["accuracy"], found["error"]
    if not isinstance(error, str) or not (accuracy is None or (isinstance(accuracy, float) and 0 <= accuracy <= 1)):
        raise ValueError("not what a try gives")
    return Tried(accuracy=accuracy, error=error)
