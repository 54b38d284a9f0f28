"""An evidence document that no trial ever gave: every number is made up, for tests of how results are shown."""

import base64
import math
import random
import struct
import zlib
from typing import Any

from fortydays.study.claims import Best, Comparison, Equivalent, InEverySeed, Threshold
from fortydays.study.evidence import judge, results_digest, summarize

STEPS_PER_EPOCH = 400
VARIANTS = {
    # name: (group, final accuracy, speed, train accuracy, learning rate)
    "network": ("plain", 0.972, 1.0, 0.995, 0.001),
    "network with dropout": ("plain", 0.9735, 0.8, 0.981, 0.001),
    "sgd fair": ("optimizers", 0.955, 0.25, 0.958, 0.1),
}
CLAIMS = (
    Threshold(sentence="The network names at least 97% of the test digits", variant="network",
              metric="test_accuracy", at_least=0.97),
    Comparison(sentence="Dropout at least halves the distance between training and test", metric="accuracy_gap",
               variant="network with dropout", than="network", direction="below", scale=0.5),
    Comparison(sentence="SGD reaches 95% in fewer steps than Adam", metric="steps_to_0.95", variant="sgd fair",
               than="network", direction="below"),
    Equivalent(sentence="Dropout makes no difference of more than a tenth of a point", metric="test_accuracy",
               variant="network with dropout", like="network", within=0.001),
    Best(sentence="The network with dropout is the most accurate", metric="test_accuracy",
         variant="network with dropout", among=("network", "sgd fair")),
    InEverySeed(sentence="Two layers without an activation are one", variant="network", metric="collapse_error",
                at_most=1e-4),
)  # fmt: skip


def evidence(*, seeds: tuple[int, ...] = (0, 1, 2, 3, 4), **changes: Any) -> dict[str, Any]:
    """A whole document: three variants, two groups, one failed trial, a search, and exhibits of all four kinds."""
    trials = [trial(name, seed) for name in VARIANTS for seed in seeds]
    if len(seeds) > 2:
        trials[-1] = failed("sgd fair", seeds[-1])
    document = {
        "schema_version": 1,
        "day": 4,
        "name": "regularization",
        "title": "Overfitting and regularization",
        "created": "2026-11-22T14:03:11Z",
        "run_id": "day04-20261122-140311-beef",
        "dataset": {
            "name": "mnist", "digest": "5ec0ffee" * 8, "split_version": 1, "classes": list("0123456789"),
            "train": 55000, "validation": 5000, "test": 10000,
        },
        "seeds": list(seeds),
        "request": {"seeds": list(seeds), "only": [], "settings": [], "engine": "compiled"},
        "code": {"study": "ab" * 32, "engine": "cd" * 32, "version": "0.1.0"},
        "packages": {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow-cpu": "2.21.0"},
        "machine": {
            "cpu_model": "Made-up processor at 2.0 GHz", "cores": 2, "flags": ["avx2", "avx512f"],
            "system": "Linux x86_64", "python": "3.11.7",
        },
        "threads": 2,
        "backend": "tensorflow",
        "details": {name: detail(name) for name in VARIANTS},
        "trials": trials,
        "variants": summarize(trials),
        # Without the failed trial, which leaves every claim about its variant undecided: all verdicts are to be shown.
        "claims": [j.as_dict() for j in judge(CLAIMS, [t for t in trials if t["status"] == "finished"])],
        "exhibits": exhibits(),
        "seconds": {"total": 312.4, "training": 251.0, "compilation": 22.0},
        "results_digest": results_digest(trials),
    }  # fmt: skip
    for claim in document["claims"]:
        claim["verdict"] = str(claim["verdict"])
    return document | changes


CHECKS = [
    {"check": "not converged", "said": "it still rises", "variant": "network", "claim": "", "expected": ""},
    {
        "check": "not converged", "said": "it <still> falls", "variant": "sgd fair", "claim": "",
        "expected": "it is slow",
    },
    {
        "check": "pairing decides", "said": "it is undecided", "variant": "", "claim": CLAIMS[1].sentence,
        "expected": "",
    },
]  # fmt: skip


def short(document: dict[str, Any]) -> dict[str, Any]:
    """A document without learning curves and searches, whose page takes a moment to draw. It is changed."""
    for trial in document["trials"]:
        trial["history"] = {name: column[:1] for name, column in trial["history"].items()}
    for told in document["details"].values():
        if "search" in told:
            told["search"] = None
    return document


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def evidence_of_costs(costs: dict[str, tuple[int | None, float]]) -> dict[str, Any]:
    """A document with a variant of each name, of so many multiply-adds and about such a test accuracy."""
    trials, details = [], {}
    for name, (multiply_adds, accuracy) in costs.items():
        details[name] = detail("network") | {"group": "", "multiply_adds": multiply_adds}
        if multiply_adds is None:
            del details[name]["multiply_adds"]
        for seed in range(3):
            made = trial("network", seed) | {"variant": name, "train_seconds": 20.0 + seed}
            made["metrics"] = {"test_accuracy": accuracy + (seed - 1) / 1000, "test_loss": 0.5}
            trials.append(made)
    return evidence(
        seeds=(0, 1, 2), details=details, trials=trials, variants=summarize(trials), claims=[], exhibits=[]
    )


def evidence_of_images(parts: dict[str, tuple[str, int | None, float]], **changes: Any) -> dict[str, Any]:
    """A document with a variant of each name: its group, how many images of each class it learned from (None for
    all), and about which test accuracy."""
    trials, details = [], {}
    for name, (group, examples, accuracy) in parts.items():
        details[name] = detail("network") | {"group": group}
        if examples is not None:
            details[name]["examples"] = examples
        for seed in range(3):
            made = trial("network", seed) | {"variant": name, "train_seconds": 20.0 + seed}
            made["metrics"] = {"test_accuracy": accuracy + (seed - 1) / 1000, "test_loss": 0.5}
            trials.append(made)
    return evidence(
        seeds=(0, 1, 2), details=details, trials=trials, variants=summarize(trials), claims=[], exhibits=[], **changes
    )


def features(**changes: Any) -> dict[str, Any]:
    """What a variant's detail says of the features that it learned from."""
    return {
        "backbone": "mobilenetv2-1.0", "side": 96, "before_last_block": False, "pretrained": True,
        "shape": [1, 1, 1280], "parameters": 2257984, "multiply_adds": 56000000, "weights": "ab" * 32,
        "onnxruntime": "1.23.2",
    } | changes  # fmt: skip


def detail(name: str) -> dict[str, Any]:
    group, _, _, _, rate = VARIANTS[name]
    sgd = name.startswith("sgd")
    tries = [(0.01, 0.921), (0.1, 0.9561), (0.5, 0.951), (1.0, 0.902)]
    return {
        "description": "the same network, with half of the hidden units left out" if "dropout" in name else "",
        "group": group,
        "parameters": 101770,
        "precision": "float32",
        "recipe": {
            "epochs": 6, "batch_size": 128, "optimizer": "sgd" if sgd else "adam", "learning_rate": rate,
            "optimizer_options": {"momentum": 0.9} if sgd else {}, "schedule": "constant", "warmup": 0.0,
            "weight_decay": 0.0, "loss": "crossentropy", "label_smoothing": 0.0, "patience": None,
            "monitor": "validation_loss", "evaluate_every": 100, "precision": "auto",
        },
        "search": {
            "field": "learning_rate",
            "seeds": [1000, 1001],
            "tries": [
                {
                    "value": v,
                    "validation_accuracy": {"mean": a, "std": 0.001, "low": a - 0.009, "high": a + 0.009, "n": 2},
                }
                for v, a in tries
            ],
            "chosen": 0.1,
            "at_edge": False,
            "failed": [],
        } if sgd else None,
    }  # fmt: skip


def trial(name: str, seed: int) -> dict[str, Any]:
    _, final, speed, train, rate = VARIANTS[name]
    chance = random.Random(f"{name} {seed}")
    shift = chance.gauss(0, 0.0006)
    steps = list(range(100, 6 * STEPS_PER_EPOCH + 1, 100))
    validation = [
        final + shift - (final - 0.1) * math.exp(-math.sqrt(speed * s / 22)) + chance.gauss(0, 0.0015) for s in steps
    ]
    reached = next((s for s, v in zip(steps, validation, strict=True) if v >= 0.95), None)
    test = round(final + shift, 4)
    seconds = [0.004 * s for s in steps]
    return {
        "variant": name,
        "seed": seed,
        "status": "finished",
        "error": "",
        "metrics": {
            "test_accuracy": test, "test_loss": round(3 * (1 - test) + shift, 5),
            "train_accuracy": round(train + shift / 2, 4), "train_loss": round(3 * (1 - train), 5),
            "validation_accuracy": validation[-1], "validation_loss": 3 * (1 - validation[-1]),
            "accuracy_gap": round(train + shift / 2 - test, 6),
            "steps_to_0.95": reached, "steps_to_0.95_limit": steps[-1],
            "seconds_to_0.95": reached and 0.004 * reached, "seconds_to_0.95_limit": seconds[-1],
            **({"collapse_error": 3e-7 * (1 + seed)} if name == "network" else {}),
        },
        "train_seconds": round(9.6 + chance.random() / 5, 3),
        "epochs": 6,
        "best_epoch": 6,
        "weights_digest": f"{seed:02x}" * 32,
        "history": {
            "step": steps,
            "epoch": [s // STEPS_PER_EPOCH for s in steps],
            "train_loss": [3 * (1 - v) * (0.7 + train - final) for v in validation],
            "train_accuracy": [v + (train - final) for v in validation],
            "validation_loss": [3 * (1 - v) for v in validation],
            "validation_accuracy": validation,
            "learning_rate": [rate] * len(steps),
            "seconds": seconds,
        },
    }  # fmt: skip


def failed(name: str, seed: int) -> dict[str, Any]:
    return {
        "variant": name, "seed": seed, "status": "failed",
        "error": "The loss stopped being a number in epoch 2.", "metrics": {}, "train_seconds": 1.2, "epochs": 1,
        "best_epoch": 0, "weights_digest": "", "history": {},
    }  # fmt: skip


def exhibits() -> list[dict[str, Any]]:
    chance = random.Random(4)
    digits = list("0123456789")
    counts = [
        [chance.randint(930, 1020) if row == column else chance.choice([0, 0, 1, 2, 3, 5]) for column in range(10)]
        for row in range(10)
    ]
    counts[4][9] = 21
    bumps = [math.exp(-((k - 20) ** 2) / 90) for k in range(60)]
    return [
        {
            "kind": "matrix", "variant": "network", "seed": 2, "title": "Confusion matrix on the test split",
            "caption": "Rows are what is right, columns what the model said. The commonest mistake: "
            "4 taken for 9, 21 times.",
            "rows": digits, "columns": digits, "values": counts,
        },
        {
            "kind": "pictures", "variant": "network", "seed": 2, "columns": 5,
            "title": "The 10 most confident mistakes",
            "caption": "Out of 271 mistakes on 10,000 test images. Under each: what it is → what the model said.",
            "pictures": [
                {"png": png(28, k), "label": f"{k} → {(k + 5) % 10} {99 - k}%", "index": k} for k in range(10)
            ],
        },
        {
            "kind": "lines", "variant": "network", "seed": 2, "title": "Sizes of the hidden units",
            "caption": "How often a hidden unit has which size.", "x_label": "size", "y_label": "share of units",
            "lines": [
                {"name": "before training", "x": [k / 10 for k in range(60)], "y": bumps},
                {"name": "after training", "x": [k / 10 for k in range(60)], "y": bumps[::-1]},
            ],
        },
        {
            "kind": "table", "variant": "network", "seed": 2, "title": "Layers", "caption": "Layer by layer.",
            "columns": ["layer", "shape", "parameters"],
            "rows": [["flatten", "784", 0], ["dense, ReLU", "128", 100480], ["dense, softmax", "10", 1290]],
        },
    ]  # fmt: skip


def png(size: int, turn: int) -> str:
    """A grey ring with a gap, as base64 of a PNG file."""
    rows = bytearray()
    for row in range(size):
        rows.append(0)
        for column in range(size):
            y, x = row - size / 2 + 0.5, column - size / 2 + 0.5
            ring = math.exp(-((math.hypot(x, y) - size / 3.2) ** 2) / 6)
            gap = abs(math.remainder(math.atan2(y, x) - turn * 0.63, 2 * math.pi)) < 0.6
            rows.append(0 if gap else int(255 * ring))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()
