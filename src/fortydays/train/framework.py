"""How the program meets Keras and TensorFlow: loading them, their threads, models, losses and optimizers."""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras

_NUMERICAL_SWITCHES = (
    "CUDA_VISIBLE_DEVICES",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def numerical_switches() -> dict[str, str]:
    """The environment variables that are set and that change in which bits TensorFlow computes."""
    return {name: os.environ[name] for name in _NUMERICAL_SWITCHES if name in os.environ}


ModelBuilder = Callable[[], "keras.Model"]
"""Builds a fresh, unfitted model whose last layer gives one probability for each class."""

# Keras imports these when it finds them, for wrappers and plots that training never uses. They cost half of its
# start-up time and a quarter of its memory, so they are hidden from it while it loads (and only then).
_HIDDEN_FROM_KERAS = ("sklearn", "pandas", "matplotlib", "matplotlib.pyplot", "IPython", "pydot")


def load_keras(*, threads: int) -> Any:
    """Import Keras on its TensorFlow backend and pin the number of threads it computes with.

    The number of threads is part of what a trial is a function of: another number adds in another order.

    Args:
        threads: for one operation and between operations.

    Returns:
        The module ``keras``.

    Raises:
        UsageError: ``KERAS_BACKEND`` asks for another backend.
        FortydaysError: TensorFlow already computes with another number of threads in this process.
    """
    wanted = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if wanted != "tensorflow":
        raise UsageError(
            f"KERAS_BACKEND is {wanted!r}; this version of fortydays trains on 'tensorflow'.",
            hint="Unset KERAS_BACKEND and run the command again.",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        with _interrupts_deferred(), _hidden(_HIDDEN_FROM_KERAS), _quiet_standard_error():
            import keras
    import keras
    import tensorflow as tf

    # Every trainer compiles functions of its own, which TensorFlow warns of as if one were compiled again and again.
    tf.get_logger().setLevel("ERROR")
    # A reader's own ~/.keras/keras.json must not change what a trial gives.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        within = tf.config.threading.get_intra_op_parallelism_threads()
        between = tf.config.threading.get_inter_op_parallelism_threads()
        running = within if within == between else 0
        if running != threads:
            raise FortydaysError(
                f"TensorFlow already computes with {running or 'all'} threads in this process; "
                f"{threads} were asked for.",
                hint="Use another process.",
            ) from None
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


def accelerator_is_fast_at_bfloat16() -> bool | None:
    """Whether the GPU that TensorFlow computes on has fast bfloat16 (Ampere or later); None where it has no GPU."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    capability = tf.config.experimental.get_device_details(devices[0]).get("compute_capability", (0, 0))
    return bool(capability >= (8, 0))


def resolve_precision(recipe: Recipe, *, convolutions: bool, bfloat16_is_fast: bool) -> str:
    """The arithmetic a trial computes in: "float32" or "bfloat16".

    "auto" takes bfloat16 only where the processor has instructions for it and the model has convolutions, whose
    time it halves; small dense networks gain nothing from it.
    """
    if recipe.precision != "auto":
        return recipe.precision
    return "bfloat16" if convolutions and bfloat16_is_fast else "float32"


def build_model(builder: ModelBuilder, *, seed: int, precision: str) -> "keras.Model":
    """A fresh model whose weights, and whose layers' random generators, derive from the seed."""
    import keras

    keras.utils.set_random_seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        return builder()
    finally:
        keras.config.set_dtype_policy(policy)


def build_optimizer(recipe: Recipe) -> Any:
    """The Keras optimizer a recipe names, with its rate at the peak (the engine sets it anew at every step).

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
    }
    # Keras leaves the step for weight decay out where it is None, which its AdamW alone refuses.
    decay = recipe.weight_decay if recipe.weight_decay or recipe.optimizer == "adamw" else None
    try:
        return classes[recipe.optimizer](
            learning_rate=recipe.learning_rate, weight_decay=decay, **recipe.optimizer_options
        )
    except ValueError as error:
        raise UsageError(f"Keras refuses the optimizer {recipe.optimizer!r} as the recipe has it: {error}") from error


class Loss(Protocol):
    """A loss for each example, from its label and the model's probabilities."""

    def __call__(self, labels: Any, probabilities: Any) -> Any:
        """Labels int32 (n,), probabilities float (n, classes); returns float32 (n,)."""


def build_loss(recipe: Recipe, num_classes: int) -> Loss:
    """The Keras loss a recipe names, one value for each example."""
    import keras

    if recipe.loss == "crossentropy" and not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(reduction="none")  # type: ignore[no-any-return]
    if recipe.loss == "crossentropy":
        of_one_hot = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing, reduction="none")
    else:
        of_one_hot = keras.losses.MeanSquaredError(reduction="none")
    return lambda labels, probabilities: of_one_hot(
        keras.ops.one_hot(labels, num_classes, dtype="float32"), probabilities
    )
