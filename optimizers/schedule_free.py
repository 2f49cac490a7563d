"""Schedule-Free steps.

Keras has a class for them which is not the algorithm: on TensorFlow it reads its
sequence z after having changed it, so that its beta_1 has no effect; it decays the
wrong sequence; and it is evaluated where the gradient is taken, not at the average
(Keras 3.15).
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("optimizers")
class ScheduleFree(keras.optimizers.ScheduleFreeAdamW):
    """Adam's steps at the average of its weights: `optimizers.adam.schedule_free`.

    Between updates the model's variables hold the average x, at which it is evaluated
    and saved. Each update begins with `look_ahead`, which moves them to y; the gradient
    is to be taken there. They step and decay from y on, and z takes over the change.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._averages = self.add_optimizer_variables(variables, "average")
        self._squared_rates = self.add_variable(())

    def look_ahead(self):
        """Move the variables from the average x to y, between it and z."""
        for index, variable in enumerate(self._trainable_variables):
            self._averages[index].assign(variable)
            variable.assign(self._between(index))

    def _between(self, index):
        x, z = self._averages[index].value, self._momentums[index].value
        return x + (1 - self.beta_1) * (z - x)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        self._squared_rates.assign_add(learning_rate**2)
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        share = tf.math.divide_no_nan(learning_rate**2, self._squared_rates.value)
        for variable in trainable_variables:
            index = self._get_variable_index(variable)
            x, z = self._averages[index], self._momentums[index]
            z.assign_add(variable - self._between(index))
            if variable.constraint is not None:
                z.assign(variable.constraint(z))
            variable.assign(x + tf.cast(share, variable.dtype) * (z - x))

    def update_step(self, gradient, variable, learning_rate):
        v = self._velocities[self._get_variable_index(variable)]
        rate = tf.cast(learning_rate, variable.dtype)
        correction = 1 - self.beta_2 ** tf.cast(self.iterations + 1, variable.dtype)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * gradient**2)
        root = tf.sqrt(v.value / correction)
        variable.assign_sub(rate * gradient / (root + self.epsilon))
