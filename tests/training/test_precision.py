"""Layers that compute in half precision, as Keras has them: `training.precision`."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from optimizers import prepare
from optimizers.decay import Decoupled
from system.processes import load_keras
from tests.penalties import penalized
from tests.tiny import tiny
from tests.training.test_program import BATCHES, IMAGES, LABELS
from tests.training.test_program import run as update
from training.losses import cross_entropy
from training.program import Program

EVERYTHING = (
    "model.dropout=0.3",
    "model.batch_normalization=true",
    "regularizer.l2=1e-3",
    "decay.name=decoupled",
    "decay.strength=0.5",
    "optimizer.global_clipnorm=0.5",
    "optimizer.ema_momentum=0.9",
    "early_stopping.patience=9",
    "training.precision=mixed_float16",
)


def build(precision, **settings):
    load_keras(0, precision=precision)
    model = penalized(tiny((4, 3), 5, hidden_units=[7]), l2=2**-7)
    decay = Decoupled(1, 1, strength=0.5)
    return model, prepare(keras.optimizers.Adam(), model, decay, **settings)


@pytest.mark.parametrize("factor", [1.0, 1e3])
def test_updates_are_those_of_keras_whose_scale_of_the_loss_falls(factor):
    """Under the larger factor the first gradients are beyond what float16 holds."""
    images = IMAGES * factor
    model, optimizer = build("mixed_float16")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    for batch in BATCHES:
        model.train_on_batch(images[batch], LABELS[batch])
    theirs = model.optimizer
    assert isinstance(theirs, keras.optimizers.LossScaleOptimizer)

    again, optimizer = build("mixed_float16")
    program = Program(again, optimizer, cross_entropy(), jit=False)
    program.train(
        tf.constant(images, tf.float32),
        tf.constant(LABELS),
        tf.constant(BATCHES),
        tf.fill([6], 1e-3),
        tf.constant(0),
        tf.constant(6),
        tf.constant([0, 0], tf.int64),
    )
    skipped = 6 - int(optimizer.iterations)
    assert skipped == 6 - int(theirs.iterations)
    assert (skipped > 0) == (factor > 1)
    scales = [float(v) for v in program.variables if v.name == "dynamic_scale"]
    assert scales == [2.0 ** (15 - skipped)] == [float(theirs.dynamic_scale)]
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_gradients_that_are_shown_are_not_scaled_and_do_not_vanish():
    """What comes back through a kernel of 1e-5 is less than float16 tells from 0."""
    found = []
    for precision in ("float32", "mixed_float16"):
        program = Program(*build(precision), cross_entropy(), jit=False)
        program.model.layers[-1].kernel.assign(1e-5 * program.model.layers[-1].kernel)
        images = tf.constant(IMAGES, tf.float32)
        (gradient, _), _ = program.gradients(images, tf.constant(LABELS))
        found.append(gradient.numpy())
    exact, half = found
    assert np.abs(exact).max() < 2e-6
    np.testing.assert_allclose(half, exact, atol=0.02 * np.abs(exact).max())


def test_another_run_of_the_program_begins_with_its_own_scale():
    ends = []
    program, other = (
        Program(*build("mixed_float16"), cross_entropy(), jit=True) for _ in range(2)
    )
    for _ in range(2):
        program.restart(other)
        ends.append([*update(program), *(v.numpy() for v in program.variables)])
    np.testing.assert_equal(*ends)


def test_a_run_in_half_precision_is_kept_in_float32_and_resumed_bit_for_bit(run):
    result, whole = run(*EVERYTHING, directory="whole")
    asked = itertools.chain([False], itertools.repeat(True))
    run(*EVERYTHING, directory="parts", should_stop=lambda: next(asked))
    run(*EVERYTHING, directory="parts", resume=True)
    parts = whole.with_name("parts")
    models = [keras.models.load_model(p / "model.keras") for p in (whole, parts)]
    for a, b in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_array_equal(a, b)
    assert models[0].get_layer("hidden_1").compute_dtype == "float16"
    weights = models[0].trainable_variables
    assert {weight.dtype for weight in weights} == {"float32"}
    squares = [(w.numpy().astype(float) ** 2).sum() for w in weights if w.ndim > 1]
    assert result["final"]["penalty"] == pytest.approx(1e-3 * sum(squares), rel=1e-6)


def test_precision_is_what_a_run_is_known_by_and_ends_with_it(run):
    for precision in ("mixed_bfloat16", "float32"):
        _, path = run("training.epochs=1", f"training.precision={precision}")
    found = [
        keras.models.load_model(directory / "model.keras").layers[-1].compute_dtype
        for directory in (path.with_name("run.1"), path)
    ]
    assert found == ["bfloat16", "float32"]
