"""What is done when training gets no further."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import NonNegativeFloat, NonNegativeInt

if TYPE_CHECKING:
    import keras


def early_stopping(
    *,
    monitor: str = "val_loss",
    patience: NonNegativeInt,
    min_delta: NonNegativeFloat = 0.0,
    start_from_epoch: NonNegativeInt = 0,
    restore_best_weights: bool = False,
) -> "keras.callbacks.EarlyStopping":
    """Stop when a number has not improved for some epochs.

    Args:
        monitor: Measure that is watched, after `val_` on the validation images; `loss`
            is the first of the task, without penalty.
        patience: Epochs without improvement after which training stops.
        min_delta: Change that counts as an improvement.
        start_from_epoch: Epochs before the number is watched.
        restore_best_weights: Whether the run ends with the weights of its best epoch.
    """
    import keras

    return keras.callbacks.EarlyStopping(
        monitor,
        min_delta,
        patience,
        restore_best_weights=restore_best_weights,
        start_from_epoch=start_from_epoch,
    )


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
