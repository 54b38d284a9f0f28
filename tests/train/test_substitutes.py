"""A substitute computes the function of the Keras layer it stands for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tiny_training import CLASSES, RECIPE, SIZE, bits, convolutional, linear, with_dropout

from fortydays.data.arrays import TrainingData
from fortydays.train import backends
from fortydays.train.backends.tensorflow_layers import BLOCK, replacements
from fortydays.train.framework import build_model
from fortydays.train.substitutes import substituted
from fortydays.train.trainer import Trainer

pytestmark = pytest.mark.skipif(backends.wanted() != "tensorflow", reason="these layers are TensorFlow's")

TrainerOf = Callable[..., Trainer]
PRECISIONS = ["float32", "mixed_bfloat16"]
BFLOAT16 = 2.0**-8
"""Half the distance from one to the next number in bfloat16: how far rounding moves a number, relative to it."""


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest, keras: Any) -> Iterator[str]:
    """Layers made in the test compute in this precision."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def operations_of(model: Any) -> set[str]:
    """The types of TensorFlow's operations that a model trains by."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def run(inputs: Any) -> Any:
        return model(inputs, training=True)

    graph = run.get_concrete_function(tf.TensorSpec((6, *model.input_shape[1:]), model.compute_dtype)).graph
    return {operation.type for operation in graph.get_operations()}


def fast_of(model: Any, *, xla: bool = False) -> Any:
    return substituted(model, replacements=replacements(xla=xla))


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def outputs_and_slopes(model: Any, inputs: Any, *, training: bool, xla: bool = False) -> list[Any]:
    """Outputs, and how a weighted sum of them changes with the inputs and with each trainable weight."""
    import tensorflow as tf

    @tf.function(jit_compile=xla, autograph=False)
    def run(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.cast(model(inputs, training=training), tf.float32)
            weighted = outputs * tf.cos(tf.reshape(tf.range(tf.size(outputs), dtype=tf.float32), tf.shape(outputs)))
        return outputs, *tape.gradient(weighted, [inputs, *(v.value for v in model.trainable_variables)])

    return [found.numpy() for found in run(tf.constant(inputs))]


def assert_close(found: Any, wanted: Any, *, within: float) -> None:
    """Each number within this share of the largest."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= within * max(1.0, np.abs(b).max())


# Dropout: one substitute within XLA, another outside.


@pytest.fixture(scope="module", params=[True, False], ids=["xla", "plain graph"])
def fast(request: pytest.FixtureRequest, keras: Any) -> Any:
    """The layer that stands for a dropout of a quarter, and its output for some inputs, and the slope."""
    import tensorflow as tf

    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.25, seed=3)])
    layer = fast_of(model, xla=request.param).layers[-1]
    assert type(layer).__name__ == ("FastDropout" if request.param else "HashedDropout")

    @tf.function(jit_compile=request.param, autograph=False)
    def run(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return outputs, tape.gradient(outputs, inputs)

    return layer, lambda inputs: [r.numpy() for r in run(tf.constant(inputs))]


def test_it_drops_its_share_and_scales_the_rest(fast: Any) -> None:
    _, run = fast
    outputs, _ = run(np.full((100, 1000), 3.0, np.float32))
    assert set(np.unique(outputs)) == {0.0, 4.0}
    # 100,000 coins: the share has a standard deviation of 0.0014.
    assert np.mean(outputs == 0) == pytest.approx(0.25, abs=0.007)
    assert np.mean(outputs == 0, axis=0).max() < 0.6
    assert np.mean(outputs == 0, axis=1).max() < 0.35


def test_neighbours_are_dropped_independently(fast: Any) -> None:
    _, run = fast
    dropped = (run(np.ones((100, 1000), np.float32))[0] == 0).astype(np.float64) - 0.25
    for apart in (1, 2, 3, 8, 64, 128, 1000):
        together = np.mean(dropped.ravel()[apart:] * dropped.ravel()[:-apart]) / 0.1875
        assert abs(together) < 0.016  # five standard deviations of the correlation of 100,000 pairs


def test_every_step_drops_others_and_the_same_state_drops_the_same(fast: Any) -> None:
    layer, run = fast
    ones = np.ones((10, 1000), np.float32)
    state = layer.seed_generator.state.numpy()
    first, second = run(ones)[0], run(ones)[0]
    assert 0.5 < np.mean(first == second) < 0.75  # by chance: 0.75² + 0.25²
    layer.seed_generator.state.assign(state)
    assert (run(ones)[0] == first).all()


def test_its_slope_is_that_of_a_mask(fast: Any) -> None:
    _, run = fast
    inputs = normal(10, 1000)
    outputs, slope = run(inputs)
    assert set(np.unique(slope)) == {np.float32(0), np.float32(1 / 0.75)}
    assert outputs == pytest.approx(inputs * slope, rel=1e-6)


def test_it_is_the_identity_when_a_model_answers(fast: Any) -> None:
    layer, _ = fast
    inputs = normal(10, 1000)
    assert (np.array(layer(inputs, training=False)) == inputs).all()
    assert (np.array(layer(inputs)) == inputs).all()


def test_dropout_keeps_the_precision_of_its_inputs(keras: Any, precision: str) -> None:
    layer = fast_of(keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.25)])).layers[-1]
    outputs = layer(np.full((100, 1000), 3.0, np.float32), training=True)
    assert outputs.dtype.name == precision.removeprefix("mixed_")
    assert set(np.unique(np.array(outputs).astype(np.float32))) == {0.0, 4.0}


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("xla", [True, False])
def test_a_dropout_of_nothing_or_all_stays_keras_own(keras: Any, rate: float, xla: bool) -> None:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dropout(rate)])
    assert fast_of(model, xla=xla) is model


def test_a_dropout_of_whole_rows_stays_keras_own(keras: Any) -> None:
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.Dropout(0.5, noise_shape=(None, 5, 1))])
    assert fast_of(model) is model


# Batch normalization


@pytest.fixture(params=[(True, True), (False, True), (True, False), (False, False)], ids=str)
def normalization(request: pytest.FixtureRequest, keras: Any, precision: str) -> Any:
    """A batch normalization of pictures whose weights are all unlike their usual initial values."""
    scale, center = request.param
    return keras.Sequential(
        [
            keras.Input((4, 5, 3)),
            keras.layers.BatchNormalization(
                momentum=0.7,
                epsilon=0.01,
                scale=scale,
                center=center,
                gamma_initializer=keras.initializers.RandomUniform(0.5, 2, seed=1),
                beta_initializer=keras.initializers.RandomNormal(seed=2),
                moving_mean_initializer=keras.initializers.RandomNormal(seed=3),
                moving_variance_initializer=keras.initializers.RandomUniform(0.5, 2, seed=4),
            ),
        ]
    )


def test_batch_normalization_learns_as_keras_does(normalization: Any, precision: str) -> None:
    fast = fast_of(normalization)
    assert kinds(fast) == ["FusedBatchNormalization"]
    assert "FusedBatchNormV3" in operations_of(fast)
    assert bits(fast.get_weights()) == bits(normalization.get_weights())
    inputs = 3 * normal(6, 4, 5, 3) + 1
    within = 2 * BFLOAT16 if "bfloat16" in precision else 1e-5
    for _ in range(2):
        found = outputs_and_slopes(fast, inputs, training=True)
        assert_close(found, outputs_and_slopes(normalization, inputs, training=True), within=within)
    # The averages are computed in float32 either way.
    assert_close(fast.get_weights(), normalization.get_weights(), within=1e-5)


def test_batch_normalization_answers_as_keras_does(normalization: Any, precision: str) -> None:
    fast, inputs = fast_of(normalization), normal(6, 4, 5, 3)
    before = bits(fast.get_weights())
    within = 2 * BFLOAT16 if "bfloat16" in precision else 1e-5
    found = outputs_and_slopes(fast, inputs, training=False)
    assert_close(found, outputs_and_slopes(normalization, inputs, training=False), within=within)
    assert bits(fast.get_weights()) == before


def test_a_frozen_batch_normalization_uses_its_averages_in_training_too(normalization: Any, precision: str) -> None:
    normalization.trainable = False
    fast, inputs = fast_of(normalization), normal(6, 4, 5, 3)
    before = bits(fast.get_weights())
    within = 2 * BFLOAT16 if "bfloat16" in precision else 1e-5
    found = outputs_and_slopes(fast, inputs, training=True)
    assert_close(found, outputs_and_slopes(normalization, inputs, training=True), within=within)
    assert bits(fast.get_weights()) == before


def test_the_variance_of_a_small_batch_is_averaged_as_keras_does(keras: Any) -> None:
    """Of two numbers, 0 and 2, the variance is 1; Bessel's correction would make it 2."""
    model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.BatchNormalization(momentum=0.5)])
    fast = fast_of(model)
    fast(np.array([[[[0.0], [2.0]]]], np.float32), training=True)
    mean, variance = (v.numpy()[0] for v in fast.non_trainable_variables)
    assert (mean, variance) == (pytest.approx(0.5), pytest.approx(1.0))


def test_vectors_are_normalized_by_keras_itself(keras: Any) -> None:
    model = keras.Sequential([keras.Input((7,)), keras.layers.BatchNormalization()])
    fast, inputs = fast_of(model), normal(6, 7)
    found = outputs_and_slopes(fast, inputs, training=True)
    assert bits(found) == bits(outputs_and_slopes(model, inputs, training=True))


@pytest.mark.parametrize("options", [{"axis": 1}, {"renorm": True}, {"synchronized": True}], ids=str)
def test_a_batch_normalization_of_another_kind_stays(keras: Any, options: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.BatchNormalization(**options)])
    assert fast_of(model) is model


# GELU


def test_gelu_is_the_exact_one(keras: Any, precision: str) -> None:
    """In bfloat16 the inputs and the result are rounded, but nothing in between."""
    fast = fast_of(keras.Sequential([keras.Input((1,)), keras.layers.Activation("gelu")]))
    exact = keras.Sequential([keras.Input((1,)), keras.layers.Activation("gelu", dtype="float32")])
    assert kinds(fast) == ["FusedGELU"]
    inputs = np.arange(-6, 6, 1 / 16, dtype=np.float32)[:, None]  # numbers that bfloat16 has
    within = 2 * BFLOAT16 if "bfloat16" in precision else 1e-6
    found = outputs_and_slopes(fast, inputs, training=True)
    for a, b in zip(found, outputs_and_slopes(exact, inputs, training=True), strict=True):
        assert a == pytest.approx(b, rel=within, abs=1e-6)


def test_other_activations_stay(keras: Any) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Activation("relu"), keras.layers.Activation(keras.activations.tanh)]
    )
    assert fast_of(model) is model


# ReLU after max-pooling


def rectifying(keras: Any, kind: str) -> Any:
    layers = keras.layers
    return {
        "activation": lambda: layers.Activation("relu"),
        "layer": layers.ReLU,
        "convolution": lambda: layers.Conv2D(3, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    }[kind]()


@pytest.mark.parametrize("kind", ["activation", "layer", "convolution"])
@pytest.mark.parametrize("pooling", [{}, {"pool_size": 3, "strides": 2, "padding": "same"}], ids=str)
def test_relu_after_pooling_gives_the_same_bits(
    keras: Any, precision: str, kind: str, pooling: dict[str, Any]
) -> None:
    model = keras.Sequential([keras.Input((6, 6, 2)), rectifying(keras, kind), keras.layers.MaxPooling2D(**pooling)])
    fast, inputs = fast_of(model), normal(5, 6, 6, 2)
    assert kinds(fast)[1] == "RectifiedMaxPooling2D"
    assert fast.layers[0].get_config().get("activation", "linear") == "linear"
    found = outputs_and_slopes(fast, inputs, training=True)
    wanted = outputs_and_slopes(model, inputs, training=True)
    assert [f.tolist() for f in found[:2]] == [w.tolist() for w in wanted[:2]]
    assert_close(found[2:], wanted[2:], within=1e-5)


def test_relu_after_pooling_has_the_same_slope_at_ties_and_zeros(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2, 12, 1)), keras.layers.ReLU(), keras.layers.MaxPooling2D()])
    windows = [[-3, -1, -2, -4], [-1, -1, -1, -1], [0, 0, 0, 0], [-1, 0, -2, 0], [2, 1, 2, 2], [0, -1, 3, 0]]
    inputs = np.array(windows, np.float32).reshape(6, 2, 2).transpose(1, 0, 2).reshape(1, 2, 12, 1)
    outputs, slope = outputs_and_slopes(fast_of(model), inputs, training=True)
    assert outputs.ravel().tolist() == [0, 0, 0, 0, 2, 3]
    assert slope.tolist() == outputs_and_slopes(model, inputs, training=True)[1].tolist()
    by_window = slope.reshape(2, 6, 2).transpose(1, 0, 2).reshape(6, 4)
    assert np.count_nonzero(by_window, axis=1).tolist() == [0, 0, 0, 0, 1, 1]


def test_weights_in_a_moved_relus_convolution_keep_their_places(keras: Any) -> None:
    """Branches of different depths: a layer more in one of them would change the order of the variables."""
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    one = layers.MaxPooling2D()(layers.Conv2D(3, 3, padding="same", activation="relu")(inputs))
    two = layers.Conv2D(4, 1)(inputs)
    two = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(two)))
    three = layers.Conv2D(5, 3, strides=2, padding="same")(inputs)
    joined = layers.Dropout(0.5)(layers.Concatenate()([one, two, three]))
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(joined)))
    fast = fast_of(model)
    assert kinds(fast).count("RectifiedMaxPooling2D") == 2
    assert [(v.path.split("/")[-1], v.shape) for v in fast.variables] == [
        (v.path.split("/")[-1], v.shape) for v in model.variables
    ]
    assert bits(fast.get_weights()) == bits(model.get_weights())
    images = normal(4, 6, 6, 2)
    assert np.array(fast(images)) == pytest.approx(np.array(model(images)), abs=1e-6)


def used_elsewhere(keras: Any) -> Any:
    inputs = keras.Input((6, 6, 2))
    rectified = keras.layers.ReLU()(inputs)
    pooled = keras.layers.MaxPooling2D()(rectified)
    return keras.Model(inputs, keras.layers.Concatenate(axis=1)([pooled, keras.layers.AveragePooling2D(2)(rectified)]))


def given_out(keras: Any) -> Any:
    inputs = keras.Input((6, 6, 2))
    rectified = keras.layers.ReLU()(inputs)
    return keras.Model(inputs, [rectified, keras.layers.MaxPooling2D()(rectified)])


def pooling_used_twice(keras: Any) -> Any:
    inputs, pooling = keras.Input((6, 6, 2)), keras.layers.MaxPooling2D()
    return keras.Model(inputs, keras.layers.Add()([pooling(keras.layers.ReLU()(inputs)), pooling(inputs)]))


def penalized_outputs(keras: Any) -> Any:
    conv = keras.layers.Conv2D(3, 3, activation="relu", activity_regularizer="l2")
    return keras.Sequential([keras.Input((6, 6, 2)), conv, keras.layers.MaxPooling2D()])


def capped(keras: Any) -> Any:
    return keras.Sequential([keras.Input((6, 6, 2)), keras.layers.ReLU(max_value=6), keras.layers.MaxPooling2D()])


def averaged(keras: Any) -> Any:
    return keras.Sequential([keras.Input((6, 6, 2)), keras.layers.ReLU(), keras.layers.AveragePooling2D(2)])


def relu_used_twice_in_a_row(keras: Any) -> Any:
    relu = keras.layers.ReLU()
    return keras.Sequential(
        [keras.Input((6, 6, 2)), relu, keras.layers.MaxPooling2D(), keras.layers.Conv2D(2, 1), relu]
    )


def pooling_used_twice_in_a_row(keras: Any) -> Any:
    pooling = keras.layers.MaxPooling2D()
    return keras.Sequential([keras.Input((8, 8, 2)), keras.layers.ReLU(), pooling, keras.layers.Conv2D(2, 1), pooling])


@pytest.mark.parametrize(
    "build",
    [
        used_elsewhere,
        given_out,
        pooling_used_twice,
        penalized_outputs,
        capped,
        averaged,
        relu_used_twice_in_a_row,
        pooling_used_twice_in_a_row,
    ],
)
def test_relu_stays_where_moving_it_would_change_something(keras: Any, build: Any) -> None:
    model = build(keras)
    assert fast_of(model) is model


# Models


def test_models_that_share_a_layer_with_one_inside_them_stay_as_they_are(keras: Any) -> None:
    normalization = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((4, 4, 2)), normalization])
    model = keras.Sequential([keras.Input((4, 4, 2)), inner, keras.layers.Conv2D(2, 1), normalization])
    assert fast_of(model) is model


def test_its_model_has_the_variables_and_the_layers_of_the_plain_one(keras: Any) -> None:
    plain = build_model(with_dropout, seed=0, precision="float32")
    weights = plain.get_weights()
    found = fast_of(plain, xla=True)
    assert [(v.path.split("/")[-1], v.shape, v.dtype) for v in found.variables] == [
        (v.path.split("/")[-1], v.shape, v.dtype) for v in plain.variables
    ]
    assert bits(found.get_weights()) == bits(weights)
    pairs = list(zip(kinds(plain), kinds(found), strict=True))
    assert [pair for pair in pairs if pair[0] != pair[1]] == [("Dropout", "FastDropout")]
    assert found.layers[2].rate == 0.5


def test_a_model_without_dropout_or_one_that_is_code_stays_as_it_is(keras: Any) -> None:
    plain = build_model(linear, seed=0, precision="float32")
    assert fast_of(plain, xla=True) is plain

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.drop = keras.layers.Dropout(0.5)

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.drop(inputs, training=training)

    own = Own()
    assert fast_of(own, xla=True) is own


def test_a_functional_model_with_a_call_of_its_own_stays_as_it_is(keras: Any) -> None:
    class Doubled(keras.Model):
        def call(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().call(inputs, training=training)

    inputs = keras.Input((4,))
    model = Doubled(inputs, keras.layers.Dropout(0.5)(inputs))
    assert fast_of(model) is model


def test_a_layer_that_keras_cannot_make_again_leaves_the_model_as_it_is(keras: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.BatchNormalization(gamma_initializer=lambda shape, dtype=None: keras.ops.ones(shape, dtype)),
        ]
    )
    with pytest.warns(UserWarning, match="lambda"):
        found = fast_of(model)
    assert found is model


def test_a_functional_model_with_a_branch_keeps_its_shape(keras: Any) -> None:
    inputs = keras.Input((SIZE, SIZE))
    flat = keras.layers.Flatten()(inputs)
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(4, activation="relu")(flat))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Concatenate()([flat, hidden])))
    found = fast_of(model, xla=True)
    images = np.random.default_rng(0).random((2, SIZE, SIZE)).astype(np.float32)
    assert (np.array(found(images)) == np.array(model(images))).all()
    assert kinds(found).count("FastDropout") == 1


def test_models_within_models_are_taken_apart_too(keras: Any) -> None:
    layers = keras.layers
    block = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(3, 3, activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.5)]
    )
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(block(inputs))))
    found = fast_of(model)
    assert kinds(found.layers[1]) == ["Conv2D", "RectifiedMaxPooling2D", "HashedDropout"]
    assert [v.shape for v in found.variables] == [v.shape for v in model.variables]
    assert bits(found.get_weights()) == bits(model.get_weights())


def test_layers_that_are_not_replaced_are_shared(keras: Any) -> None:
    plain = build_model(convolutional, seed=0, precision="float32")
    found = fast_of(plain)
    same = [a is b for a, b in zip(plain.layers, found.layers, strict=True)]
    assert same == [True, False, True, True, False, True]


# The engine


def test_the_engine_trains_with_and_without_it(trainer_of: TrainerOf, data: TrainingData) -> None:
    recipe = RECIPE.replace(epochs=4)
    plain = Trainer(builder=with_dropout, recipe=recipe, data=data, substitutes=False)
    fast = trainer_of(with_dropout, recipe, data)
    assert "FastDropout" in kinds(fast.model)
    assert "FastDropout" not in kinds(plain.model)
    one, other = fast.train(seed=0, recipe=recipe), plain.train(seed=0, recipe=recipe)
    assert bits(one.variables) != bits(other.variables)
    for found in (one, other):
        assert found.history.points[-1].validation_loss < found.history.points[0].validation_loss
    assert one.history.points[-1].train_loss == pytest.approx(other.history.points[-1].train_loss, rel=0.2)


def pooled() -> Any:
    """Everything that has a substitute outside XLA, besides dropout, whose random numbers would differ."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE, 1)),
            # Without a bias: normalization takes it away again, and Adam would make big steps of its rounding errors.
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("gelu"),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def test_convolutions_train_the_same_with_substitutes_and_without(
    trainer_of: TrainerOf, pictures: TrainingData
) -> None:
    plain = Trainer(builder=pooled, recipe=RECIPE, data=pictures, substitutes=False)
    fast = trainer_of(pooled, RECIPE, pictures)
    assert kinds(plain.model) == kinds(pooled())
    assert [new for new, old in zip(kinds(fast.model), kinds(plain.model), strict=True) if new != old] == [
        "FusedBatchNormalization",
        "FusedGELU",
        "RectifiedMaxPooling2D",
    ]
    one, other = fast.train(seed=0), plain.train(seed=0)
    for a, b in zip(one.variables, other.variables, strict=True):
        assert a == pytest.approx(b, abs=1e-3)
    for a, b in zip(one.history.points, other.history.points, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-3)
        assert a.validation_loss == pytest.approx(b.validation_loss, rel=1e-3)


def test_convolutions_with_substitutes_give_the_same_bits_twice(trainer_of: TrainerOf, pictures: TrainingData) -> None:
    trainer = trainer_of(convolutional, RECIPE, pictures)
    assert {"HashedDropout", "FusedBatchNormalization"} <= set(kinds(trainer.model))
    once = bits(trainer.train(seed=0).variables)
    assert once == bits(trainer.train(seed=0).variables)
    assert once != bits(trainer.train(seed=1).variables)


# Recurrent layers that give every output: in blocks of steps, within XLA.


def recurrent(keras: Any, kind: str, steps: int, **options: Any) -> Any:
    layer = getattr(keras.layers, kind)(3, return_sequences=True, **options)
    return keras.Sequential([keras.Input((steps, 2)), layer])


@pytest.mark.parametrize(
    ("kind", "steps", "options"),
    [
        ("LSTM", 2 * BLOCK, {}),  # XLA takes seconds for each
        *((kind, 2 * BLOCK + 5, {"go_backwards": True}) for kind in ("SimpleRNN", "LSTM", "GRU")),
        *((kind, 3 * BLOCK, {"use_bias": False}) for kind in ("SimpleRNN", "LSTM", "GRU")),
    ],
)
def test_steps_in_blocks_are_the_same_steps(keras: Any, kind: str, steps: int, options: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    model = recurrent(keras, kind, steps, **options)
    fast = fast_of(model, xla=True)
    assert kinds(fast) == [f"{kind}InBlocks"]
    inputs = normal(4, steps, 2)
    for training in (False, True):
        found = outputs_and_slopes(fast, inputs, training=training, xla=True)
        assert_close(found, outputs_and_slopes(model, inputs, training=training, xla=True), within=1e-5)


def test_a_layer_that_reads_both_ways_is_in_blocks(keras: Any) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="concat", name="both")
    model = keras.Sequential([keras.Input((2 * BLOCK + 1, 2)), both])
    fast = fast_of(model, xla=True)
    (layer,) = fast.layers
    assert layer is not both
    assert [type(part).__name__ for part in (layer.forward_layer, layer.backward_layer)] == ["LSTMInBlocks"] * 2
    inputs = normal(4, 2 * BLOCK + 1, 2)
    found = outputs_and_slopes(fast, inputs, training=True, xla=True)
    assert_close(found, outputs_and_slopes(model, inputs, training=True, xla=True), within=1e-5)


def test_a_short_text_and_a_masked_one_are_read_as_keras_reads_them(keras: Any) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    masked = keras.Sequential(
        [keras.Input((2 * BLOCK,)), layers.Embedding(5, 2, mask_zero=True), layers.GRU(3, return_sequences=True)]
    )
    tokens = np.tile([0, 1, 2, 3], (4, BLOCK // 2)).astype(np.float32)
    for model, inputs in ((recurrent(keras, "GRU", 2 * BLOCK - 1), normal(4, 2 * BLOCK - 1, 2)), (masked, tokens)):
        fast = fast_of(model, xla=True)
        assert kinds(fast)[-1] == "GRUInBlocks"
        assert np.allclose(fast(inputs), model(inputs), atol=1e-6)


@pytest.mark.parametrize("options", [{"return_sequences": False}, {"unroll": True}])
def test_a_recurrent_layer_without_an_array_of_outputs_stays(keras: Any, options: dict[str, bool]) -> None:
    layer = keras.layers.LSTM(3, **{"return_sequences": True, **options})
    model = keras.Sequential([keras.Input((2 * BLOCK, 2)), layer])
    assert fast_of(model, xla=True) is model


def test_recurrent_layers_beside_convolutions_stay(keras: Any) -> None:
    model = recurrent(keras, "LSTM", 2 * BLOCK)
    assert fast_of(model, xla=False) is model


def test_dropout_inside_a_recurrent_layer_drops_in_blocks_too(keras: Any) -> None:
    model = recurrent(keras, "LSTM", 2 * BLOCK, dropout=0.5, recurrent_dropout=0.5, seed=4)
    fast = fast_of(model, xla=True)
    inputs = np.ones((4, 2 * BLOCK, 2), np.float32)
    plain, dropped, again = (
        outputs_and_slopes(fast, inputs, training=training, xla=True)[0] for training in (False, True, True)
    )
    assert np.abs(plain - dropped).max() > 1e-3
    assert np.abs(dropped - again).max() > 1e-3
    assert_close([plain], outputs_and_slopes(model, inputs, training=False, xla=True)[:1], within=1e-5)
