"""Penalties as the tests give them to a model."""

from functools import partial

from models.regularizers import l1l2, regularize


def penalized(model, l1=0.0, l2=0.0, biases=False):
    """The model, with penalties on its kernels."""
    regularize(model, partial(l1l2, l1=l1, l2=l2), biases=biases)
    return model
