"""Dropout inside a compiled epoch.

On the CPU, Keras' random generator takes longer under XLA than the rest of the step.
"""

import contextlib
import itertools
from collections.abc import Iterator

import keras
import tensorflow as tf

LEVELS = 2**16
"""Of dropout rates: half of the 32 bits that are drawn at a time."""

MOST_CALLS = 256
"""Calls of dropout layers in one update that have a key; more would draw the masks of
other updates. Seeds have 32 bits each."""


@contextlib.contextmanager
def keyed_masks(seed: tf.Tensor, update: tf.Tensor, jit: bool) -> Iterator[None]:
    """Draw the masks of `keras.layers.Dropout` as a function of seed, update and call.

    While a model is traced in this context, wherever in it a dropout layer is called,
    each call draws masks of its own, which a resumed run draws again. A layer inside a
    loop of the model, traced once for all its rounds, keeps Keras' generator, and so
    do one with a `noise_shape` and calls beyond MOST_CALLS.

    Args:
        seed: Seed of the run, int64.
        update: Number of the update, int64.
        jit: Whether XLA will compile the graph. Of TensorFlow's generators, threefry is
            by far the fastest under XLA on the CPU, and philox the only one without.
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

    Draws are what dropout costs: each serves two units, so the rate is rounded to a
    multiple of 1 / LEVELS.
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
    # key[1] is never below 0: by a constant, XLA would multiply instead of divide.
    wide = at_least_float32(inputs)
    kept = 1 - level / LEVELS + tf.cast(tf.minimum(key[1], 0), wide.dtype)
    return tf.cast(tf.where(dropped, tf.zeros_like(wide), wide / kept), inputs.dtype)


def at_least_float32(tensor: tf.Tensor) -> tf.Tensor:
    """Numbers of half precision in float32, as Keras' losses take them."""
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor
