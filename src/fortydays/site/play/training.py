"""The page "Train it here": a thousand digits, a small network, and a band of curves to compare with."""

from collections.abc import Sequence

from fortydays.site.finished import FinishedDay
from fortydays.site.kept import read_kept
from fortydays.site.play.design import Content

RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
WIDTHS = (2, 4, 8, 16, 32, 64, 128)
ACTIVATIONS = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "sigmoid", "none": "none (linear)"}
OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD with momentum", "rmsprop": "RMSprop", "adam": "Adam"}
USUAL = {"sgd": 0.1, "momentum": 0.05, "rmsprop": 0.001, "adam": 0.001}
"""The learning rate that the page sets with each optimizer."""

_DAYS = (1, 2, 3, 4)


def make(days: Sequence[FinishedDay]) -> Content | None:
    """The digits and our curves; None without a day that the page is about.

    Raises:
        StorageError: the file with the digits is missing or damaged.
    """
    behind = tuple(each.day.number for each in days if each.day.number in _DAYS)
    if not behind:
        return None
    kept = read_kept("thousand-digits")
    reference = kept["reference"]
    setting, curves = dict(reference["setting"]), reference["curves"]
    epochs = setting.pop("epochs")
    finals = [curve[-1] for curve in curves["validation_accuracy"]]
    return Content(
        data={
            **{key: kept[key] for key in ("digits", "labels", "train", "grays")},
            "reference": setting,
            "epochs": epochs,
            "band": {
                "right": [[round(share * kept["validation"]) for share in c] for c in curves["validation_accuracy"]],
                "loss": [[round(loss, 3) for loss in curve] for curve in curves["validation_loss"]],
            },
            "rates": RATES,
            "usual": USUAL,
            "widths": WIDTHS,
            "activations": ACTIVATIONS,
            "optimizers": OPTIMIZERS,
        },
        values={
            "shown": kept["train"],
            "held_out": kept["validation"],
            "epochs": epochs,
            "seeds": len(reference["seeds"]),
            "reference": (
                f"{ACTIVATIONS[setting['activation']]}, {OPTIMIZERS[setting['optimizer']]} at {setting['rate']:g}, "
                f"{'dropout ' + format(setting['dropout'], 'g') if setting['dropout'] else 'no dropout'} and "
                f"{setting['width']} hidden units"
            ),
            "ours": {"mean": sum(finals) / len(finals), "low": min(finals), "high": max(finals)},
            "rates": RATES,
            "widths": WIDTHS,
            "activations": ACTIVATIONS,
            "optimizers": OPTIMIZERS,
        },
        days=behind,
    )
