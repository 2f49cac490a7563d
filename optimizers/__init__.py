"""Optimizers: each function returns a fresh `keras.optimizers.Optimizer`.

The settings of one are its keyword-only parameters. What comes before them is given by
the run, if the function declares it: `steps_per_epoch`, then `epochs`. To add one,
write a function in a file of its own and name it here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

from models import kernels
from optimizers.adam import (
    adam,
    adamw,
    adamw_cautious,
    adamw_independent,
    adamw_normalized,
    adamw_schedule_free,
    adamw_timescale,
    amsgradw,
    nadamw,
)
from optimizers.lion import lion
from optimizers.muon import muon
from optimizers.sgd import sgd, sgdw
from system.errors import UserError

if TYPE_CHECKING:
    import keras

LARGEST_DECAY = 3.4e38
"""As much as float32 holds."""

OPTIMIZERS: dict[str, Callable] = {
    "sgd": sgd,
    "sgdw": sgdw,
    "adam": adam,
    "adamw": adamw,
    "adamw_independent": adamw_independent,
    "adamw_normalized": adamw_normalized,
    "adamw_timescale": adamw_timescale,
    "adamw_cautious": adamw_cautious,
    "adamw_schedule_free": adamw_schedule_free,
    "amsgradw": amsgradw,
    "nadamw": nadamw,
    "lion": lion,
    "muon": muon,
}

__all__ = ["OPTIMIZERS", "prepare", *OPTIMIZERS]


def prepare(
    optimizer: "keras.Optimizer",
    model: "keras.Model",
    *,
    decay_biases: bool = False,
    global_clipnorm: PositiveFloat | None = None,
    ema_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Optimizer":
    """Give an optimizer its variables and the settings that all optimizers share.

    Keras does not save which variables decay leaves alone: a new optimizer, also for a
    loaded model or a resumed run, goes through here.

    Args:
        optimizer: Fresh from one of the functions of this package.
        model: Whose trainable variables it will update.
        decay_biases: Whether weight decay acts on biases and normalization parameters
            too, as Keras' optimizers do by default, and not on the kernels alone.
        global_clipnorm: Longest gradient over all variables together; longer ones are
            scaled back. The gradient of an L2 penalty is clipped with it, decay is not.
        ema_momentum: Share kept at each update by a moving average of the weights; the
            averages are then what is evaluated and saved, not the weights themselves.
    """
    decay = optimizer.weight_decay
    if decay is not None and float(decay) > LARGEST_DECAY:
        raise UserError(
            f"optimizer.weight_decay: expected at most {LARGEST_DECAY:g}, divided by "
            "the learning rate where it is independent of that, received "
            f"{float(decay):g}"
        )
    if not decay_biases:
        decayed = {id(kernel) for kernel in kernels(model).values()}
        others = [v for v in model.trainable_variables if id(v) not in decayed]
        optimizer.exclude_from_weight_decay(var_list=others)
    optimizer.global_clipnorm = global_clipnorm
    if ema_momentum is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, ema_momentum
    optimizer.build(model.trainable_variables)
    if optimizer.use_ema:
        averages = optimizer._model_variables_moving_average
        for average, variable in zip(averages, model.trainable_variables, strict=True):
            average.assign(variable)
    return optimizer
