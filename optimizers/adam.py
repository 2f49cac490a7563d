"""Adam and its relatives.

Adam's direction (Kingma & Ba 2015, algorithm 1), where g is the gradient of the
objective, an L2 penalty included:

    m <- beta_1 * m + (1 - beta_1) * g              v <- beta_2 * v + (1 - beta_2) * g^2
    u  = m / (1 - beta_1^t) * sqrt(1 - beta_2^t) / (sqrt(v) + epsilon)

Epsilon stands where Keras has it, outside the bias correction: the "epsilon hat" of
that paper, which PyTorch's epsilon is not.

Args:
    learning_rate: Peak step size; the schedule multiplies it.
    beta_1: Decay rate of the mean of the gradients.
    beta_2: Decay rate of the mean of their squares.
    epsilon: Added to the root of the mean square.
"""

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval
from pydantic import PositiveFloat

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
    """Adam; with `decoupled` decay it is AdamW, with the model's `l2` "Adam + L2".

        w <- w - learning_rate * u

    Args:
        amsgrad: Whether u has the largest v so far in place of v, so that it never
            grows again (Reddi, Kale & Kumar 2018, algorithm 2).
    """
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1, beta_2, epsilon, amsgrad)


def nadam(
    *,
    learning_rate: PositiveFloat = 1e-3,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """Adam that looks ahead along its momentum, as Nesterov's method does.

        b_t = beta_1 * (1 - 0.96^t / 2)      P_t = b_1 * ... * b_t
        u   = (b_{t+1} * m / (1 - P_{t+1}) + (1 - b_t) * g / (1 - P_t))
              / (sqrt(v / (1 - beta_2^t)) + epsilon)

    (Dozat 2016, with its schedule b_t of the momentum.)
    """
    import keras

    return keras.optimizers.Nadam(learning_rate, beta_1, beta_2, epsilon)


def adopt(
    *,
    learning_rate: PositiveFloat = 1e-3,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.9999,
    epsilon: PositiveFloat = 1e-6,
) -> "keras.Optimizer":
    """Adam that divides each gradient by the mean square of those before it.

        m <- beta_1 * m + (1 - beta_1) * clip(g / max(sqrt(v), epsilon), t^(1/4))
        w <- w - learning_rate * m            v <- beta_2 * v + (1 - beta_2) * g^2

    in update t from 0, in which there is no step and v <- g^2 (Taniguchi et al. 2024,
    algorithm 2). So it converges with any beta_2, as Adam does not.
    """
    from optimizers.adopt import Adopt

    return Adopt(learning_rate, beta_1, beta_2, epsilon)


def schedule_free(
    *,
    learning_rate: PositiveFloat = 2.5e-3,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """Adam that averages its weights instead of lowering its learning rate.

        y  = (1 - beta_1) * z + beta_1 * x            (g is the gradient at y)
        v <- beta_2 * v + (1 - beta_2) * g^2
        z <- z - learning_rate * g / (sqrt(v / (1 - beta_2^t)) + epsilon)
        x <- (1 - c) * x + c * z        c = learning_rate_t^2 / sum of all so far

    (Defazio et al. 2024, algorithm 1, with the bias correction in the step alone, where
    the authors' code has it.) The model is evaluated and saved at x, the average. Decay
    is that of y, taken off z; a bound on the weights holds for z too.

    Args:
        learning_rate: Step size of z; best with a warm-up and no other schedule.
        beta_1: How near to the average x the gradient is taken.
    """
    from optimizers.schedule_free import ScheduleFree

    return ScheduleFree(learning_rate, beta_1, beta_2, epsilon)
