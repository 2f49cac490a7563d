"""The compiled calls against the same arithmetic done step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import mlp
from optimizers import adamw, prepare
from training.backend import load_keras
from training.compiled import compile_evaluation, compile_penalty, compile_updates
from training.losses import LOSSES
from training.twin import KeyedDropout, training_twin

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((70, 4, 3))
LABELS = RANDOM.integers(5, size=70).astype(np.int32)
BATCHES = RANDOM.integers(70, size=(6, 8)).astype(np.int32)
RATES = np.linspace(1e-2, 1e-3, 6)


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def build(seed=0, weight_decay=0.5, **settings):
    load_keras(seed)
    model = mlp((4, 3), 5, hidden_units=[7], **settings)
    return model, prepare(adamw(weight_decay=weight_decay), model)


def train(model, optimizer, loss="cross_entropy", jit=True, calls=((0, 6),), seed=0):
    updates = compile_updates(model, optimizer, LOSSES[loss], seed, jit)
    dtype = model.dtype
    fixed = (tf.constant(IMAGES, dtype), tf.constant(LABELS), tf.constant(BATCHES))
    for first, last in calls:
        rates = tf.constant(RATES, dtype)
        updates(*fixed, rates, tf.constant(first), tf.constant(last))
    return [v.numpy() for v in model.trainable_variables], updates


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def back_propagate(weights, images, labels, loss, l2):
    """Gradients of one hidden ReLU layer by the chain rule, penalty included."""
    w1, b1, w2, b2 = weights
    x = images.reshape(len(images), -1)
    hidden = np.maximum(x @ w1 + b1, 0)
    logits, one_hot = hidden @ w2 + b2, np.eye(5)[labels]
    if loss == "cross_entropy":
        d = (softmax(logits) - one_hot) / len(x)
    else:
        d = 2 * (logits - one_hot) / logits.size
    back = d @ w2.T * (hidden > 0)
    return [
        x.T @ back + 2 * l2 * w1,
        back.sum(axis=0),
        hidden.T @ d + 2 * l2 * w2,
        d.sum(axis=0),
    ]


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_updates_are_backpropagation_and_adamw(float64, loss, jit):
    model, optimizer = build(l2=2**-7)
    weights = [v.numpy() for v in model.trainable_variables]
    powers = [float(np.float32(beta)) for beta in (0.9, 0.999)]  # as Keras has them
    m, v = [0 * w for w in weights], [0 * w for w in weights]
    for t, (batch, rate) in enumerate(zip(BATCHES, RATES, strict=True), start=1):
        steps = back_propagate(weights, IMAGES[batch], LABELS[batch], loss, 2**-7)
        for i, g in enumerate(steps):
            m[i] = 0.9 * m[i] + (1 - 0.9) * g
            v[i] = 0.999 * v[i] + (1 - 0.999) * g**2
            u = m[i] / (1 - powers[0] ** t) * np.sqrt(1 - powers[1] ** t)
            decay = 0.5 if weights[i].ndim == 2 else 0
            weights[i] = weights[i] * (1 - rate * decay) - rate * u / (
                np.sqrt(v[i]) + 1e-7
            )
    trained, _ = train(model, optimizer, loss, jit)
    for ours, theirs in zip(trained, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_one_compilation_serves_every_cut_and_every_strength():
    model, optimizer = build(l1=0.01, l2=0.02, dropout=0.5)
    whole, updates = train(model, optimizer)
    assert updates.experimental_get_tracing_count() == 1
    model, optimizer = build(l1=0.01, l2=0.02, dropout=0.5)
    cut, updates = train(model, optimizer, calls=((0, 0), (0, 1), (1, 4), (4, 6)))
    assert updates.experimental_get_tracing_count() == 1
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)


def test_strengths_can_be_changed_after_compilation():
    strong, _ = train(*build(l2=0.3, weight_decay=0.7))
    model, optimizer = build(l2=0.1, weight_decay=0.2)
    updates = compile_updates(model, optimizer, LOSSES["cross_entropy"], 0, True)
    arguments = [tf.constant(IMAGES, tf.float32), tf.constant(LABELS)]
    arguments += [tf.constant(BATCHES), tf.constant(RATES, tf.float32)]
    updates(*arguments, tf.constant(0), tf.constant(0))
    for kernel in model.trainable_variables[::2]:
        kernel.regularizer.l2.assign(0.3)
    optimizer.weight_decay.assign(0.7)
    updates(*arguments, tf.constant(0), tf.constant(6))
    assert updates.experimental_get_tracing_count() == 1
    for a, b in zip(strong, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_dropout_makes_a_twin_and_it_shares_all_weights():
    plain, optimizer = build(l2=0.1)
    assert training_twin(plain, 0, optimizer.iterations, True) is plain
    dropped, optimizer = build(dropout=0.5, input_dropout=0.2, batch_normalization=True)
    twin = training_twin(dropped, 0, optimizer.iterations, True)
    shared = {id(v) for v in twin.variables}
    assert {id(v) for v in dropped.weights} <= shared
    assert sum(isinstance(layer, KeyedDropout) for layer in twin.layers) == 2
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in dropped.layers) == 2


GENERATORS = pytest.mark.parametrize("jit", [True, False], ids=["threefry", "philox"])


def keyed_dropout(rate, seed=0, index=0, update=0, jit=True):
    dropout = keras.layers.Dropout(rate, name="dropout")
    iterations = keras.Variable(update, dtype="int64", trainable=False)
    generator = "threefry" if jit else "philox"
    layer = KeyedDropout(dropout, seed, index, iterations, generator)
    return tf.function(layer, jit_compile=jit)


@GENERATORS
def test_dropout_zeroes_its_rate_and_keeps_the_mean(jit):
    layer = keyed_dropout(0.3, jit=jit)
    ones = tf.ones((200, 500))
    dropped = layer(ones, training=True).numpy()
    # 100,000 draws: a standard deviation of .0014 for the rate
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.006)
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.7, rtol=1e-6)
    np.testing.assert_array_equal(layer(ones, training=False), ones)


@GENERATORS
def test_masks_depend_on_seed_update_and_layer_alone(jit):
    def mask(**key):
        layer = keyed_dropout(0.5, jit=jit, **key)
        return layer(tf.ones((20, 20)), training=True).numpy().tobytes()

    assert mask() == mask()
    assert len({mask(), mask(seed=1), mask(index=1), mask(update=1)}) == 4
    assert mask(seed=2**32 - 1) != mask()


@pytest.mark.parametrize("count", [1, 999, 1000, 2300])
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluation_is_the_mean_over_all_images(count, loss):
    model, _ = build()
    random = np.random.default_rng(count)
    images = random.random((count, 4, 3), np.float32)
    labels = random.integers(5, size=count).astype(np.int32)
    w1, b1, w2, b2 = (v.numpy().astype(float) for v in model.trainable_variables)
    logits = np.maximum(images.reshape(count, -1) @ w1 + b1, 0) @ w2 + b2
    own = softmax(logits)[np.arange(count), labels]
    squared = ((logits - np.eye(5)[labels]) ** 2).mean()
    expected = [-np.log(own).mean(), (logits.argmax(1) == labels).mean()]
    expected += [squared if loss == "mean_squared_error" else expected[0]]
    evaluation = compile_evaluation(model, LOSSES[loss], jit_compile=True)
    # The network computes in float32.
    np.testing.assert_allclose(
        evaluation(tf.constant(images), tf.constant(labels)), expected, rtol=1e-5
    )


def test_evaluation_is_without_dropout_and_changes_nothing():
    model, _ = build(dropout=0.5, batch_normalization=True)
    evaluation = compile_evaluation(model, LOSSES["cross_entropy"], jit_compile=True)
    arguments = tf.constant(IMAGES, tf.float32), tf.constant(LABELS)
    before = [v.numpy() for v in model.variables]
    assert (
        evaluation(*arguments).numpy().tolist()
        == evaluation(*arguments).numpy().tolist()
    )
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_penalty_is_the_sum_over_all_regularized_weights():
    model, _ = build(l1=0.1, l2=0.2, regularize_biases=True)
    weights = [v.numpy().astype(float) for v in model.trainable_variables]
    expected = sum(0.1 * np.abs(w).sum() + 0.2 * (w**2).sum() for w in weights)
    assert float(compile_penalty(model)()) == pytest.approx(expected, rel=1e-6)
    assert float(compile_penalty(build()[0])()) == 0.0
