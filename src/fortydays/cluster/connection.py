"""Connected to a cluster while a block runs: to one that runs, or to one of its own that is started and ended."""

import contextlib
import importlib
import logging
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fortydays
from fortydays.base import clock, process
from fortydays.base.errors import FortydaysError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.base.text import printable
from fortydays.cluster import farewell
from fortydays.cluster.link import Link, LostClusterError
from fortydays.cluster.losses import lost_cluster
from fortydays.cluster.place import Place, check_room, require_ray
from fortydays.cluster.reach import answers, token_for

_SECONDS_TO_START = 300.0
"""Ray starts in ten seconds on an idle machine."""

_SECONDS_TO_END = 4.0
_SECONDS_BETWEEN_LOOKS = 0.1
_OBJECT_STORE_BYTES = 256 * 2**20
"""Of memory, in which what workers send waits; a cluster of one's own reserves as much."""

_LONGEST_FOLDER = 38
"""Characters of a folder in which Ray's sockets have names that systems take: Ray appends 65, and macOS takes 103."""

_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # or Ray tells its makers about the cluster
    "RAY_AUTH_MODE": "token",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or CUDA_VISIBLE_DEVICES, which changes what is computed, is set
    # Over ray://, workers of a command that has ended go on for so many seconds; Ray would wait thirty.
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "5",
}
_ON_THE_LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on any system: or Ray takes an address that others reach
    "no_grpc_proxy": "127.0.0.1,localhost",
    "RAY_worker_niceness": "0",  # or workers get what is left of a machine that does something else, too
}


class _EndedError(FortydaysError):
    """Ray has ended while it started."""


def check_place(place: Place, settings: Settings) -> str:
    """Make sure that a place can be used, without loading Ray: within seconds, before anything else is begun.

    Returns:
        The token of a cluster that runs; "" for one of one's own, which gets a new one.

    Raises:
        FortydaysError: Ray is not installed, or nothing answers.
        UsageError: this machine has no room for so many workers; there is no token, or the cluster takes another one.
    """
    require_ray()
    if place.workers:
        check_room(place, settings)
        return ""
    return token_for(place)


@contextlib.contextmanager
def connected(place: Place, settings: Settings, progress: Progress, *, variables: Mapping[str, str]) -> Iterator[Link]:
    """A link to a place, with Ray connected, while the block runs. What the block has started there ends with it.

    Args:
        place: the cluster.
        settings: threads of a trial.
        progress: told of a start that takes seconds.
        variables: of the environment that workers get.

    Raises:
        FortydaysError: as :func:`check_place`; or the cluster does not start.
        LostClusterError: by calls of the link, when the cluster is gone.
    """
    token = check_place(place, settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment({**_ALWAYS, "RAY_AUTH_TOKEN": token or secrets.token_hex(32)}))
        if place.workers:
            stack.enter_context(_environment(_ON_THE_LOOPBACK))
            progress.say(f"Starting {place.workers} workers" if place.workers > 1 else "Starting a worker")
            address, has_ended = stack.enter_context(_own_cluster(place.workers * settings.threads))
            head = Place(address=address)
        else:
            progress.say(f"Connecting to {place}")
            address, has_ended, head = str(place), lambda: False, place
        if not place.client:  # whose connection Ray lets break off without ending the process
            stack.enter_context(_last_words(place))
        link = Link(answers=lambda: answers(head), has_ended=has_ended, lost=lambda: lost_cluster(place))
        yield stack.enter_context(_ray(link, address, variables))


@contextlib.contextmanager
def _last_words(place: Place) -> Iterator[None]:
    """Have another process say what has happened where Ray ends this one from inside: see :mod:`.farewell`."""
    cluster = "on this machine" if place.workers else str(place)
    said = f"Error: The cluster {cluster} has ended, or this command was killed.\n{lost_cluster(place).hint}"
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", farewell.__file__, said],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C does not reach it
    )
    told = watcher.stdin
    assert told is not None

    def take_leave() -> None:
        with contextlib.suppress(OSError, ValueError):  # somebody has ended it, or it was done
            told.write(farewell.FAREWELL)
            told.close()

    try:
        with process.before_end(take_leave):
            yield
    finally:
        take_leave()
        watcher.wait()


@contextlib.contextmanager
def _ray(link: Link, address: str, variables: Mapping[str, str]) -> Iterator[Link]:
    import ray
    from ray._private import worker

    # Of its own, Ray prints to standard output when a worker dies. That is told otherwise, and here.
    telling, worker.print_to_stdstream = worker.print_to_stdstream, lambda *_, **__: None
    link.ray = ray
    try:
        try:
            link.call(_connect, address, variables)
        except (LostClusterError, KeyboardInterrupt):
            raise
        except BaseException as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise FortydaysError(
                f"Ray could not use the cluster {address}: {said[:300]}",
                hint="Compare Python and Ray there and here: they must be the same, Python to its last number.",
            ) from error
        yield link
    finally:
        link.close(ray.shutdown)
        worker.print_to_stdstream = telling


def _connect(address: str, variables: Mapping[str, str]) -> None:
    import ray

    # An earlier cluster of this process had another token.
    native: Any = importlib.import_module("ray._raylet")
    native.Config.initialize("")
    native.AuthenticationTokenLoader.instance().reset_cache()
    code = {
        "py_modules": [str(Path(fortydays.__file__).parent)],
        "excludes": ["**/__pycache__", "**/*.pyc"],
        "env_vars": dict(variables),
    }
    # A connection that breaks off is told once, by us.
    logging.getLogger("ray.util.client").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="ray")
    # Never without an address: Ray would join any cluster that a file in /tmp names.
    ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, runtime_env=code)


@contextlib.contextmanager
def _own_cluster(cpus: int) -> Iterator[tuple[str, Callable[[], bool]]]:
    """A cluster of one's own, which lives while the block runs, and no longer than this process.

    Yields:
        Its address, and what tells whether it has ended by itself.
    """
    try:
        host, folder, address = _started(cpus)
    except _EndedError:  # on a busy machine, Ray does not wait for its own parts
        host, folder, address = _started(cpus)
    try:
        yield address, lambda: host.poll() is not None
    finally:
        _end(host, folder)


def _started(cpus: int) -> tuple[subprocess.Popen[bytes], Path, str]:
    """The process that holds a new cluster, the folder of its files, and its address. Raises FortydaysError."""
    folder = cluster_folder()
    command = [
        python_for_ray(folder), "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--node-ip-address=127.0.0.1", "--port=0", f"--ray-client-server-port={_free_port()}",
        "--min-worker-port=0", "--max-worker-port=0",
        f"--num-cpus={cpus}", "--num-gpus=0", f"--object-store-memory={_OBJECT_STORE_BYTES}",
        "--include-dashboard=false", "--include-log-monitor=false", "--disable-usage-stats", "--log-style=record",
        f"--temp-dir={folder}",
    ]  # fmt: skip
    script = Path(__file__).with_name("host.py")
    host = subprocess.Popen(
        [sys.executable, "-I", "-S", str(script), str(os.getpid()), str(folder), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return host, folder, _address(host, folder)
    except BaseException:
        _end(host, folder)
        raise


def _end(host: subprocess.Popen[bytes], folder: Path) -> None:
    host.terminate()
    try:
        host.wait(_SECONDS_TO_END)
        shutil.rmtree(folder, ignore_errors=True)
    except subprocess.TimeoutExpired:
        # On a busy machine it goes on alone. If it were killed, it would leave processes and files behind.
        threading.Thread(target=host.wait, daemon=True).start()


def _address(host: subprocess.Popen[bytes], folder: Path) -> str:
    """The address of the cluster whose files are in a folder, as soon as it has written it there."""
    until = clock.seconds() + _SECONDS_TO_START
    written = folder / "ray_current_cluster"
    while clock.seconds() < until and host.poll() is None:
        with contextlib.suppress(OSError):
            if address := written.read_text("ascii").strip():
                return address
        threading.Event().wait(_SECONDS_BETWEEN_LOOKS)
    if host.poll() is None:
        raise FortydaysError(
            f"Ray has not started on this machine in {_SECONDS_TO_START:.0f} seconds.",
            hint="Other programs may keep the processors busy. Give the same command again when fewer run, or without "
            "--on.",
        )
    lines = []
    with contextlib.suppress(OSError):
        lines = (folder / "start.log").read_text("utf-8", "replace").strip().splitlines()
    said = f": {printable(lines[-1])[:300]}" if lines else "."
    raise _EndedError(
        f"Ray has ended while it started on this machine{said}",
        hint="Is there memory for it, about 1 GB, and a processor that is not busy?",
    )


def cluster_folder() -> Path:
    """A new folder for a cluster's files: its path is short enough for the sockets in it, and plain for a shell."""
    usual = tempfile.gettempdir()
    fits = len(usual) <= _LONGEST_FOLDER - len("/forty-12345678") and shlex.quote(usual) == usual
    parent = Path(usual if fits else "/tmp")  # noqa: S108
    return Path(tempfile.mkdtemp(prefix="forty-", dir=parent))


def python_for_ray(folder: Path) -> str:
    """This Python, by a path that a shell takes as one word: Ray passes it to shells without quotes.

    Args:
        folder: of a cluster, whose own path is plain. Where Python is below a path with a space, a link is made in it.
    """
    if shlex.quote(sys.executable) == sys.executable:
        return sys.executable
    link = folder / "python"
    link.symlink_to(sys.prefix, target_is_directory=True)
    return str(link / Path(sys.executable).relative_to(sys.prefix))


def _free_port() -> int:
    """A port that nobody uses now. Ray would take 10001, which another cluster may have."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def variables_of_workers(switches: Mapping[str, str], *, backend: str) -> dict[str, str]:
    """The environment that makes workers compute as this process does.

    Args:
        switches: the environment variables of this process that change what is computed.
        backend: that Keras computes on.
    """
    # Ray sets it to the threads of a trial. What NumPy multiplies, as for a study's own measures, depends on it.
    threads = os.environ.get("OMP_NUM_THREADS") or str(available_cores())
    return {
        **switches,
        "KERAS_BACKEND": backend,
        "OMP_NUM_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONDONTWRITEBYTECODE": "",
    }
