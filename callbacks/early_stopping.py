"""An end of training before the last epoch."""

from typing import TYPE_CHECKING

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
