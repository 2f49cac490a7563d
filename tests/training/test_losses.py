"""Losses are Keras' own where it has them, and their gradients are slopes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from system.errors import UserError
from tests.tiny import chosen
from training.losses import cross_entropy

pytestmark = pytest.mark.usefixtures("float64")

RANDOM = np.random.default_rng(0)
LABELS = tf.constant(RANDOM.integers(4, size=9).astype(np.int32))
LOGITS = RANDOM.normal(size=(9, 4), scale=2)
ONE_HOT = np.eye(4)[LABELS]
NUMBERS = tf.constant(RANDOM.normal(size=9, scale=3))
PREDICTIONS = RANDOM.normal(size=(9, 1), scale=3)
WEIGHTS = [0.5, 1.0, 2.0, 0.0]

CASES = {
    "cross_entropy": keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, dtype="float64"
    ),
    "cross_entropy smoothed": keras.losses.CategoricalCrossentropy(
        from_logits=True, dtype="float64", label_smoothing=0.1
    ),
    "focal": keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=2, from_logits=True, dtype="float64"
    ),
    "mean_squared_error": keras.losses.MeanSquaredError(dtype="float64"),
    "huber": keras.losses.Huber(0.5, dtype="float64"),
}
"""What Keras has of them."""

SETTINGS = {"smoothed": {"label_smoothing": 0.1}, "huber": {"delta": 0.5}}


def make(case, **settings):
    name, *how = case.split()
    settings = settings or SETTINGS.get("".join(how) or name, {})
    return chosen("loss", name)(**settings)


@pytest.mark.parametrize("name", CASES)
def test_losses_of_classes_are_those_of_keras(name):
    ours, theirs = make(name), CASES[name]
    targets = LABELS if name == "cross_entropy" else ONE_HOT
    found = ours(LABELS, tf.constant(LOGITS))
    assert found.shape == (9,)
    expected = float(theirs(targets, LOGITS))
    assert float(tf.reduce_mean(found)) == pytest.approx(expected, rel=1e-12)


def test_weights_of_classes_are_those_of_images_in_keras():
    theirs = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, dtype="float64"
    )
    expected = float(theirs(LABELS, LOGITS, sample_weight=np.take(WEIGHTS, LABELS)))
    found = cross_entropy(class_weights=WEIGHTS)(LABELS, tf.constant(LOGITS))
    assert float(tf.reduce_mean(found)) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(
        UserError, match="^loss.class_weights: expected 4 .* received 3"
    ):
        cross_entropy(class_weights=WEIGHTS[:3])(LABELS, tf.constant(LOGITS))


@pytest.mark.parametrize("name", ["mean_squared_error", "huber"])
def test_losses_of_numbers_are_those_of_keras(name):
    ours, theirs = make(name), CASES[name]
    expected = float(theirs(NUMBERS[:, None], PREDICTIONS))
    found = ours(NUMBERS, tf.constant(PREDICTIONS))
    assert float(tf.reduce_mean(found)) == pytest.approx(expected, rel=1e-12)


GRADIENTS = [
    *((name, {}, LABELS, LOGITS) for name in CASES),
    ("cross_entropy", {"class_weights": WEIGHTS}, LABELS, LOGITS),
    ("focal", {"gamma": 0.5}, LABELS, LOGITS),
    ("mean_squared_error", {}, NUMBERS, PREDICTIONS),
    ("huber", {"delta": 0.5}, NUMBERS, PREDICTIONS),
]


@pytest.mark.parametrize(("name", "settings", "labels", "outputs"), GRADIENTS)
def test_gradients_are_slopes(name, settings, labels, outputs):
    loss = make(name, **settings)

    def value(x):
        return float(tf.reduce_sum(loss(labels, tf.constant(x))))

    x = tf.Variable(outputs)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(labels, x))
    for place, slope in np.ndenumerate(tape.gradient(total, x).numpy()):
        step = np.zeros_like(outputs)
        step[place] = 1e-5
        measured = (value(outputs + step) - value(outputs - step)) / 2e-5
        # Truncation is in the order of 1e-10, rounding of 1e-16 / 1e-5.
        assert slope == pytest.approx(measured, abs=1e-8)


def test_the_slope_of_a_focal_loss_is_finite_where_an_image_is_certain():
    x = tf.Variable([[1000.0, 0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        value = make("focal", gamma=0.5)(tf.constant([0]), x)
    assert float(value[0]) == 0.0
    assert np.isfinite(tape.gradient(value, x)).all()
