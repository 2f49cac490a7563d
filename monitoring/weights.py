"""What is measured of a network's weights: of one kernel, or of several as one.

Several kernels count as one long vector or, for singular values, as the block-diagonal
matrix of them all. A kernel of more than two axes, as of a convolution, counts as the
matrix of its last axis against all others. Where a quantity does not exist, as the
update before the first one, its function returns None.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEAR_ZERO = 1e-3
"""Weights of a smaller absolute value count as near zero."""


@dataclass(frozen=True)
class Kernel:
    """One kernel, and what it is compared with; all of one shape.

    Attributes:
        weights: As they are now.
        initial: Before training.
        previous: Before the last update; None before the first.
        decay: Share of the weights that decay removes in an update: the learning rate
            times the weight decay.
        loss_gradient: Gradient of the loss without penalty; None if not computed.
        penalty_gradient: Gradient of the penalty; None if not computed.
    """

    weights: np.ndarray
    initial: np.ndarray
    previous: np.ndarray | None = None
    decay: float | None = 0.0
    loss_gradient: np.ndarray | None = None
    penalty_gradient: np.ndarray | None = None

    @cached_property
    def square_sum(self) -> float:
        """Sum of w^2."""
        return dot(self.weights, self.weights)

    @cached_property
    def initial_square_sum(self) -> float:
        """The same of the initial weights."""
        return dot(self.initial, self.initial)

    @cached_property
    def previous_square_sum(self) -> float | None:
        """The same of the weights before the last update."""
        return None if self.previous is None else dot(self.previous, self.previous)

    @cached_property
    def dot_with_initial(self) -> float:
        """Sum of w * w_0, where w_0 are the initial weights."""
        return dot(self.weights, self.initial)

    @cached_property
    def squared_distance(self) -> float:
        """Sum of (w - w_0)^2."""
        change = self.weights - self.initial
        return dot(change, change)

    @cached_property
    def update_square_sum(self) -> float | None:
        """Sum of squares of what the last update added, decay included."""
        if self.previous is None:
            return None
        update = self.weights - self.previous
        return dot(update, update)

    @cached_property
    def maximum(self) -> float:
        """Largest |w|."""
        return max(np.max(self.weights), -np.min(self.weights))

    @cached_property
    def largest_singular_value(self) -> float:
        matrix = self.weights.reshape(-1, self.weights.shape[-1])
        if not np.isfinite(matrix).all():
            return np.nan
        return np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1])


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of a * b, in the same order whatever the number of threads."""
    return float(np.einsum("i,i->", a.ravel(), b.ravel()))


def norm(square_sums: Iterable[float | None]) -> float | None:
    """Euclidean norm of parts whose sums of squares are given; None without any."""
    known = [square_sum for square_sum in square_sums if square_sum is not None]
    return np.sqrt(sum(known)) if known else None


def ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or whole is None else part / whole


def frobenius_norm(kernels: Sequence[Kernel]) -> float:
    """sqrt(sum of w^2)."""
    return np.sqrt(sum(kernel.square_sum for kernel in kernels))


def l1_norm(kernels: Sequence[Kernel]) -> float:
    """Sum of |w|."""
    return sum(np.sum(np.abs(kernel.weights)) for kernel in kernels)


def maximum(kernels: Sequence[Kernel]) -> float:
    """Largest |w|."""
    return np.max([kernel.maximum for kernel in kernels])


def near_zero_fraction(kernels: Sequence[Kernel]) -> float:
    """Fraction of weights with |w| < NEAR_ZERO."""
    count = sum(
        int(np.count_nonzero(np.abs(kernel.weights) < NEAR_ZERO)) for kernel in kernels
    )
    return count / sum(kernel.weights.size for kernel in kernels)


def spectral_norm(kernels: Sequence[Kernel]) -> float:
    """The largest singular value."""
    return np.max([kernel.largest_singular_value for kernel in kernels])


def stable_rank(kernels: Sequence[Kernel]) -> float:
    """Sum of the squares of all singular values over that of the largest."""
    return np.square(frobenius_norm(kernels) / spectral_norm(kernels))


def distance_to_start(kernels: Sequence[Kernel]) -> float:
    """Euclidean distance of w to the initial weights."""
    return np.sqrt(sum(kernel.squared_distance for kernel in kernels))


def l1_distance_to_start(kernels: Sequence[Kernel]) -> float:
    """Sum of |w - w_0|, where w_0 are the initial weights."""
    return sum(np.sum(np.abs(kernel.weights - kernel.initial)) for kernel in kernels)


def dot_product_with_start(kernels: Sequence[Kernel]) -> float:
    """Sum of w * w_0, where w_0 are the initial weights."""
    return sum(kernel.dot_with_initial for kernel in kernels)


def cosine_to_start(kernels: Sequence[Kernel]) -> float:
    """Cosine of the angle between w and the initial weights."""
    initial_norm = np.sqrt(sum(kernel.initial_square_sum for kernel in kernels))
    return dot_product_with_start(kernels) / (frobenius_norm(kernels) * initial_norm)


def update_ratio(kernels: Sequence[Kernel]) -> float | None:
    """Norm of the last update, decay included, over that of the weights before it."""
    return ratio(
        norm(kernel.update_square_sum for kernel in kernels),
        norm(kernel.previous_square_sum for kernel in kernels),
    )


def decay_share(kernels: Sequence[Kernel]) -> float | None:
    """Norm of what decay took off in the last update over that of the update."""
    previous = norm(kernel.previous_square_sum for kernel in kernels)
    decay = kernels[0].decay
    decayed = None if previous is None or decay is None else decay * previous
    return ratio(decayed, norm(kernel.update_square_sum for kernel in kernels))


def loss_gradient_norm(kernels: Sequence[Kernel]) -> float | None:
    """Norm of the gradient of the training loss without penalty."""
    return norm_of_gradients(kernel.loss_gradient for kernel in kernels)


def penalty_gradient_norm(kernels: Sequence[Kernel]) -> float | None:
    """Norm of the gradient of the penalty."""
    return norm_of_gradients(kernel.penalty_gradient for kernel in kernels)


def norm_of_gradients(gradients: Iterable[np.ndarray | None]) -> float | None:
    return norm(None if g is None else dot(g, g) for g in gradients)


def root_mean_square(weights: np.ndarray | None) -> float | None:
    """sqrt(mean of w^2); None of no weights."""
    if weights is None or not weights.size:
        return None
    return np.sqrt(np.mean(np.square(weights)))
