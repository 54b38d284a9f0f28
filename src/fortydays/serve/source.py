"""Where the bundles come from: a folder, or the registry, which a process of its own asks: none of it loads here."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.text import shown
from fortydays.registry.names import CHALLENGER, CHAMPION, parse_reference
from fortydays.registry.package import read

_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to serve.

    Attributes:
        model: a reference to a version in the registry, or "".
        folder: of a bundle, where there is no such reference.
        kept: the folder in which bundles from the registry are kept.
    """

    model: str
    folder: Path | None
    kept: Path

    def __str__(self) -> str:
        return self.model or str(self.folder)


def source_of(text: str, kept: Path) -> Source:
    """What a reader named: the folder of a bundle, or a model of the registry.

    Args:
        text: a path with a slash or of a folder that exists, or NAME, NAME@VERSION, NAME@ALIAS.
        kept: the folder in which bundles from the registry are kept.

    Raises:
        UsageError: it is neither.
    """
    if _is_folder(text):
        return Source(model="", folder=Path(text).absolute(), kept=kept)
    if "/" in text:
        raise UsageError(f"There is no folder {shown(text)}.", hint="Make a bundle with: forty bundle NAME -o FOLDER")
    reference = parse_reference(text)
    if reference.version is None and reference.alias is None:
        text = f"{reference.name}@{CHAMPION}"
    return Source(model=text, folder=None, kept=kept)


def _is_folder(text: str) -> bool:
    try:
        return bool(text) and files.is_folder(Path(text))
    except (StorageError, ValueError):  # no name that a folder could have
        return False


def shadow_of(source: Source, text: str) -> Source:
    """The model beside it: "challenger", or whatever :func:`source_of` takes."""
    if text in (CHAMPION, CHALLENGER):
        if not source.model:
            raise UsageError(
                f"The shadow {text!r} is an alias, and {source.folder} is a folder.",
                hint="Name the folder of a second bundle: --shadow FOLDER",
            )
        text = f"{parse_reference(source.model).name}@{text}"
    return source_of(text, source.kept)


async def fetch(source: Source) -> Path:
    """The folder of the bundle that a source names now.

    Raises:
        FortydaysError: there is none, or the registry cannot be asked.
    """
    if source.folder is not None:
        return source.folder
    files.make_private_folder(source.kept)
    with files.temporary_folder(source.kept, "new") as place:
        await _bundle(source.model, place / "bundle")
        manifest = read(place / "bundle")
        version = manifest.facts.get("version")
        target = source.kept / f"{parse_reference(source.model).name}-{version}-{manifest.digest[:16]}"
        if not files.is_folder(target):
            (place / "bundle").rename(target)
    return target


async def _bundle(model: str, folder: Path) -> None:
    """Have ``forty bundle`` write a bundle."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fortydays", "bundle", model, "-o", str(folder), "--json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            _, told = await process.communicate()
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise FortydaysError(f"The registry did not give {model} within {_SECONDS} seconds.") from None
        raise
    if process.returncode:
        raise _as_told(told.decode("utf-8", "replace"), model, usage=process.returncode == 2)


def _as_told(text: str, model: str, *, usage: bool) -> FortydaysError:
    """The error that the other command ended with, said again."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        error = json.loads(lines[-1])["error"]
        message, hint = str(error["message"]), str(error["hint"])
    except (IndexError, ValueError, KeyError, TypeError):
        message, hint = f"The registry did not give {model}: {' '.join(lines[-1:])}", ""
    return UsageError(message, hint=hint) if usage else FortydaysError(message, hint=hint)
