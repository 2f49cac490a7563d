"""Refuses a model that cannot be trained, compared or saved, in one line."""

import keras
import numpy as np

from data import Data
from system.errors import UserError

IMAGES = 8
"""Images that a model is tried on."""

NEAR_ONE = 1e-3
"""Rows of probabilities add up to one, and this close; rows of logits do not."""


def check_model(model: keras.Model, data: Data) -> keras.Model:
    """Build a model if it is not, and return it.

    Args:
        model: As a function of `MODELS` returns it.
        data: What it is to be trained on.

    Raises:
        UserError: It does not give one logit for each class, takes no images of
            numbers between 0 and 1, or cannot be saved.
    """
    if not isinstance(model, keras.Model):
        raise UserError(
            f"model: expected a function that returns a keras.Model, received one that "
            f"returns {type(model).__name__}"
        )
    for entry in model.inputs if model.built and hasattr(model, "inputs") else ():
        if not keras.backend.is_float_dtype(entry.dtype):
            raise UserError(
                f"model {model.name}: expected an Input of floats, for images are "
                f"between 0 and 1, received one of {entry.dtype}"
            )
    if type(model).train_step is not keras.Model.train_step:
        raise UserError(
            f"model {model.name}: expected no train_step of its own, which an epoch "
            "compiled as a whole would not call; write a layer, a loss or an optimizer"
        )
    for variable in model.variables:
        if getattr(variable, "of_a_run", False):
            raise UserError(
                f"model {model.name}: expected new weights, received those of "
                f"an earlier run ({variable.path}); make every layer anew"
            )
    images = data.validation[:IMAGES].images
    output = model(images, training=False)
    if isinstance(output, dict | list | tuple):
        raise UserError(
            f"model {model.name}: expected one output, the logits, received "
            f"{len(output)}"
        )
    logits = keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))
    expected = (len(images), data.num_classes)
    if logits.shape != expected:
        raise UserError(
            f"model {model.name}: expected {data.num_classes} logits for each image, "
            f"received an output of shape {logits.shape[1:]}"
        )
    sums = logits.sum(axis=1)
    if (logits >= 0).all() and np.abs(sums - 1).max() < NEAR_ONE:
        raise UserError(
            f"model {model.name}: expected logits, received probabilities; leave out "
            "the softmax at its end"
        )
    try:
        keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"model {model.name}: expected a get_config in each class with arguments "
            f"of its own, for it is saved in model.keras ({str(error).strip()[:100]})"
        ) from None
    for variable in model.variables:
        variable.of_a_run = True
    return model
