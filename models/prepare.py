"""Checks that a model can be trained and saved, and adds a layer that standardizes."""

import keras
import numpy as np

from data import Data
from system.errors import UserError

IMAGES = 8
"""Number of images that a model is tried on."""

NEAR_ONE = 1e-3
"""How close to 1 the sum of an output has to be to be taken for probabilities."""


def check_model(model: keras.Model, data: Data) -> keras.Model:
    """Build a model if it is not built yet, check it and return it.

    Args:
        model: What a function of `MODELS` returned.
        data: Data that it is to be trained on.

    Raises:
        UserError: It is not a model that takes images of floats, gives one logit for
            each class, and can be trained and saved.
    """
    if not isinstance(model, keras.Model):
        found = f"one that returns {type(model).__name__}"
        raise UserError("model", "a function that returns a keras.Model", found)
    name = f"model {model.name}"
    for entry in model.inputs if model.built and hasattr(model, "inputs") else ():
        if not keras.backend.is_float_dtype(entry.dtype):
            expected = "an Input of floats, for images are between 0 and 1"
            raise UserError(name, expected, f"one of {entry.dtype}")
    if type(model).train_step is not keras.Model.train_step:
        raise UserError(
            f"{name}: expected no train_step of its own, which an epoch compiled as a "
            "whole would not call; write a layer, a loss or an optimizer"
        )
    for variable in model.variables:
        if getattr(variable, "of_a_run", False):
            earlier = f"those of an earlier run ({variable.path})"
            raise UserError(name, "new weights", f"{earlier}; make every layer anew")
    images = data.validation[:IMAGES].images
    output = model(images, training=False)
    if isinstance(output, dict | list | tuple):
        raise UserError(name, "one output, the logits", len(output))
    logits = keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))
    if logits.shape != (len(images), data.num_outputs):
        expected = f"{data.num_outputs} outputs for each image"
        raise UserError(name, expected, f"an output of shape {logits.shape[1:]}")
    sums = logits.sum(axis=1)
    if (
        data.num_outputs > 1
        and (logits >= 0).all()
        and np.abs(sums - 1).max() < NEAR_ONE
    ):
        advice = "probabilities; leave out the softmax at its end"
        raise UserError(name, "logits", advice)
    try:
        keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"{name}: expected a get_config in each class with arguments of its own, "
            f"for it is saved in model.keras ({str(error).strip()[:100]})"
        ) from None
    for variable in model.variables:
        variable.of_a_run = True
    return model


def standardize(
    model: keras.Model, mean: np.ndarray, variance: np.ndarray
) -> keras.Model:
    """Put a layer before a model that standardizes its images.

    So a saved model takes images as they are, without scaling beside it.

    Args:
        model: A built model of standardized images.
        mean: Mean of all pixels, (), or of each column or channel, (columns,).
        variance: Variance, of the same shape.
    """
    images = keras.Input(model.input_shape[1:], name="images")
    axis = -1 if mean.ndim else None
    scaled = keras.layers.Normalization(
        axis, mean, variance, dtype=keras.config.floatx(), name="scaled"
    )
    return keras.Model(images, model(scaled(images)), name=model.name)
