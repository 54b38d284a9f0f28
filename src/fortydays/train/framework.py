"""How the program meets Keras: loading it on a backend, its threads, models, losses and optimizers."""

import contextlib
import math
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.traces import line_of_reader
from fortydays.models import standardization
from fortydays.tasks.classification import Classification
from fortydays.train import backends
from fortydays.train.backends import Loss
from fortydays.train.muon import muon
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras

_NUMERICAL_SWITCHES = (
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def numerical_switches() -> dict[str, str]:
    """The environment variables that are set and that change in which bits a backend computes."""
    return {name: os.environ[name] for name in _NUMERICAL_SWITCHES if name in os.environ}


ModelBuilder = Callable[[], "keras.Model"]
"""Builds a fresh, unfitted model whose last layer gives one probability for each class."""

# Keras imports these when it finds them, for wrappers and plots that training never uses. They cost half of its
# start-up time and a quarter of its memory, so they are hidden from it while it loads (and only then).
_HIDDEN_FROM_KERAS = ("sklearn", "pandas", "matplotlib", "matplotlib.pyplot", "IPython", "pydot")


def load_keras(*, threads: int) -> Any:
    """Import Keras on the backend that ``KERAS_BACKEND`` asks for and pin the number of threads it computes with.

    The number of threads is part of what a trial is a function of: another number adds in another order.

    Args:
        threads: for one operation and between operations.

    Returns:
        The module ``keras``.

    Raises:
        UsageError: ``KERAS_BACKEND`` asks for a backend that training does not know.
        FortydaysError: that backend is not installed, or already computes with another number of threads.
    """
    chosen = backends.backend()
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != chosen.NAME:
        raise FortydaysError(
            f"Keras already runs on {sys.modules['keras'].backend.backend()!r} in this process; "
            f"{chosen.NAME!r} was asked for.",
            hint="Use another process.",
        )
    os.environ["KERAS_BACKEND"] = chosen.NAME
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen.prepare(threads=threads)
    if "keras" not in sys.modules:
        with _interrupts_deferred(), _hidden(_HIDDEN_FROM_KERAS), _quiet_standard_error():
            import keras
    import keras

    # A reader's own ~/.keras/keras.json must not change what a trial gives.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    chosen.pin_threads(threads=threads)
    return keras


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Hold back signals to stop until the block has ended.

    An interrupt inside a native module's initialization comes out as an ImportError that says nothing of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[tuple[int, Any]] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda n, frame: caught.append((n, frame))) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for received, frame in caught[:1]:
        waiting = before[signal.Signals(received)]
        if callable(waiting):
            waiting(received, frame)


@contextlib.contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _quiet_standard_error() -> Iterator[None]:
    """Hold back what native code prints while it loads, unless loading fails.

    TensorFlow prints two notices before its own log level applies; they would stand between a reader and the
    first line of every command.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed: nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if failed:
                held.seek(0)
                os.write(2, held.read())


def has_convolutions(model: "keras.Model") -> bool:
    """Whether any layer of the model, nested ones included, is a convolution."""
    return any("convolutional" in type(layer).__module__.split(".") for layer in model._flatten_layers())


def numbers_of_largest_layer(model: "keras.Model") -> int:
    """The most numbers that a layer of a model, nested ones included, takes in and gives on for one example.

    Attention counts with its scores: one for each head and pair of places. What is inside other layers does not show,
    nor do tensors whose size is not settled, such as those of texts of any length.
    """
    most = 0
    for layer in model._flatten_layers(include_self=False):
        heads = getattr(layer, "num_heads", None) or getattr(layer, "_num_heads", 0)
        for node in getattr(layer, "_inbound_nodes", ()):
            shapes = [tuple(tensor.shape[1:]) for tensor in (*node.input_tensors, *node.outputs)]
            numbers = sum(math.prod(shape) for shape in shapes if None not in shape)
            if isinstance(heads, int) and heads and None not in (*shapes[0], *shapes[min(1, len(shapes) - 1)]):
                places = (math.prod(shape[:-1]) for shape in shapes[:2])
                numbers += heads * math.prod(places)
            most = max(most, numbers)
    return most


def has_made_up_name(layer: Any) -> bool:
    """Whether Keras made up the name of a layer. It counts through the process, so the name tells what ran before."""
    made_up = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
    return re.fullmatch(rf"{made_up}(_\d+)?", layer.name) is not None


def resolve_precision(recipe: Recipe, *, convolutions: bool, bfloat16_is_fast: bool) -> str:
    """The arithmetic a trial computes in: "float32" or "bfloat16".

    "auto" takes bfloat16 only where the processor has instructions for it and the model has convolutions, whose
    time it halves; small dense networks gain nothing from it.
    """
    if recipe.precision != "auto":
        return recipe.precision
    return "bfloat16" if convolutions and bfloat16_is_fast else "float32"


def build_model(
    builder: ModelBuilder, *, seed: int, precision: str, seen: Callable[[], Any] | None = None
) -> "keras.Model":
    """A fresh model whose weights, and whose layers' random generators, derive from the seed.

    Args:
        builder: builds it.
        seed: of the weights.
        precision: "float32" or "bfloat16".
        seen: what :func:`adapt` is given; None leaves the layers as they are, for weights that are given later.

    Raises:
        UsageError: the layers do not fit together, as where pooling leaves nothing of an image.
    """
    import keras

    backends.backend().seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()  # what is filtered out is where the layer's name is
    try:
        with model_errors(precision):
            model = builder()
    finally:
        keras.config.set_dtype_policy(policy)
        if filtering:
            keras.config.enable_traceback_filtering()
    if precision == "bfloat16":
        # Probabilities with two or three digits would spoil the loss; Keras advises the same for every last layer.
        last = model.layers[-1]
        while isinstance(last, keras.Model):
            last = last.layers[-1]
        last.dtype_policy = "float32"
    if seen is not None:
        adapt(model, seen)
    return model


def part_of(model: "keras.Model", outputs: Any) -> "keras.Model":
    """The part of a model that leads to some tensors of it.

    Raises:
        ValueError: they are inside another model.
    """
    import keras

    # A Sequential has no `input`, and Keras warns of a list of one.
    return keras.Model(model.input if len(model.inputs) > 1 else model.inputs[0], outputs)


def adapt(model: "keras.Model", seen: Callable[[], Any]) -> None:
    """Let the layers with an ``adapt`` method (Keras's ``Normalization``, or a whitening) take their statistics.

    Args:
        model: is changed.
        seen: makes what the network gets of training examples, in NumPy; not called without such layers.

    Raises:
        UsageError: such a layer is inside another model, or used more than once.
    """
    import keras

    waiting = [layer for layer in model._flatten_layers() if _adapts(layer)]
    if not waiting:
        return
    examples = seen()
    for layer in waiting:
        try:
            before = part_of(model, layer.input)
        except (AttributeError, ValueError) as error:
            raise UsageError(
                f"The layer {layer.name!r} ({type(layer).__name__}) cannot be adapted to the training examples: "
                "it is inside another model or used more than once.",
                hint="Put it into the outer model, or give it its numbers when it is made.",
            ) from error
        is_first = len(before.layers) == 1
        layer.adapt(examples if is_first else keras.ops.convert_to_numpy(before(examples, training=False)))


def read_statistics(model: "keras.Model", *, examples_vary: bool) -> None:
    """Have programs read the statistics of Keras's ``Normalization`` layers where these vary with the seed.

    They do behind layers with weights, and where other examples are learned from. Keras has them as constants, and a
    program that is compiled once for all seeds would keep those of the first.

    Args:
        model: is changed; its layers have been adapted.
        examples_vary: whether a seed has training examples of its own.
    """
    import keras

    for layer in model._flatten_layers():
        is_one = type(layer) is keras.layers.Normalization and _adapts(layer)
        if is_one and (examples_vary or part_of(model, layer.input).weights):
            # The same variables, computed by another method.
            object.__setattr__(layer, "__class__", standardization.objects()["LiveNormalization"])


def _adapts(layer: Any) -> bool:
    # Keras's Normalization adapts only where it was given no mean.
    return hasattr(layer, "adapt") and getattr(layer, "input_mean", None) is None


def set_variables(model: "keras.Model", values: Sequence[NDArray[Any]]) -> None:
    """Give a model's variables these values, in order."""
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    for layer in model._flatten_layers():
        if _adapts(layer) and hasattr(layer, "finalize_state"):  # what Keras derives from its variables
            layer.finalize_state()


@contextlib.contextmanager
def model_errors(precision: str) -> Iterator[None]:
    """Tell what a reader's model raises while it is built or traced as a mistake in the model, with its place.

    Args:
        precision: in which the model computes: "float32" or "bfloat16".

    Raises:
        UsageError: something was raised in the block that is no error of ours.
    """
    try:
        yield
    except FortydaysError:
        raise
    except Exception as error:
        raise _of_model(error, precision) from error


def _of_model(error: Exception, precision: str) -> UsageError:
    """What Keras says of layers that cannot be joined or computed, with the layer's name, as one sentence."""
    from keras import Model, layers

    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    found: list[Any] = []
    traceback = error.__traceback__
    while traceback is not None:
        found.append(traceback.tb_frame.f_locals.get("self"))
        traceback = traceback.tb_next
    layer = next((x for x in reversed(found) if isinstance(x, layers.Layer) and not isinstance(x, Model)), None)
    where = f"the layer {layer.name!r} ({type(layer).__name__})" if layer is not None else "a layer"
    if "zero or negative" in said:
        shape = re.search(r"inputs[. ]shape=[(\[]None,? ([\d, ]+)[)\]]", said)
        gets = f", which gets {shape.group(1).replace(',', '').strip().replace(' ', ' x ')}" if shape else ""
        return UsageError(
            f"The images are too small for the model: {where}{gets}, has nothing left of them to give on.",
            hint="Use larger images, fewer poolings, or padding='same'.",
        )
    at = "" if layer is None else f" at {where}"
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    hint = "Change the model so that it can be built."
    if precision == "bfloat16":
        hint = 'It computes in bfloat16 here. If it can do so in float32 only, set precision="float32" in the recipe.'
    return UsageError(f"{line_of_reader(error)}The model cannot be built{at}: {kind}{said[:400]}", hint=hint)


def build_optimizer(recipe: Recipe, variables: Sequence[Any] = ()) -> Any:
    """The optimizer a recipe names, with its rate at the peak (the engine sets it anew at every step).

    Args:
        recipe: that names it.
        variables: that it will train, of which weight decay leaves out those that the recipe says.

    Raises:
        UsageError: Keras refuses a value of its options.
    """
    import keras

    classes = {
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "nadam": keras.optimizers.Nadam,
        "adagrad": keras.optimizers.Adagrad,
        "lion": keras.optimizers.Lion,
        "muon": muon,
    }
    # Keras leaves the step for weight decay out where it is None, which its AdamW alone refuses.
    decay = recipe.weight_decay if recipe.weight_decay or recipe.optimizer == "adamw" else None
    more: dict[str, Any] = {"global_clipnorm": recipe.clip_norm} if recipe.clip_norm else {}
    if recipe.ema:
        more |= {"use_ema": True, "ema_momentum": recipe.ema}
    try:
        optimizer = classes[recipe.optimizer](
            learning_rate=recipe.learning_rate, weight_decay=decay, **recipe.optimizer_options, **more
        )
    except ValueError as error:
        raise UsageError(f"Keras refuses the optimizer {recipe.optimizer!r} as the recipe has it: {error}") from error
    if recipe.decayed == "kernels":
        # Keras calls them "kernel", and those of layers with several "recurrent_kernel", "depthwise_kernel" and so on.
        optimizer.exclude_from_weight_decay([v for v in variables if not v.name.endswith("kernel")])
    return optimizer


def build_loss(recipe: Recipe, task: Classification) -> Loss:
    """The Keras loss a recipe names, one value for each example.

    Raises:
        UsageError: the task knows no such loss.
    """
    import keras

    if recipe.loss not in task.LOSSES:
        raise unknown_name(f"loss for {task.KIND}", recipe.loss, task.LOSSES)

    if recipe.loss == "crossentropy" and not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(reduction="none")  # type: ignore[no-any-return]
    if recipe.loss == "crossentropy":
        of_one_hot = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing, reduction="none")
    else:
        of_one_hot = keras.losses.MeanSquaredError(reduction="none")
    return lambda labels, probabilities: of_one_hot(
        keras.ops.one_hot(labels, task.classes, dtype="float32"), probabilities
    )


def build_training_loss(recipe: Recipe, loss: Loss, *, labels: NDArray[Any], task: Classification) -> Loss:
    """The loss that gradients are of: the recipe's, weighted by class where it says so.

    Args:
        recipe: its ``class_weights``.
        loss: what :func:`build_loss` gave, which evaluations use as it is.
        labels: of the training split, shape (n,).
        task: with the number of classes.
    """
    import keras

    if recipe.class_weights == "none":
        return loss
    weights = balanced_weights(labels, task.classes)
    return lambda labels, probabilities: keras.ops.take(weights, labels, axis=0) * loss(labels, probabilities)


def balanced_weights(labels: NDArray[Any], num_classes: int) -> NDArray[np.float32]:
    """The weight of each class's examples: all examples over the classes and the class's own examples.

    Every class then weighs the same in all, and an example 1 in the mean. A class without examples counts as none:
    it weighs nothing, and takes nothing from the others.

    Args:
        labels: shape (n,).
        num_classes: how many classes there are.

    Returns:
        float32, shape (num_classes,).
    """
    counts = np.bincount(labels, minlength=num_classes)
    present = counts > 0
    return np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0).astype(np.float32)
