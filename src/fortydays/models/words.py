"""What networks that read words are built of: pooling that leaves out what fills texts up."""

from typing import Any

from fortydays.inputs.tokens import PADDING


def mean_of_words(vectors: Any, tokens: Any) -> Any:
    """The mean of the vectors of a text's words.

    Args:
        vectors: Keras tensor, shape (batch, length, width): one vector for each token.
        tokens: Keras tensor of whole numbers, shape (batch, length); 0 fills up and is left out.

    Returns:
        Keras tensor, shape (batch, width). Zeros where a text has no word.
    """
    from keras import ops

    words = ops.expand_dims(ops.cast(ops.not_equal(tokens, PADDING), vectors.dtype), -1)
    return ops.sum(vectors * words, axis=1) / ops.maximum(ops.sum(words, axis=1), 1)


def largest_of_words(vectors: Any, tokens: Any) -> Any:
    """The largest number of each column of the vectors of a text's words; as :func:`mean_of_words` otherwise.

    The numbers are taken to be at least -1, as those of tanh are: where a text has no word, they are -1.
    """
    from keras import ops

    words = ops.expand_dims(ops.cast(ops.not_equal(tokens, PADDING), vectors.dtype), -1)
    return ops.max((vectors + 1) * words, axis=1) - 1
