"""Stochastic gradient descent.

Args:
    learning_rate: Peak step size; the schedule multiplies it.
    weight_decay: Share of a kernel removed per update and unit of learning rate.
    momentum: Share of the velocity kept from step to step.
    nesterov: Whether to look ahead along the velocity.
"""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import NonNegativeFloat, PositiveFloat

if TYPE_CHECKING:
    import keras

Momentum = Annotated[float, Interval(ge=0, lt=1)]


def sgd(
    *,
    learning_rate: PositiveFloat = 0.1,
    momentum: Momentum = 0.0,
    nesterov: bool = False,
) -> "keras.Optimizer":
    """Gradient descent with momentum; the model's `l2` enters the velocity.

    v <- momentum * v - learning_rate * g
    w <- w + v              (Nesterov: w <- w + momentum * v - learning_rate * g)
    """
    import keras

    return keras.optimizers.SGD(learning_rate, momentum, nesterov)


def sgdw(
    *,
    learning_rate: PositiveFloat = 0.1,
    weight_decay: NonNegativeFloat = 0.004,
    momentum: Momentum = 0.9,
    nesterov: bool = False,
) -> "keras.Optimizer":
    """Gradient descent whose decay never enters the velocity.

        v <- momentum * v - learning_rate * g
        w <- w - learning_rate * weight_decay * w + v

    (Loshchilov & Hutter 2019, algorithm 1.) Without momentum it equals an L2 penalty of
    weight_decay / 2; with it that penalty is 1 / (1 - momentum) times as strong.
    """
    import keras

    return keras.optimizers.SGD(
        learning_rate, momentum, nesterov, weight_decay=weight_decay
    )
