"""Networks that have read much text: what they make of a text is where others begin.

An encoder takes a text as the numbers of its pieces (:mod:`fortydays.inputs.wordpieces`) and gives one vector of
length 1: texts that mean the same have vectors that lie close together. It is built here from plain layers, without
its weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import unknown_name
from fortydays.inputs.wordpieces import PIECES

if TYPE_CHECKING:
    import keras

VECTORS = "vectors"
"""The layer that gives a vector for each piece of a text, before they are added up."""

VECTORS_GIVEN = "vectors_given"
"""What the last layers are given: a vector for each piece, from the layers before them."""

LAST_LAYERS = "last-"
"""How the name of a model begins that is a part of an encoder."""

_EPSILON = 1e-12
_NEVER = -1e9
"""What is added to the attention to a piece that is none."""

_OF_ATTENTION = {"query": "self.query", "key": "self.key", "value": "self.value", "mixed": "output.dense"}


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A pretrained network from the pieces of a text to one vector: BERT (Devlin et al., 2019) in some size.

    Attributes:
        name: what it, and its weights, are called.
        title: its name in text.
        pieces: how many its vocabulary has.
        features: how many numbers its vector has.
        layers: of attention, each with a small network behind it.
        heads: of each attention.
        inside: hidden units of these small networks.
        longest: pieces of a text at most.
    """

    name: str
    title: str
    pieces: int
    features: int
    layers: int
    heads: int
    inside: int
    longest: int

    def build(self, length: int) -> "keras.Model":
        """The network, with random weights.

        Args:
            length: pieces of the texts, up to ``longest``.

        Returns:
            A model from int32 numbers of pieces, shape (n, length), to float32, shape (n, features), each row of
            length 1. Zeros stand for no piece.
        """
        import keras
        from keras import ops

        tokens = keras.Input((length,), dtype="int32", name=PIECES)
        x = self._embedded(tokens, length)
        there = ops.cast(ops.not_equal(tokens, 0), "float32")
        features = self._layers(x, there, length, range(self.layers))
        return keras.Model(tokens, features, name=self.name)

    def build_first(self, model: "keras.Model", count: int) -> "keras.Model":
        """The first layers of a model from :meth:`build`, with its weights: what the others are given.

        Args:
            model: from :meth:`build`.
            count: how many layers, from 0.

        Returns:
            A model from int32 numbers of pieces, shape (n, length), to float32, shape (n, length, features). Where
            there is no piece, all are zero.
        """
        import keras
        from keras import ops

        there = ops.cast(ops.not_equal(model.input, 0), "float32")
        x = model.get_layer(self._norm(count - 1)).output * ops.expand_dims(there, -1)
        return keras.Model(model.input, x, name=f"first-of-{self.name}")

    def build_last(self, length: int, count: int) -> "keras.Model":
        """The last layers, with random weights, to be trained further.

        Args:
            length: pieces of the texts.
            count: how many layers, from 1. With all of them it takes pieces, as :meth:`build` does.

        Returns:
            A model from what :meth:`build_first` gives to float32, shape (n, features), each row of length 1.
        """
        import keras
        from keras import ops

        if count == self.layers:
            return self.build(length)
        given = keras.Input((length, self.features), name=VECTORS_GIVEN)
        # Layer normalization gives no row of zeros: where all are zero, there is no piece.
        there = ops.cast(ops.any(ops.not_equal(given, 0.0), axis=-1), "float32")
        features = self._layers(given, there, length, range(self.layers - count, self.layers))
        return keras.Model(given, features, name=f"{LAST_LAYERS}{count}-of-{self.name}")

    def _norm(self, number: int) -> str:
        """The layer that gives what the part with this number makes; of -1, what the first part is given."""
        if number < 0:
            return "embedded.norm"
        return VECTORS if number == self.layers - 1 else f"{number}.norm"

    def _embedded(self, tokens: Any, length: int) -> Any:
        """What the first layer is given: float32, shape (n, length, features)."""
        from keras import layers, ops

        # Counted from the tokens: a constant of positions would have no number of examples.
        places = ops.cumsum(tokens * 0 + 1, axis=1) - 1
        x = layers.Add(name="embedded")(
            [
                layers.Embedding(self.pieces, self.features, name="pieces")(tokens),
                layers.Embedding(length, self.features, name="places")(places),
            ]
        )
        return layers.LayerNormalization(epsilon=_EPSILON, name=self._norm(-1))(x)

    def _layers(self, x: Any, there: Any, length: int, numbers: range) -> Any:
        """What layers make of what they are given: float32, shape (n, features). ``there`` is 1 where a piece is."""
        from keras import layers, ops

        unseen = layers.Reshape((1, 1, length))((1.0 - there) * _NEVER)
        for number in numbers:
            attended = self._attention(x, unseen, length, f"{number}")
            x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{number}.attended")(layers.Add()([x, attended]))
            inside = layers.Dense(self.inside, activation="gelu", name=f"{number}.inside")(x)
            added = layers.Add()([x, layers.Dense(self.features, name=f"{number}.outside")(inside)])
            x = layers.LayerNormalization(epsilon=_EPSILON, name=self._norm(number))(added)
        # The mean over the pieces and their sum have one direction, and the length becomes 1.
        added_up = ops.matmul(layers.Reshape((1, length))(there), x)
        return layers.UnitNormalization(name="features")(layers.Reshape((self.features,))(added_up))

    def _attention(self, x: Any, unseen: Any, length: int, name: str) -> Any:
        """What each piece takes from the others: float32, shape (n, length, features)."""
        from keras import layers, ops

        wide = self.features // self.heads

        def parted(which: str) -> Any:
            found = layers.Dense(self.features, name=f"{name}.{which}")(x)
            return layers.Permute((2, 1, 3))(layers.Reshape((length, self.heads, wide))(found))

        query, key, value = parted("query"), parted("key"), parted("value")
        scores = ops.matmul(query, layers.Permute((1, 3, 2))(key)) * (wide**-0.5) + unseen
        taken = ops.matmul(layers.Softmax()(scores), value)
        joined = layers.Reshape((length, self.features))(layers.Permute((2, 1, 3))(taken))
        return layers.Dense(self.features, name=f"{name}.mixed")(joined)


ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        each.name: each
        for each in (
            Encoder(
                name="minilm",
                title="MiniLM",
                pieces=30_522,
                features=384,
                layers=6,
                heads=12,
                inside=1_536,
                longest=512,
            ),
        )
    }
)
"""Every encoder by its name. MiniLM is all-MiniLM-L6-v2 (Wang et al., 2020; Reimers and Gurevych, 2019)."""


def find_encoder(name: str) -> Encoder:
    """The encoder of that name.

    Raises:
        UsageError: there is none; suggests near misses.
    """
    if name not in ENCODERS:
        raise unknown_name("encoder", name, ENCODERS)
    return ENCODERS[name]


def fill_last_layers(model: "keras.Model", pretrained: "keras.Model") -> None:
    """Give the last layers, or all layers, of an encoder in a model the weights of a pretrained one.

    Args:
        model: with a part from :meth:`Encoder.build_last`.
        pretrained: from :meth:`Encoder.build`, of the same encoder and for texts of the same length, with its weights.
    """
    for part in model.layers:
        if part.name == pretrained.name or part.name.startswith(LAST_LAYERS):
            for layer in part.layers:
                if layer.weights:
                    layer.set_weights(pretrained.get_layer(layer.name).get_weights())


def fill_encoder(model: "keras.Model", arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give an encoder the weights of a published BERT.

    Args:
        model: from :meth:`Encoder.build`.
        arrays: by their names in the file, as PyTorch has them.

    Raises:
        ValueError: an array is missing, or has another shape than the layer.
    """

    def array(name: str) -> NDArray[np.float32]:
        if name not in arrays:
            raise ValueError(f"there is no array {name!r}")
        return np.asarray(arrays[name], np.float32)

    def dense(name: str) -> list[NDArray[np.float32]]:
        return [array(f"{name}.weight").T, array(f"{name}.bias")]

    def normalized(name: str) -> list[NDArray[np.float32]]:
        return [array(f"{name}.LayerNorm.weight"), array(f"{name}.LayerNorm.bias")]

    length = model.input_shape[1]
    # Each text is one sentence to it, so the vector of that kind belongs to every place.
    places = array("embeddings.position_embeddings.weight") + array("embeddings.token_type_embeddings.weight")[0]
    values = {
        "pieces": [array("embeddings.word_embeddings.weight")],
        "places": [places[:length]],
        "embedded.norm": normalized("embeddings"),
    }
    layers = sum(layer.name.endswith(".query") for layer in model.layers)
    for number in range(layers):
        theirs = f"encoder.layer.{number}"
        for ours, name in _OF_ATTENTION.items():
            values[f"{number}.{ours}"] = dense(f"{theirs}.attention.{name}")
        values |= {
            f"{number}.attended": normalized(f"{theirs}.attention.output"),
            f"{number}.inside": dense(f"{theirs}.intermediate.dense"),
            f"{number}.outside": dense(f"{theirs}.output.dense"),
            VECTORS if number == layers - 1 else f"{number}.norm": normalized(f"{theirs}.output"),
        }
    for layer in model.layers:
        if layer.weights:
            found, wanted = [each.shape for each in values[layer.name]], [tuple(each.shape) for each in layer.weights]
            if found != wanted:
                raise ValueError(f"{layer.name}: found arrays of the shapes {found}, expected {wanted}")
            layer.set_weights(values[layer.name])
