"""The recipe: how a variant is trained, as a value that can be compared, hashed and printed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fortydays.base.errors import UsageError, unknown_name

OPTIMIZERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sgd": ("momentum", "nesterov"),
        "rmsprop": ("rho", "momentum", "epsilon", "centered"),
        "adam": ("beta_1", "beta_2", "epsilon", "amsgrad"),
        "adamw": ("beta_1", "beta_2", "epsilon", "amsgrad"),
        "nadam": ("beta_1", "beta_2", "epsilon"),
        "adagrad": ("initial_accumulator_value", "epsilon"),
        "lion": ("beta_1", "beta_2"),
        "muon": ("momentum", "rest_rate", "output_rate", "rest_momentum"),
    }
)
"""The optimizers a recipe can name, each with the options it takes besides the learning rate.

All are Keras's own but "muon", whose Keras namesake knows no filters; see :func:`fortydays.train.muon.muon`.
"""

# What kind of value an option takes; those in neither are numbers from 0 up.
_SWITCHES = ("nesterov", "centered", "amsgrad")
_SHARES = ("momentum", "rest_momentum", "rho", "beta_1", "beta_2")

LOSSES = ("crossentropy", "mean_squared_error")
SCHEDULES = ("constant", "linear", "cosine")
PRECISIONS = ("auto", "float32", "bfloat16")
FLIPS = ("none", "random", "alternating")
TEST_VIEWS = ("none", "flip", "flip and shift")
CLASS_WEIGHTS = ("none", "balanced")
MONITORS = ("validation_loss", "validation_accuracy")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a variant is trained.

    Attributes:
        epochs: passes over the training split. Images left over when it is cut into whole batches are left out of
            that epoch; which ones they are changes from epoch to epoch with the order.
        batch_size: images in one step.
        optimizer: one of :data:`OPTIMIZERS`.
        learning_rate: the peak learning rate.
        optimizer_options: the optimizer's own options, such as ``{"momentum": 0.9}``.
        schedule: how the learning rate falls from its peak: "constant", "linear" or "cosine" (both to zero).
        warmup: share of all steps, from 0 to below 1, over which the learning rate first rises linearly.
        weight_decay: decoupled weight decay (Loshchilov and Hutter, 2019), by the optimizer.
        loss: "crossentropy" or "mean_squared_error" (on one-hot labels, the Brier score up to a factor).
        label_smoothing: share of each label spread over all classes; with cross-entropy only.
        patience: stop after so many epochs without a better ``monitor``, and keep the best epoch's weights; None
            trains all epochs and keeps the last weights.
        monitor: what ``patience`` watches, on the validation split.
        evaluate_every: steps between evaluations on the validation split, besides the one that ends each epoch;
            None evaluates once an epoch.
        precision: "float32", "bfloat16" (mixed: bfloat16 arithmetic, float32 weights), or "auto": bfloat16 where
            the processor computes it fast and the model has convolutions.
        flip: whether training shows images mirrored: "none", "random" (each time drawn anew), or "alternating"
            (each image changes its side from epoch to epoch; Jordan, 2024).
        shift: pixels by which training moves images, at most, each way; edges are reflected.
        cutout: side in pixels of a square that training covers (DeVries and Taylor, 2017); 0 covers nothing.
        rotation: degrees by which training turns images, at most, each way; corners are filled by reflection.
        zoom: share by which training enlarges or reduces images, at most. What fills the picture is a square whose
            side is uniform between 1 - zoom and 1 + zoom of the image's own, as in Keras's ``RandomZoom``.
        contrast: share by which training changes contrast, at most: each pixel's distance from the mean of its image
            and channel is multiplied by a factor uniform between 1 - contrast and 1 + contrast, and the result cut off
            at black and white.
        mixup: alpha of the Beta distribution that gives the shares in which training shows an image and another one
            of its batch through each other; their losses are mixed alike (Zhang et al., 2018). 0 mixes nothing.
        class_weights: "none", or "balanced": in training, the loss of an example is weighted by the number of
            examples over that of the classes and that of its own class's examples, which is 1 in the mean.
        test_views: the views of an image whose probabilities are averaged after training, in all that is reported:
            "none" (the image as it is), "flip" (also mirrored), "flip and shift" (also moved by a pixel, six in all).
            Looks at the validation split during training take the image as it is.
    """

    epochs: int
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 0.001
    optimizer_options: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    schedule: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    loss: str = "crossentropy"
    label_smoothing: float = 0.0
    patience: int | None = None
    monitor: str = "validation_loss"
    evaluate_every: int | None = None
    precision: str = "auto"
    flip: str = "none"
    shift: int = 0
    cutout: int = 0
    test_views: str = "none"
    rotation: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    mixup: float = 0.0
    class_weights: str = "none"

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, 100_000)
        _whole("batch_size", self.batch_size, 1, 1_000_000)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _number("learning_rate", self.learning_rate, low=0.0, low_included=False)
        _choice("schedule", self.schedule, SCHEDULES)
        _number("warmup", self.warmup, low=0.0, high=1.0)
        _number("weight_decay", self.weight_decay, low=0.0)
        _choice("loss", self.loss, LOSSES)
        _number("label_smoothing", self.label_smoothing, low=0.0, high=1.0)
        if self.label_smoothing and self.loss != "crossentropy":
            raise UsageError(
                f"The recipe field 'label_smoothing' is {self.label_smoothing} with the loss {self.loss!r}; "
                "it is defined for 'crossentropy' only.",
                hint="Set label_smoothing=0 or loss=crossentropy.",
            )
        if self.patience is not None:
            _whole("patience", self.patience, 1, 100_000)
        _choice("monitor", self.monitor, MONITORS)
        if self.evaluate_every is not None:
            _whole("evaluate_every", self.evaluate_every, 1, 1_000_000_000)
        _choice("precision", self.precision, PRECISIONS)
        _choice("flip", self.flip, FLIPS)
        _whole("shift", self.shift, 0, 1000)
        _whole("cutout", self.cutout, 0, 1000)
        _choice("test_views", self.test_views, TEST_VIEWS)
        _number("rotation", self.rotation, low=0.0, high=180.0, high_included=True)
        _number("zoom", self.zoom, low=0.0, high=1.0)
        _number("contrast", self.contrast, low=0.0, high=1.0)
        _number("mixup", self.mixup, low=0.0, high=1000.0)
        if self.mixup and self.batch_size == 1:
            raise UsageError(
                f"The recipe field 'mixup' is {self.mixup} with a batch size of 1; "
                "an image is mixed with another one of its batch.",
                hint="Set mixup=0 or a larger batch_size.",
            )
        _choice("class_weights", self.class_weights, CLASS_WEIGHTS)
        self._check_optimizer_options()

    def _check_optimizer_options(self) -> None:
        known = OPTIMIZERS[self.optimizer]
        for name, value in self.optimizer_options.items():
            if name not in known:
                raise unknown_name("option", name, known, of=f"the optimizer {self.optimizer!r}")
            if name not in _SWITCHES:
                _number(f"optimizer_options.{name}", value, low=0.0, high=1.0 if name in _SHARES else math.inf)
            elif not isinstance(value, bool):
                raise UsageError(f"The recipe field 'optimizer_options.{name}' is {value!r}; expected true or false.")
        object.__setattr__(self, "optimizer_options", MappingProxyType(dict(sorted(self.optimizer_options.items()))))

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON values, every field included."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["optimizer_options"] = dict(self.optimizer_options)
        return values

    def replace(self, **changes: object) -> "Recipe":
        """A copy with some fields changed.

        Raises:
            UsageError: a field is unknown or a value does not fit.
        """
        for name in changes:
            if name not in FIELDS:
                raise unknown_name("recipe field", name, FIELDS)
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def with_settings(self, settings: Sequence[str]) -> "Recipe":
        """A copy with some fields set from text, as given to ``--set``; their order does not matter.

        Args:
            settings: each ``FIELD=VALUE``; an optimizer's option is ``optimizer_options.NAME=VALUE``.

        Raises:
            UsageError: no ``=``, an unknown field, or a value of the wrong type or out of range.
        """
        changes: dict[str, object] = {}
        options: dict[str, object] = {}
        for setting in settings:
            name, value = _parse_setting(setting)
            if name.startswith(_OPTION):
                options[name.removeprefix(_OPTION)] = value
            else:
                changes[name] = value
        # Options belong to the optimizer they were written for; another one would refuse them.
        kept = self.optimizer_options if changes.get("optimizer", self.optimizer) == self.optimizer else {}
        return self.replace(**changes, optimizer_options={**kept, **options})


FIELDS: Mapping[str, str] = MappingProxyType({f.name: str(f.type) for f in dataclasses.fields(Recipe)})
"""The fields of a recipe and their types as written."""


_OPTION = "optimizer_options."


def _parse_setting(setting: str) -> tuple[str, object]:
    name, separator, text = setting.partition("=")
    name, text = name.strip(), text.strip()
    if not separator or not name or not text:
        raise UsageError(f"--set got {setting!r}; expected FIELD=VALUE.", hint=f"Fields: {', '.join(FIELDS)}.")
    if name.startswith(_OPTION):
        return name, _parse(name, text, "float | bool")
    if name not in FIELDS:
        raise unknown_name("recipe field", name, FIELDS)
    if name == "optimizer_options":
        raise UsageError(
            "'optimizer_options' is set one option at a time.",
            hint="For example: --set optimizer_options.momentum=0.9",
        )
    return name, _parse(name, text, FIELDS[name])


def _parse(name: str, text: str, kind: str) -> object:
    types = {part.strip() for part in kind.replace("<class '", "").replace("'>", "").split("|")}
    lowered = text.lower()
    if "None" in types and lowered in ("none", "null", "off"):
        return None
    if "bool" in types and lowered in ("true", "false"):
        return lowered == "true"
    try:
        if "int" in types:
            return int(text)
        if "float" in types:
            return float(text)
    except ValueError:
        wanted = "a whole number" if "int" in types else "a number"
        if "None" in types:
            wanted += " or 'none'"
        raise UsageError(f"The recipe field {name!r} got {text!r}; expected {wanted}.") from None
    return text


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"The recipe field {name!r} is {value!r}; expected a whole number.")
    if not low <= value <= high:
        raise UsageError(f"The recipe field {name!r} is {value}; expected a whole number from {low} to {high}.")


def _number(
    name: str,
    value: object,
    *,
    low: float,
    high: float = math.inf,
    low_included: bool = True,
    high_included: bool = False,
) -> None:
    """Check for a number from ``low`` to ``high``, each included or not."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(f"The recipe field {name!r} is {value!r}; expected a number.")
    too_low = value < low or (value == low and not low_included)
    if too_low or value > high or (value == high and not high_included):
        bound = f"{'at least' if low_included else 'above'} {low:g}"
        bound += f" and {'at most' if high_included else 'below'} {high:g}" if math.isfinite(high) else ""
        raise UsageError(f"The recipe field {name!r} is {value}; expected a number {bound}.")


_KINDS = {"flip": "kind of flip", "test_views": "set of test views", "class_weights": "kind of class weights"}


def _choice(name: str, value: object, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise unknown_name(_KINDS.get(name, name), str(value), known)
