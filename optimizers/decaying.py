"""Optimizers of Keras with a rule of decay added.

To load a model that was saved with one of them, import this module first.
"""

import functools
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf

from models import is_kernel
from optimizers import DECAYS
from optimizers.adopt import Adopt
from optimizers.decay import Decay, Decoupled, FixedNorm, Update
from optimizers.schedule_free import ScheduleFree
from system.errors import UserError


class Decaying(keras.optimizers.Optimizer):
    """A mixin that decays weights by a rule, before a class that steps them.

    The strength is in the variable `weight_decay`: assign to it to change the strength.
    """

    def __init__(self, *, decay, peak, **settings):
        """
        Args:
            decay: The rule, or its name and settings.
            peak: The peak learning rate.
            **settings: Arguments of the class that steps.
        """
        super().__init__(**settings)
        if not isinstance(decay, Decay):
            name, values = decay
            decay = DECAYS[name](**values)
        self.decay, self.peak = decay, peak
        self.weight_decay = keras.Variable(
            decay.strength, dtype=keras.config.floatx(), trainable=False
        )

    def build(self, variables):
        if self.built:
            return
        if not self.decay.biases:
            others = [variable for variable in variables if not is_kernel(variable)]
            self.exclude_from_weight_decay(var_list=others)
        with tf.init_scope():  # The first call of a compiled step may be what builds.
            super().build(variables)
            self._memory = [
                [self._remember(start, v) for start in self.decay.memory(v)]
                for v in variables
            ]

    def _remember(self, start, variable):
        initializer = keras.initializers.Constant(start)
        return self.add_variable(np.shape(start), initializer, variable.dtype)

    def _apply_weight_decay(self, variables):
        """Do nothing: `update_step` decays each variable with its step."""

    def update_step(self, gradient, variable, learning_rate):
        if not self._use_weight_decay(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        memory = self._memory[self._get_variable_index(variable)]
        number, rate = self.iterations + 1, tf.cast(learning_rate, variable.dtype)
        rate = self.decay.rate(number, rate, self.peak)
        strength = tf.cast(self.weight_decay, variable.dtype)
        update = Update(number, rate, strength, memory)
        w = tf.identity(variable)
        variable.assign(self.decay.before(w, update))
        super().update_step(gradient, variable, learning_rate)
        variable.assign(self.decay.after(w, tf.identity(variable), update))

    @property
    def decay_share(self) -> float | None:
        """Share of a kernel that decay took off in the last update; before the first
        update, that of the first. None if the share differs between weights."""
        if type(self.decay).before is not Decoupled.before:
            return None
        number, now = tf.maximum(self.iterations, 1), self.learning_rate.value
        rate = self.decay.rate(number, now, self.peak)
        return float(self.weight_decay) * float(rate)

    def get_config(self):
        name = next(name for name, rule in DECAYS.items() if rule is type(self.decay))
        added = {"decay": (name, asdict(self.decay)), "peak": self.peak}
        return super().get_config() | added | {"weight_decay": None}


@functools.cache
def decaying(stepper: type[keras.Optimizer]) -> type[Decaying]:
    """The class that steps like `stepper` and decays by a rule."""
    made = type(f"Decaying{stepper.__name__}", (Decaying, stepper), {})
    return keras.saving.register_keras_serializable("optimizers")(made)


for known in ("SGD", "Adam", "Nadam", "Lion", "Muon"):
    decaying(getattr(keras.optimizers, known))
decaying(ScheduleFree)
decaying(Adopt)


def make(optimizer: keras.Optimizer, decay: Decay) -> Decaying:
    """Add a rule of decay to an optimizer, also for your own `model.fit`.

    The result is a Keras optimizer like any other: it finds the kernels among the
    variables that it is built for, is compiled and saved with its model, and decays the
    same variables after loading.

    Args:
        optimizer: New optimizer without decay. Its learning rate, a number, is the
            peak.
        decay: The rule, such as `Cautious(steps_per_epoch, epochs, strength=0.1)`.

    Raises:
        UserError: The optimizer and the rule do not go together.
    """
    if isinstance(decay, FixedNorm) and isinstance(optimizer, ScheduleFree):
        raise UserError(
            "decay.name: fixed_norm does not go with optimizer.name = schedule_free, "
            "whose weights are averages: kernels of one norm have shorter ones"
        )
    if optimizer.weight_decay is not None:
        received = f"{type(optimizer).__name__}(weight_decay={optimizer.weight_decay})"
        raise UserError("optimizer", "one without decay", received)
    added = {"decay": decay, "peak": float(optimizer.learning_rate)}
    return decaying(optimizer.__class__).from_config(optimizer.get_config() | added)
