"""Learning-rate schedules: a multiplier in [0, 1] for each update of a run.

Weight decay in Keras is multiplied by the learning rate, so it follows the schedule.
To add one, write a function `(steps_per_epoch, epochs, *, settings...)` and name it at
the end of this file.
"""

import math
from collections.abc import Callable
from typing import Annotated

import numpy as np
from annotated_types import Interval
from pydantic import NonNegativeFloat, PositiveFloat


def constant(
    steps_per_epoch: int, epochs: int, *, warmup_epochs: NonNegativeFloat = 0.0
) -> np.ndarray:
    """The peak learning rate throughout, after a linear warm-up.

    Args:
        steps_per_epoch: Updates in one epoch.
        epochs: Number of epochs of the whole run.
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
        epochs: Number of epochs of the whole run; the cosine ends with it.
        warmup_epochs: Epochs of linear growth from 0 before it.

    Returns:
        One multiplier per update, (epochs * steps_per_epoch,), float64.
    """
    steps = epochs * steps_per_epoch
    warmup = warmup_epochs * steps_per_epoch
    past = np.maximum(0, (np.arange(steps) - warmup) / max(1.0, steps - warmup))
    grown = constant(steps_per_epoch, epochs, warmup_epochs=warmup_epochs)
    return grown * (1 + np.cos(np.pi * past)) / 2


def warm_restarts(
    steps_per_epoch: int,
    epochs: int,
    *,
    first_period_epochs: PositiveFloat = 10.0,
    period_factor: Annotated[float, Interval(ge=1)] = 2.0,
) -> np.ndarray:
    """Half a cosine, again and again (SGDR: Loshchilov & Hutter 2017, equation 5).

    With AdamW it is AdamWR. It does not depend on when the run ends: the end of each
    period is a good one.

    Args:
        steps_per_epoch: Updates in one epoch.
        epochs: Number of epochs of the whole run.
        first_period_epochs: Epochs of the first cosine; the rate then jumps back to its
            peak.
        period_factor: How many times longer each period is than the one before.

    Returns:
        One multiplier per update, (epochs * steps_per_epoch,), float64.
    """
    multipliers = np.empty(epochs * steps_per_epoch)
    start, period = 0.0, max(1.0, first_period_epochs * steps_per_epoch)
    while start < len(multipliers):
        end = start + period
        steps = np.arange(math.ceil(start), min(math.ceil(end), len(multipliers)))
        multipliers[steps] = (1 + np.cos(np.pi * (steps - start) / period)) / 2
        start, period = end, period * period_factor
    return multipliers


SCHEDULES: dict[str, Callable] = {
    "constant": constant,
    "cosine": cosine,
    "warm_restarts": warm_restarts,
}
