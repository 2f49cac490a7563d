"""Stochastic gradient descent.

Args:
    learning_rate: Peak step size; the schedule multiplies it.
    momentum: Share of the velocity kept from step to step.
    nesterov: Whether to look ahead along the velocity.
"""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

if TYPE_CHECKING:
    import keras

Momentum = Annotated[float, Interval(ge=0, lt=1)]


def sgd(
    *,
    learning_rate: PositiveFloat = 0.1,
    momentum: Momentum = 0.0,
    nesterov: bool = False,
) -> "keras.Optimizer":
    """Gradient descent with momentum; with `decoupled` decay it is SGDW.

        v <- momentum * v - learning_rate * g
        w <- w + v              (Nesterov: w <- w + momentum * v - learning_rate * g)

    The model's `l2` enters the velocity, decay never does (Loshchilov & Hutter 2019,
    algorithm 1). Without momentum an L2 penalty of half the strength equals `decoupled`
    decay; with it that penalty is 1 / (1 - momentum) times as strong.
    """
    import keras

    return keras.optimizers.SGD(learning_rate, momentum, nesterov)
