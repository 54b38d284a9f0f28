"""The processes of a service: one or several workers behind one address, started, told to reload, ended in order."""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.process import has_ended, identity
from fortydays.serve.errors import busy
from fortydays.serve.guard import Access, is_loopback
from fortydays.serve.limits import Limits
from fortydays.serve.service import MAIN, SHADOW, Service
from fortydays.serve.source import Source, fetch, forget

if TYPE_CHECKING:
    from fortydays.serve.guard import Guard

_LOG = logging.getLogger(__name__)
_BUNDLES = "bundles"
_SECONDS_BETWEEN_LOOKS = 0.1
_LAME_SECONDS = 0.3
"""How long a service that is to end still takes requests: each is told that its connection closes."""
_SECONDS_FOR_WORKERS = 60
_SECONDS_TO_END = 5
_SECONDS_OF_A_LIFE = 10.0
"""A worker that lived shorter did not start."""
_SECONDS_OF_A_TURN = 0.0005
_SECONDS_BETWEEN_STARTS = 0.5
_MOST_CONNECTIONS, _OPEN_FILES = 2_000, 4_096


@dataclass(frozen=True, kw_only=True)
class Launch:
    """All that a worker needs to know.

    Attributes:
        sources: of the models, by role.
        state: a private folder for what the workers of this service tell each other.
        access: who may ask.
        limits: of everything.
        threads: for each model to compute with.
        workers: processes.
        share: of requests that the shadow sees.
        log: the file of the request log, or None.
        log_rows: how many rows it keeps.
        keep_images: whether it keeps what the model saw.
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
    parent: int = field(default_factory=os.getpid)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        UsageError: another program does, or there is no such address here.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise UsageError(
            f"The service cannot listen on {host}, port {port}: {error.strerror or error}.",
            hint="Choose another with --port, or --port 0 for any that is free.",
        ) from error
    listening.set_inheritable(True)
    return listening


def address_of(listening: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port, *_ = listening.getsockname()
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def access_for(host: str, *, token: str, hosts: tuple[str, ...]) -> Access:
    """Who may ask a service that listens on an address.

    Args:
        host: the address.
        token: the reader's, or "".
        hosts: names under which it is called.

    Raises:
        UsageError: other machines can reach it and there is no token, or a short one.
    """
    if not is_loopback(host) and not token:
        raise UsageError(
            f"Other machines can reach {host}, and there is no token.",
            hint="Set FORTYDAYS_TOKEN to a secret of at least 16 characters, or leave --host away.",
        )
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise UsageError(
            "FORTYDAYS_TOKEN is no token; expected at least 16 letters, digits and signs, without spaces."
        )
    own = () if host in ("0.0.0.0", "::") else (host,)  # noqa: S104
    return Access(hosts=(*own, *hosts), token=token, admin_token=token or secrets.token_urlsafe(32))


def serve(launch: Launch, listening: socket.socket, *, ready: Callable[[str], None]) -> None:
    """Serve until the process is told to end.

    Args:
        launch: what and how.
        listening: where.
        ready: called with the models' names when the service answers.

    Raises:
        FortydaysError: a model cannot be had or is not one to serve.
    """
    files.make_private_folder(launch.state)
    try:
        folders = asyncio.run(_fetch_all(launch))
        _write_current(launch.state, folders, generation=1)
        _write_running(launch, listening)
        if launch.workers == 1:
            _serve_one(launch, listening, ready=ready)
        else:
            _run_workers(launch, listening, ready)
    finally:
        listening.close()
        files.remove(launch.state)


def _serve_one(launch: Launch, listening: socket.socket, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve in this process until it is told to end."""
    import uvicorn

    from fortydays.serve.connections import Connection

    config = uvicorn.Config(
        _not_yet,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",  # clients' mistakes are in the metrics; what goes wrong here, the guard and we tell
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(launch.limits.drain) + 1,
        limit_concurrency=_most_connections(),
    )
    server = uvicorn.Server(config)
    # The event loop has little to do for each request, and is not to wait long for the threads that help it.
    sys.setswitchinterval(_SECONDS_OF_A_TURN)
    # Made before anything listens, so that what is wrong with a model is told first.
    config.app = worker(launch, ready=ready, stop_listening=lambda: _stop_listening(server, listening, launch.state))
    server.run([listening])


async def _not_yet(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("the application is set before the server runs")


def _most_connections() -> int:
    """How many connections fit; where the system allows more open files than it gives at first, they are taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(_MOST_CONNECTIONS, soft - 128))


async def _stop_listening(server: Any, listening: socket.socket, state: Path) -> None:
    """Take no more connections, and none that the system has taken already is dropped unheard.

    Of several workers, whose socket is one, the last to stop hears those who still wait.
    """
    spare = listening.dup()
    for each in server.servers:
        each.close()
    if not _is_last_to_stop(state):
        spare.close()
        return
    spare.setblocking(False)
    spare.listen(0)  # who comes now is not let in, and told so when the socket is closed
    connections = []
    while True:
        try:
            connections.append(spare.accept()[0])
        except ConnectionAbortedError:  # that one left again
            continue
        except OSError:  # nobody else waits, or no more files may be open
            break
    with contextlib.suppress(OSError):  # macOS ends only connections so
        spare.shutdown(socket.SHUT_RDWR)  # for all processes that have it
    spare.close()

    def protocol() -> Any:
        return server.config.http_protocol_class(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )

    for connection in connections:
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # it left
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)


def _is_last_to_stop(state: Path) -> bool:
    """Note that this worker takes no more connections, and tell whether all others have done so before.

    One after another, or two that stop in the same moment would both be the last.
    """
    with files.locked(state / "deaf.lock", timeout=_SECONDS_TO_END):
        files.write_json(state / f"deaf-{os.getpid()}.json", {})
        return all((state / f"deaf-{each['process']['pid']}.json").exists() for each in _members(state))


def _run_workers(launch: Launch, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Have processes serve, start another for each that dies, and end them all when this one is told to end."""
    from fortydays.registry.contents import open_bundle
    from fortydays.serve.metrics import forget_worker

    current = _read_current(launch.state)
    names = []
    for role in launch.sources:
        bundle = open_bundle(Path(current["folders"][role]), threads=1)
        names.append(f"{bundle.name}@{bundle.version}")
    # Where the library looks for the folder in which the workers add up their metrics.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(files.make_private_folder(launch.state / "metrics"))
    spawn = multiprocessing.get_context("spawn")
    told: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: told.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }

    def started() -> Any:
        process = spawn.Process(target=_serve_one, args=(launch, listening))
        process.start()
        since[process.pid] = clock.seconds()
        return process

    since: dict[int | None, float] = {}
    in_vain = 0
    processes: list[Any] = []
    try:
        processes += [started() for _ in range(launch.workers)]
        ready(", ".join(names))
        while not told:
            ended = [process for process in processes if process.exitcode is not None]
            for process in ended:
                forget_worker(process.pid)
                in_vain = in_vain + 1 if clock.seconds() - since.pop(process.pid) < _SECONDS_OF_A_LIFE else 0
                if in_vain > 2 * launch.workers:
                    raise FortydaysError(
                        f"The workers end as soon as they start: {in_vain} times in a row.",
                        hint="See why with one: forty serve --workers 1",
                    )
                processes.remove(process)
                process.close()
                processes.append(started())
            # One that cannot start at all is not started as fast as the machine can.
            if ended:
                time.sleep(_SECONDS_BETWEEN_STARTS)
            multiprocessing.connection.wait([each.sentinel for each in processes], _SECONDS_BETWEEN_LOOKS)
    finally:
        end = clock.seconds() + launch.limits.drain + _SECONDS_TO_END
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(max(end - clock.seconds(), 0))
            if process.exitcode is None:
                process.kill()
                process.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
    signal.raise_signal(told[0])


def worker(
    launch: Launch,
    *,
    ready: Callable[[str], None] | None = None,
    stop_listening: Callable[[], Awaitable[None]] | None = None,
) -> "Guard":
    """The application of one worker process, its models loaded.

    Args:
        launch: what and how.
        ready: called with the models' names when the server has started.
        stop_listening: called when this worker is to end, before it does; nothing where another owns the socket.
    """
    from fortydays.serve.app import create_app
    from fortydays.serve.log import RequestLog
    from fortydays.serve.metrics import Metrics
    from fortydays.serve.served import load

    metrics = Metrics()
    current = _read_current(launch.state)
    models = {
        role: load(Path(folder), launch.limits, metrics, threads=launch.threads)
        for role, folder in current["folders"].items()
    }
    log = None
    if launch.log is not None:
        log = RequestLog(
            launch.log, most_rows=launch.log_rows, keep_images=launch.keep_images, dropped=metrics.dropped.inc
        )
    service = Service(
        models[MAIN],
        models.get(SHADOW),
        share=launch.share,
        limits=launch.limits,
        metrics=metrics,
        log=log,
        threads=launch.threads,
    )
    member = Member(launch, service, generation=current["generation"], stop_listening=stop_listening)

    async def started() -> None:
        # What is loaded stays: looking through all of it for garbage again and again would hold up requests.
        gc.collect()
        gc.freeze()
        member.start()
        if ready is not None:
            ready(", ".join(model.reference for model in models.values()))

    return create_app(service, access=launch.access, reload=member.reload, started=started, stopped=member.stop)


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
            folders = await _fetch_all(self._launch)
        except FortydaysError as error:
            raise FortydaysError(self._without_places(error.message)) from error
        before = _read_current(self._launch.state)
        result = await self._service.reload(_finder(folders))
        self._generation = before["generation"] + 1
        _write_current(self._launch.state, folders, generation=self._generation)
        self._tell("")
        failures, workers = await self._others()
        if failures:
            old = {role: Path(folder) for role, folder in before["folders"].items()}
            self._generation += 1
            _write_current(self._launch.state, old, generation=self._generation)
            await self._service.reload(_finder(old))
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
        """Wait until every worker, those that still start included, has told how its reload went.

        Returns:
            What failed, and how many workers there are.
        """
        end = clock.seconds() + _SECONDS_FOR_WORKERS
        while True:
            told = _members(self._launch.state)
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
            if self._launch.workers > 1 and os.getppid() != self._launch.parent:
                signal.raise_signal(signal.SIGTERM)  # whoever would restart or end this worker was killed
                return
            with contextlib.suppress(StorageError):
                current = _read_current(self._launch.state)
                if current["generation"] <= self._generation:
                    continue
                self._generation = current["generation"]
                folders = {role: Path(folder) for role, folder in current["folders"].items()}
                try:
                    await self._service.reload(_finder(folders))
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


def _finder(folders: Mapping[str, Path]) -> Callable[[str], Any]:
    async def find(role: str) -> Path:
        return folders[role]

    return find


def _members(state: Path) -> list[dict[str, Any]]:
    """What the workers that run have told."""
    told = []
    for path in sorted(state.glob("worker-*.json")):
        with contextlib.suppress(StorageError):  # it ended just now
            told.append(files.read_json(path))
    return [each for each in told if not has_ended(each["process"])]


async def _fetch_all(launch: Launch) -> dict[str, Path]:
    return {role: await fetch(source, launch.state / _BUNDLES) for role, source in launch.sources.items()}


def _write_current(state: Path, folders: Mapping[str, Path], *, generation: int) -> None:
    told = {role: str(folder) for role, folder in folders.items()}
    files.write_json(state / "current.json", {"generation": generation, "folders": told})


def _read_current(state: Path) -> dict[str, Any]:
    return files.read_json(state / "current.json")


def _write_running(launch: Launch, listening: socket.socket) -> None:
    files.write_json(
        launch.state / "service.json",
        {
            "process": identity(),
            "address": address_of(listening),
            "model": str(launch.sources[MAIN]),
            "admin_token": launch.access.admin_token,
        },
    )


@dataclass(frozen=True, kw_only=True)
class Running:
    """A service that runs on this machine.

    Attributes:
        address: where it is.
        model: what it was started with.
        admin_token: with which it is told to reload.
    """

    address: str
    model: str
    admin_token: str


def running(parent: Path) -> list[Running]:
    """The services of a workspace that run now; what killed ones left behind goes.

    Args:
        parent: the folder of their states.
    """
    found = []
    for path in sorted(parent.glob("*/service.json")):
        try:
            document = files.read_json(path)
            if has_ended(document["process"]):
                files.remove(path.parent)
                continue
            found.append(Running(**{name: document[name] for name in ("address", "model", "admin_token")}))
        except (StorageError, KeyError):  # it ends just now, or is no such file
            continue
    return found
