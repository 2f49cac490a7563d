"""The compiled calls against the same arithmetic done step by step."""

from functools import partial
from typing import get_args, get_type_hints

import keras
import numpy as np
import pytest
import tensorflow as tf
from training.twin import LEVELS, KeyedDropout, training_twin

from data import Split
from models import mlp
from optimizers import adam, prepare
from optimizers.decay import Decoupled
from system.processes import load_keras
from tests import reference
from training.losses import LOSSES
from training.program import Program, graph_key
from training.settings import TrainingSettings

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((70, 4, 3))
LABELS = RANDOM.integers(5, size=70).astype(np.int32)
BATCHES = RANDOM.integers(70, size=(6, 8)).astype(np.int32)
RATES = np.linspace(1e-2, 1e-3, 6)


def build(seed=0, strength=0.5, **settings):
    load_keras(seed)
    model = mlp((4, 3), 5, hidden_units=[7], **settings)
    return model, prepare(adam(), model, Decoupled(1, 1, strength=strength))


def train(model, optimizer, loss="cross_entropy", jit=True, calls=((0, 6),), seed=0):
    program = Program(model, optimizer, loss, jit)
    program.take(model, optimizer, seed)
    return run(program, calls), program.updates


def run(program, calls=((0, 6),)):
    dtype = program.model.dtype
    fixed = (tf.constant(IMAGES, dtype), tf.constant(LABELS), tf.constant(BATCHES))
    for first, last in calls:
        rates = tf.constant(RATES, dtype)
        program.updates(*fixed, rates, tf.constant(first), tf.constant(last))
    return [v.numpy() for v in program.model.trainable_variables]


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_updates_are_backpropagation_and_adamw(float64, loss, jit):
    model, optimizer = build(l2=2**-7)
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


def test_every_loss_can_be_chosen():
    assert get_args(get_type_hints(TrainingSettings)["loss"]) == tuple(LOSSES)


def test_one_compilation_serves_every_cut_and_every_strength():
    model, optimizer = build(l1=0.01, l2=0.02, dropout=0.5)
    whole, updates = train(model, optimizer)
    assert updates.experimental_get_tracing_count() == 1
    model, optimizer = build(l1=0.01, l2=0.02, dropout=0.5)
    cut, updates = train(model, optimizer, calls=((0, 0), (0, 1), (1, 4), (4, 6)))
    assert updates.experimental_get_tracing_count() == 1
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)


STRENGTHS = ("l1", "l2", "dropout", "input_dropout", "strength")
WEAK = dict.fromkeys(STRENGTHS, 0.1)
STRONG = dict.fromkeys(STRENGTHS, 0.3)


def test_a_program_serves_another_run_as_if_it_were_compiled_for_it():
    """Another seed, and every strength another one; the first run leaves no trace."""
    alone, _ = train(*build(seed=1, **STRONG), seed=1)
    program = Program(*build(seed=0, **WEAK), "cross_entropy", True)
    program.take(program.model, program.optimizer, seed=0)
    run(program)
    program.take(*build(seed=1, **STRONG), seed=1)
    assert float(program.optimizer.iterations) == 0
    for a, b in zip(alone, run(program), strict=True):
        np.testing.assert_array_equal(a, b)
    assert program.updates.experimental_get_tracing_count() == 1


def key_of(model, optimizer=(), horizon=(1, 2), loss="l", jit=True):
    return graph_key(model, dict(optimizer), horizon, loss, jit)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_each_strength_has_an_effect_and_does_not_change_the_key(strength):
    weak, strong = (build(**{**WEAK, strength: value}) for value in (0.1, 0.3))
    keys = {
        key_of(model, {"decay.strength": rate, "learning_rate": rate})
        for (model, _), rate in ((weak, 0.1), (strong, 0.3))
    }
    assert len(keys) == 1
    program = Program(*weak, "cross_entropy", True)
    program.take(*weak, seed=0)
    before = run(program)
    program.take(*strong, seed=0)
    assert not np.array_equal(before[0], run(program)[0])


@pytest.mark.parametrize(
    "change",
    [
        {"l2": 0.0},
        {"dropout": 0.0},
        {"activation": "tanh"},
        {"batch_normalization": True},
        {"max_norm": 1.0},
        {"regularize_biases": True},
    ],
    ids=str,
)
def test_what_shapes_the_graph_changes_the_key(change):
    models = (build(**WEAK)[0], build(**{**WEAK, **change})[0])
    assert len({key_of(model) for model in models}) == 2


def test_other_settings_of_the_optimizer_change_the_key():
    model = build()[0]
    optimizers = [{"beta_1": 0.9}, {"beta_1": 0.8}, {"decay.strength": 0.0}]
    optimizers += [{"decay.strength": 0.1}, {"decay.biases": True}]
    keys = {key_of(model, optimizer) for optimizer in optimizers}
    keys |= {key_of(model, jit=False), key_of(model, loss="m"), key_of(model)}
    keys |= {key_of(model, horizon=(1, 3))}
    assert len(keys) == 9


def custom(rate=0.1, strength=0.1, noise_rate=0.1, inner_rate=0.1):
    """A model with strengths at places of which the twin takes some over, some not."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Dropout(rate),
            layers.Dropout(noise_rate, noise_shape=(None, 1, 3)),
            layers.TimeDistributed(layers.Dropout(inner_rate)),
            layers.Flatten(),
            layers.Dense(5, activity_regularizer=keras.regularizers.L2(strength)),
        ]
    )


def test_names_that_keras_numbers_do_not_change_the_key():
    assert key_of(custom()) == key_of(custom())
    plain = custom(rate=0.1)
    program = Program(plain, prepare(adam(), plain), "cross_entropy", True)
    other = custom(rate=0.6)
    program.take(other, prepare(adam(), other), seed=0)
    (dropout,) = program._dropouts
    assert float(dropout.rate) == pytest.approx(0.6)


@pytest.mark.parametrize("setting", ["strength", "noise_rate", "inner_rate"])
def test_a_strength_that_is_compiled_in_changes_the_key(setting):
    assert key_of(custom()) == key_of(custom(rate=0.2))
    assert key_of(custom()) != key_of(custom(**{setting: 0.2}))


def test_only_dropout_makes_a_twin_and_it_shares_all_weights():
    plain, optimizer = build(l2=0.1)
    assert training_twin(plain, optimizer.iterations, True) == (plain, [])
    dropped, optimizer = build(dropout=0.5, input_dropout=0.2, batch_normalization=True)
    twin, dropouts = training_twin(dropped, optimizer.iterations, True)
    shared = {id(v) for v in twin.variables}
    assert {id(v) for v in dropped.weights} <= shared
    assert len(dropouts) == 2
    assert set(dropouts) <= set(twin.layers)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in dropped.layers) == 2


GENERATORS = pytest.mark.parametrize("jit", [True, False], ids=["threefry", "philox"])


def keyed_dropout(rate, seed=0, index=0, update=0, jit=True):
    dropout = keras.layers.Dropout(rate, name="dropout")
    iterations = keras.Variable(update, dtype="int64", trainable=False)
    generator = "threefry" if jit else "philox"
    layer = KeyedDropout(dropout, index, iterations, generator)
    layer.set_seed(seed)
    return tf.function(layer, jit_compile=jit)


@GENERATORS
def test_dropout_zeroes_its_rate_and_keeps_the_mean(jit):
    layer = keyed_dropout(0.3, jit=jit)
    ones = tf.ones((201, 501))
    dropped = layer(ones, training=True).numpy()
    # 100,701 draws: a standard deviation of .0014 for the rate
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.006)
    kept = 1 - round(0.3 * LEVELS) / LEVELS
    np.testing.assert_allclose(dropped[dropped > 0], 1 / kept, rtol=1e-6)
    np.testing.assert_array_equal(layer(ones, training=False), ones)


@GENERATORS
def test_masks_depend_on_seed_update_and_layer_alone(jit):
    def mask(**key):
        layer = keyed_dropout(0.5, jit=jit, **key)
        return layer(tf.ones((20, 20)), training=True).numpy().tobytes()

    assert mask() == mask()
    assert len({mask(), mask(seed=1), mask(index=1), mask(update=1)}) == 4
    assert len({mask(), mask(seed=2**16), mask(seed=2**32 - 1)}) == 3


@GENERATORS
def test_both_halves_of_a_draw_are_random(jit):
    dropped = keyed_dropout(0.5, jit=jit)(tf.ones(20_000), training=True).numpy() == 0
    first, second = dropped[:10_000], dropped[10_000:]
    # 10,000 draws: a standard deviation of .005 for each rate, .01 for the correlation
    assert first.mean() == pytest.approx(0.5, abs=0.02)
    assert second.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


@GENERATORS
def test_a_rate_of_nearly_one_gives_finite_gradients(jit):
    ones = tf.ones(1000)
    with tf.GradientTape() as tape:
        tape.watch(ones)
        dropped = keyed_dropout(1 - 1e-7, jit=jit)(ones, training=True)
    assert np.isfinite(tape.gradient(dropped, ones)).all()


@pytest.mark.parametrize("jit", [True, False])
def test_bytes_are_seen_as_floats_bit_for_bit(jit):
    levels = RANDOM.integers(256, size=(70, 4, 3)).astype(np.uint8)
    pixels = Split(levels, LABELS), Split(levels.astype(np.float32) / 255, LABELS)
    found = []
    for split in pixels:
        model, optimizer = build()
        program = Program(model, optimizer, "cross_entropy", jit)
        data = tf.constant(split.pixels), tf.constant(split.labels)
        rates = tf.constant(RATES, tf.float32)
        program.updates(
            *data, tf.constant(BATCHES), rates, tf.constant(0), tf.constant(6)
        )
        gradients, _ = program.gradients(*data)
        weights = [v.numpy() for v in model.trainable_variables]
        found.append([*weights, *gradients, program.evaluate(*data)])
    for of_bytes, of_floats in zip(*found, strict=True):
        np.testing.assert_array_equal(of_bytes, of_floats)


@pytest.mark.parametrize("count", [1, 999, 1000, 2300])
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluation_is_the_mean_over_all_images(count, loss):
    model, _ = build()
    random = np.random.default_rng(count)
    images = random.random((count, 4, 3), np.float32)
    labels = random.integers(5, size=count).astype(np.int32)
    w1, b1, w2, b2 = (v.numpy().astype(float) for v in model.trainable_variables)
    logits = np.maximum(images.reshape(count, -1) @ w1 + b1, 0) @ w2 + b2
    own = reference.softmax(logits)[np.arange(count), labels]
    squared = ((logits - np.eye(5)[labels]) ** 2).mean()
    expected = [-np.log(own).mean(), (logits.argmax(1) == labels).mean()]
    expected += [squared if loss == "mean_squared_error" else expected[0]]
    expected += [logits.std(axis=1).mean()]
    evaluation = Program(*build(), loss, True).evaluate
    # The network computes in float32.
    np.testing.assert_allclose(
        evaluation(tf.constant(images), tf.constant(labels)), expected, rtol=1e-5
    )


def test_evaluation_is_without_dropout_and_changes_nothing():
    model, optimizer = build(dropout=0.5, batch_normalization=True)
    evaluation = Program(model, optimizer, "cross_entropy", True).evaluate
    arguments = tf.constant(IMAGES, tf.float32), tf.constant(LABELS)
    before = [v.numpy() for v in model.variables]
    assert (
        evaluation(*arguments).numpy().tolist()
        == evaluation(*arguments).numpy().tolist()
    )
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_penalty_is_the_sum_over_all_regularized_weights():
    model, optimizer = build(l1=0.1, l2=0.2, regularize_biases=True)
    weights = [v.numpy().astype(float) for v in model.trainable_variables]
    expected = sum(0.1 * np.abs(w).sum() + 0.2 * (w**2).sum() for w in weights)
    assert float(
        Program(model, optimizer, "cross_entropy", True).penalty()
    ) == pytest.approx(expected, rel=1e-6)
    assert float(Program(*build(), "cross_entropy", True).penalty()) == 0.0
