"""What pages of the site compute with: networks that were trained, and digits, as small files in evidence/pages.

``python bench/pages.py`` (``make pages``) writes them anew; ``python bench/pages.py NAME`` writes one. A network is
that of a published trial: the one that is best on the validation split, trained again from its seed. Where the
processor is of the kind that the evidence was made on, it has the same bits; the file says whether it has. The site
refuses a file whose trial is not that of the evidence any more.
"""

import argparse
import base64
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from small_networks import Setting, train

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.privacy import share
from fortydays.base.settings import Settings, read_settings
from fortydays.cli.progress import working
from fortydays.data import library
from fortydays.data.arrays import Split
from fortydays.days.loading import find_study, load_study
from fortydays.site.kept import SCHEMA_VERSION, identity_digest, kept_path
from fortydays.study.evidence import best_trial, published
from fortydays.study.plan import Request
from fortydays.study.runner import run_study
from fortydays.study.seal import sealed

SHOWN, HELD_OUT = 100, 40
"""Of each digit, how many the page "Train it here" learns from, and how many it is measured on."""

REFERENCE = Setting(activation="relu", optimizer="adam", rate=0.001, dropout=0.0, width=64, epochs=20)
SEEDS = tuple(range(1, 21))
GRAYS = 15
"""Steps from black to white of the digits that are learned from: four bits."""

PHOTOGRAPHS = (114, 29, 14, 33)
"""Validation images of CIFAR-10 with clear edges: a bird, a sailing boat, a car, a horse."""

FILTERS = 8


def main() -> None:
    """Write what is asked for, or everything."""
    makers = {"first-network": first_network, "thousand-digits": thousand_digits, "first-filters": first_filters}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*makers, []], default=[])
    for name in parser.parse_args().names or makers:
        document = sealed({"schema_version": SCHEMA_VERSION, **makers[name](read_settings())})
        path = kept_path(name)
        files.write_json(path, document)
        share(path)
        print(f"{path}: {path.stat().st_size:,} bytes")


# ------------------------------------------------------------------------------------------------------- the networks


def first_network(settings: Settings) -> dict[str, Any]:
    """Day 1's network with weights of 8 bits, its accuracy with and without rounding, and digits to begin with."""
    trial, variables = trained_again(1, "network", settings)
    dataset = library.load("mnist", settings)
    layers = [(variables[0], variables[1]), (variables[2], variables[3])]
    rounded = [rounded_to_bytes(weights) for weights, _ in layers]
    coarse = [(q * scale, b) for (q, scale), (_, b) in zip(rounded, layers, strict=True)]
    test = dataset.test.open()
    found = {"float": accuracy(layers, test), "int8": accuracy(coarse, test), "examples": len(test)}
    chosen = samples(coarse, dataset.training.validation)
    return {
        "trial": trial,
        "accuracy": found,
        "layers": [
            {"inputs": q.shape[0], "outputs": q.shape[1], "weights": text(q), "scales": text(scale), "biases": text(b)}
            for (q, scale), (_, b) in zip(rounded, layers, strict=True)
        ],
        "samples": {"labels": chosen.labels.tolist(), "pixels": text(chosen.array)},
    }


def first_filters(settings: Settings) -> dict[str, Any]:
    """Filters of day 5's first convolution for pixels from 0 to 1, and photographs to try them on."""
    trial, variables = trained_again(5, "convolution", settings)
    mean, variance, kernel, bias = variables[0], variables[1], variables[3], variables[4]
    deviation = np.sqrt(variance)  # the layer before takes the mean and divides by this: that goes into the weights
    folded = kernel / deviation[:, None]
    shift = bias - (folded * mean[:, None]).sum(axis=(0, 1, 2))
    strongest = np.argsort(-np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0), kind="stable")[:FILTERS]
    dataset = library.load("cifar10", settings)
    chosen = dataset.training.validation.rows(np.array(PHOTOGRAPHS))
    return {
        "trial": trial,
        "filters": [
            {
                "number": int(n) + 1,
                "weights": np.round(folded[..., n].astype(float), 3).tolist(),
                "bias": round(float(shift[n]), 3),
            }
            for n in strongest
        ],
        "of": int(kernel.shape[-1]),
        "photographs": [
            {"name": dataset.classes[label], "pixels": text(pixels)}
            for pixels, label in zip(chosen.array, chosen.labels, strict=True)
        ],
    }


def trained_again(day: int, variant: str, settings: Settings) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """The best published trial of a day's variant, trained again.

    Returns:
        What the files say of it, and the network's variables.

    Raises:
        FortydaysError: the day has no published evidence.
    """
    evidence = published().read(day)
    best = best_trial(t for t in (evidence or {"trials": []})["trials"] if t["variant"] == variant)
    if evidence is None or best is None:
        raise FortydaysError(f"Day {day} has no published trial of {variant!r}.", hint=f"forty run {day} --publish")
    seed = best["seed"]
    with tempfile.TemporaryDirectory() as name, working("Stopped. Nothing was written.") as progress:
        there = replace(settings, workspace=Path(name))
        source = load_study(find_study(str(day)), threads=settings.threads)
        request = Request(seeds=range(seed, seed + 1), only=(variant,))
        run, made = run_study(source, request, there, progress=progress)
        with np.load(run.trial_of(variant, seed).weights) as stored:
            variables = [stored[key] for key in sorted(stored)]
    (trial,) = made["trials"]
    if trial["status"] != "finished":
        raise FortydaysError(f"The trial of {variant!r} with seed {seed} failed: {trial['error']}")
    told = {
        "day": day,
        "variant": variant,
        "seed": seed,
        "identity": identity_digest(evidence, variant),
        "weights": best["weights_digest"],
        "same_bits": trial["weights_digest"] == best["weights_digest"],
        "published": {key: best["metrics"][key] for key in ("validation_accuracy", "test_accuracy")},
        "found": {key: trial["metrics"][key] for key in ("validation_accuracy", "test_accuracy")},
    }
    return told, variables


def rounded_to_bytes(weights: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights, shape (inputs, outputs), as whole numbers from -127 to 127, and what one of them is for each output."""
    scale = np.maximum(np.abs(weights).max(axis=0) / 127, 1e-12).astype(np.float32)
    return np.round(weights / scale).astype(np.int8), scale


def answers(layers: Sequence[tuple[NDArray[Any], NDArray[Any]]], images: NDArray[Any]) -> NDArray[np.float32]:
    """What the network says before its softmax, shape (n, 10), of images, uint8 of shape (n, 28, 28)."""
    (w1, b1), (w2, b2) = layers
    hidden = np.maximum(images.reshape(-1, 784).astype(np.float32) / np.float32(255) @ w1 + b1, 0)
    return hidden @ w2 + b2


def accuracy(layers: Sequence[tuple[NDArray[Any], NDArray[Any]]], split: Split) -> float:
    """The share of examples that are answered rightly."""
    return float((answers(layers, split.array).argmax(axis=1) == split.labels).mean())


def samples(layers: Sequence[tuple[NDArray[Any], NDArray[Any]]], split: Split) -> Split:
    """The first image of each digit, then the two that the network is most sure of and takes for another digit."""
    first = [int(np.flatnonzero(split.labels == digit)[0]) for digit in range(10)]
    logits = answers(layers, split.array)
    rows = np.arange(len(split))
    over = logits.max(axis=1) - logits[rows, split.labels]
    return split.rows(np.array([*first, *np.argsort(-over, kind="stable")[:2]]))


# --------------------------------------------------------------------------------------------------------- the digits


def thousand_digits(settings: Settings) -> dict[str, Any]:
    """Digits to learn from in a page, and the curves of a network that learned from the same ones, from many seeds."""
    dataset = library.load("mnist", settings)
    shown, held_out = (
        of_each_digit(dataset.training.train, SHOWN),
        of_each_digit(dataset.training.validation, HELD_OUT),
    )
    grays = np.concatenate([four_bits(shown.array), four_bits(held_out.array)])
    split = [(four_bits(s.array) / GRAYS, s.labels) for s in (shown, held_out)]
    curves = [train(REFERENCE, seed, split[0], split[1]) for seed in SEEDS]
    return {
        "dataset": {"name": dataset.name, "digest": dataset.digest, "split_version": dataset.split_version},
        "train": len(shown),
        "validation": len(held_out),
        "grays": GRAYS,
        "labels": "".join(str(label) for label in [*shown.labels, *held_out.labels]),
        "digits": text(packed(grays)),
        "reference": {
            "setting": asdict(REFERENCE),
            "seeds": list(SEEDS),
            "curves": {
                key: [[round(value, 6) for value in curve[key]] for curve in curves]
                for key in ("validation_accuracy", "validation_loss", "train_accuracy")
            },
        },
    }


def of_each_digit(split: Split, count: int) -> Split:
    """The first examples of each class, in the order of the split."""
    rows = np.concatenate([np.flatnonzero(split.labels == digit)[:count] for digit in range(10)])
    return split.rows(np.sort(rows))


def four_bits(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images as grays from 0 to 15, shape (n, 784)."""
    return np.round(images.reshape(len(images), -1) / 255 * GRAYS).astype(np.uint8)


def packed(grays: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grays of four bits, two in a byte, the first of them in the upper half; then compressed as zlib does."""
    flat = grays.ravel()
    return np.frombuffer(zlib.compress((flat[::2] << 4 | flat[1::2]).tobytes(), 9), np.uint8)


def text(array: NDArray[Any]) -> str:
    """The bytes of an array, in base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


if __name__ == "__main__":
    main()
