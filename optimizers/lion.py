"""Lion: the sign of a momentum."""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

from optimizers.adam import Beta

if TYPE_CHECKING:
    import keras


def lion(
    *,
    learning_rate: PositiveFloat = 1e-4,
    beta_1: Annotated[float, Interval(gt=0, lt=1)] = 0.9,
    beta_2: Beta = 0.99,
) -> "keras.Optimizer":
    """Steps of one size for every weight.

        w <- w - learning_rate * sign(beta_1 * m + (1 - beta_1) * g)
        m <- beta_2 * m + (1 - beta_2) * g

    (Chen et al. 2023, algorithm 2.) Its steps are larger than Adam's: its learning rate
    is to be 3 to 10 times smaller and `decoupled` decay as many times stronger.

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        beta_1: Weight of the momentum in the step.
        beta_2: Decay rate of the momentum.
    """
    import keras

    return keras.optimizers.Lion(learning_rate, beta_1, beta_2)
