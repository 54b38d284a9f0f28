"""Where the bundles come from: a folder, or the registry, which a process of its own asks: none of it loads here."""

import asyncio
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.process import child_environment
from fortydays.base.text import shown
from fortydays.registry.names import CHALLENGER, CHAMPION, parse_reference
from fortydays.registry.package import MANIFEST, copy, read

_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to serve.

    Attributes:
        model: a reference to a version in the registry, or "".
        folder: of a bundle, where there is no such reference.
    """

    model: str
    folder: Path | None

    def __str__(self) -> str:
        return self.model or str(self.folder)


def source_of(text: str) -> Source:
    """What a reader named: the folder of a bundle, or a model of the registry.

    Args:
        text: a path with a slash, or of a folder that holds a bundle; or NAME, NAME@VERSION, NAME@ALIAS. Whoever has
            learned from a folder of photographs asks the model of that name, and the folder lies beside it.

    Raises:
        UsageError: it is neither.
    """
    if _is_folder(text) and ("/" in text or _is_folder_of_bundle(text)):
        return Source(model="", folder=Path(text).absolute())
    if "/" in text:
        raise UsageError(f"There is no folder {shown(text)}.", hint="Make a bundle with: forty bundle NAME -o FOLDER")
    reference = parse_reference(text)
    if reference.version is None and reference.alias is None:
        text = f"{reference.name}@{CHAMPION}"
    return Source(model=text, folder=None)


def _is_folder(text: str) -> bool:
    try:
        return bool(text) and files.is_folder(Path(text))
    except (StorageError, ValueError):  # no name that a folder could have
        return False


def _is_folder_of_bundle(text: str) -> bool:
    return files.is_file(Path(text) / MANIFEST)


def shadow_of(source: Source, text: str) -> Source:
    """The model beside it: "challenger", or whatever :func:`source_of` takes."""
    if text in (CHAMPION, CHALLENGER):
        if not source.model:
            raise UsageError(
                f"The shadow {text!r} is an alias, and {source.folder} is a folder.",
                hint="Name the folder of a second bundle: --shadow FOLDER",
            )
        text = f"{parse_reference(source.model).name}@{text}"
    return source_of(text)


async def fetch(source: Source, kept: Path) -> Path:
    """The bundle that a source names now, as a folder that nobody else writes into.

    Whatever becomes of the source, each worker that loads it later, or goes back to it, finds the same.

    Args:
        source: of the bundle.
        kept: the folder in which a service keeps its bundles.

    Raises:
        FortydaysError: there is none, the registry cannot be asked, or there is no room for it.
    """
    files.make_private_folder(kept)
    with files.temporary_folder(kept, "new") as place:
        if source.folder is not None:
            await asyncio.to_thread(copy, source.folder, place / "bundle")
        else:
            await _bundle(source.model, place / "bundle")
        target = kept / read(place / "bundle").digest
        if not files.is_folder(target):
            with files.storage_errors("create the folder", target):
                (place / "bundle").rename(target)
    return target


def forget(kept: Path, *, except_for: Collection[Path]) -> None:
    """Remove the bundles that are served no more."""
    for path in kept.glob("[0-9a-f]*"):
        if path not in except_for:
            files.remove(path)


async def _bundle(model: str, folder: Path) -> None:
    """Have ``forty bundle`` write a bundle."""
    try:
        async with asyncio.timeout(_SECONDS):
            code, told = await run_aside(("-m", "fortydays", "bundle", model, "-o", str(folder), "--json"))
    except TimeoutError:
        raise FortydaysError(f"The registry did not give {model} within {_SECONDS} seconds.") from None
    if code:
        raise _as_told(told, model, usage=code == 2)


async def run_aside(arguments: Sequence[str]) -> tuple[int, str]:
    """Run this Python in a process of its own, which is killed where nobody waits for it any more.

    Returns:
        Its exit code, and what it wrote to standard error.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", *arguments),
        env=child_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, told = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process.returncode or 0, told.decode("utf-8", "replace")


def _as_told(text: str, model: str, *, usage: bool) -> FortydaysError:
    """The error that the other command ended with, said again."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        error = json.loads(lines[-1])["error"]
        message, hint = str(error["message"]), str(error["hint"])
    except (IndexError, ValueError, KeyError, TypeError):
        message, hint = f"The registry did not give {model}: {' '.join(lines[-1:])}", ""
    return UsageError(message, hint=hint) if usage else FortydaysError(message, hint=hint)
