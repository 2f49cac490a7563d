"""Steps: what an update does to the weights w, given the gradient g of the objective.

A function returns a fresh `keras.optimizers.Optimizer` without decay, which
`optimizers.decay` has; an L2 penalty is in g. To add a step, write a function in a file
of its own and name it in `optimizers/__init__.py`.

Adam's direction u (Kingma & Ba 2015, algorithm 1), which its relatives vary:

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

from system.errors import UserError

if TYPE_CHECKING:
    import keras

    from optimizers.decay import Decay

Share = Annotated[float, Interval(ge=0, lt=1)]


def sgd(
    *,
    learning_rate: PositiveFloat = 0.1,
    momentum: Share = 0.0,
    nesterov: bool = False,
) -> "keras.Optimizer":
    """Gradient descent with momentum; with `decoupled` decay it is SGDW.

        v <- momentum * v - learning_rate * g
        w <- w + v              (Nesterov: w <- w + momentum * v - learning_rate * g)

    The model's `l2` enters the velocity, decay never does (Loshchilov & Hutter 2019,
    algorithm 1). Without momentum an L2 penalty of half the strength equals `decoupled`
    decay; with it that penalty is 1 / (1 - momentum) times as strong.

    Args:
        momentum: Share of the velocity kept from step to step.
        nesterov: Whether to look ahead along the velocity.
    """
    import keras

    return keras.optimizers.SGD(learning_rate, momentum, nesterov)


def adam(
    *,
    learning_rate: PositiveFloat = 1e-3,
    beta_1: Share = 0.9,
    beta_2: Share = 0.999,
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
    beta_1: Share = 0.9,
    beta_2: Share = 0.999,
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
    beta_1: Share = 0.9,
    beta_2: Share = 0.9999,
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
    beta_1: Share = 0.9,
    beta_2: Share = 0.999,
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

    return ScheduleFree(learning_rate, beta_1, beta_2, epsilon, use_ema=True)


def lion(
    *,
    learning_rate: PositiveFloat = 1e-4,
    beta_1: Annotated[float, Interval(gt=0, lt=1)] = 0.9,
    beta_2: Share = 0.99,
) -> "keras.Optimizer":
    """Steps of one size for every weight.

        w <- w - learning_rate * sign(beta_1 * m + (1 - beta_1) * g)
        m <- beta_2 * m + (1 - beta_2) * g

    (Chen et al. 2023, algorithm 2.) Its steps are larger than Adam's: its learning rate
    is to be 3 to 10 times smaller and `decoupled` decay as many times stronger.

    Args:
        beta_1: Weight of the momentum in the step.
        beta_2: Decay rate of the momentum.
    """
    import keras

    return keras.optimizers.Lion(learning_rate, beta_1, beta_2)


def muon(
    *,
    learning_rate: PositiveFloat = 1e-3,
    momentum: Share = 0.95,
    beta_1: Share = 0.9,
    beta_2: Share = 0.999,
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


def prepare(
    optimizer: "keras.Optimizer",
    model: "keras.Model",
    decay: "Decay | None" = None,
    *,
    global_clipnorm: PositiveFloat | None = None,
    ema_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Optimizer":
    """Give an optimizer its decay, its variables and the settings that all share.

    Args:
        optimizer: New optimizer from a function of this package.
        model: Model whose trainable variables it will update.
        decay: Rule of decay, if any.
        global_clipnorm: Longest gradient over all variables together; longer ones are
            scaled back. The gradient of an L2 penalty is clipped with it, decay is not.
        ema_momentum: Share kept at each update by a moving average of the weights; the
            averages are then what is evaluated and saved, not the weights themselves.

    Raises:
        UserError: Optimizer, decay and settings do not go together.
    """
    import keras

    if not isinstance(optimizer, keras.Optimizer):
        found = f"one that returns {type(optimizer).__name__}"
        raise UserError("optimizer", "a function that returns an Optimizer", found)
    rate = optimizer._learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        raise UserError(
            f"optimizer: expected a number for its learning rate, received a "
            f"{type(rate).__name__}; [schedule] multiplies it, and takes a schedule of "
            "your own (optimizers/schedules.py)"
        )
    if decay is not None:
        from optimizers.decaying import make

        optimizer = make(optimizer, decay)
    optimizer.global_clipnorm = global_clipnorm
    if ema_momentum is not None:
        if optimizer.use_ema:
            expected = "none, for this optimizer averages its weights itself"
            raise UserError("optimizer.ema_momentum", expected, ema_momentum)
        optimizer.use_ema, optimizer.ema_momentum = True, ema_momentum
    optimizer.build(model.trainable_variables)
    if optimizer.use_ema:
        optimizer._update_model_variables_moving_average(model.trainable_variables)
    return optimizer
