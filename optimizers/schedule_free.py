"""Schedule-Free AdamW.

Keras has a class of that name which is not the algorithm: on TensorFlow it reads its
sequence z after having changed it, so that its beta_1 has no effect; it decays the
wrong sequence; and it is evaluated where the gradient is taken, not at the average
(Keras 3.15).
"""

import keras
import tensorflow as tf


class ScheduleFreeAdamW(keras.optimizers.Optimizer):
    """AdamW at the average of its weights: see `optimizers.adam.adamw_schedule_free`.

    Between updates the model's variables hold the average x, at which it is evaluated
    and saved. Each update begins with `look_ahead`, which moves them to y; the gradient
    is to be taken there.
    """

    def __init__(self, learning_rate, weight_decay, beta_1, beta_2, epsilon):
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._averages, self._fast, self._velocities = self.add_optimizer_variables(
            variables, ["average", "fast", "velocity"]
        )
        self._squared_rates = self.add_variable(())
        for variable, fast in zip(variables, self._fast, strict=True):
            fast.assign(variable)

    def look_ahead(self):
        """Move the variables from the average x to y, between it and z."""
        for variable, x, z in zip(
            self._trainable_variables, self._averages, self._fast, strict=True
        ):
            x.assign(variable)
            variable.assign(x + (1 - self.beta_1) * (z - x))

    def _apply_weight_decay(self, variables):
        """Not to the variables: z decays, in `update_step`."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        self._squared_rates.assign_add(learning_rate**2)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        x, z, v = (
            slots[index].value
            for slots in (self._averages, self._fast, self._velocities)
        )
        rate = tf.cast(learning_rate, variable.dtype)
        t = tf.cast(self.iterations + 1, variable.dtype)
        correction = 1 - self.beta_2**t
        v.assign(self.beta_2 * v + (1 - self.beta_2) * gradient**2)
        step = gradient / (tf.sqrt(v / correction) + self.epsilon)
        if self._use_weight_decay(variable):
            step += tf.cast(self.weight_decay, variable.dtype) * variable
        z.assign_sub(rate * step)
        share = tf.math.divide_no_nan(rate**2, self._squared_rates.value)
        variable.assign(x + share * (z - x))
