"""Stochastic gradient descent."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import NonNegativeFloat, PositiveFloat

if TYPE_CHECKING:
    import keras


def sgd(
    *,
    learning_rate: PositiveFloat = 0.1,
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    nesterov: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
) -> "keras.Optimizer":
    """Gradient descent with momentum; with decay it is SGDW.

        w <- w - learning_rate * weight_decay * w
        v <- momentum * v - learning_rate * g
        w <- w + v              (Nesterov: w <- w + momentum * v - learning_rate * g)

    The decay never enters the velocity v (Loshchilov & Hutter 2019, algorithm 1);
    without momentum it equals an L2 penalty of weight_decay / 2.

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        momentum: Share of the velocity kept from step to step.
        nesterov: Whether to look ahead along the velocity.
        weight_decay: Share of a kernel removed per update and unit of learning rate.
    """
    import keras

    return keras.optimizers.SGD(
        learning_rate, momentum, nesterov, weight_decay=weight_decay or None
    )
