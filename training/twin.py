"""The model as it is trained: the same weights, made fit for XLA.

The functions of `models` return plain Keras models, which callbacks see and files hold.
Two of their parts are replaced for the compiled epoch. Dropout: on the CPU, Keras'
random generator takes longer under XLA than the rest of the step. And the strengths of
L1 and L2: Python floats would be baked into the compiled program; variables can be set.
"""

import keras
import tensorflow as tf

LEVELS = 2**16
"""Of dropout rates: half of the 32 bits that are drawn at a time."""

MOST_LAYERS = 256
"""Of dropout; more would share masks, at other updates. Seeds have 32 bits each."""


def training_twin(
    model: keras.Model, iterations: keras.Variable, jit: bool
) -> tuple[keras.Model, list["KeyedDropout"]]:
    """A model that shares all weights with `model`, for use inside a compiled epoch.

    Args:
        model: A plain model. Its variables' regularizers are replaced in place by equal
            ones with variable strengths; what it saves is not touched by that.
        iterations: Counts the updates. Masks depend on (seed, update, layer) alone, so
            that a resumed run draws the same ones.
        jit: Whether XLA will compile it; the masks differ between the two.

    Returns:
        The twin, and its dropout layers; `model` itself if there is nothing to replace,
        or if it is a subclass of `keras.Model`, whose layers Keras cannot clone.
    """
    for variable in model.trainable_variables:
        if type(variable.regularizer) in (
            keras.regularizers.L1,
            keras.regularizers.L2,
            keras.regularizers.L1L2,
        ):
            variable.regularizer = VariableL1L2(variable.regularizer)
    if type(model).__name__ not in ("Functional", "Sequential"):
        return model, []
    dropouts: list[KeyedDropout] = []

    def replace(layer):
        if not is_replaced(layer):
            return layer
        generator = "threefry" if jit else "philox"
        dropouts.append(KeyedDropout(layer, len(dropouts), iterations, generator))
        return dropouts[-1]

    twin = keras.models.clone_model(model, clone_function=replace, recursive=True)
    return twin if dropouts else model, dropouts


def is_replaced(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.Dropout and layer.noise_shape is None


class VariableL1L2(keras.regularizers.Regularizer):
    """`keras.regularizers.L1L2` with its strengths in variables."""

    def __init__(self, regularizer):
        l1, l2 = (getattr(regularizer, name, 0.0) for name in ("l1", "l2"))
        self.l1 = keras.Variable(l1, trainable=False, name="l1") if l1 else None
        self.l2 = keras.Variable(l2, trainable=False, name="l2") if l2 else None

    def __call__(self, w):
        penalty = 0.0
        if self.l1 is not None:
            penalty += self.l1 * keras.ops.sum(keras.ops.absolute(w))
        if self.l2 is not None:
            penalty += self.l2 * keras.ops.sum(keras.ops.square(w))
        return penalty


class KeyedDropout(keras.layers.Layer):
    """`keras.layers.Dropout` whose masks are a function of (seed, update, layer).

    Of TensorFlow's generators, threefry is by far the fastest under XLA on the CPU, and
    philox is the only one there without XLA. Their draws are what dropout costs: each
    serves two units, so the rate is rounded to a multiple of 1 / LEVELS.
    """

    def __init__(self, dropout, index, iterations, generator):
        super().__init__(name=dropout.name)
        self.rate = keras.Variable(dropout.rate, trainable=False, name="rate")
        self.seed = keras.Variable(0, dtype="int64", trainable=False, name="seed")
        self.index = index
        self.iterations, self.generator = iterations, generator

    def set_seed(self, seed: int) -> None:
        self.seed.assign(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        level = tf.minimum(tf.round(self.rate.value * LEVELS), LEVELS - 1)
        dropped = self._draw(tf.shape(inputs)) < tf.cast(level, tf.uint32)
        kept = tf.cast(1 - level / LEVELS, inputs.dtype)
        return tf.where(dropped, tf.zeros_like(inputs), inputs / kept)

    def _draw(self, shape):
        """Whole numbers below LEVELS."""
        count, update = tf.reduce_prod(shape), tf.cast(self.iterations.value, tf.int64)
        pairs = tf.random.stateless_uniform(
            [(count + 1) // 2],
            seed=tf.stack([self.seed.value, update * MOST_LAYERS + self.index]),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
            alg=self.generator,
        )
        draws = tf.concat([pairs // LEVELS, pairs % LEVELS], axis=0)
        return tf.reshape(draws[:count], shape)
