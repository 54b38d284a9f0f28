"""The registry's figures: registering and all gates, ONNX against Keras, a long list of versions, changed bytes.

Usage: python bench/bench_registry.py [gates] [onnx] [listing] [bytes]

Uses the newest finished run of each day in the workspace (``FORTYDAYS_HOME``) and a registry of its own, which is
thrown away. Minutes, on an otherwise idle machine.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

from measure import record, run, spread

from fortydays.base.errors import FortydaysError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.registry.bundle import make_bundle
from fortydays.registry.contents import open_bundle
from fortydays.registry.names import Reference
from fortydays.registry.registration import register
from fortydays.registry.registry import Registry
from fortydays.study.evidence import read_evidence
from fortydays.study.runs import latest_evidence
from fortydays.track.store import destination, open_store

FORTY = [sys.executable, "-m", "fortydays"]
GATES_DAY = 6
VERSIONS = 1_000
FLIPS = 500
TIMES = 3


def main() -> None:
    """Measure what is asked for, or everything."""
    asked = sys.argv[1:] or ["gates", "onnx", "listing", "bytes"]
    with tempfile.TemporaryDirectory() as folder:
        real = read_settings()
        home = Path(folder) / "home"
        home.mkdir()
        (home / "runs").symlink_to(real.runs)
        os.environ |= {"FORTYDAYS_HOME": str(home), "FORTYDAYS_DATASETS": str(real.datasets)}
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        settings = read_settings()
        registry = Registry(open_store(destination(settings)))
        if "gates" in asked:
            gates()
        if "onnx" in asked:
            onnx(settings, registry)
        if "bytes" in asked:
            changed_bytes(settings, registry, Path(folder))
        if "listing" in asked:
            listing(registry)


def gates() -> None:
    """Both commands as a reader calls them, each a whole process; a model of CIFAR-10 may need force."""
    seconds = []
    for number in range(1, TIMES + 1):
        name = f"gates-{number}"
        made = run([*FORTY, "register", str(GATES_DAY), "--name", name, "--json"], {})
        promote = [*FORTY, "promote", f"{name}@1", "--to", "champion", "--force", "--reason", "measured", "--json"]
        seconds.append(made.wall_seconds + run(promote, {}).wall_seconds)
    record(
        "registry, gates",
        question=f"Seconds of `forty register {GATES_DAY}` and `forty promote` together, with all gates",
        target="under 60 s",
        met=spread(seconds)["median"] < 60,
        method=f"{TIMES} times, two whole processes each",
        figures={"seconds": spread(seconds)},
    )


def onnx(settings: Settings, registry: Registry) -> None:
    """Every variant of every day that is ready: the largest difference of any probability."""
    found: dict[str, float] = {}
    for day in (d for d in JOURNEY if is_ready(d)):
        folder = latest_evidence(settings.runs, day.slug, day=day.number)
        if folder is None:
            raise SystemExit(f"Day {day.number} has no finished run here: forty run {day.number}")
        for variant in read_evidence(folder.evidence)["variants"]:
            try:
                made = register(str(day.number), registry, settings, progress=SILENT, variant=variant, name="onnx")
            except FortydaysError as error:
                raise SystemExit(f"Day {day.number}, {variant}: {error.message}") from error
            found[f"day {day.number}, {variant}"] = made.evaluation["onnx"]["difference"]
            print(f"day {day.number}, {variant}: {found[f'day {day.number}, {variant}']:.1e}", flush=True)
    days = sorted({name.partition(",")[0] for name in found}, key=lambda name: int(name.split()[1]))
    record(
        "registry, onnx",
        question=f"Largest difference between probabilities of ONNX and Keras: {len(found)} models, 1,000 images each",
        target="at most 0.0001",
        met=max(found.values()) <= 1e-4,
        method=f"every variant of {', '.join(days)}",
        figures={"difference": spread(list(found.values()))},
    )


def changed_bytes(settings: Settings, registry: Registry, folder: Path) -> None:
    """One bit of one byte, anywhere in a bundle, again and again."""
    register("1", registry, settings, progress=SILENT, name="bytes")
    bundle = folder / "bundle"
    make_bundle(Reference(name="bytes", version=1), bundle, registry, settings)
    paths = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    chosen, found = random.Random(0), 0
    for _ in range(FLIPS):
        # Each file as often as any other, not each byte, or nearly all would fall into the model.
        path = chosen.choice(paths)
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[chosen.randrange(len(whole))] ^= 1 << chosen.randrange(8)
        path.write_bytes(changed)
        try:
            open_bundle(bundle, threads=1)
        except FortydaysError:
            found += 1
        path.write_bytes(whole)
    open_bundle(bundle, threads=1)
    record(
        "registry, bytes",
        question=f"How many of {FLIPS} changed bytes in a bundle `forty bundle --verify` finds",
        target=f"{FLIPS}",
        met=found == FLIPS,
        method=f"a random bit of a random byte of a random file, {len(paths)} files",
        figures={"found": spread([found])},
    )


def listing(registry: Registry) -> None:
    """A model with very many versions: the list alone, and the whole command."""
    from fortydays.base import clock

    store = registry.store
    store.client.create_registered_model("many", tags={"fortydays.model": "1"})
    for number in range(VERSIONS):
        tags = {"fortydays.digest": f"{number:064x}", "fortydays.variant": "network", "fortydays.seed": "0"}
        store.client.create_model_version("many", source="/nowhere", tags=tags)
    lists, commands = [], []
    for _ in range(TIMES):
        began = clock.seconds()
        assert len(registry.versions("many")) == VERSIONS
        lists.append(clock.seconds() - began)
        commands.append(run([*FORTY, "models", "show", "many", "--all", "--json"], {}).wall_seconds)
    record(
        "registry, listing",
        question=f"Seconds to list {VERSIONS:,} versions of a model",
        target="under 1 s",
        met=spread(lists)["median"] < 1,
        method=f"{TIMES} times, SQLite. The whole command first loads MLflow.",
        figures={"seconds": spread(lists), "seconds of the whole command": spread(commands)},
    )


if __name__ == "__main__":
    main()
