"""A folder in the workspace for what one command needs for a while; what killed ones left behind goes at the next."""

from contextlib import AbstractContextManager
from pathlib import Path

from fortydays.base import files
from fortydays.base.settings import Settings


def scratch(settings: Settings) -> AbstractContextManager[Path]:
    """A new folder that is removed when the block ends. Raises StorageError."""
    return files.temporary_folder(settings.workspace / "registry", "command")
