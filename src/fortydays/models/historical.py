"""Four networks that made history, scaled to photographs of 32 x 32 pixels: what each was the first to do is kept.

The originals took pictures of 224 x 224 pixels (LeNet-5: 32 x 32 in grey) and had up to 60 million parameters. Here
the first layers do not shrink the picture as theirs did, and there are fewer and narrower layers. Numbers of feature
maps are multiples of 16 (LeNet-5 keeps its own): with others, a processor normalizes bfloat16 ten times as slowly.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

SHAPE = (32, 32, 3)


def lenet() -> "keras.Model":
    """LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998): convolutions and pooling, learned from end to end.

    With its own widths, tanh and average pooling, but colour pictures, a softmax, and full connections between maps.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Normalization(),
            layers.Conv2D(6, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="tanh"),
            layers.Dense(84, activation="tanh"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def alexnet() -> "keras.Model":
    """AlexNet (Krizhevsky, Sutskever and Hinton, 2012): ReLU, overlapping max-pooling, dropout, wide dense layers.

    Five convolutions and three dense layers, as there; a sixteenth to a third of their widths, and no response
    normalization, which later work found to add nothing.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Normalization(),
            layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def googlenet(*, module: "Callable[..., Any] | None" = None) -> "keras.Model":
    """GoogLeNet (Szegedy et al., 2015): four paths side by side, with 1 x 1 convolutions that make them cheap.

    Three inception modules in the place of nine, global average pooling in the place of dense layers, and, as in its
    second version (Ioffe and Szegedy, 2015), batch normalization after each convolution; no auxiliary outputs.

    Args:
        module: another module in the place of :func:`inception`. It takes what that takes.
    """
    import keras
    from keras import layers

    module = module or inception
    inputs = keras.Input(SHAPE)
    x = convolution(layers.Normalization()(inputs), 32, 3)
    x = layers.MaxPooling2D(2)(x)
    x = module(x, one=16, three=(16, 32), five=(16, 16), pooled=16)
    x = layers.MaxPooling2D(2)(x)
    x = module(x, one=32, three=(32, 48), five=(16, 32), pooled=16)
    x = module(x, one=32, three=(48, 64), five=(16, 32), pooled=32)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def resnet(*, blocks: int = 1, filters: int = 16, pooled: bool = False, shortcuts: bool = True) -> "keras.Model":
    """ResNet (He, Zhang, Ren and Sun, 2016): blocks that learn what to add to their input.

    The paper's own form for 32 x 32 pictures (its section 4.2): 6 blocks + 2 layers, with shortcuts without
    parameters; that paper begins at 3 blocks, 20 layers.

    Args:
        blocks: residual blocks in each of the three stages.
        filters: of the first stage; doubled in each that follows.
        pooled: whether a max-pooling follows the first convolution, as in the paper's networks for large pictures. It
            takes three quarters of the multiply-adds away.
        shortcuts: whether a block adds its input; without, this is the paper's plain network.
    """
    import keras
    from keras import layers

    inputs = keras.Input(SHAPE)
    x = convolution(layers.Normalization()(inputs), filters, 3)
    if pooled:
        x = layers.MaxPooling2D(2)(x)
    for stage in range(3):
        for block in range(blocks):
            halved = stage > 0 and block == 0
            shortcut = x
            y = convolution(x, filters * 2**stage, 3, strides=2 if halved else 1)
            y = layers.Conv2D(filters * 2**stage, 3, padding="same", use_bias=False)(y)
            y = layers.BatchNormalization(momentum=0.9)(y)
            if halved and shortcuts:
                # Every second pixel, and zeros for the maps that are new.
                shortcut = layers.MaxPooling2D(1, strides=2)(shortcut)
                shortcut = layers.Concatenate()([shortcut, layers.Rescaling(0.0)(shortcut)])
            x = layers.Activation("relu")(layers.Add()([shortcut, y]) if shortcuts else y)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def convolution(x: Any, filters: int, size: int, *, strides: int = 1) -> Any:
    """Convolution, batch normalization, ReLU.

    Args:
        x: feature maps, shape (batch, height, width, channels).
        filters: of the convolution.
        size: of its window, each way.
        strides: pixels from one window to the next, each way.
    """
    from keras import layers

    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))


def inception(x: Any, *, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Any:
    """An inception module: 1 x 1, 1 x 1 then 3 x 3, 1 x 1 then 5 x 5, pooling then 1 x 1, side by side.

    Args:
        x: feature maps, shape (batch, height, width, channels).
        one: filters of the 1 x 1 convolution.
        three: filters of the 1 x 1 convolution before the 3 x 3 one, and of that one.
        five: the same of the 5 x 5 one.
        pooled: filters of the 1 x 1 convolution behind the pooling.

    Returns:
        Feature maps of the same height and width, those of the four paths behind each other in this order.
    """
    from keras import layers

    return layers.Concatenate()(
        [
            convolution(x, one, 1),
            convolution(convolution(x, three[0], 1), three[1], 3),
            convolution(convolution(x, five[0], 1), five[1], 5),
            convolution(layers.MaxPooling2D(3, strides=1, padding="same")(x), pooled, 1),
        ]
    )
