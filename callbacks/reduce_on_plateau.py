"""A learning rate that is lowered where training gets no further."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import NonNegativeFloat, NonNegativeInt

if TYPE_CHECKING:
    import keras


def reduce_on_plateau(
    *,
    monitor: str = "val_loss",
    factor: Annotated[float, Interval(gt=0, lt=1)] = 0.1,
    patience: NonNegativeInt,
    min_delta: NonNegativeFloat = 1e-4,
    cooldown: NonNegativeInt = 0,
) -> "keras.callbacks.ReduceLROnPlateau":
    """Lower the learning rate when a number has not improved for some epochs.

    The schedule goes on below the lowered rate.

    Args:
        monitor: Measure that is watched, after `val_` on the validation images; `loss`
            is the first of the task, without penalty.
        factor: Share of the learning rate that is left.
        patience: Epochs without improvement after which the rate is lowered.
        min_delta: Change that counts as an improvement.
        cooldown: Epochs after a lowering before the number is watched again.
    """
    import keras

    return keras.callbacks.ReduceLROnPlateau(
        monitor, factor, patience, min_delta=min_delta, cooldown=cooldown
    )
