"""The masks of dropout: their share, and what they depend on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.dropout import LEVELS, MOST_CALLS, keyed_masks

GENERATORS = pytest.mark.parametrize("jit", [True, False], ids=["threefry", "philox"])


def dropped(inputs, rate, seed=0, update=0, jit=True, calls=1, **settings):
    """What each of several calls of one layer makes of the inputs."""
    layer = keras.layers.Dropout(rate, dtype=inputs.dtype.name, **settings)

    @tf.function(jit_compile=jit, autograph=False)
    def call(x):
        key = tf.constant(seed, tf.int64), tf.constant(update, tf.int64)
        with keyed_masks(*key, jit):
            return [layer(x, training=True) for _ in range(calls)]

    return call(inputs)


@GENERATORS
def test_dropout_zeroes_its_rate_and_keeps_the_mean(jit):
    (found,) = dropped(tf.ones((201, 501)), 0.3, jit=jit)
    # 100,701 draws: a standard deviation of .0014 for the rate
    assert np.mean(found == 0) == pytest.approx(0.3, abs=0.006)
    kept = 1 - round(0.3 * LEVELS) / LEVELS
    np.testing.assert_allclose(found[found > 0], 1 / kept, rtol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_has_the_same_masks_and_rounds_what_is_left_once(dtype):
    (exact,), (half,) = (
        dropped(tf.ones(400, kind), 0.3) for kind in (tf.float32, dtype)
    )
    np.testing.assert_array_equal(half, tf.cast(exact, dtype))


@GENERATORS
def test_masks_depend_on_seed_update_and_call_alone(jit):
    def masks(**key):
        found = dropped(tf.ones((20, 20)), 0.5, jit=jit, calls=2, **key)
        return [mask.numpy().tobytes() for mask in found]

    assert masks() == masks()
    others = [masks(seed=1), masks(update=1), masks(seed=2**16), masks(seed=2**32 - 1)]
    found = [mask for both in (masks(), *others) for mask in both]
    assert len(set(found)) == 10


def test_calls_beyond_the_keys_do_not_draw_masks_of_other_updates():
    *_, beyond = dropped(tf.ones((8, 8)), 0.5, jit=False, calls=MOST_CALLS + 1)
    (next_update,) = dropped(tf.ones((8, 8)), 0.5, jit=False, update=1)
    assert not np.array_equal(beyond, next_update)


@GENERATORS
def test_both_halves_of_a_draw_are_random(jit):
    (found,) = dropped(tf.ones(20_000), 0.5, jit=jit)
    zero = found.numpy() == 0
    first, second = zero[:10_000], zero[10_000:]
    # 10,000 draws: a standard deviation of .005 for each rate, .01 for the correlation
    assert first.mean() == pytest.approx(0.5, abs=0.02)
    assert second.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


@GENERATORS
def test_a_rate_of_nearly_one_gives_finite_gradients(jit):
    ones = tf.ones(1000)
    with tf.GradientTape() as tape:
        tape.watch(ones)
        (found,) = dropped(ones, 1 - 1e-7, jit=jit)
    assert np.isfinite(tape.gradient(found, ones)).all()


def test_a_noise_shape_is_heeded():
    (found,) = dropped(tf.ones((8, 5, 40)), 0.5, noise_shape=(None, 1, 40))
    masks = found.numpy()
    np.testing.assert_array_equal(masks, masks[:, :1].repeat(5, axis=1))
    assert 0.3 < (masks == 0).mean() < 0.7


def test_dropout_outside_of_an_epoch_is_that_of_keras():
    original = keras.layers.Dropout.call
    zero = tf.constant(0, tf.int64)
    with pytest.raises(ZeroDivisionError), keyed_masks(zero, zero, False):
        assert keras.layers.Dropout.call is not original
        raise ZeroDivisionError
    assert keras.layers.Dropout.call is original
