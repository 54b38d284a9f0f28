"""The service beside other ways to serve the same model, and beside what it is made of.

Usage: python bench/bench_serving.py [throughput] [single] [start] [--days 1,6] [--environments FOLDER]

For each of the days, the newest finished run of the workspace (``FORTYDAYS_HOME``) is registered in a registry of its
own. The service runs as it is deployed, from an environment that has nothing else; LitServe and BentoML have one of
theirs. Both are made in FOLDER where they are missing. The load comes from ``wrk`` (a Debian package), on the same
cores as the server. Run it on an otherwise idle machine; about twenty minutes.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from measure import record, spread
from PIL import Image
from rival_services import session

from fortydays.base.arrays import load_arrays
from fortydays.base.progress import SILENT
from fortydays.base.settings import read_settings
from fortydays.inputs.images import IMAGE
from fortydays.registry.bundle import make_bundle
from fortydays.registry.contents import GOLDEN_FILE, open_bundle
from fortydays.registry.export import KERAS_FILE
from fortydays.registry.inference import OUTPUT
from fortydays.registry.names import Reference
from fortydays.registry.registration import register
from fortydays.registry.registry import Registry
from fortydays.track.store import destination, open_store

ROOT = Path(__file__).resolve().parents[1]
RIVALS = Path(__file__).with_name("rival_services.py")
PACKAGES = ("litserve==0.2.19", "bentoml==1.4.39", "onnxruntime==1.32.0")
CONNECTIONS = 32
SECONDS = 5
TIMES = 3
REQUESTS = 3_000
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model in the forms that the servers take.

    Attributes:
        day: the study it is of.
        bundle: folder of the bundle.
        keras: the Keras file.
        image: uint8, one image as it takes it.
    """

    day: int
    bundle: Path
    keras: Path
    image: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Server:
    """A way to serve, and how it is asked for one image.

    Attributes:
        name: in the table.
        command: from a model and a port to a command line.
        path: of the URL.
        body: from an image to a request's body.
        environment: variables, from a model.
    """

    name: str
    command: Callable[[Model, int], Sequence[str]]
    path: str
    body: Callable[[np.ndarray], bytes]
    environment: Callable[[Model], dict[str, str]] = lambda _model: {}


def main() -> None:
    """Measure what is asked for, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", help="throughput, single, start; all, if left away")
    parser.add_argument("--days", default="1,6")
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "fortydays-bench")
    asked = parser.parse_args()
    what = asked.what or ["throughput", "single", "start"]
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing; on Debian: apt-get install wrk")
    thin, rivals = environments(asked.environments)
    with tempfile.TemporaryDirectory() as folder:
        models = [made(int(day), Path(folder)) for day in asked.days.split(",")]
        os.environ["FORTYDAYS_HOME"] = str(Path(folder) / "service")
        for model in models:
            if "throughput" in what:
                throughput(model, thin, rivals)
            if "single" in what:
                single(model, thin)
            if "start" in what:
                start(model, thin)


def environments(folder: Path) -> tuple[Path, Path]:
    """The environment of the service alone and that of the other servers."""
    thin, rivals = folder / "thin", folder / "rivals"
    if not thin.exists():
        subprocess.run([ROOT / "deploy" / "install-service", thin, sys.executable], check=True)
    if not rivals.exists():
        subprocess.run([sys.executable, "-m", "venv", rivals], check=True)
        subprocess.run([rivals / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return thin, rivals


def made(day: int, folder: Path) -> Model:
    """The best trial of a day's newest run, registered, and its bundle."""
    real = read_settings()
    home = folder / f"home-{day}"
    home.mkdir()
    (home / "runs").symlink_to(real.runs)
    before = dict(os.environ)
    os.environ |= {"FORTYDAYS_HOME": str(home), "FORTYDAYS_DATASETS": str(real.datasets)}
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    settings = read_settings()
    registry = Registry(open_store(destination(settings)))
    register(str(day), registry, settings, progress=SILENT, name="bench")
    version = registry.find(Reference(name="bench", version=1))
    registry.fetch(version, home / "version")
    make_bundle(Reference(name="bench", version=1), home / "bundle", registry, settings)
    os.environ.clear()
    os.environ.update(before)
    image = load_arrays(home / "bundle" / GOLDEN_FILE)[0][0]
    return Model(day=day, bundle=home / "bundle", keras=home / "version" / KERAS_FILE, image=image)


def ours(thin: Path) -> Server:
    """``forty serve`` with its defaults, request log included."""
    return Server(
        name="forty serve",
        command=lambda model, port: [str(thin / "bin" / "forty"), "serve", str(model.bundle), "--port", str(port)],
        path="/predict",
        body=lambda image: json.dumps({"pixels": image.tolist()}).encode(),
    )


def others(rivals: Path) -> list[Server]:
    """The other servers, each as its documentation shows, with batching where it has that."""
    python = str(rivals / "bin" / "python")

    def of_onnx(model: Model) -> str:
        return str(model.bundle / "model.onnx")

    def for_mlflow(model: Model, port: int) -> list[str]:
        folder = Path(tempfile.mkdtemp(dir=model.bundle.parent))
        shutil.copy(of_onnx(model), folder)
        return [sys.executable, str(RIVALS), "mlflow", str(folder), str(port)]

    return [
        Server(
            name="mlflow models serve",
            command=for_mlflow,
            path="/invocations",
            body=lambda image: json.dumps({"inputs": image[None].tolist()}).encode(),
        ),
        Server(
            name="FastAPI and keras.predict",
            command=lambda model, port: [sys.executable, str(RIVALS), "keras", str(model.keras), str(port)],
            path="/predict",
            body=lambda image: json.dumps({"pixels": image.tolist()}).encode(),
        ),
        Server(
            name="LitServe",
            command=lambda model, port: [python, str(RIVALS), "litserve", of_onnx(model), str(port)],
            path="/predict",
            body=lambda image: json.dumps({"pixels": image.tolist()}).encode(),
        ),
        Server(
            name="BentoML",
            command=lambda _model, port: [
                *(python, "-m", "bentoml", "serve", "rival_services:Batched"),
                *("--port", str(port), "--working-dir", str(RIVALS.parent)),
            ],
            path="/predict",
            body=lambda image: json.dumps({"pixels": image[None].tolist()}).encode(),
            environment=lambda model: {"MODEL": of_onnx(model), "BENTOML_DO_NOT_TRACK": "True"},
        ),
    ]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def started(server: Server, model: Model) -> Iterator[tuple[int, psutil.Process, float]]:
    """A server that answers: its port, its process, and the seconds until its first right answer."""
    port = free_port()
    command = server.command(model, port)
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    began = time.perf_counter()
    process = psutil.Popen(
        command,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # MLflow looks for uvicorn there
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": "tensorflow",
            **server.environment(model),
        },
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
    )
    try:
        while True:
            try:
                ask(http.client.HTTPConnection("127.0.0.1", port, timeout=60), server.path, server.body(model.image))
                break
            except (OSError, http.client.HTTPException):
                if process.poll() is not None or time.perf_counter() - began > 180:
                    log.seek(0)
                    told = log.read()[-2000:].decode(errors="replace")
                    raise SystemExit(f"{server.name} does not answer: {' '.join(command)}\n{told}") from None
                time.sleep(0.005)
        yield port, process, time.perf_counter() - began
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):  # what it has started and left
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def ask(connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str] = JSON) -> bytes:
    """One request; anything but a right answer is an error."""
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"{answer.status}: {content[:200]!r}")
    return content


def per_second(url: str, body: bytes, *, seconds: int) -> float:
    """Requests a second over 32 connections, each asking again as soon as it was answered."""
    return _wrk(url, body, seconds=seconds)[0]


def p99_at(url: str, body: bytes, rate: float, *, seconds: int) -> tuple[float, float]:
    """Milliseconds within which 99% of requests are answered when they come at some rate, and the rate they came at.

    Each of 32 connections waits a random time between an answer and its next request, as separate people do.
    """
    reached, late = _wrk(url, body, seconds=seconds, pause=1000 * CONNECTIONS / rate)
    return late, reached


def _wrk(url: str, body: bytes, *, seconds: int, pause: float = 0.0) -> tuple[float, float]:
    """Requests a second, and milliseconds within which 99% of them are answered."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        quoted = body.decode().replace("\\", "\\\\").replace("'", "\\'")
        script.write(f"wrk.method = 'POST'\nwrk.body = '{quoted}'\nwrk.headers['Content-Type'] = 'application/json'\n")
        if pause:
            script.write(f"function delay() return math.random(0, {round(2 * pause)}) end\n")
        script.flush()
        limits = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
        told = subprocess.run(
            ["wrk", *limits, "-s", script.name, url], capture_output=True, text=True, check=True
        ).stdout
    found, late = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    if "Non-2xx" in told or found is None or late is None:
        raise SystemExit(f"Not every answer was right: {told}")
    return float(found[1]), float(late[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[late[2]]


def throughput(model: Model, thin: Path, rivals: Path) -> None:
    """Requests a second of every server, in turn."""
    servers = [ours(thin), *others(rivals)]
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    late: list[tuple[float, float]] = []
    for _ in range(TIMES):
        for server in servers:
            with started(server, model) as (port, _, _):
                url, body = f"http://127.0.0.1:{port}{server.path}", server.body(model.image)
                per_second(url, body, seconds=2)
                rates[server.name].append(per_second(url, body, seconds=SECONDS))
                if server.name == "forty serve":
                    late.append(p99_at(url, body, rates[server.name][-1] / 2, seconds=SECONDS))
                print(f"day {model.day}, {server.name}: {rates[server.name][-1]:,.0f}/s", flush=True)
    own = rates["forty serve"]
    targets = {"mlflow models serve": 10.0, "FastAPI and keras.predict": 8.0, "LitServe": 1.3, "BentoML": 1.3}
    ratios = {name: [a / b for a, b in zip(own, rates[name], strict=True)] for name in targets}
    record(
        f"serving, throughput, day {model.day}",
        question=f"Requests a second at {CONNECTIONS} connections, day {model.day}'s network: forty serve / others",
        judged=[f"over {name}" for name in ratios],
        target="10x mlflow models serve, 8x FastAPI and keras.predict, 1.3x LitServe and BentoML with batching",
        met=all(statistics.median(ratios[name]) >= least for name, least in targets.items()),
        method=f"one image as JSON; wrk on the same cores, {SECONDS} s, {TIMES} times in turn",
        figures={
            **{f"over {name}": spread(values) for name, values in ratios.items()},
            **{f"requests/s, {name}": spread(values) for name, values in rates.items()},
        },
    )
    record(
        f"serving, p99, day {model.day}",
        question="Milliseconds in which 99% of requests are answered, at half of that load, "
        f"day {model.day}'s network",
        target="under 50 ms",
        met=statistics.median(ms for ms, _ in late) < 50,
        method=f"wrk on the same cores, {CONNECTIONS} connections that pause at random, {SECONDS} s, {TIMES} times",
        figures={"ms": spread([ms for ms, _ in late]), "requests/s": spread([rate for _, rate in late])},
    )


def single(model: Model, thin: Path) -> None:
    """One request after the other, beside the model in this process plus the least that HTTP costs."""
    bundle = open_bundle(model.bundle, threads=1)
    network = session(str(model.bundle / "model.onnx"))
    pixels = model.image[None]
    png = _png(model.image)
    kinds = {
        "PNG": (png, {"Content-Type": "image/png"}),
        "JSON": (ours(thin).body(model.image), JSON),
    }
    name = f"/v2/models/{bundle.name}/infer"
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": IMAGE,
                    "shape": list(pixels.shape),
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": pixels.nbytes},
                }
            ],
            "outputs": [{"name": OUTPUT, "parameters": {"binary_data": True}}],
        }
    ).encode()
    kinds["tensor"] = (
        head + pixels.tobytes(),
        {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))},
    )
    echo = Server(
        name="echo",
        command=lambda _model, port: [str(thin / "bin" / "python"), str(RIVALS), "echo", "-", str(port)],
        path="/",
        body=lambda _image: b"{}",
    )
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    millis: dict[str, list[float]] = {kind: [] for kind in kinds}
    floors: list[float] = []
    for _ in range(TIMES):
        with started(ours(thin), model) as (port, _, _), started(echo, model) as (bare, _, _):
            for kind, (body, headers) in kinds.items():
                path = name if kind == "tensor" else "/predict"
                # In turn, so that the model finds the caches as it does in a service: used by others meanwhile.
                floor = _asked(bare, "/", body, headers, also=lambda: network.run(None, {IMAGE: pixels}))
                took = _asked(port, path, body, headers)
                ratios[kind].append(took / floor)
                millis[kind].append(1000 * took)
                floors.append(1000 * floor)
    record(
        f"serving, one at a time, day {model.day}",
        question=f"One request at a time, day {model.day}'s network: forty serve / a raw ASGI echo, then ONNX Runtime",
        judged=list(ratios),
        target="at most 1.5x",
        met=all(statistics.median(values) <= 1.5 for values in ratios.values()),
        method=f"medians of {REQUESTS:,} requests on one connection, {TIMES} times; the echo takes the same body",
        figures={
            **{f"{kind}": spread(values) for kind, values in ratios.items()},
            **{f"ms, {kind}": spread(values) for kind, values in millis.items()},
            "ms, ONNX Runtime and echo": spread(floors),
        },
    )


def _png(image: np.ndarray) -> bytes:
    import io

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _median(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _asked(
    port: int, path: str, body: bytes, headers: dict[str, str], *, also: Callable[[], object] = lambda: None
) -> float:
    """Median seconds of a request, and of what is done after each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    assert connection.sock is not None
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(200):
        ask(connection, path, body, headers)
    return _median(lambda: (ask(connection, path, body, headers), also()))


def start(model: Model, thin: Path) -> None:
    """From the command to its first answer, its memory after load, and what was installed."""
    seconds, memory = [], []
    server = ours(thin)
    for _ in range(5):
        with started(server, model) as (port, process, took):
            seconds.append(took)
            per_second(f"http://127.0.0.1:{port}{server.path}", server.body(model.image), seconds=3)
            processes = [process, *process.children(recursive=True)]
            memory.append(sum(each.memory_info().rss for each in processes) / 2**20)
    told = subprocess.run(["du", "-s", "--block-size=1000000", thin], capture_output=True, text=True, check=True)
    installed = float(told.stdout.split()[0])
    record(
        f"serving, start, day {model.day}",
        question=f"forty serve: seconds to its first answer, memory after load, installed size; day {model.day}",
        judged=["seconds", "MiB", "MB"],
        target="under 1.5 s, 250 MiB, 350 MB",
        met=statistics.median(seconds) < 1.5 and statistics.median(memory) < 250 and installed < 350,
        method="5 processes; memory after 3 s of 32 connections; the environment of the service alone",
        figures={"seconds": spread(seconds), "MiB": spread(memory), "MB": spread([installed])},
    )


if __name__ == "__main__":
    main()
