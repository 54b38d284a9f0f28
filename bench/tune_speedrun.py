"""Try settings of a speedrun's preset on the validation split, to choose one.

Each try is one argument: settings to change, as ``NAME=VALUE`` with a Python literal, between spaces. The names are
those of ``SETTINGS`` in ``fortydays.study.speedrun`` and the arguments of ``make_preset`` and ``muon_recipe`` there.
An empty argument tries the preset as it is.

    python bench/tune_speedrun.py 0.80 "" "widths=(16,32,64) epochs=3" "filter_rate=0.3 bias_rate=0.04" --seeds 3

The test split is never opened, and the seeds are not those that ``forty speedrun`` reports. Run it on an otherwise
idle machine. A preset that reaches its accuracy on 45,000 images reaches it on the 50,000 of the final run too.
"""

import argparse
import ast
from typing import Any

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import read_settings
from fortydays.data import store
from fortydays.report import numbers
from fortydays.study.speedrun import SETTINGS, Speedrun, find_preset, make_preset, run_speedrun

TRY = 'such as "epochs=3 batch_size=250"; an empty one changes nothing'


def main() -> None:
    """Try all settings, one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("accuracy", type=float, help="of the preset to begin from, such as 0.80")
    parser.add_argument("tries", nargs="+", metavar="TRY", help=TRY)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--dataset", default="cifar10")
    arguments = parser.parse_args()
    settings = read_settings()
    dataset = store.load(arguments.dataset, settings)
    target = arguments.accuracy
    start = dict(SETTINGS[arguments.dataset][find_preset(arguments.dataset, target).accuracy])
    print(f"{'validation accuracy':>20} {'lowest':>7} {'seconds':>8} {'compiling':>9}  settings")
    for text in arguments.tries:
        try:
            preset = make_preset(target, **{**start, **changes(text)})
            found = run_speedrun(
                dataset, preset, target=target, seeds=arguments.seeds, threads=settings.threads, validate=True
            )
        except (FortydaysError, TypeError) as error:
            print(f"{'failed':>20} {error}  {text}", flush=True)
        else:
            print(f"{line(found)}  {text or 'the preset'}", flush=True)


def changes(text: str) -> dict[str, Any]:
    """The settings in an argument such as "widths=(16,32) epochs=3"."""
    pairs = (word.partition("=") for word in text.split())
    return {name: ast.literal_eval(value) for name, _, value in pairs}


def line(found: Speedrun) -> str:
    """Accuracy and seconds of one try."""
    accuracy = found.accuracy
    shown = numbers.mean_and_spread(accuracy, "share", digits=2)
    lowest = min(r.accuracy for r in found.results)
    return f"{shown:>20} {100 * lowest:6.2f}% {found.seconds.mean:8.1f} {found.compile_seconds:9.1f}"


if __name__ == "__main__":
    main()
