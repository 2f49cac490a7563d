"""A deep dense network whose blocks add to what they receive."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

from models.settings import Activation, Rate, Units

if TYPE_CHECKING:
    import keras


def residual_mlp(
    image_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: Units = 128,
    blocks: Annotated[int, Interval(ge=0, le=31)] = 4,
    activation: Activation = "relu",
    dropout: Rate = 0.0,
) -> "keras.Model":
    """A residual perceptron: blocks x + f(normalized x) (He et al. 2016, figure 4e).

    Args:
        image_shape: Shape of one image, without the batch axis.
        num_classes: Number of logits.
        width: Units of every layer.
        blocks: Number of blocks, of two dense layers each.
        activation: Activation between the two layers of a block.
        dropout: Fraction of the units between the two layers set to 0 in training.

    Returns:
        A model from images, (batch, *image_shape), to logits, (batch, num_classes).
    """
    import keras
    from keras import layers

    def dense(units, name, activation=None):
        return layers.Dense(units, activation, name=name)

    images = keras.Input(image_shape, name="images")
    x = dense(width, "stem")(layers.Flatten(name="pixels")(images))
    for i in range(1, blocks + 1):
        y = layers.LayerNormalization(name=f"normalization_{i}")(x)
        y = dense(width, f"inner_{i}", activation)(y)
        if dropout:
            y = layers.Dropout(dropout, seed=0, name=f"dropout_{i}")(y)
        x = layers.Add(name=f"sum_{i}")([x, dense(width, f"outer_{i}")(y)])
    return keras.Model(images, dense(num_classes, "logits")(x), name="residual_mlp")
