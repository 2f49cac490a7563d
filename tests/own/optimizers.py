"""Optimizers and schedules as users write them."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from pydantic import NonNegativeFloat, PositiveFloat


def heavy_ball(*, learning_rate: PositiveFloat = 0.1, momentum: NonNegativeFloat = 0.9):
    return keras.optimizers.SGD(learning_rate, momentum)


class Plain(keras.optimizers.Optimizer):
    """Gradient descent, to be extended."""

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * (gradient + self.shrink(variable)))

    def shrink(self, variable):
        return 0.0 * variable


class AttributeDecay(Plain):
    """Keeps its decay in a Python attribute of another name."""

    def __init__(self, learning_rate, strength):
        super().__init__(learning_rate)
        self.strength = strength

    def shrink(self, variable):
        return self.strength * variable


def attribute_decay(
    *, learning_rate: PositiveFloat = 0.1, weight_decay: NonNegativeFloat = 0.1
):
    return AttributeDecay(learning_rate, weight_decay)


def closure_decay(
    *, learning_rate: PositiveFloat = 0.1, weight_decay: NonNegativeFloat = 0.1
):
    class ClosureDecay(Plain):
        def shrink(self, variable):
            return weight_decay * variable

    return ClosureDecay(learning_rate)


class Hypergradient(keras.optimizers.Optimizer):
    """Momentum and a gain that grows, all of it in variables."""

    def __init__(self, learning_rate, weight_decay, gain):
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.gain = gain

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._gain = self.add_variable((), initializer="ones", name="gain")

    def update_step(self, gradient, variable, learning_rate):
        velocity = self._velocities[self._get_variable_index(variable)]
        self.assign(velocity, 0.9 * velocity + gradient)
        self.assign(self._gain, self._gain * (1 + self.gain))
        self.assign_sub(variable, learning_rate * self._gain * velocity)


def hypergradient(
    *,
    learning_rate: PositiveFloat = 0.02,
    weight_decay: NonNegativeFloat = 0.1,
    gain: NonNegativeFloat = 0.001,
):
    return Hypergradient(learning_rate, weight_decay, gain)


class Langevin(Plain):
    """Gradient descent with noise that depends on the number of the update."""

    def __init__(self, learning_rate, temperature):
        super().__init__(learning_rate)
        self.temperature = temperature

    def shrink(self, variable):
        seed = tf.stack([tf.cast(self.iterations.value, tf.int32), 3])
        return self.temperature * tf.random.stateless_normal(variable.shape, seed)


class GeneratorLangevin(Plain):
    """Gradient descent with noise from a generator of its own."""

    def __init__(self, learning_rate, temperature):
        super().__init__(learning_rate)
        self.temperature = temperature
        self.generator = keras.random.SeedGenerator(3)

    def shrink(self, variable):
        noise = keras.random.normal(variable.shape, seed=self.generator)
        return self.temperature * noise


def langevin(
    *, learning_rate: PositiveFloat = 0.1, temperature: NonNegativeFloat = 0.1
):
    return Langevin(learning_rate, temperature)


def generator_langevin(
    *, learning_rate: PositiveFloat = 0.1, temperature: NonNegativeFloat = 0.1
):
    return GeneratorLangevin(learning_rate, temperature)


class HiddenNumbers(Plain):
    """Noise from arrays that are drawn once and kept as attributes."""

    def build(self, variables):
        if not self.built:
            self.noise = [np.random.normal(size=v.shape) for v in variables]
        super().build(variables)

    def shrink(self, variable):
        noise = self.noise[self._get_variable_index(variable)]
        return 0.1 * ops.cast(noise, variable.dtype)


def hidden_numbers(*, learning_rate: PositiveFloat = 0.1):
    return HiddenNumbers(learning_rate)


class DrawnNumber(Plain):
    """Keeps a number that is drawn for each run."""

    def __init__(self, learning_rate):
        super().__init__(learning_rate)
        self.gain = float(np.random.uniform(0, 1))

    def shrink(self, variable):
        return self.gain * variable


def drawn_number(*, learning_rate: PositiveFloat = 0.1):
    return DrawnNumber(learning_rate)


class Counting(Plain):
    """Keeps a great many numbers, of which the last counts the updates."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.numbers = [self.add_variable(()) for _ in range(4500)]

    def shrink(self, variable):
        self.numbers[-1].assign_add(1)
        return 0.01 * self.numbers[-1] * variable


def counting(*, learning_rate: PositiveFloat = 0.1):
    return Counting(learning_rate)


def accumulating(*, learning_rate: PositiveFloat = 0.1, weight_decay: float = 0.1):
    """Keras' own, with an update for every two batches."""
    return keras.optimizers.SGD(
        learning_rate, weight_decay=weight_decay, gradient_accumulation_steps=2
    )


def scheduled(*, learning_rate: PositiveFloat = 0.1):
    """Keras' schedule inside: `[schedule]` has its place here."""
    decay = keras.optimizers.schedules.ExponentialDecay(learning_rate, 10, 0.5)
    return keras.optimizers.SGD(decay)


def saw_tooth(
    steps_per_epoch: int, epochs: int, *, teeth: float = 2.0, lowest: float = 0.1
) -> np.ndarray:
    """A schedule: falls in a line and begins again, `teeth` times an epoch."""
    step = np.arange(steps_per_epoch * epochs)
    return 1 - (1 - lowest) * (step * teeth / steps_per_epoch % 1)
