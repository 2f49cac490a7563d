"""The dictionary of docs/theory.md: one test for each row.

Images that are 0 have no say in the first kernel's gradient: what regularization alone
does to weights is seen there, as a factor. Constants are powers of 2, which Keras does
not round, or the tolerance says so.
"""

import numpy as np
import pytest
import tensorflow as tf

from optimizers import prepare
from tests import reference
from tests.optimizers import task
from tests.penalties import penalized
from tests.tiny import chosen, tiny
from training.losses import cross_entropy
from training.program import Program

pytestmark = pytest.mark.usefixtures("float64")

UPDATES = 200
M = 32
"""Training images."""

IMAGES, LABELS = task.images_and_labels(M)
KERNEL = np.linspace(-1, 1, 18).reshape(6, 3)


def updated(
    name, settings, images, updates=UPDATES, kernel=KERNEL, decay=None, **strengths
):
    """The kernel of a softmax regression after updates on all images at once.

    Args:
        name: Of the optimizer.
        settings: Of the optimizer.
        images: Of all updates.
        updates: Their number.
        kernel: To begin with.
        decay: A rule's name and its strength.
        **strengths: Of its penalty.
    """
    model = penalized(tiny((3, 2), 3, hidden_units=[]), **strengths)
    model.trainable_variables[0].assign(kernel)
    rule = chosen("decay", decay[0])(1, 1, strength=decay[1]) if decay else None
    optimizer = prepare(chosen("optimizer", name)(**settings), model, rule)
    program = Program(model, optimizer, cross_entropy(), jit=False)
    batches = tf.tile(tf.range(M)[None], [updates, 1])
    rates = tf.constant(np.full(updates, settings["learning_rate"]))
    data = (tf.constant(images), tf.constant(LABELS), batches, rates)
    key = tf.constant([0, 0], tf.int64)  # Seed and first update, for dropout.
    program.train(*data, tf.constant(0), tf.constant(updates), key)
    return model.trainable_variables[0].numpy()


def factor(name, l2=0.0, decay=None, **settings):
    """What 200 updates without images make of a weight of 1."""
    ones = np.ones_like(KERNEL)
    found = updated(name, settings, IMAGES * 0, kernel=ones, decay=decay, l2=l2)
    assert np.ptp(found) < 1e-12
    return found[0, 0]


def slope(kernel):
    """dJ/dW of the loss alone, J the mean over all images, biases at 0."""
    x = IMAGES.reshape(M, -1)
    return reference.gradients([kernel, np.zeros(3)], x, LABELS)[0]


def test_keras_l2_has_no_factor_one_half():
    model = penalized(tiny((3, 2), 3, hidden_units=[]), l2=0.125)
    kernel = model.trainable_variables[0]
    kernel.assign(KERNEL)
    with tf.GradientTape() as tape:
        penalty = sum(model.losses)
    assert float(penalty) == pytest.approx(0.125 * (KERNEL**2).sum(), rel=1e-14)
    gradient = tape.gradient(penalty, kernel.value)
    np.testing.assert_allclose(gradient, 2 * 0.125 * KERNEL, rtol=1e-14)


def test_half_lambda_is_an_l2_of_half_lambda():
    strength = 0.25
    found = updated("sgd", {"learning_rate": 0.5}, IMAGES, 1, l2=strength / 2)
    expected = KERNEL - 0.5 * (slope(KERNEL) + strength * KERNEL)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ngs_lambda_is_divided_by_twice_the_number_of_training_images():
    strength = 4.0
    found = updated("sgd", {"learning_rate": 0.5}, IMAGES, 1, l2=strength / (2 * M))
    expected = KERNEL - 0.5 * (slope(KERNEL) + strength / M * KERNEL)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ngs_update_is_a_shrink_factor_and_a_step():
    strength, rate = 4.0, 0.5
    shrunk = (1 - rate * strength / M) * KERNEL - rate * slope(KERNEL)
    settings = {"learning_rate": rate}
    as_penalty = updated("sgd", settings, IMAGES, 1, l2=strength / (2 * M))
    np.testing.assert_allclose(as_penalty, shrunk, rtol=1e-12)
    decay = ("decoupled", strength / M)
    as_decay = updated("sgd", settings, IMAGES, 1, decay=decay)
    np.testing.assert_allclose(as_decay, shrunk, rtol=1e-12)


def test_the_papers_lambda_is_pytorchs_times_the_learning_rate():
    rate, strength = 2**-7, 2**-10
    settings = {"learning_rate": rate}
    papers = updated("adam", settings, IMAGES, decay=("independent", strength))
    pytorchs = updated("adam", settings, IMAGES, decay=("decoupled", strength / rate))
    np.testing.assert_array_equal(papers, pytorchs)


def test_l2_is_sgds_weight_decay_of_twice_its_strength_without_momentum():
    settings = {"learning_rate": 0.125}
    decayed = updated("sgd", settings, IMAGES, decay=("decoupled", 2**-5))
    penalized = updated("sgd", settings, IMAGES, l2=2**-6)
    np.testing.assert_allclose(penalized, decayed, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "settings", "l2", "strength", "left"),
    [
        ("sgd", {"learning_rate": 0.1}, 0.005, 0.0, 0.819),
        ("sgd", {"learning_rate": 0.1}, 0.0, 0.01, 0.819),
        ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, 0.005, 0.0, 0.120),
        ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, 0.0, 0.01, 0.819),
        ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, 0.0, 0.1, 0.134),
        ("adam", {"learning_rate": 1e-3}, 0.005, 0.0, 0.808),
        ("adam", {"learning_rate": 1e-3}, 0.5, 0.0, 0.808),
        ("adam", {"learning_rate": 1e-3}, 0.0, 0.01, 0.998),
        ("adam", {"learning_rate": 1e-3}, 0.0, 1.0, 0.819),
    ],
)
def test_what_is_left_of_a_weight_of_1(name, settings, l2, strength, left):
    """The numbers that docs/theory.md prints, to their three digits."""
    found = factor(name, l2, ("decoupled", strength), **settings)
    assert found == pytest.approx(left, abs=5e-4)


def test_l1_pulls_by_one_force_to_near_0_and_l2_by_a_share():
    """And neither ever sets a weight to 0: there is no proximal step."""
    rate, l1, l2 = 0.125, 2**-7, 2**-7
    settings = {"learning_rate": rate}
    found = updated("sgd", settings, IMAGES * 0, l1=l1)
    pulled = UPDATES * rate * l1
    far = np.abs(KERNEL) > pulled
    shrunk = KERNEL - pulled * np.sign(KERNEL)
    np.testing.assert_allclose(found[far], shrunk[far], rtol=1e-12)
    assert (np.abs(found[~far]) <= rate * l1).all()
    assert 0 < far.sum() < far.size
    assert (found != 0).all()
    found = updated("sgd", settings, IMAGES * 0, l2=l2)
    np.testing.assert_allclose(
        found, (1 - 2 * rate * l2) ** UPDATES * KERNEL, rtol=1e-12
    )


def test_the_sub_gradient_of_l1_is_0_at_0():
    zeros = np.zeros_like(KERNEL)
    found = updated("sgd", {"learning_rate": 0.5}, IMAGES * 0, 3, kernel=zeros, l1=0.25)
    np.testing.assert_array_equal(found, zeros)
