"""The recipe: how a variant is trained, as a value that can be compared, hashed and printed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fortydays.base.errors import UsageError, unknown_name
from fortydays.inputs.ngrams import UNITS, WORDS
from fortydays.inputs.tokens import LONGEST, MOST_WORDS, TRUNCATIONS
from fortydays.inputs.wordpieces import WORDPIECES

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
DECAYED = ("all", "kernels")
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
        decayed: which weights ``weight_decay`` shrinks: "all", or "kernels": what a layer multiplies its input with,
            by the name that Keras gives it. Biases, the scales and shifts of normalization, and embeddings, those of
            positions too, are left out then.
        clip_norm: the largest norm of all gradients of a step together. Larger ones are scaled down to it (Pascanu et
            al., 2013). 0 clips nothing.
        ema: share of its value that an average of the weights keeps at each step; the rest is the new weights. These
            averages are what is evaluated, kept and exported, from the first step on; training goes on with the
            weights themselves (Polyak and Juditsky, 1992). Statistics of batch normalization, which are averages
            already, stay as they are. 0 averages nothing.
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
        crop: share of an image's area that training cuts away, at most. A rectangle is enlarged to the whole image.
            Its area is uniform between 1 - crop and 1 of the image's own, its width over its height, both as shares of
            the image's, between 3/4 and 4/3 (uniform as a logarithm), and its place is anywhere in the image (Szegedy
            et al., 2015). A side that would be longer than the image's own is as long.
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
        vocabulary: words of texts that have a token of their own, the most frequent first; the others share one. None
            takes all that the dataset has.
        length: tokens of a text: longer ones are truncated, shorter ones filled up. None takes the dataset's.
        truncation: which words a text loses that is too long: those at its "start" or at its "end".
        units: of a reader's own texts, what n-grams are made of: "words", or "characters" inside words; or
            "wordpieces", for the features of an encoder.
    """

    epochs: int
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 0.001
    optimizer_options: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    schedule: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    decayed: str = "all"
    clip_norm: float = 0.0
    ema: float = 0.0
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
    crop: float = 0.0
    contrast: float = 0.0
    mixup: float = 0.0
    class_weights: str = "none"
    vocabulary: int | None = None
    length: int | None = None
    truncation: str = "start"
    units: str = WORDS

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, 100_000)
        _whole("batch_size", self.batch_size, 1, 1_000_000)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _number("learning_rate", self.learning_rate, low=0.0, low_included=False)
        _choice("schedule", self.schedule, SCHEDULES)
        _number("warmup", self.warmup, low=0.0, high=1.0)
        _number("weight_decay", self.weight_decay, low=0.0)
        _choice("decayed", self.decayed, DECAYED)
        _number("clip_norm", self.clip_norm, low=0.0)
        _number("ema", self.ema, low=0.0, high=1.0)
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
        _number("crop", self.crop, low=0.0, high=1.0)
        _number("contrast", self.contrast, low=0.0, high=1.0)
        _number("mixup", self.mixup, low=0.0, high=1000.0)
        if self.mixup and self.batch_size == 1:
            raise UsageError(
                f"The recipe field 'mixup' is {self.mixup} with a batch size of 1; "
                "an image is mixed with another one of its batch.",
                hint="Set mixup=0 or a larger batch_size.",
            )
        _choice("class_weights", self.class_weights, CLASS_WEIGHTS)
        if self.vocabulary is not None:
            _whole("vocabulary", self.vocabulary, 1, MOST_WORDS)
        if self.length is not None:
            _whole("length", self.length, 1, LONGEST)
        _choice("truncation", self.truncation, TRUNCATIONS)
        _choice("units", self.units, (*UNITS, WORDPIECES))
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
            name, value = parse_setting(setting)
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


def parse_setting(setting: str) -> tuple[str, object]:
    """The field and the value of a text ``FIELD=VALUE``, which a recipe may still refuse.

    Raises:
        UsageError: no ``=``, an unknown field, or a value of the wrong type.
    """
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


_KINDS = {
    "flip": "kind of flip",
    "test_views": "set of test views",
    "class_weights": "kind of class weights",
    "decayed": "set of decayed weights",
    "units": "unit of n-grams",
}


def _choice(name: str, value: object, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise unknown_name(_KINDS.get(name, name), str(value), known)
