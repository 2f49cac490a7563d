"""Penalties are their formulas, and their gradients the slopes, in float64."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import REGULARIZERS, kernels
from models.regularizers import l1l2, regularize
from system.errors import UserError
from tests import reference
from tests.penalties import penalized
from tests.tiny import chosen, tiny

pytestmark = pytest.mark.usefixtures("float64")

RANDOM = np.random.default_rng(0)
SETTINGS = {
    "l1l2": {"l1": 0.25, "l2": 0.5},
    "orthogonal": {"strength": 0.3},
    "spectral_norm": {"strength": 0.3},
    "to_start": {"strength": 0.3},
}
SHAPES = [(7, 4), (4, 7), (3, 2, 2, 5)]
"""Kernels of dense layers, tall and wide, and of a convolution."""


def formula(name, kernel, start):
    """The penalty without Keras."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    smaller = matrix.T if matrix.shape[0] < matrix.shape[1] else matrix
    return {
        "l1l2": 0.25 * np.abs(kernel).sum() + 0.5 * (kernel**2).sum(),
        "orthogonal": 0.3
        * ((smaller.T @ smaller - np.eye(smaller.shape[1])) ** 2).sum(),
        "spectral_norm": 0.3 * np.linalg.svd(matrix, compute_uv=False)[0] ** 2,
        "to_start": 0.3 * ((kernel - start) ** 2).sum(),
    }[name]


def draw(shape):
    """A kernel whose largest singular value is well above the others."""
    matrix = RANDOM.normal(size=(int(np.prod(shape[:-1])), shape[-1]))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return (left @ np.diag(values * [3, *[1] * (len(values) - 1)]) @ right).reshape(
        shape
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", REGULARIZERS)
def test_a_penalty_is_its_formula_and_its_gradient_the_slope(name, shape):
    start, kernel = draw(shape), draw(shape)
    variable = keras.Variable(start)
    penalty = REGULARIZERS[name](variable, **SETTINGS[name])
    variable.assign(kernel)
    with tf.GradientTape() as tape:
        found = penalty(variable)
    gradient = tape.gradient(found, variable.value).numpy()
    # Keras rounds the strengths of L1L2 to float32: these are powers of 2.
    assert float(found) == pytest.approx(formula(name, kernel, start), rel=1e-12)
    (slope,) = reference.central_differences(
        lambda: formula(name, kernel, start), [kernel]
    )
    np.testing.assert_allclose(gradient, slope, atol=1e-7 * np.abs(slope).max())


@pytest.mark.parametrize("name", REGULARIZERS)
def test_kernels_alone_have_a_penalty(name):
    convolutions = keras.Sequential(
        [
            keras.Input((9, 7, 1)),
            keras.layers.Conv2D(4, 3, name="convolution"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, name="logits"),
        ]
    )
    for model in (tiny((4, 3), 5, hidden_units=[7]), convolutions):
        regularize(model, partial(REGULARIZERS[name], **SETTINGS[name]))
        having = {v.path for v in model.variables if v.regularizer}
        assert having == {v.path for v in kernels(model).values()}
        assert len(model.losses) == len(having)


def test_biases_are_penalized_on_request():
    model = penalized(tiny((4, 3), 5, hidden_units=[7]), l2=0.125, biases=True)
    for v in model.trainable_variables:
        v.assign(np.ones(v.shape))
    assert float(sum(model.losses)) == 0.125 * (12 * 7 + 7 * 5 + 7 + 5)


def test_without_a_strength_there_is_no_penalty():
    assert penalized(tiny((4, 3), 5)).losses == []


def test_the_start_is_where_the_run_began():
    model = tiny((4, 3), 5, hidden_units=[])
    regularize(model, partial(chosen("regularizer", "to_start"), strength=1.0))
    assert float(sum(model.losses)) == 0
    kernel = model.trainable_variables[0]
    kernel.assign(kernel + 0.5)
    assert float(sum(model.losses)) == pytest.approx(0.25 * 12 * 5, rel=1e-12)


def test_a_second_penalty_on_the_same_weights_is_refused():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, kernel_regularizer="l2", name="mine")]
    )
    regularize(model, l1l2)
    assert len(model.losses) == 1
    with pytest.raises(UserError, match="one, and the model's own on .*mine/kernel"):
        regularize(model, partial(l1l2, l1=0.1))


def test_a_model_is_saved_without_the_penalty_of_its_run(tmp_path):
    model = tiny((4, 3), 5, hidden_units=[7])
    regularize(model, partial(l1l2, l2=0.1))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert model.losses != []
    assert loaded.losses == []


@pytest.mark.parametrize(
    ("regularizer", "received"),
    [
        (lambda kernel: None, "one that returns None"),
        (lambda kernel: 0.5, "one that returns 0.5"),
        (lambda kernel: lambda w: w**2, r"one to an array of shape \(3, 2\)"),
    ],
)
def test_what_is_no_penalty_is_refused(regularizer, received):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(UserError, match=f"regularizer: .* received {received}$"):
        regularize(model, regularizer)
