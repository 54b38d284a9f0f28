"""Networks on the n-grams of a text: a linear model, and the mean of what each n-gram stands for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fortydays.inputs.ngrams import NGRAMS, VALUES

if TYPE_CHECKING:
    import keras


def linear_ngrams(length: int, size: int, classes: int) -> "Callable[[], keras.Model]":
    """A builder of multinomial logistic regression: each n-gram adds its value times its weights to the logits.

    With the weights of a naive Bayes model as the values of the n-grams, this is NB-SVM (Wang and Manning, 2012), with
    the loss of a logistic regression.

    Args:
        length: n-grams of a text, of the dataset's :class:`~fortydays.inputs.ngrams.Ngrams`.
        size: numbers of n-grams.
        classes: how many there are.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers, ops

        numbers = keras.Input((length,), dtype="int32", name=NGRAMS)
        values = keras.Input((length,), dtype="float32", name=VALUES)
        weights = layers.Embedding(size, classes, embeddings_initializer="zeros", name="weights")(numbers)
        logits = ops.sum(weights * ops.expand_dims(values, -1), axis=1)
        outputs = layers.Activation("softmax", name="probabilities")(logits)
        return keras.Model({NGRAMS: numbers, VALUES: values}, outputs)

    return build


def embedded_ngrams(
    length: int, size: int, classes: int, *, width: int = 16, most: int = 20_000
) -> "Callable[[], keras.Model]":
    """A builder of fastText's model (Joulin et al., 2017): the sum of the n-grams' vectors, then a linear layer.

    The first arguments are those of :func:`linear_ngrams`.

    Args:
        length: n-grams of a text.
        size: numbers of n-grams.
        classes: how many there are.
        width: numbers of a vector.
        most: n-grams that have vectors: the most frequent ones. The others count for nothing.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers, ops

        numbers = keras.Input((length,), dtype="int32", name=NGRAMS)
        values = keras.Input((length,), dtype="float32", name=VALUES)
        known = ops.where(numbers < most, numbers, 0)
        vectors = layers.Embedding(min(size, most), width, name="vectors")(known)
        counted = ops.where(numbers < most, values, 0.0)
        summed = ops.sum(vectors * ops.expand_dims(counted, -1), axis=1)
        outputs = layers.Dense(classes, activation="softmax", name="probabilities")(summed)
        return keras.Model({NGRAMS: numbers, VALUES: values}, outputs)

    return build
