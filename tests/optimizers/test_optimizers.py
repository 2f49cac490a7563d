"""One update of every optimizer against its formula, in float64."""

import keras
import numpy as np
import pytest

from models import kernels
from optimizers import OPTIMIZERS, adam, adamw, adamw_independent, prepare, sgd

RATE, DECAY = 0.01, 0.25  # Keras rounds a plain weight decay to float32: 0.25 is exact


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def model():
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, bias_initializer="ones", name="hidden"),
            keras.layers.BatchNormalization(name="normalization"),
            keras.layers.Dense(2, bias_initializer="ones", name="logits"),
        ]
    )


def values(model):
    return [v.numpy() for v in model.trainable_variables]


def gradients(model, step=0):
    random = np.random.default_rng(step)
    return [random.normal(size=v.shape) for v in model.trainable_variables]


def adam_direction(g):
    """Adam's first direction; Keras takes the powers of betas rounded to float32."""
    power_1, power_2 = (float(np.float32(beta)) for beta in (0.9, 0.999))
    m, v = (1 - 0.9) * g, (1 - 0.999) * g**2
    return m / (1 - power_1) * np.sqrt(1 - power_2) / (np.sqrt(v) + 1e-7)


FORMULAS = {
    "sgd": (
        lambda: sgd(learning_rate=RATE),
        lambda w, g, d: w - RATE * g,
    ),
    "sgd with decay": (
        lambda: sgd(learning_rate=RATE, weight_decay=DECAY),
        lambda w, g, d: (1 - RATE * DECAY * d) * w - RATE * g,
    ),
    "adam": (
        lambda: adam(learning_rate=RATE),
        lambda w, g, d: w - RATE * adam_direction(g),
    ),
    "adamw": (
        lambda: adamw(learning_rate=RATE, weight_decay=DECAY),
        lambda w, g, d: (1 - RATE * DECAY * d) * w - RATE * adam_direction(g),
    ),
    "adamw_independent": (
        lambda: adamw_independent(learning_rate=RATE, weight_decay=DECAY),
        lambda w, g, d: (1 - DECAY * d) * w - RATE * adam_direction(g),
    ),
}


@pytest.mark.parametrize("decay_biases", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_first_update_is_the_formula(model, name, decay_biases):
    make, formula = FORMULAS[name]
    optimizer = prepare(make(), model, decay_biases=decay_biases)
    decayed = {id(kernel) for kernel in kernels(model).values()}
    before, step = values(model), gradients(model)
    optimizer.apply(step, model.trainable_variables)
    for variable, w, g in zip(model.trainable_variables, before, step, strict=True):
        d = decay_biases or id(variable) in decayed
        np.testing.assert_allclose(variable, formula(w, g, d), rtol=1e-12)


def test_momentum_and_nesterov_are_their_formulas(model):
    for nesterov in (False, True):
        optimizer = sgd(learning_rate=RATE, momentum=0.9, nesterov=nesterov)
        prepare(optimizer, model)
        w, v = values(model)[0], 0
        for step in range(3):
            g = gradients(model, step)
            optimizer.apply(g, model.trainable_variables)
            v = 0.9 * v - RATE * g[0]
            w = w + (0.9 * v - RATE * g[0] if nesterov else v)
        np.testing.assert_allclose(model.trainable_variables[0], w, rtol=1e-6)


def test_decay_never_enters_the_velocity(model):
    """Two updates without gradient: SGDW shrinks by its factor twice, and no more."""
    optimizer = prepare(
        sgd(learning_rate=RATE, momentum=0.9, weight_decay=DECAY), model
    )
    before = values(model)[0]
    for _ in range(2):
        optimizer.apply([g * 0 for g in gradients(model)], model.trainable_variables)
    expected = (1 - RATE * DECAY) ** 2 * before
    np.testing.assert_allclose(model.trainable_variables[0], expected, rtol=1e-6)


def test_independent_decay_ignores_the_peak_rate_and_follows_the_schedule(model):
    for rate, multiplier in [(1e-3, 1.0), (1e-2, 1.0), (1e-2, 0.5)]:
        optimizer = prepare(
            adamw_independent(learning_rate=rate, weight_decay=DECAY), model
        )
        optimizer.learning_rate = rate * multiplier
        before = values(model)[0]
        optimizer.apply([g * 0 for g in gradients(model)], model.trainable_variables)
        ratio = model.trainable_variables[0].numpy() / before
        np.testing.assert_allclose(ratio, 1 - multiplier * DECAY, rtol=1e-6)


def test_amsgrad_keeps_the_largest_mean_square(model):
    steps = {}
    for amsgrad in (False, True):
        optimizer = prepare(adamw(beta_2=0.1, amsgrad=amsgrad), model)
        for scale in (100.0, 0.01, 0.01):
            before = values(model)[0]
            scaled = [scale * g for g in gradients(model)]
            optimizer.apply(scaled, model.trainable_variables)
        steps[amsgrad] = np.abs(values(model)[0] - before).mean()
    assert steps[True] < steps[False] / 2


def test_clipping_bounds_the_gradient_over_all_variables_and_not_the_decay(model):
    optimizer = prepare(
        sgd(learning_rate=RATE, weight_decay=DECAY), model, global_clipnorm=0.5
    )
    before, step = values(model), gradients(model)
    norm = np.sqrt(sum((g**2).sum() for g in step))
    assert norm > 0.5
    optimizer.apply(step, model.trainable_variables)
    expected = (1 - RATE * DECAY) * before[0] - RATE * step[0] * 0.5 / norm
    np.testing.assert_allclose(model.trainable_variables[0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_exists_before_the_first_update(model, name):
    optimizer = prepare(OPTIMIZERS[name](), model)
    assert optimizer.built
    assert len(optimizer.variables) >= 2
