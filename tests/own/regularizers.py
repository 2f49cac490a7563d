"""Regularizers as users write them."""

from keras import ops
from pydantic import NonNegativeFloat


def group_lasso(kernel, *, strength: NonNegativeFloat = 0.01):
    """The sum of the lengths of the weight vectors that leave each input."""
    return lambda w: strength * ops.sum(ops.sqrt(ops.sum(w**2, axis=-1) + 1e-12))
