"""Optimizers that differ in how they decay the weights: plain Keras, one function each.

To add one, write a function of its settings that returns a `keras.optimizers.Optimizer`
and name it here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from errors import UserError
from models import kernels
from optimizers.adam import adam, adamw, adamw_independent
from optimizers.sgd import sgd

if TYPE_CHECKING:
    import keras

LARGEST_DECAY = 3.4e38
"""As much as float32 holds."""

OPTIMIZERS: dict[str, Callable] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
    "adamw_independent": adamw_independent,
}

__all__ = ["OPTIMIZERS", "adam", "adamw", "adamw_independent", "prepare", "sgd"]


def prepare(
    optimizer: "keras.Optimizer",
    model: "keras.Model",
    *,
    decay_biases: bool = False,
    global_clipnorm: PositiveFloat | None = None,
) -> "keras.Optimizer":
    """Give an optimizer its variables and the settings that all optimizers share.

    Keras saves neither of these settings' effects with a model: a new optimizer, also
    for a loaded model or a resumed run, goes through here.

    Args:
        optimizer: Fresh from one of the functions of this package.
        model: Whose trainable variables it will update.
        decay_biases: Whether weight decay acts on biases and normalization parameters
            too, as Keras' optimizers do by default, and not on the kernels alone.
        global_clipnorm: Longest gradient over all variables together; longer ones are
            scaled back. The gradient of an L2 penalty is clipped with it, decay is not.
    """
    if (optimizer.weight_decay or 0) > LARGEST_DECAY:
        raise UserError(
            f"optimizer.weight_decay: expected at most {LARGEST_DECAY:g}, divided by "
            "the learning rate where it is independent of that, received "
            f"{optimizer.weight_decay:g}"
        )
    if not decay_biases:
        decayed = {id(kernel) for kernel in kernels(model).values()}
        others = [v for v in model.trainable_variables if id(v) not in decayed]
        optimizer.exclude_from_weight_decay(var_list=others)
    optimizer.global_clipnorm = global_clipnorm
    optimizer.build(model.trainable_variables)
    return optimizer
