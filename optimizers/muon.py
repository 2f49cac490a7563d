"""Muon: a momentum made orthogonal."""

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from optimizers.adam import Beta
from optimizers.sgd import Momentum

if TYPE_CHECKING:
    import keras


def muon(
    *,
    learning_rate: PositiveFloat = 1e-3,
    momentum: Momentum = 0.95,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """Muon for the hidden kernels, Adam for all the rest.

        m <- momentum * m + g
        w <- w - learning_rate * 0.2 * sqrt(max(rows, columns))
                 * orthogonal(g + momentum * m)

    where orthogonal(X) brings all singular values of X near 1 by five Newton-Schulz
    steps X <- 3.4445 X - 4.7750 X X' X + 2.0315 X X' X X' X (Jordan et al. 2024), and
    the factor gives the step the size of Adam's (Liu et al. 2025). The
    rest is what is not a matrix, and the layer named "logits", the output.

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        momentum: Share of the momentum kept from step to step.
        beta_1: For the rest: decay rate of the mean of the gradients.
        beta_2: For the rest: decay rate of the mean of their squares.
        epsilon: For the rest: added to the root of the mean square.
    """
    import keras

    return keras.optimizers.Muon(
        learning_rate,
        adam_beta_1=beta_1,
        adam_beta_2=beta_2,
        epsilon=epsilon,
        weight_decay=None,
        adam_weight_decay=None,
        momentum=momentum,
        exclude_layers=["(^|/)logits/"],
    )
