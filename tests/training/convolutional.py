"""A user's own model: what the README tells to write, in a test's place."""

import keras
from pydantic import PositiveInt


def convolutional(image_shape, num_classes, *, filters: PositiveInt = 4):
    """Two convolutions.

    Args:
        filters: Of the first convolution.
    """
    return keras.Sequential(
        [
            keras.Input(image_shape),
            keras.layers.Reshape((*image_shape, 1)),
            keras.layers.Conv2D(filters, 5, strides=2, activation="relu", name="conv"),
            keras.layers.SpatialDropout2D(0.1, seed=0),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes, kernel_regularizer="l2", name="logits"),
        ]
    )
