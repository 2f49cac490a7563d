"""Layers, activations, initializers, regularizers and constraints as users write them.

None is careful: some leave settings out of `get_config`, some keep state in Python.
"""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Scale(layers.Layer):
    """Multiplies; its `get_config` does not tell by what."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return super().get_config()


class Penalized(layers.Layer):
    """A dense layer that adds its penalty itself, by `add_loss`."""

    def __init__(self, units, kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")

    def call(self, x):
        self.add_loss(self.kernel_regularizer(self.w))
        return x @ self.w

    def get_config(self):
        regularizer = keras.regularizers.serialize(self.kernel_regularizer)
        mine = {"units": self.units, "kernel_regularizer": regularizer}
        return super().get_config() | mine


class Block(layers.Layer):
    """Layers one after another, as its config tells."""

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.layers = [
            keras.saving.deserialize_keras_object(layer)
            if isinstance(layer, dict)
            else layer
            for layer in layers
        ]

    def build(self, shape):
        for layer in self.layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x, training=False):
        for layer in self.layers:
            accepts = layer._call_has_training_arg
            x = layer(x, training=training) if accepts else layer(x)
        return x

    def compute_output_shape(self, shape):
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def get_config(self):
        parts = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return super().get_config() | {"layers": parts}


class RandomProjection(layers.Layer):
    """A fixed random matrix, kept as an attribute."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        size = (shape[-1], self.units)
        self.matrix = np.random.normal(size=size).astype("float32")

    def call(self, x):
        return x @ self.matrix / 8

    def get_config(self):
        return super().get_config() | {"units": self.units}


class Noise(layers.Layer):
    """Noise while training, drawn from Keras' global generator."""

    def __init__(self, deviation, **kwargs):
        super().__init__(**kwargs)
        self.deviation = deviation

    def call(self, x, training=False):
        if not training:
            return x
        return x + self.deviation * keras.random.normal(ops.shape(x), seed=self.seed())

    def seed(self):
        return None

    def get_config(self):
        return super().get_config() | {"deviation": self.deviation}


class SeededNoise(Noise):
    """Noise from a generator of its own, as Keras' guide says."""

    def __init__(self, deviation, **kwargs):
        super().__init__(deviation, **kwargs)
        self.generator = keras.random.SeedGenerator()

    def seed(self):
        return self.generator


class TensorFlowNoise(Noise):
    """Noise from TensorFlow's own generator, whose state is in no variable."""

    def call(self, x, training=False):
        return x + self.deviation * tf.random.normal(tf.shape(x)) if training else x


class NumpyNoise(Noise):
    """Noise that Python draws at each update."""

    def call(self, x, training=False):
        if not training:
            return x
        noise = tf.numpy_function(self.draw, [x], x.dtype)
        return x + tf.ensure_shape(noise, x.shape)

    def draw(self, x):
        return (self.deviation * np.random.normal(size=x.shape)).astype(x.dtype)


class TensorFlowVariable(layers.Layer):
    """Keeps a count in a variable that Keras does not know of."""

    def __init__(self, growth, **kwargs):
        super().__init__(**kwargs)
        self.growth = growth
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1.0)
        return x * (1 + self.growth * self.calls)

    def get_config(self):
        return super().get_config() | {"growth": self.growth}


class StochasticDepth(layers.Layer):
    """Skips an inner layer for some images while training."""

    def __init__(self, inner, rate, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.rate = inner, rate
        self.generator = keras.random.SeedGenerator(0)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x, training=False):
        y = self.inner(x)
        if not training:
            return x + (1 - self.rate) * y
        shape = (ops.shape(x)[0], 1)
        kept = keras.random.uniform(shape, seed=self.generator) >= self.rate
        return x + ops.cast(kept, x.dtype) * y

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return super().get_config() | {"inner": inner, "rate": self.rate}


class Counter(layers.Layer):
    """Counts its calls while training, and warms up by that count."""

    def __init__(self, growth, **kwargs):
        super().__init__(**kwargs)
        self.growth = growth

    def build(self, shape):
        self.calls = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="calls"
        )

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1)
        return x * (1 + self.growth * ops.cast(self.calls, x.dtype))

    def get_config(self):
        return super().get_config() | {"growth": self.growth}


class Transposed(layers.Layer):
    """The transpose of another layer's kernel: tied weights."""

    def __init__(self, tied, scale, **kwargs):
        super().__init__(**kwargs)
        self.tied, self.scale = tied, scale

    def call(self, x):
        return self.scale * x @ ops.transpose(self.tied.kernel)

    def get_config(self):
        tied = keras.saving.serialize_keras_object(self.tied)
        return super().get_config() | {"tied": tied, "scale": self.scale}


class Bare(layers.Layer):
    """The same without a `get_config`: Keras cannot save it."""

    def __init__(self, tied, scale, **kwargs):
        super().__init__(**kwargs)
        self.tied, self.scale = tied, scale

    def call(self, x):
        return self.scale * x @ ops.transpose(self.tied.kernel)


class WithoutConfig(keras.Model):
    """A model with arguments and no `get_config`: Keras cannot save it."""

    def __init__(self, units, num_classes, rate):
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(units, activation="relu")
        self.drop = layers.Dropout(rate)
        self.logits = layers.Dense(num_classes)

    def call(self, x, training=False):
        x = self.hidden(self.flatten(x))
        return self.logits(self.drop(x, training=training))


class Subclassed(WithoutConfig):
    """A model with arguments and a `get_config`."""

    def __init__(self, units, num_classes, rate):
        super().__init__(units, num_classes, rate)
        self.arguments = (units, num_classes, rate)

    def get_config(self):
        names = ("units", "num_classes", "rate")
        return dict(zip(names, self.arguments, strict=True))


class Body(keras.Model):
    """A part of a model, with Dropout and a config."""

    def __init__(self, units=8, rate=0.3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.rate = units, rate
        self.hidden = layers.Dense(units, activation="relu")
        self.drop = layers.Dropout(rate)

    def call(self, x, training=False):
        return self.drop(self.hidden(x), training=training)

    def get_config(self):
        return super().get_config() | {"units": self.units, "rate": self.rate}


@keras.saving.register_keras_serializable("own")
class DropCell(layers.Layer):
    """A cell of a recurrent layer whose output is its input with Dropout."""

    def __init__(self, units, rate, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.rate = rate
        self.drop = layers.Dropout(rate, seed=0)

    def call(self, x, states, training=False):
        return self.drop(x, training=training), states

    def get_config(self):
        return super().get_config() | {"units": self.units, "rate": self.rate}


class Unknown:
    """An activation that is an object: Keras cannot save it."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, x):
        return ops.maximum(x, self.slope * x)


def leaky(x, slope):
    return ops.maximum(x, slope * x)


def partial_leaky(slope):
    return functools.partial(leaky, slope=slope)


class Orthogonality(keras.regularizers.Regularizer):
    """Pulls a kernel's columns towards being orthogonal; its config is empty."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, w):
        gram = ops.transpose(w) @ w
        return self.strength * ops.sum((gram - ops.eye(w.shape[1])) ** 2)

    def get_config(self):
        return {}


class Longest(keras.constraints.Constraint):
    """Clips the weights; its config is empty."""

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, w):
        return ops.clip(w, -self.limit, self.limit)
