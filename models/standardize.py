"""A first layer that brings the data to mean 0 and variance 1, whatever the model."""

import keras
import numpy as np


def standardize(
    model: keras.Model, mean: np.ndarray, variance: np.ndarray
) -> keras.Model:
    """The same model of images as they are: a saved one needs no scaling beside it.

    Args:
        model: A built model of scaled images.
        mean: Of all numbers, (), or of each along the last axis.
        variance: The same.
    """
    images = keras.Input(model.input_shape[1:], name="images")
    axis = -1 if mean.ndim else None
    scaled = keras.layers.Normalization(
        axis, mean, variance, dtype=keras.config.floatx(), name="scaled"
    )
    return keras.Model(images, model(scaled(images)), name=model.name)
