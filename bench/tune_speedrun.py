"""Try settings of a speedrun's preset on the validation split, to choose one.

Each try is one argument: settings to change, as ``NAME=VALUE`` with a Python literal, between spaces. The names are
the arguments of ``make_preset``. An empty argument tries the preset as it is. What you choose goes into ``PRESETS`` of
``fortydays.study.speedrun``.

    python bench/tune_speedrun.py 0.80 "" "widths=(16,32,64) epochs=3" "filter_rate=0.3 bias_rate=0.04" --seeds 3

The test split is never opened, and the seeds are not those that ``forty speedrun`` reports. Run it on an otherwise
idle machine. A preset that reaches its accuracy on 45,000 images reaches it on the 50,000 of the final run too.
"""

import argparse
import ast
import math
from typing import Any

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import read_settings
from fortydays.data import library
from fortydays.report import numbers
from fortydays.study.speedrun import DATASET, Preset, find_preset, run_speedrun
from fortydays.study.statistics import Interval
from fortydays.train.recipe import Recipe

TRY = 'such as "epochs=3 batch_size=250"; an empty one changes nothing'


def main() -> None:
    """Try all settings, one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("accuracy", type=float, help="of the preset to begin from, such as 0.80")
    parser.add_argument("tries", nargs="+", metavar="TRY", help=TRY)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    settings = read_settings()
    dataset = library.load(DATASET, settings)
    target = arguments.accuracy
    find_preset(DATASET, target)
    start = next(SETTINGS[each] for each in SETTINGS if each >= target)
    print(f"{'validation accuracy':>20} {'lowest':>7} {'seconds':>8} {'compiling':>9}  settings")
    for text in arguments.tries:
        try:
            preset = make_preset(**{**start, **changes(text)})
            found = run_speedrun(
                dataset, preset, target=target, seeds=arguments.seeds, threads=settings.threads, validate=True
            )
        except (FortydaysError, TypeError) as error:
            print(f"{'failed':>20} {error}  {text}", flush=True)
        else:
            print(f"{line(found)}  {text or 'the preset'}", flush=True)


def make_preset(
    *,
    widths: tuple[int, ...],
    epochs: int,
    batch_size: int,
    test_views: str,
    filter_rate: float = 0.24,
    bias_rate: float = 0.053,
    output_rate: float = 0.67,
    decay: float = 2e-6,
    flip: str = "alternating",
    shift: int = 2,
    **network: Any,
) -> Preset:
    """A preset with airbench94_muon's own numbers, for another batch size or width, as the trainer takes them.

    airbench adds the losses of 2,000 images up; the trainer takes their mean, so that rates of SGD are multiplied by
    the batch size. Muon's steps have the same length whatever the loss is divided by; for other batches than 2,000
    they are scaled by the square root of the ratio. airbench's decay goes through the momentum of 0.85, which
    multiplies it by 1 / 0.15; the trainer's does not. airbench divides the logits by the number of features; the
    network here starts from weights so divided, for which the same steps have the square of that number in the rate.
    For fewer than its 256 features, the rates of SGD are lowered in proportion, so that a step changes the logits by
    as much.

    Args:
        widths: filters in each block.
        epochs: passes over the training images.
        batch_size: images in a step.
        test_views: as in a recipe.
        filter_rate: of filters, with a batch of 2,000.
        bias_rate: of biases, for the sum of the losses.
        output_rate: of the head, for the sum of the losses and 256 features.
        decay: of biases and head, for each image of a batch.
        flip: as in a recipe.
        shift: as in a recipe.
        **network: further arguments of :func:`fortydays.models.speed.speed_network`.
    """
    rate, momentum = filter_rate * math.sqrt(batch_size / 2000), 0.85
    features = widths[-1]
    recipe = Recipe(
        epochs=epochs,
        batch_size=batch_size,
        optimizer="muon",
        learning_rate=_short(rate),
        optimizer_options={
            "momentum": 0.6,
            "rest_momentum": momentum,
            "rest_rate": _short(bias_rate * batch_size * features / 256 / rate),
            "output_rate": _short(output_rate * batch_size * features / 256 / features**2 / rate),
        },
        schedule="linear",
        weight_decay=_short(decay * batch_size / (1 - momentum) / rate),
        label_smoothing=0.2,
        flip=flip,
        shift=shift,
        test_views=test_views,
    )
    return Preset(network={"widths": widths, **network}, recipe=recipe)


def _short(number: float) -> float:
    return float(f"{number:.4g}")


_CHEAP: dict[str, Any] = {"batch_size": 512, "filter_rate": 0.3, "whitening_bias": False, "whitening_strides": 2}
SETTINGS: dict[float, dict[str, Any]] = {
    0.70: _CHEAP | {"widths": (32, 48, 64), "epochs": 1, "flip": "random", "shift": 0, "test_views": "flip"},
    0.80: _CHEAP | {"widths": (32, 64, 64), "epochs": 3, "test_views": "flip"},
    0.90: {"widths": (64, 128, 128), "epochs": 5, "batch_size": 1000, "test_views": "flip"},
    0.94: {"widths": (64, 256, 256), "epochs": 9, "batch_size": 2000, "test_views": "flip and shift"},
}
"""For each preset of ``forty speedrun``, the arguments of :func:`make_preset` that give it."""


def changes(text: str) -> dict[str, Any]:
    """The settings in an argument such as "widths=(16,32) epochs=3"."""
    pairs = (word.partition("=") for word in text.split())
    return {name: ast.literal_eval(value) for name, _, value in pairs}


def line(found: dict[str, Any]) -> str:
    """Accuracy and seconds of one try."""
    shown = numbers.mean_and_spread(Interval(**found["accuracy"]), "share", digits=2)
    lowest = min(each["accuracy"] for each in found["seeds"])
    return f"{shown:>20} {100 * lowest:6.2f}% {found['seconds']['mean']:8.1f} {found['compile_seconds']:9.1f}"


if __name__ == "__main__":
    main()
