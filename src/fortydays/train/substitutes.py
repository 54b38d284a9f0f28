"""What the engine puts in the place of a Keras layer, where the same function can be computed faster.

The reader's model, the saved model and the reference engine keep the plain Keras layers. A substitute has the same
variables in the same order, computes the same function, and is tested against the layer it stands for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def substituted(model: "keras.Model") -> "keras.Model":
    """A model that shares every layer with ``model`` except dropouts, which are XLA's fast ones.

    Keras asks TensorFlow for its default generator of random numbers (Philox), which XLA computes one number after
    another on a CPU. Threefry (Salmon et al., 2011) is as good for dropout and vectorizes: a step of a small network
    with dropout takes a sixth of the time.

    Only Sequential and functional models can be taken apart; a subclassed one is given back as it is.
    """
    import keras

    if not any(type(layer) is keras.layers.Dropout for layer in model.layers):
        return model
    fast = _fast_dropout()

    def substitute(layer: Any) -> Any:
        if type(layer) is keras.layers.Dropout:
            return fast.from_config(layer.get_config())
        return layer

    try:
        return keras.models.clone_model(model, clone_function=substitute)
    except ValueError:  # a subclassed model: its forward pass is code, which cannot be taken apart
        return model


def _fast_dropout() -> Any:
    import keras
    import tensorflow as tf

    class FastDropout(keras.layers.Dropout):  # type: ignore[misc]
        """Dropout whose random numbers XLA computes many at a time. Works inside an XLA program only."""

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or self.rate == 0:
                return inputs
            seed = tf.bitcast(tf.cast(self.seed_generator.next(), tf.uint32), tf.int32)
            return tf.nn.experimental.stateless_dropout(
                inputs, rate=self.rate, noise_shape=self.noise_shape, seed=seed, rng_alg="threefry"
            )

    return FastDropout
