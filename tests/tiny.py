"""A network, digits and Adam of the tests' own, which no deletion takes from them.

They are what others are: entries of the dictionaries, from the import of this on.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import MaxLen
from pydantic import PositiveFloat

from data import DATASETS, Arrays
from experiment.config import choose_functions
from models import MODELS
from models.settings import Activation, Rate, Units
from optimizers import OPTIMIZERS

DIGITS = Path(__file__).with_name("digits.npz")
"""MNIST's first 1,000 training and 200 test digits."""

CONFIG = Path(__file__).with_suffix(".toml")
"""A config of all three."""


def digits(*, path: str = str(DIGITS)) -> Arrays:
    """Some of MNIST's digits, or other arrays.

    Args:
        path: File of arrays.
    """
    with np.load(path) as arrays:
        return Arrays(**arrays)


def tiny(
    image_shape,
    num_classes,
    *,
    hidden_units: Annotated[Sequence[Units], MaxLen(63)] = (8,),
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    batch_normalization: bool = False,
    max_norm: PositiveFloat | None = None,
):
    """A dense network with every kind of state.

    Args:
        hidden_units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        dropout: Fraction of the pixels and of the hidden units set to 0.
        batch_normalization: Whether to normalize before each activation.
        max_norm: Longest incoming weight vector of a hidden unit.
    """
    import keras
    from keras import layers

    parts = [keras.Input(image_shape, name="images"), layers.Flatten(name="pixels")]

    def add(kind, *arguments, **named):
        parts.append(kind(*arguments, **named))

    if dropout:
        add(layers.Dropout, dropout, seed=0, name="input_dropout")
    for i, units in enumerate(hidden_units, start=1):
        bound = keras.constraints.MaxNorm(max_norm) if max_norm else None
        add(layers.Dense, units, kernel_constraint=bound, name=f"hidden_{i}")
        if batch_normalization:
            add(layers.BatchNormalization, name=f"normalization_{i}")
        add(layers.Activation, activation, name=f"{activation}_{i}")
        if dropout:
            add(layers.Dropout, dropout, seed=0, name=f"dropout_{i}")
    add(layers.Dense, num_classes, name="logits")
    return keras.Sequential(parts, name="tiny")


def adam(
    *,
    learning_rate: PositiveFloat = 1e-3,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: PositiveFloat = 1e-7,
    amsgrad: bool = False,
):
    """What Keras has, where `optimizers/` has it no more.

    Args:
        learning_rate: Step size.
        beta_1: Decay rate of the mean of the gradients.
        beta_2: Decay rate of the mean of their squares.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether the root is that of the largest mean square so far.
    """
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1, beta_2, epsilon, amsgrad)


def chosen(section: str, name: str) -> Callable:
    """The function that a config chooses by a name; without it, a test is skipped."""
    return choose_functions(section, name)[section][1]


MODELS["tiny"] = tiny
DATASETS["digits"] = digits
OPTIMIZERS.setdefault("adam", adam)
