"""Learning-rate schedules: a multiplier in [0, 1] for each update of a run.

Weight decay in Keras is multiplied by the learning rate, so it follows the schedule.
To add one, write a function `(steps_per_epoch, epochs, *, settings...)` and name it at
the end of this file.
"""

from collections.abc import Callable

import numpy as np
from pydantic import NonNegativeFloat


def constant(
    steps_per_epoch: int, epochs: int, *, warmup_epochs: NonNegativeFloat = 0.0
) -> np.ndarray:
    """The peak learning rate throughout, after a linear warm-up.

    Args:
        steps_per_epoch: Updates in one epoch.
        epochs: Of the whole run.
        warmup_epochs: Epochs of linear growth from 0 before it.

    Returns:
        One multiplier per update, (epochs * steps_per_epoch,), float64.
    """
    step = np.arange(epochs * steps_per_epoch)
    warmup = warmup_epochs * steps_per_epoch
    return np.minimum(1.0, (step + 1) / max(1.0, warmup))


def cosine(
    steps_per_epoch: int, epochs: int, *, warmup_epochs: NonNegativeFloat = 0.0
) -> np.ndarray:
    """Half a cosine from the peak learning rate to 0 (Loshchilov & Hutter 2017, eq. 5).

    Args:
        steps_per_epoch: Updates in one epoch.
        epochs: Of the whole run; the cosine ends with it.
        warmup_epochs: Epochs of linear growth from 0 before it.

    Returns:
        One multiplier per update, (epochs * steps_per_epoch,), float64.
    """
    steps = epochs * steps_per_epoch
    warmup = warmup_epochs * steps_per_epoch
    past = np.clip((np.arange(steps) - warmup) / max(1.0, steps - warmup), 0, 1)
    grown = constant(steps_per_epoch, epochs, warmup_epochs=warmup_epochs)
    return grown * (1 + np.cos(np.pi * past)) / 2


SCHEDULES: dict[str, Callable] = {"constant": constant, "cosine": cosine}
