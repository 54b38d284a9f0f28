"""A made-up folder of data and a reader's workspace, for the tests of versions; and listeners that meddle."""

from collections.abc import Callable
from pathlib import Path

from fortydays.base.settings import Settings, read_settings

FLOWERS = {
    "roses/1.png": b"red",
    "roses/2.png": b"white",
    "tulips/1.png": b"yellow",
    "readme.txt": b"flowers\n",
}


def settings_of(home: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(home)})


def fill(folder: Path, content: dict[str, bytes]) -> Path:
    for path, text in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cached_objects(settings: Settings) -> list[Path]:
    """What lies in DVC's cache."""
    folder = settings.workspace / "data" / ".dvc" / "cache" / "files" / "md5"
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def object_of(settings: Settings, content: bytes) -> Path:
    """Where DVC's cache holds a file of that content."""
    import hashlib

    md5 = hashlib.md5(content).hexdigest()
    return settings.workspace / "data" / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def overwrite(path: Path, content: bytes) -> None:
    """Change a file that is protected, and leave it protected."""
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


class Meddler:
    """A listener that does something at the start or the end of a task, and remembers what it was told."""

    def __init__(self, *, starts: dict[str, Callable[[], object]] | None = None,
                 ends: dict[str, Callable[[], object]] | None = None) -> None:  # fmt: skip
        self._starts, self._ends = starts or {}, ends or {}
        self.said: list[str] = []

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        self._starts.get(task, lambda: None)()

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        pass

    def finish(self, task: str, *, note: str = "") -> None:
        self._ends.get(task, lambda: None)()

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.said.append(f"Warning: {message}")
