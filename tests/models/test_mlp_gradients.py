"""Back-propagation: Keras, the reference and central differences agree."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import mlp
from system.processes import load_keras
from tests import reference
from tests.penalties import penalized
from training.losses import LOSSES

pytestmark = pytest.mark.usefixtures("float64")

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(9, 3, 2))
LABELS = RANDOM.integers(4, size=9).astype(np.int32)


def build(strengths=None, **settings):
    load_keras(seed=0)
    model = penalized(mlp((3, 2), 4, **settings), **(strengths or {}))
    for bias in model.trainable_variables[1::2]:
        bias.assign(RANDOM.normal(size=bias.shape))
    return model, [v.numpy() for v in model.trainable_variables]


def keras_gradients(model, loss):
    with tf.GradientTape() as tape:
        logits = model(IMAGES, training=True)
        objective = keras.ops.mean(LOSSES[loss]()(tf.constant(LABELS), logits)) + sum(
            model.losses
        )
    return tape.gradient(objective, model.trainable_variables)


@pytest.mark.parametrize("loss", reference.LOSSES)
@pytest.mark.parametrize("activation", reference.ACTIVATIONS)
@pytest.mark.parametrize("hidden_units", [[], [7], [7, 5]], ids=str)
def test_gradients_are_the_chain_rule_and_the_slope(hidden_units, activation, loss):
    model, weights = build(hidden_units=hidden_units, activation=activation)
    settings = {"loss": loss, "activation": activation}
    x = IMAGES.reshape(len(IMAGES), -1)
    check(keras_gradients(model, loss), weights, x, settings)


@pytest.mark.parametrize(
    "strengths",
    [
        {"l1": 0.3},
        {"l2": 0.2},
        {"l1": 0.3, "l2": 0.2, "biases": True},
    ],
    ids=str,
)
def test_gradients_of_penalties_are_their_formulas_and_slopes(strengths):
    model, weights = build(strengths, hidden_units=[5])
    x = IMAGES.reshape(len(IMAGES), -1)
    rounded = {key: reference.float32(value) for key, value in strengths.items()}
    check(keras_gradients(model, "cross_entropy"), weights, x, rounded)


def check(found, weights, x, settings):
    expected = reference.gradients(weights, x, LABELS, **settings)
    slopes = reference.central_differences(
        lambda: reference.objective(weights, x, LABELS, **settings), weights
    )
    for ours, formula, slope in zip(found, expected, slopes, strict=True):
        scale = np.abs(formula).max()
        np.testing.assert_allclose(ours, formula, rtol=1e-10, atol=1e-14 * scale)
        # With h = 1e-5: h^2 by truncation, 1e-16 / h by rounding.
        np.testing.assert_allclose(slope, formula, rtol=0, atol=1e-8 * scale)
