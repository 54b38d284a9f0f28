"""Where the bundles come from: a folder, or the registry, which a process of its own asks: none of it loads here."""

import asyncio
import json
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, StorageError, UsageError
from fortydays.base.process import child_environment
from fortydays.base.text import shown
from fortydays.registry.names import CHALLENGER, CHAMPION, parse_reference
from fortydays.registry.package import MANIFEST, copy, read

_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to serve: a reference to a version in the registry, or, where that is "", the folder of a bundle."""

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
    if is_folder(text) and ("/" in text or files.is_file(Path(text) / MANIFEST)):
        return Source(model="", folder=Path(text).absolute())
    if "/" in text:
        raise UsageError(f"There is no folder {shown(text)}.", hint="Make a bundle with: forty bundle NAME -o FOLDER")
    reference = parse_reference(text)
    if reference.version is None and reference.alias is None:
        text = f"{reference.name}@{CHAMPION}"
    return Source(model=text, folder=None)


def is_folder(text: str) -> bool:
    """Whether a text names a folder; False where the system does not let one look."""
    try:
        return bool(text) and files.is_folder(Path(text))
    except (StorageError, ValueError):  # the latter: no name that a folder could have
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
    return source_of(text)


async def fetch(source: Source, kept: Path) -> Path:
    """The bundle that a source names now, as a folder in ``kept`` that nobody else writes into.

    Whatever becomes of the source, each worker that loads it later, or goes back to it, finds the same.

    Raises:
        FortydaysError: there is none, the registry cannot be asked, or there is no room for it.
    """
    files.make_folder(kept)
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
            await run_aside(
                ("-m", "fortydays", "bundle", model, "-o", str(folder), "--json"),
                lambda _code, said: f"The registry did not give {model}: {said}",
            )
    except TimeoutError:
        raise FortydaysError(f"The registry did not give {model} within {_SECONDS} seconds.") from None


async def run_aside(arguments: Sequence[str], otherwise: Callable[[int, str], str]) -> None:
    """Run this Python in a process of its own, which is killed where nobody waits for it any more.

    Args:
        arguments: of the process, which writes an error to standard error as the commands of ``forty --json`` do.
        otherwise: from the exit code and the last line of standard error to the message, where no error is told.

    Raises:
        FortydaysError: the process failed; says what it told.
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
    if code := process.returncode:
        last = " ".join(told.decode("utf-8", "replace").strip().splitlines()[-1:])
        try:
            error = json.loads(last)["error"]
            message, hint = str(error["message"]), str(error["hint"])
        except (ValueError, KeyError, TypeError):
            message, hint = otherwise(code, last), ""
        raise UsageError(message, hint=hint) if code == ExitCode.USAGE else FortydaysError(message, hint=hint)
