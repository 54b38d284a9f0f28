"""The processes of a service: one or several workers behind one address, started, told to reload, ended in order."""

import asyncio
import contextlib
import dataclasses
import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.process import end_with_parent, has_ended, identity
from fortydays.serve.guard import Access, is_loopback
from fortydays.serve.members import Launch, Member, fetch_all, members, read_current, write_current
from fortydays.serve.service import MAIN, Service
from fortydays.serve.trying import try_out

if TYPE_CHECKING:
    from fortydays.serve.guard import Guard

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_END = 5
_SECONDS_OF_A_LIFE = 10.0
"""A worker that lived shorter did not start."""
_SECONDS_OF_A_TURN = 0.0005
_SECONDS_BETWEEN_STARTS = 0.5
_RECORDS, _SECONDS_OF_RECORDS = 20, 60.0


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError: another program does, or there is no such address here."""
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
    """Who may ask a service that listens on an address and is called by some names.

    Raises:
        UsageError: other machines can reach it and there is no token, or a short one.
    """
    if not is_loopback(host) and not token:
        raise UsageError(
            f"Other machines can reach {host}, and there is no token.",
            hint="Set FORTYDAYS_TOKEN to a secret of at least 16 characters, or FORTYDAYS_TOKEN_FILE to a file that "
            "holds it; or leave --host away.",
        )
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise UsageError(
            "FORTYDAYS_TOKEN is no token; expected at least 16 letters, digits and signs, without spaces."
        )
    own = () if host in ("0.0.0.0", "::") else (host,)  # noqa: S104
    return Access(hosts=(*own, *hosts), token=token, admin_token=token or secrets.token_urlsafe(32))


def serve(launch: Launch, listening: socket.socket, *, ready: Callable[[str], None]) -> None:
    """Serve until the process is told to end. ``ready`` is told the models' names when the service answers.

    Raises:
        FortydaysError: a model cannot be had or is not one to serve.
    """
    running(launch.state.parent)  # what killed services left behind goes
    files.make_folder(launch.state)
    try:
        folders = asyncio.run(_tried(launch))
        write_current(launch.state, folders, generation=1)
        found = Running(
            address=address_of(listening), model=str(launch.sources[MAIN]), admin_token=launch.access.admin_token
        )
        files.write_json(launch.state / "service.json", {"process": identity(), **dataclasses.asdict(found)})
        if launch.workers == 1:
            _serve_one(launch, listening, ready=ready)
        else:
            _run_workers(launch, listening, ready)
    finally:
        listening.close()
        files.remove(launch.state)


async def _tried(launch: Launch) -> dict[str, Path]:
    """What is to be served, tried out: who waits for a model that computes without end cannot be told to end."""
    folders = await fetch_all(launch)
    for folder in folders.values():
        await try_out(folder, batch=launch.limits.batch, seconds=launch.limits.trial)
    return folders


def _serve_one(launch: Launch, listening: socket.socket, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve in this process until it is told to end."""
    end_with_parent()
    import uvicorn

    from fortydays.serve.connections import Connection

    # Made before anything listens, so that what is wrong with a model is told first.
    app = worker(launch, ready=ready, stop_listening=lambda: _stop_listening(server, listening, launch.state))
    config = uvicorn.Config(
        app,
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
    )
    server = uvicorn.Server(config)
    said = logging.StreamHandler()
    said.addFilter(Sparing())
    logging.getLogger().addHandler(said)
    # The event loop has little to do for each request, and is not to wait long for the threads that help it.
    sys.setswitchinterval(_SECONDS_OF_A_TURN)
    server.run([listening])


class Sparing(logging.Filter):
    """Lets 20 records a minute through, and then says how many it kept back: clients can cause any number of them."""

    def __init__(self) -> None:
        super().__init__()
        self._until, self._seen = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be shown."""
        if clock.seconds() >= self._until:
            if self._seen > _RECORDS:
                record.msg = f"({self._seen - _RECORDS:,} messages were left out here.) {record.getMessage()}"
                record.args = ()
            self._until, self._seen = clock.seconds() + _SECONDS_OF_RECORDS, 0
        self._seen += 1
        return self._seen <= _RECORDS


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
        return all((state / f"deaf-{each['process']['pid']}.json").exists() for each in members(state))


def _run_workers(launch: Launch, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Have processes serve, start another for each that dies, and end them all when this one is told to end."""
    from fortydays.registry.contents import open_bundle
    from fortydays.serve.metrics import forget_worker

    current = read_current(launch.state)
    bundles = (open_bundle(Path(current["folders"][role]), threads=1) for role in launch.sources)
    names = ", ".join(f"{bundle.name}@{bundle.version}" for bundle in bundles)
    # Where the library looks for the folder in which the workers add up their metrics.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(files.make_folder(launch.state / "metrics"))
    spawn = multiprocessing.get_context("spawn")
    told: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: told.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    since: dict[Any, float] = {}  # when each process was started
    in_vain = 0

    def start() -> None:
        process = spawn.Process(target=_serve_one, args=(launch, listening))
        process.start()
        since[process] = clock.seconds()

    try:
        for _ in range(launch.workers):
            start()
        ready(names)
        while not told:
            ended = [process for process in since if process.exitcode is not None]
            for process in ended:
                forget_worker(process.pid)
                in_vain = in_vain + 1 if clock.seconds() - since.pop(process) < _SECONDS_OF_A_LIFE else 0
                if in_vain > 2 * launch.workers:
                    raise FortydaysError(
                        f"The workers end as soon as they start: {in_vain} times in a row.",
                        hint="See why with one: forty serve --workers 1",
                    )
                process.close()
                start()
            # One that cannot start at all is not started as fast as the machine can.
            if ended:
                time.sleep(_SECONDS_BETWEEN_STARTS)
            multiprocessing.connection.wait([each.sentinel for each in since], _SECONDS_BETWEEN_LOOKS)
    finally:
        _end(since, launch.limits.drain + _SECONDS_TO_END)
        for number, handler in before.items():
            signal.signal(number, handler)
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
    signal.raise_signal(told[0])


def _end(processes: Collection[Any], seconds: float) -> None:
    """Have processes end; those that do not end in time are killed."""
    end = clock.seconds() + seconds
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(max(end - clock.seconds(), 0))
        if process.exitcode is None:
            process.kill()
            process.join()


def worker(
    launch: Launch,
    *,
    ready: Callable[[str], None] | None = None,
    stop_listening: Callable[[], Awaitable[None]] | None = None,
) -> "Guard":
    """The application of one worker process, its models loaded.

    ``ready`` is told the models' names when the server has started. ``stop_listening`` is called when this worker is
    to end, before it does.
    """
    from fortydays.serve.app import create_app
    from fortydays.serve.log import RequestLog
    from fortydays.serve.metrics import Metrics
    from fortydays.serve.served import load

    metrics = Metrics()
    current = read_current(launch.state)
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
        models,
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

    return create_app(
        service,
        access=launch.access,
        reload=member.reload,
        started=started,
        stopped=member.stop,
        root_path=launch.root_path,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Running:
    """A service that runs on this machine: its address, what it was started with, and the token to reload it."""

    address: str
    model: str
    admin_token: str


def running(parent: Path) -> list[Running]:
    """The services of a workspace that run now; what killed ones left behind goes."""
    found = []
    for path in sorted(parent.glob("*/service.json")):
        try:
            document = files.read_json(path)
            if has_ended(document.pop("process")):
                files.remove(path.parent)
            else:
                found.append(Running(**document))
        except (StorageError, KeyError, TypeError):  # it ends just now, or is no such file
            continue
    return found
