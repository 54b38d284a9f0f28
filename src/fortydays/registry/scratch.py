"""A folder in the workspace for what one command needs for a while; what killed ones left behind goes at the next."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from fortydays.base import files
from fortydays.base.process import has_ended, identity
from fortydays.base.settings import Settings


@contextlib.contextmanager
def scratch(settings: Settings) -> Iterator[Path]:
    """A new folder that is removed when the block ends.

    Raises:
        StorageError: it cannot be created.
    """
    parent = files.make_folder(settings.workspace / "registry")
    for entry in sorted(parent.glob(".by-*.part")):
        found = re.match(r"\.by-(\d{1,9})\.", entry.name)
        # Only the number is in the name; a number given again keeps a leftover until its new owner has ended.
        if found and has_ended({**identity(), "pid": int(found[1]), "started": ""}):
            with contextlib.suppress(OSError):
                files.remove(entry)
    with files.temporary_folder(parent, f"by-{os.getpid()}") as folder:
        yield folder
