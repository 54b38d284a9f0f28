"""The workers of a service: what each is told at its start, and how all of them serve the same."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.process import has_ended, identity
from fortydays.serve.errors import busy
from fortydays.serve.guard import Access
from fortydays.serve.limits import Limits
from fortydays.serve.service import Service
from fortydays.serve.source import Source, fetch, forget

_LOG = logging.getLogger(__name__)
_BUNDLES = "bundles"
_SECONDS_BETWEEN_LOOKS = 0.1
_LAME_SECONDS = 0.3
"""How long a service that is to end still takes requests: each is told that its connection closes."""
_SECONDS_FOR_WORKERS = 60


@dataclass(frozen=True, kw_only=True)
class Launch:
    """All that a worker needs to know; see the options of ``forty serve``.

    Attributes:
        state: a private folder for what the workers of this service tell each other.
        threads: for each model to compute with.
        share: of requests that the shadow sees, from 0 to 1.
        log: the file of the request log, or None.
        parent: the process that starts the workers. One that has another parent ends: it was killed, however early.
    """

    sources: Mapping[str, Source]
    state: Path
    access: Access
    limits: Limits = field(default_factory=Limits)
    threads: int = 1
    workers: int = 1
    share: float = 1.0
    log: Path | None = None
    log_rows: int = 100_000
    keep_images: bool = False
    root_path: str = ""
    parent: int = field(default_factory=os.getpid)


class Member:
    """One worker among those of a service: whoever is told to reload has the others do the same.

    What is to be served stands in one file with a number that grows. Each worker looks at it, loads what it names, and
    writes down in a file of its own how that went. Where one cannot, all go back.
    """

    def __init__(
        self,
        launch: Launch,
        service: Service,
        *,
        generation: int,
        stop_listening: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._stop_listening = stop_listening
        self._launch = launch
        self._service = service
        self._generation = generation
        self._watch: asyncio.Task[None] | None = None
        self._leave: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tell that this worker runs, watch the others, and end gently when asked to."""
        self._tell("")
        if self._launch.workers > 1:
            self._watch = asyncio.create_task(self._watching())
        loop = asyncio.get_running_loop()
        usual = signal.getsignal(signal.SIGTERM)

        def leave() -> None:
            if self._leave is None:
                self._leave = asyncio.create_task(self._leaving(usual))

        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: a test's
            loop.add_signal_handler(signal.SIGTERM, leave)
            if self._launch.workers > 1:  # Ctrl-C reaches all; whoever started this worker then ends it in order
                loop.add_signal_handler(signal.SIGINT, lambda: None)

    async def stop(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
        with contextlib.suppress(StorageError):
            files.remove(self._own)

    async def reload(self) -> dict[str, Any]:
        """Serve what the sources name now, in every worker.

        Returns:
            By role what is served and whether it changed, and the number of workers.

        Raises:
            FortydaysError: it cannot be; every worker serves what it did.
        """
        try:
            with files.locked(self._launch.state / "reload.lock", timeout=0):
                return await self._reload()
        except TimeoutError:
            raise busy("Another reload is under way.") from None

    async def _reload(self) -> dict[str, Any]:
        try:
            folders = await fetch_all(self._launch)
        except FortydaysError as error:
            raise FortydaysError(self._without_places(error.message)) from error
        before = read_current(self._launch.state)
        result = await self._service.reload(folders)
        self._generation = before["generation"] + 1
        write_current(self._launch.state, folders, generation=self._generation)
        self._tell("")
        failures, workers = await self._others()
        if failures:
            old = {role: Path(folder) for role, folder in before["folders"].items()}
            self._generation += 1
            write_current(self._launch.state, old, generation=self._generation)
            await self._service.reload(old, tried=True)
            self._tell("")
            raise FortydaysError(f"A worker could not load it: {failures[0]}")
        forget(self._launch.state / _BUNDLES, except_for=folders.values())
        return {**result, "workers": workers}

    def _without_places(self, message: str) -> str:
        """A message for who asked over HTTP, and is not told where things lie."""
        for source in self._launch.sources.values():
            if source.folder is not None:
                message = message.replace(str(source.folder), "the bundle")
        return message.replace(str(self._launch.state), "the service's folder")

    async def _others(self) -> tuple[list[str], int]:
        """Wait until every worker, those that still start included, has told what failed; and how many there are."""
        end = clock.seconds() + _SECONDS_FOR_WORKERS
        while True:
            told = members(self._launch.state)
            late = [each for each in told if each["generation"] < self._generation]
            failures = [each["problem"] for each in told if each["problem"] and each not in late]
            if failures or (not late and len(told) >= self._launch.workers):
                return failures, len(told)
            if clock.seconds() > end:
                return [f"a worker did not answer within {_SECONDS_FOR_WORKERS} seconds"], len(told)
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS / 2)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            self._service.metrics.waiting.set(self._service.main.batcher.waiting)
            if os.getppid() != self._launch.parent:
                signal.raise_signal(signal.SIGTERM)  # whoever would restart or end this worker was killed
                return
            with contextlib.suppress(StorageError):
                current = read_current(self._launch.state)
                if current["generation"] <= self._generation:
                    continue
                self._generation = current["generation"]
                folders = {role: Path(folder) for role, folder in current["folders"].items()}
                try:
                    await self._service.reload(folders, tried=True)
                except FortydaysError as error:
                    self._tell(error.message)
                except Exception:  # or nobody would look any more
                    _LOG.exception("A reload failed: a defect of the service")
                    self._tell("it failed")
                else:
                    self._tell("")

    async def _leaving(self, usual: Any) -> None:
        self._service.ready = False
        await asyncio.sleep(_LAME_SECONDS)
        if self._stop_listening is not None:
            try:
                await self._stop_listening()
            except Exception:  # or it would never end
                _LOG.exception("Those who waited to be let in were not heard: a defect of the service")
            await asyncio.sleep(_LAME_SECONDS)  # who was let in has not all sent its request yet
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, usual)
        signal.raise_signal(signal.SIGTERM)

    @property
    def _own(self) -> Path:
        return self._launch.state / f"worker-{os.getpid()}.json"

    def _tell(self, problem: str) -> None:
        files.write_json(self._own, {"process": identity(), "generation": self._generation, "problem": problem})


def members(state: Path) -> list[dict[str, Any]]:
    """What the workers that run have told: {"process", "generation", "problem"} each."""
    told = []
    for path in sorted(state.glob("worker-*.json")):
        with contextlib.suppress(StorageError):  # it ended just now
            told.append(files.read_json(path))
    return [each for each in told if not has_ended(each["process"])]


async def fetch_all(launch: Launch) -> dict[str, Path]:
    """Copies of what the sources name now, by role. Raises FortydaysError: one cannot be had."""
    return {role: await fetch(source, launch.state / _BUNDLES) for role, source in launch.sources.items()}


def write_current(state: Path, folders: Mapping[str, Path], *, generation: int) -> None:
    """Write down what is to be served."""
    told = {role: str(folder) for role, folder in folders.items()}
    files.write_json(state / "current.json", {"generation": generation, "folders": told})


def read_current(state: Path) -> dict[str, Any]:
    """What is to be served: {"generation", "folders"}. Raises StorageError: it cannot be read."""
    return files.read_json(state / "current.json")
