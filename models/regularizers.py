"""Regularizers: the kernels of a model, and the penalty on one in the loss.

A regularizer is a function of a kernel, as it is before the first update, that returns
a function from the kernel to its penalty, a number, or `no_penalty`; its settings are
its keyword-only parameters. Kernels of convolutions are taken as matrices of one column
a unit. To add a regularizer, write a function in a file of its own and name it in
`models/__init__.py`.

Args:
    strength: Factor of the penalty.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeFloat

from system.errors import UserError

if TYPE_CHECKING:
    import keras

Penalty = Callable[[Any], Any]

POWER_ITERATIONS = 20
"""Steps towards the direction that a kernel stretches most."""


def is_kernel(variable: "keras.Variable") -> bool:
    """Whether a variable is what L2 and weight decay act on by default.

    That is, if it has two or more axes and is not a bias and not the scale or offset of
    a normalization.
    """
    return len(variable.shape) >= 2 and variable.name not in ("bias", "gamma", "beta")


def kernels(model: "keras.Model") -> "dict[str, keras.Variable]":
    """The trainable kernels of a model by name.

    A kernel is named by its layer, `hidden_1`, without the model's name, so that the
    names line up across models.

    Raises:
        UserError: Two have one name.
    """
    found = [variable for variable in model.trainable_variables if is_kernel(variable)]
    named = {
        v.path.removeprefix(f"{model.name}/").removesuffix("/kernel"): v for v in found
    }
    if len(named) < len(found):
        raise UserError(
            f"model {model.name}: expected layers of different names, received "
            f"{', '.join(sorted(v.path for v in found))}"
        )
    return named


def no_penalty(kernel) -> float:
    return 0.0


def l1l2(
    kernel: "keras.Variable", *, l1: NonNegativeFloat = 0.0, l2: NonNegativeFloat = 0.0
) -> Penalty:
    """L1, L2, both, or none: l1 * sum(abs(w)) + l2 * sum(w^2).

    Args:
        l1: Penalty l1 * sum(abs(w)): gradient l1 * sign(w).
        l2: Penalty l2 * sum(w^2): gradient 2 * l2 * w, no factor 1/2.
    """
    import keras

    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else no_penalty


def orthogonal(
    kernel: "keras.Variable", *, strength: NonNegativeFloat = 1e-3
) -> Penalty:
    """Columns of length 1 and at right angles: strength * sum((W'W - I)^2).

    W is the kernel as a matrix; if it has more columns than rows, its transpose (Brock
    et al. 2017; Bansal et al. 2018, "soft orthogonality").
    """
    from keras import ops

    def penalty(w):
        matrix = as_matrix(w)
        rows, columns = matrix.shape
        tall = matrix if rows >= columns else ops.transpose(matrix)
        products = ops.transpose(tall) @ tall
        return strength * ops.sum(ops.square(products - ops.eye(min(rows, columns))))

    return penalty


def spectral_norm(
    kernel: "keras.Variable", *, strength: NonNegativeFloat = 1e-2
) -> Penalty:
    """How far a kernel stretches: strength * s^2, s its largest singular value.

    (Yoshida & Miyato 2017, with strength for half of theirs.) Power iterations, from
    the same direction in each update, find s; a little less where the next singular
    value is near.
    """
    from keras import ops

    def penalty(w):
        matrix = as_matrix(w)
        direction = ops.ones((matrix.shape[1], 1), w.dtype)
        for _ in range(POWER_ITERATIONS):
            direction = ops.transpose(matrix) @ (matrix @ direction)
            direction = direction / (ops.norm(direction) + 1e-12)
        direction = ops.stop_gradient(direction)
        return strength * ops.sum(ops.square(matrix @ direction))

    return penalty


def to_start(kernel: "keras.Variable", *, strength: NonNegativeFloat = 1e-3) -> Penalty:
    """The distance to the initial weights w_0: strength * sum((w - w_0)^2).

    (L2-SP: Li, Grandvalet & Davoine 2018.)
    """
    from keras import ops

    start = kernel.numpy()
    return lambda w: strength * ops.sum(ops.square(w - start))


def as_matrix(kernel):
    """A kernel as a matrix, (inputs, units)."""
    from keras import ops

    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def regularize(
    model: "keras.Model",
    regularizer: Callable[["keras.Variable"], Penalty],
    *,
    biases: bool = False,
) -> None:
    """Give each kernel of a model its penalty.

    The penalties belong to the run: the model is saved without them.

    Args:
        model: Model with its initial weights.
        regularizer: A regularizer, with its settings.
        biases: Whether biases get a penalty too.

    Raises:
        UserError: The regularizer does not return a function to a number, or a layer
            has a penalty of its own on the same weights.
    """
    for variable in model.trainable_variables:
        if is_kernel(variable) or (biases and variable.name == "bias"):
            penalty = regularizer(variable)
            if penalty is no_penalty:
                continue
            refuse_other_values(penalty, variable)
            if variable.regularizer:
                own = f"one, and the model's own on {variable.path}"
                raise UserError("regularizer", "one for each kernel", own)
            variable.regularizer = penalty


def refuse_other_values(penalty: Any, kernel: "keras.Variable") -> None:
    """Refuse what is no function from a kernel to a number."""
    from keras import ops

    received = "one that returns " + repr(penalty)
    if callable(penalty):
        shape = ops.shape(penalty(kernel))
        if not shape:
            return
        received = f"one to an array of shape {shape}"
    expected = "a function that returns a function from a kernel to a number"
    raise UserError("regularizer", expected, received)
