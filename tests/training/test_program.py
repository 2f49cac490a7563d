"""The compiled calls against the same arithmetic done step by step."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from data import Split
from optimizers import prepare
from optimizers.decay import Decoupled
from system.processes import load_keras
from tests import reference
from tests.penalties import penalized
from tests.tiny import tiny
from training.losses import LOSSES, cross_entropy
from training.program import Program

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((70, 4, 3))
LABELS = RANDOM.integers(5, size=70).astype(np.int32)
BATCHES = RANDOM.integers(70, size=(6, 8)).astype(np.int32)
RATES = np.linspace(1e-2, 1e-3, 6)


def build(seed=0, strength=0.5, penalty=None, **settings):
    load_keras(seed)
    model = penalized(tiny((4, 3), 5, hidden_units=[7], **settings), **(penalty or {}))
    decay = Decoupled(1, 1, strength=strength)
    return model, prepare(keras.optimizers.Adam(), model, decay)


def train(model, optimizer, loss="cross_entropy", jit=True, calls=((0, 6),), seed=0):
    program = Program(model, optimizer, LOSSES[loss](), jit)
    return run(program, calls, seed), program.train


def run(program, calls=((0, 6),), seed=0):
    dtype = program.model.dtype
    fixed = (tf.constant(IMAGES, dtype), tf.constant(LABELS), tf.constant(BATCHES))
    for first, last in calls:
        rates = tf.constant(RATES, dtype)
        program.train(
            *fixed,
            rates,
            tf.constant(first),
            tf.constant(last),
            tf.constant([seed, 0], tf.int64),
        )
    return [v.numpy() for v in program.model.trainable_variables]


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_updates_are_backpropagation_and_adamw(float64, loss, jit):
    model, optimizer = build(penalty={"l2": 2**-7})
    batches = [(IMAGES[batch].reshape(8, -1), LABELS[batch]) for batch in BATCHES]
    weights = [v.numpy() for v in model.trainable_variables]
    steps = [reference.adam] * len(weights)
    rule = partial(reference.decoupled, strength=0.5)
    rules = [rule if w.ndim > 1 else reference.none for w in weights]
    *_, expected = reference.train(
        weights, batches, RATES, steps, rules, loss=loss, l2=2**-7
    )
    trained, _ = train(model, optimizer, loss, jit)
    for ours, theirs in zip(trained, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_one_compilation_serves_every_cut():
    model, optimizer = build(penalty={"l1": 0.01, "l2": 0.02}, dropout=0.5)
    whole, updates = train(model, optimizer)
    assert updates.experimental_get_tracing_count() == 1
    model, optimizer = build(penalty={"l1": 0.01, "l2": 0.02}, dropout=0.5)
    cut, updates = train(model, optimizer, calls=((0, 0), (0, 1), (1, 4), (4, 6)))
    assert updates.experimental_get_tracing_count() == 1
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_program_serves_another_seed_as_if_it_were_compiled_for_it():
    """The first run leaves no trace: not in the weights, not in the optimizer."""
    settings = {"penalty": {"l1": 0.01}, "dropout": 0.3, "batch_normalization": True}
    alone, _ = train(*build(seed=1, **settings), seed=1)
    program = Program(*build(seed=0, **settings), cross_entropy(), True)
    first = run(program)
    program.restart(Program(*build(seed=1, **settings), cross_entropy(), True))
    assert float(program.optimizer.iterations) == 0
    second = run(program, seed=1)
    for a, b, c in zip(alone, second, first, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(b, c)
    assert program.train.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("jit", [True, False])
def test_bytes_are_seen_as_floats_bit_for_bit(jit):
    levels = RANDOM.integers(256, size=(70, 4, 3)).astype(np.uint8)
    pixels = Split(levels, LABELS), Split(levels.astype(np.float32) / 255, LABELS)
    found = []
    for split in pixels:
        model, optimizer = build()
        program = Program(model, optimizer, cross_entropy(), jit)
        data = tf.constant(split.pixels), tf.constant(split.labels)
        program.train(
            *data,
            tf.constant(BATCHES),
            tf.constant(RATES, tf.float32),
            tf.constant(0),
            tf.constant(6),
            tf.constant([0, 0], tf.int64),
        )
        gradients, _ = program.gradients(*data)
        weights = [v.numpy() for v in model.trainable_variables]
        evaluation = [*program.evaluate(*data)[0].values()]
        found.append([*weights, *gradients, evaluation])
    for of_bytes, of_floats in zip(*found, strict=True):
        np.testing.assert_array_equal(of_bytes, of_floats)


@pytest.mark.parametrize("count", [1, 999, 1000, 2300])
@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_evaluation_is_over_all_images(count, loss):
    model, _ = build()
    random = np.random.default_rng(count)
    images = random.random((count, 4, 3), np.float32)
    labels = random.integers(5, size=count).astype(np.int32)
    w1, b1, w2, b2 = (v.numpy().astype(float) for v in model.trainable_variables)
    logits = np.maximum(images.reshape(count, -1) @ w1 + b1, 0) @ w2 + b2
    shares = reference.softmax(logits)
    own = -np.log(shares[np.arange(count), labels]).mean()
    confidence, right = shares.max(axis=1), logits.argmax(axis=1) == labels
    # Bins of width 1/15, closed above (Guo et al. 2017, section 2).
    bins = np.ceil(15 * confidence)
    errors = [abs((confidence - right)[bins == i].sum()) for i in range(1, 16)]
    squared = ((logits - np.eye(5)[labels]) ** 2).mean()
    expected = {
        "cross_entropy": own,
        "accuracy": right.mean(),
        "calibration_error": sum(errors) / count,
        "loss": squared if loss == "mean_squared_error" else own,
        "logit_scale": logits.std(axis=1).mean(),
    }
    program = Program(*build(), LOSSES[loss](), True)
    evaluation, _ = program.evaluate(tf.constant(images), tf.constant(labels))
    # The network computes in float32.
    assert evaluation == pytest.approx(expected, rel=1e-5)


def test_evaluation_is_without_dropout_and_changes_nothing():
    model, optimizer = build(dropout=0.5, batch_normalization=True)
    evaluate = Program(model, optimizer, cross_entropy(), True).evaluate
    arguments = tf.constant(IMAGES, tf.float32), tf.constant(LABELS)
    before = [v.numpy() for v in model.variables]
    (first, outputs), (second, others) = (evaluate(*arguments) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(outputs, others)
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_penalty_is_the_sum_over_all_regularized_weights():
    model, optimizer = build(penalty={"l1": 0.1, "l2": 0.2, "biases": True})
    weights = [v.numpy().astype(float) for v in model.trainable_variables]
    expected = sum(0.1 * np.abs(w).sum() + 0.2 * (w**2).sum() for w in weights)
    assert float(
        Program(model, optimizer, cross_entropy(), True).penalty()
    ) == pytest.approx(expected, rel=1e-6)
    assert float(Program(*build(), cross_entropy(), True).penalty()) == 0.0
