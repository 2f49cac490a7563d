"""Adam, and Adam with decoupled weight decay in all its measures.

All but the last three step by the same adaptive direction (Kingma & Ba 2015, algorithm
1), where g is the gradient of the objective, an L2 penalty included:

    m <- beta_1 * m + (1 - beta_1) * g              v <- beta_2 * v + (1 - beta_2) * g^2
    u  = m / (1 - beta_1^t) * sqrt(1 - beta_2^t) / (sqrt(v) + epsilon)

and differ in the decay. Epsilon stands where Keras has it, outside the bias correction:
the "epsilon hat" of that paper, which PyTorch's epsilon is not.

Args:
    learning_rate: Peak step size; the schedule multiplies it.
    weight_decay: Share of a kernel removed per update and unit of learning rate.
    beta_1: Decay rate of the mean of the gradients.
    beta_2: Decay rate of the mean of their squares.
    epsilon: Added to the root of the mean square.
"""

import math
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
) -> "keras.Optimizer":
    """Adam without decay; with the model's `l2` it is "Adam + L2", the coupled form.

    w <- w - learning_rate * u
    """
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1, beta_2, epsilon)


def adamw(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW as Keras and PyTorch have it: the decay follows the learning rate.

    w <- w - learning_rate * weight_decay * w - learning_rate * u
    """
    import keras

    return keras.optimizers.AdamW(learning_rate, weight_decay, beta_1, beta_2, epsilon)


def adamw_independent(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 4e-6,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW as its paper has it: the decay does not depend on the peak learning rate.

        w <- w - schedule * (weight_decay * w + learning_rate * u)

    where schedule is the multiplier in [0, 1] of the current update (Loshchilov &
    Hutter 2019, algorithm 2, line 12). In Keras it is AdamW with a weight decay of
    weight_decay / learning_rate.

    Args:
        weight_decay: Share of a kernel removed per update, whatever the learning rate.
    """
    return adamw(
        learning_rate=learning_rate,
        weight_decay=weight_decay / learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
    )


def adamw_normalized(
    steps_per_epoch: int,
    epochs: int,
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.02,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW whose best strength depends little on the number of updates of the run.

        w <- w - schedule * (decay * w + learning_rate * u)
        decay = weight_decay * sqrt(1 / (steps_per_epoch * epochs))

    with sqrt(b / (B * T)) for the root in the paper: batch size b, training images B,
    epochs T (Loshchilov & Hutter 2019, appendix B.1).

    Args:
        steps_per_epoch: Updates in one epoch, B / b.
        epochs: Of the whole run: it can not be grown later.
        weight_decay: What a run of a single update would remove of a kernel.
    """
    return adamw_independent(
        learning_rate=learning_rate,
        weight_decay=weight_decay / math.sqrt(steps_per_epoch * epochs),
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
    )


def adamw_timescale(
    steps_per_epoch: int,
    *,
    learning_rate: PositiveFloat = 1e-3,
    timescale_epochs: PositiveFloat = 10.0,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW whose strength is a time: how many epochs of updates the weights remember.

        w <- w - schedule * (w / (timescale_epochs * steps_per_epoch)
                             + learning_rate * u)

    Weights under AdamW are an exponential moving average of its updates, over
    1 / (learning_rate * weight_decay) of them (Wang & Aitchison 2024).

    Args:
        steps_per_epoch: Updates in one epoch.
        timescale_epochs: Epochs in which decay alone would shrink a kernel to 1/e; from
            1 to the number of epochs is the range to search.
    """
    return adamw_independent(
        learning_rate=learning_rate,
        weight_decay=1 / (timescale_epochs * steps_per_epoch),
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
    )


def adamw_cautious(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW that decays a weight only where its step does not make it grow.

        w <- w - learning_rate * weight_decay * [u * w >= 0] * w - learning_rate * u

    (Chen et al. 2025, "Cautious Weight Decay".) The decay never works against the
    step, so it does not move the minima of the loss, as plain decay does.
    """
    from optimizers.cautious import CautiousAdamW

    return CautiousAdamW(learning_rate, weight_decay, beta_1, beta_2, epsilon)


def adamw_schedule_free(
    *,
    learning_rate: PositiveFloat = 2.5e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW that averages its weights instead of lowering its learning rate.

        y  = (1 - beta_1) * z + beta_1 * x            (g is the gradient at y)
        v <- beta_2 * v + (1 - beta_2) * g^2
        z <- z - learning_rate * (g / (sqrt(v / (1 - beta_2^t)) + epsilon)
                                  + weight_decay * y)
        x <- (1 - c) * x + c * z        c = learning_rate_t^2 / sum of all so far

    (Defazio et al. 2024, algorithm 1, with the bias correction in the step alone, where
    the authors' code has it.) The model is evaluated and saved at x, the average.

    Args:
        learning_rate: Step size of z; best with a warm-up and no other schedule.
        beta_1: How near to the average x the gradient is taken.
    """
    from optimizers.schedule_free import ScheduleFreeAdamW

    return ScheduleFreeAdamW(learning_rate, weight_decay, beta_1, beta_2, epsilon)


def amsgradw(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW that divides by the largest mean square so far, which never falls.

        s <- max(s, v)        u = m / (1 - beta_1^t) * sqrt(1 - beta_2^t)
                                  / (sqrt(s) + epsilon)
        w <- w - learning_rate * weight_decay * w - learning_rate * u

    (Reddi, Kale & Kumar 2018, algorithm 2; without decay it is AMSGrad.)
    """
    import keras

    return keras.optimizers.AdamW(
        learning_rate, weight_decay, beta_1, beta_2, epsilon, amsgrad=True
    )


def nadamw(
    *,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.004,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: PositiveFloat = 1e-7,
) -> "keras.Optimizer":
    """AdamW that looks ahead along its momentum, as Nesterov's method does.

        b_t = beta_1 * (1 - 0.96^t / 2)      P_t = b_1 * ... * b_t
        u   = (b_{t+1} * m / (1 - P_{t+1}) + (1 - b_t) * g / (1 - P_t))
              / (sqrt(v / (1 - beta_2^t)) + epsilon)
        w  <- w - learning_rate * weight_decay * w - learning_rate * u

    (Dozat 2016, with its schedule b_t of the momentum.)
    """
    import keras

    return keras.optimizers.Nadam(
        learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay
    )
