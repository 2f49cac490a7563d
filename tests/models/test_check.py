"""Models that cannot be trained, compared or saved; tests/own has more of them."""

import keras
import numpy as np
import pytest

from data import Data, Split
from models.prepare import check_model
from system.errors import UserError

RANDOM = np.random.default_rng(0)
IMAGES = Split(
    RANDOM.integers(256, size=(20, 4, 3)).astype(np.uint8), np.arange(20) % 5
)
DATA = Data(IMAGES, IMAGES, IMAGES, 5, IMAGES.labels, "01234")


class OwnStep(keras.Model):
    """Is trained in a way of its own."""

    def train_step(self, data):
        return {}


class Scaled(keras.layers.Layer):
    """Does not tell its argument to whom saves it."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, x):
        return x * self.scale


def functional(*layers, kind=keras.Model, dtype="float32"):
    images = x = keras.Input((4, 3), dtype=dtype)
    for layer in (keras.layers.Flatten(), *layers):
        x = layer(x)
    return kind(images, x, name="mine")


def logits(**settings):
    return keras.layers.Dense(5, **settings)


REFUSED = {
    "no model": (lambda: "mlp", "returns a keras.Model, received one that returns str"),
    "softmax": (
        lambda: functional(logits(activation="softmax")),
        "expected logits, received probabilities",
    ),
    "other outputs": (
        lambda: functional(keras.layers.Dense(7)),
        r"expected 5 outputs for each image, received an output of shape \(7,\)",
    ),
    "train_step": (
        lambda: functional(logits(), kind=OwnStep),
        "expected no train_step of its own",
    ),
    "integers": (
        lambda: functional(keras.layers.Embedding(256, 2), dtype="int32"),
        "expected an Input of floats, .* received one of int32",
    ),
    "no get_config": (
        lambda: functional(Scaled(np.ones(12, "f")), logits()),
        "expected a get_config in each class",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_cannot_be_right_is_refused_in_one_line(name):
    make, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as refusal:
        check_model(make(), DATA)
    assert "\n" not in str(refusal.value)


def test_sums_near_one_that_are_no_probabilities_pass():
    """Negative numbers, whatever they add up to, are logits."""
    model = functional(logits(kernel_initializer="zeros"))
    model.layers[-1].bias.assign([1.5, -0.5, 0.0, 0.0, 0.0])
    assert check_model(model, DATA) is model


def test_a_sequential_without_an_input_is_built():
    model = keras.Sequential([keras.layers.Flatten(), logits()])
    assert check_model(model, DATA).built
