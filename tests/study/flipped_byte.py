"""A study of one drill, written as a lesson is: one byte of a bundle is flipped, and the bundle is opened."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

import made_up_bundles

from fortydays.registry.contents import open_bundle
from fortydays.registry.package import DamagedPackageError
from fortydays.study.bench import Bench
from fortydays.study.claims import InEverySeed
from fortydays.study.design import Study
from fortydays.study.drills import Drill
from fortydays.tasks.metric import Metric

FOUND = Metric(name="found", title="found", unit="share", better="higher")


def flip_a_byte(bench: Bench) -> dict[str, float]:
    bench.say("making a bundle")
    bundle = bench.settings.workspace / "bundle"
    made_up_bundles.bundle(bundle)
    open_bundle(bundle, threads=1)
    places = [(path, at) for path in sorted(bundle.iterdir()) for at in range(path.stat().st_size)]
    path, place = places[bench.random.integers(len(places))]
    bench.say(f"flipping byte {place} of {path.name}")
    content = bytearray(path.read_bytes())
    content[place] ^= int(bench.random.integers(1, 256))
    path.write_bytes(content)
    try:
        open_bundle(bundle, threads=1)
    except DamagedPackageError:
        return {"found": 1.0}
    return {"found": 0.0}


study = Study(
    title="A flipped byte",
    drills=(
        Drill(
            name="one flipped byte", do=flip_a_byte, metrics=(FOUND,), description="one byte of a bundle, at random"
        ),
    ),
    claims=(
        InEverySeed(
            sentence="One flipped byte in a bundle is found", variant="one flipped byte", metric="found", at_least=1.0
        ),
    ),
    seeds=tuple(range(20)),
)
