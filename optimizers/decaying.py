"""Optimizers that decay by a rule: what is added to a class of Keras.

To load a model that was saved with one of these, import this module first.
"""

import functools
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf

from models import is_kernel
from optimizers.adopt import Adopt
from optimizers.decay import DECAYS, Decay, Update
from optimizers.schedule_free import ScheduleFree


class Decaying(keras.optimizers.Optimizer):
    """What decays weights by a rule, in front of the class that steps them.

    All numbers that may differ from run to run are in variables. Assigning to
    `weight_decay`, which is one, has an effect; a new number in its place has none.
    """

    def __init__(self, *, decay, peak, **settings):
        """
        Args:
            decay: The rule, or its name and settings.
            peak: The peak learning rate.
            **settings: Of the class that steps.
        """
        super().__init__(**settings)
        if not isinstance(decay, Decay):
            name, values = decay
            decay = DECAYS[name](**values)
        self.decay = decay
        self.peak, self.weight_decay = (
            keras.Variable(number, dtype=keras.config.floatx(), trainable=False)
            for number in (peak, decay.weight_decay(peak))
        )

    def build(self, variables):
        if self.built:
            return
        if not self.decay.biases:
            others = [variable for variable in variables if not is_kernel(variable)]
            self.exclude_from_weight_decay(var_list=others)
        super().build(variables)
        with tf.init_scope():  # The first call of a compiled step may be what builds.
            self._memory = [
                [
                    self._remember(value, variable)
                    for value in self.decay.memory(variable)
                ]
                for variable in variables
            ]

    def _remember(self, value, variable):
        start = keras.initializers.Constant(value)
        return self.add_variable(np.shape(value), start, variable.dtype)

    def _apply_weight_decay(self, variables):
        """Not for all at once: in `update_step`, each with its step."""

    def update_step(self, gradient, variable, learning_rate):
        if not self._use_weight_decay(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        number = self.iterations + 1
        rate, peak, decay = (
            tf.cast(value, variable.dtype)
            for value in (learning_rate, self.peak, self.weight_decay)
        )
        memory = self._memory[self._get_variable_index(variable)]
        rate = self.decay.rate(number, rate, peak)
        update = Update(number, rate, decay, memory)
        w = tf.identity(variable)
        variable.assign(self.decay.before(w, update))
        super().update_step(gradient, variable, learning_rate)
        variable.assign(self.decay.after(w, tf.identity(variable), update))

    @property
    def decay_share(self) -> float | None:
        """See `optimizers.decay_share`."""
        if not self.decay.proportional:
            return None
        number, now = tf.maximum(self.iterations, 1), self.learning_rate.value
        rate = self.decay.rate(number, now, self.peak.value)
        return float(self.weight_decay) * float(rate)

    def get_config(self):
        name = next(name for name, rule in DECAYS.items() if rule is type(self.decay))
        added = {"decay": (name, asdict(self.decay)), "peak": decimal(self.peak)}
        return super().get_config() | added | {"weight_decay": None}


@functools.cache
def decaying(stepper: type[keras.Optimizer]) -> type[Decaying]:
    """The class of what steps as `stepper` does and decays by a rule."""
    made = type(f"Decaying{stepper.__name__}", (Decaying, stepper), {})
    return keras.saving.register_keras_serializable("optimizers")(made)


def with_decay(optimizer: keras.Optimizer, decay: Decay) -> Decaying:
    """A fresh optimizer anew, as one that decays."""
    settings = {"decay": decay, "peak": decimal(optimizer.learning_rate)}
    return decaying(optimizer.__class__).from_config(optimizer.get_config() | settings)


def decimal(number: keras.Variable) -> float:
    """The number that was written, 0.001, of which float32 holds the nearest of its."""
    return float(str(number.numpy()))


for known in ("SGD", "Adam", "Nadam", "Lion", "Muon"):
    decaying(getattr(keras.optimizers, known))
decaying(ScheduleFree)
decaying(Adopt)
