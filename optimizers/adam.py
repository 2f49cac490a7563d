"""Adam, and Adam with decoupled weight decay.

All of them step by the same adaptive direction (Kingma & Ba 2015, algorithm 1), where g
is the gradient of the objective, an L2 penalty included:

    m <- beta_1 * m + (1 - beta_1) * g              v <- beta_2 * v + (1 - beta_2) * g^2
    u  = m / (1 - beta_1^t) * sqrt(1 - beta_2^t) / (sqrt(v) + epsilon)

and differ in the decay. Epsilon stands where Keras has it, outside the bias correction:
the "epsilon hat" of that paper, which PyTorch's epsilon is not.
"""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import NonNegativeFloat, PositiveFloat

if TYPE_CHECKING:
    import keras

Beta = Annotated[float, Interval(ge=0, lt=1)]


def adam(
    *,
    learning_rate: PositiveFloat = 1e-3,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
    amsgrad: bool = False,
) -> "keras.Optimizer":
    """Adam without decay; with the model's `l2` it is "Adam + L2", the coupled form.

        w <- w - learning_rate * u

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        beta_1: Decay rate of the mean of the gradients.
        beta_2: Decay rate of the mean of their squares.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether to divide by the largest mean square so far (Reddi et al.
            2018).
    """
    import keras

    return keras.optimizers.Adam(
        learning_rate, beta_1, beta_2, epsilon, amsgrad=amsgrad
    )


def adamw(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
    amsgrad: bool = False,
) -> "keras.Optimizer":
    """AdamW as Keras and PyTorch have it: the decay follows the learning rate.

        w <- w - learning_rate * weight_decay * w - learning_rate * u

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        weight_decay: Share of a kernel removed per update and unit of learning rate.
        beta_1: Decay rate of the mean of the gradients.
        beta_2: Decay rate of the mean of their squares.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether to divide by the largest mean square so far (Reddi et al.
            2018).
    """
    import keras

    return keras.optimizers.AdamW(
        learning_rate, weight_decay, beta_1, beta_2, epsilon, amsgrad=amsgrad
    )


def adamw_independent(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 4e-6,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
    amsgrad: bool = False,
) -> "keras.Optimizer":
    """AdamW as its paper has it: the decay does not depend on the peak learning rate.

        w <- w - schedule * (weight_decay * w + learning_rate * u)

    where schedule is the multiplier in [0, 1] of the current update (Loshchilov &
    Hutter 2019, algorithm 2, line 12). In Keras it is AdamW with a weight decay of
    weight_decay / learning_rate.

    Args:
        learning_rate: Peak step size; the schedule multiplies it.
        weight_decay: Share of a kernel removed per update, whatever the learning rate.
        beta_1: Decay rate of the mean of the gradients.
        beta_2: Decay rate of the mean of their squares.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether to divide by the largest mean square so far (Reddi et al.
            2018).
    """
    return adamw(
        learning_rate=learning_rate,
        weight_decay=weight_decay / learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        amsgrad=amsgrad,
    )
