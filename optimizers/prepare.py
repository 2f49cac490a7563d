"""Readies an optimizer: its decay, its variables and the settings that all share."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

from optimizers.decay import Decay, FixedNorm
from system.errors import UserError

if TYPE_CHECKING:
    import keras


def make(optimizer: "keras.Optimizer", decay: Decay) -> "keras.Optimizer":
    """An optimizer that decays by a rule, for a `model.fit` of your own.

    It is one of Keras' like any other: it finds the kernels among the variables that it
    is built for, is compiled and saved with its model, and decays the same ones after
    loading. Import `optimizers.decaying` before you load it.

    Args:
        optimizer: Fresh, without decay; its learning rate is a number, the peak.
        decay: The rule: `Cautious(steps_per_epoch, epochs, strength=0.1)`.

    Raises:
        UserError: The two do not go together.
    """
    if hasattr(optimizer, "look_ahead"):
        raise UserError(
            "schedule_free: expected a loop that calls look_ahead before each "
            "gradient, received model.fit, which does not"
        )
    return add_decay(optimizer, decay)


def add_decay(optimizer, decay):
    if isinstance(decay, FixedNorm) and hasattr(optimizer, "look_ahead"):
        raise UserError(
            "decay.name: fixed_norm does not go with optimizer.name = schedule_free, "
            "whose weights are averages: kernels of one norm have shorter ones"
        )
    if optimizer.weight_decay is not None:
        raise UserError(
            "expected an optimizer without decay, received "
            f"{type(optimizer).__name__}(weight_decay={optimizer.weight_decay})"
        )
    from optimizers.decaying import with_decay

    return with_decay(optimizer, decay)


def decay_share(optimizer: "keras.Optimizer") -> float | None:
    """Share of a kernel that the last update took off; the first, before there is one.

    It is 0 without decay, and None under a rule that takes more off some weights of a
    kernel than off others.
    """
    return getattr(optimizer, "decay_share", 0.0)


def prepare(
    optimizer: "keras.Optimizer",
    model: "keras.Model",
    decay: Decay | None = None,
    *,
    global_clipnorm: PositiveFloat | None = None,
    ema_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Optimizer":
    """Give an optimizer its decay, its variables and the settings that all share.

    Args:
        optimizer: Fresh from one of the functions of this package.
        model: Whose trainable variables it will update.
        decay: The rule, if they decay.
        global_clipnorm: Longest gradient over all variables together; longer ones are
            scaled back. The gradient of an L2 penalty is clipped with it, decay is not.
        ema_momentum: Share kept at each update by a moving average of the weights; the
            averages are then what is evaluated and saved, not the weights themselves.
    """
    if decay is not None:
        optimizer = add_decay(optimizer, decay)
    optimizer.global_clipnorm = global_clipnorm
    if ema_momentum is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, ema_momentum
    optimizer.build(model.trainable_variables)
    if optimizer.use_ema:
        averages = optimizer._model_variables_moving_average
        for average, variable in zip(averages, model.trainable_variables, strict=True):
            average.assign(variable)
    return optimizer
