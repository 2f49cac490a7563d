"""Readies an optimizer: its decay, its variables and the settings that all share."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

from optimizers.decay import Decay
from system.errors import UserError

if TYPE_CHECKING:
    import keras


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

    Raises:
        UserError: Optimizer, decay and settings do not go together.
    """
    if decay is not None:
        from optimizers.decaying import make

        optimizer = make(optimizer, decay)
    optimizer.global_clipnorm = global_clipnorm
    if ema_momentum is not None:
        if optimizer.use_ema:
            expected = "none, for this optimizer averages its weights itself"
            raise UserError("optimizer.ema_momentum", expected, ema_momentum)
        optimizer.use_ema, optimizer.ema_momentum = True, ema_momentum
    optimizer.build(model.trainable_variables)
    if optimizer.use_ema:
        optimizer._update_model_variables_moving_average(model.trainable_variables)
    return optimizer
