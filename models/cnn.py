"""A small convolutional network, with pictures moved at random if that is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import MaxLen, MinLen

from models.settings import Rate, Units
from system.errors import UserError

if TYPE_CHECKING:
    import keras


def cnn(
    image_shape: tuple[int, ...],
    num_classes: int,
    *,
    filters: Annotated[Sequence[Units], MinLen(1), MaxLen(8)] = (16, 32),
    dropout: Rate = 0.0,
    shift: Rate = 0.0,
    rotation: Rate = 0.0,
    flip: bool = False,
) -> "keras.Model":
    """Convolutions of 3 by 3 with batch normalization, each followed by pooling.

    Args:
        image_shape: Rows, columns, and channels if there are any.
        num_classes: Number of logits.
        filters: Filters of each convolution.
        dropout: Fraction of the last features set to 0 in training.
        shift: Largest shift of a training image, up, down and to the sides, as a
            fraction of its height and width.
        rotation: Largest rotation of a training image, as a fraction of a turn.
        flip: Whether training images are mirrored, right for left, half of the time.

    Returns:
        A model from images, (batch, *image_shape), to logits, (batch, num_classes).

    Raises:
        UserError: The data are not images.
    """
    import keras
    from keras import layers

    if len(image_shape) not in (2, 3):
        expected = "images of rows, columns and perhaps channels"
        raise UserError("model cnn", expected, f"data of shape {image_shape}")
    images = keras.Input(image_shape, name="images")
    x = layers.Reshape((*image_shape, 1)[:3], name="channels")(images)
    # Seeded, as dropout is: the weights start the same whether or not pictures move.
    if shift:
        x = layers.RandomTranslation(shift, shift, seed=0, name="shift")(x)
    if rotation:
        x = layers.RandomRotation(rotation, seed=0, name="rotation")(x)
    if flip:
        x = layers.RandomFlip("horizontal", seed=0, name="flip")(x)
    for i, count in enumerate(filters, start=1):
        x = layers.Conv2D(
            count,
            3,
            padding="same",
            use_bias=False,
            name=f"conv_{i}",
        )(x)
        # Keras' own momentum of 0.99 needs hundreds of updates to know the means.
        x = layers.BatchNormalization(momentum=0.9, name=f"normalization_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
        x = layers.MaxPooling2D(padding="same", name=f"pool_{i}")(x)
    x = layers.Flatten(name="features")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=0, name="dropout")(x)
    logits = layers.Dense(num_classes, name="logits")
    return keras.Model(images, logits(x), name="cnn")
