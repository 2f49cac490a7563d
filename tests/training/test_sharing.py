"""Which runs share a compiled program; tests/own holds what their results must be."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from data import as_arrays
from experiment.config import Part, load_config
from tests.tiny import CONFIG
from train import make_trainer

EVERYTHING = (
    "model.hidden_units=[4]",
    "regularizer.l2=0.1",
    "model.dropout=0.5",
    "model.max_norm=2.0",
    "model.batch_normalization=true",
    "decay.name=decoupled",
)


def trainer_of(programs, *overrides, **functions):
    """The trainer of a run that may use these programs.

    Args:
        functions: Functions of the user's in place of parts of the config.
    """
    config = load_config(CONFIG, overrides)
    own = {part: Part("own", function, {}) for part, function in functions.items()}
    config = replace(config, parts=config.parts | own)
    data = config.split.build(as_arrays(config.dataset.build()), config.seed)
    return make_trainer(config, data, programs)[2]


def are_shared(*, seeds=(0, 1), **functions):
    """Whether a run takes over the program of another one."""
    programs = {}
    first, second = (trainer_of(programs, f"seed={s}", **functions) for s in seeds)
    return second.program is first.program


def test_seeds_share_a_program_and_nothing_else_does():
    programs = {}
    first = trainer_of(programs, *EVERYTHING).program
    same = trainer_of(programs, *EVERYTHING, "seed=1", "name=other")
    assert same.program is first
    for other in (
        "regularizer.l1=0.2",
        "model.activation=tanh",
        "decay.strength=0.3",
        "optimizer.learning_rate=0.5",
        "data.label_noise=0.1",
        "training.epochs=7",
    ):
        found = trainer_of(dict(programs), *EVERYTHING, other).program
        assert found is not first, other


def dense(make_layer):
    def model(image_shape, num_classes):
        ends = keras.layers.Flatten(), keras.layers.Dense(num_classes)
        return keras.Sequential([keras.Input(image_shape), make_layer(), *ends])

    return model


class Own(keras.layers.Layer):
    """Multiplies by a number."""

    factor = 0.5

    def call(self, x):
        return self.factor * x


class Drawn(Own):
    """Multiplies by a number that depends on the seed."""

    def build(self, shape):
        self.factor = float(np.random.random())


class Rare(Drawn):
    """Multiplies by it in the smaller last batch alone."""

    def call(self, x):
        return super().call(x) if x.shape[0] == 30 else x


class DrawnArray(Own):
    """Multiplies by numbers that depend on the seed, as an array."""

    def build(self, shape):
        self.factor = np.random.random(shape[1:]).astype("float32")


class Captured(Own):
    """Multiplies by a tensor of many numbers."""

    def build(self, shape):
        self.factor = tf.random.stateless_uniform(shape[1:], (0, 0))


class Noisy(Own):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


class Random(Own):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


class Python(Own):
    def call(self, x):
        return tf.ensure_shape(tf.py_function(lambda y: y, [x], tf.float32), x.shape)


class Hidden(Own):
    """Multiplies by a variable of TensorFlow's, which Keras does not know of."""

    def build(self, shape):
        self.factor = tf.Variable(1.0)


def nested():
    return keras.Sequential([Own()])


def halved(x):
    return 0.5 * x


def halving():
    return keras.layers.Dense(3, activation=halved)


def recurrent():
    return keras.layers.LSTM(4)


def added(image_shape, num_classes):
    images = keras.Input(image_shape)
    flat = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(num_classes)(flat) + 1.0)


class Mine(keras.optimizers.SGD):
    """Steps half as far."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient / 2, variable, learning_rate)


class Counting(Mine):
    """Keeps a number where Keras does not look."""

    def build(self, variables):
        super().build(variables)
        self._hidden = [tf.Variable(1.0)]

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * self._hidden[0], variable, learning_rate)


SHARED = {
    "Keras' own": {},
    "a layer": {"model": dense(Own)},
    "a nested layer": {"model": dense(nested)},
    "a function in a Keras layer": {"model": dense(halving)},
    "loops in loops": {"model": dense(recurrent)},
    "an operation": {"model": added},
    "an optimizer": {"optimizer": lambda: Mine(0.1)},
}
APART = {
    "a number that depends on the seed": {"model": dense(Drawn)},
    "such a number in the last batch": {"model": dense(Rare)},
    "an array that depends on the seed": {"model": dense(DrawnArray)},
    "a tensor in an attribute": {"model": dense(Captured)},
    "a hidden variable": {"model": dense(Hidden)},
    "Keras' global generator": {"model": dense(Noisy)},
    "TensorFlow's generator": {"model": dense(Random)},
    "a function of Python": {"model": dense(Python)},
    "a hidden variable of an optimizer": {"optimizer": lambda: Counting(0.1)},
}


@pytest.mark.parametrize("name", SHARED)
def test_what_differs_in_variables_alone_is_compiled_once(name):
    assert are_shared(**SHARED[name])


@pytest.mark.parametrize("name", APART)
def test_what_keeps_something_elsewhere_compiles_for_itself(name):
    assert not are_shared(**APART[name])


def test_a_generator_that_has_drawn_is_not_taken_over():
    """Of the same seed, TensorFlow traces the same; but the first run has used it."""
    assert are_shared(seeds=(0, 0), model=dense(Own))
    assert not are_shared(seeds=(0, 0), model=dense(Random))


def test_a_process_keeps_the_program_of_the_last_setting_alone():
    programs = {}
    first = trainer_of(programs).program
    assert list(programs.values()) == [first]
    alone, shared = (trainer_of(p, "seed=1") for p in ({}, programs))
    assert shared.program is first
    for ours, theirs in zip(shared.variables, alone.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = trainer_of(programs, "regularizer.l1=0.2").program
    assert list(programs.values()) == [other]
