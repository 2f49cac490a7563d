"""Dropout inside a compiled epoch.

On the CPU, Keras' random generator takes longer under XLA than the rest of the step.
"""

import contextlib
import itertools
from collections.abc import Iterator

import keras
import tensorflow as tf

LEVELS = 2**16
"""Number of different dropout rates: masks have half of the 32 bits of a draw."""

MOST_CALLS = 256
"""Calls of dropout layers in one update that get a key of their own: beyond, keys would
be those of other updates."""


@contextlib.contextmanager
def keyed_masks(seed: tf.Tensor, update: tf.Tensor, jit: bool) -> Iterator[None]:
    """Make the masks of `keras.layers.Dropout` a function of seed, update and call.

    While a model is traced in this context, each call of a dropout layer anywhere in it
    gets masks of its own, which a resumed run draws again. Keras' generator is kept by
    layers inside a loop of the model, which is traced once for all its rounds, by
    layers with a `noise_shape`, and by calls beyond MOST_CALLS.

    Args:
        seed: Seed of the run, int64.
        update: Number of the update, int64.
        jit: Whether XLA will compile the graph. Under XLA on the CPU, threefry is by
            far the fastest of TensorFlow's generators; without XLA there is only
            philox.
    """
    generator = "threefry" if jit else "philox"
    graph = tf.compat.v1.get_default_graph()
    calls = itertools.count()
    original = keras.layers.Dropout.call

    def call(layer, inputs, training=False):
        inside = tf.compat.v1.get_default_graph() is graph
        if not training or not layer.rate or layer.noise_shape or not inside:
            return original(layer, inputs, training=training)
        number = next(calls)
        if number >= MOST_CALLS:
            return original(layer, inputs, training=training)
        key = tf.stack([seed, update * MOST_CALLS + number])
        return drop(inputs, layer.rate, key, generator)

    keras.layers.Dropout.call = call
    try:
        yield
    finally:
        keras.layers.Dropout.call = original


def drop(inputs: tf.Tensor, rate: float, key: tf.Tensor, generator: str) -> tf.Tensor:
    """Set a share of the inputs to 0 and scale the others up.

    Drawing random numbers takes most of the time of dropout, so each 32-bit number
    serves two units, and the rate is rounded to a multiple of 1 / LEVELS.
    """
    level = min(round(rate * LEVELS), LEVELS - 1)
    shape = tf.shape(inputs)
    count = tf.reduce_prod(shape)
    pairs = tf.random.stateless_uniform(
        [(count + 1) // 2],
        key,
        minval=None,
        maxval=None,
        dtype=tf.uint32,
        alg=generator,
    )
    draws = tf.concat([pairs // LEVELS, pairs % LEVELS], axis=0)
    dropped = tf.reshape(draws[:count], shape) < tf.constant(level, tf.uint32)
    # As key[1] >= 0, this adds 0: but XLA would turn division by a constant into a
    # multiplication, which rounds differently.
    wide = at_least_float32(inputs)
    kept = 1 - level / LEVELS + tf.cast(tf.minimum(key[1], 0), wide.dtype)
    return tf.cast(tf.where(dropped, tf.zeros_like(wide), wide / kept), inputs.dtype)


def at_least_float32(tensor: tf.Tensor) -> tf.Tensor:
    """Cast half precision to float32, as Keras' losses do."""
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor
