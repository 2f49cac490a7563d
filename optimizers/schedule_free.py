"""Schedule-Free steps.

Keras' own class deviates from the algorithm (Keras 3.15): on TensorFlow it reads its
sequence z after changing it, so that beta_1 has no effect; it decays the wrong
sequence; and it is evaluated where the gradient is taken, not at the average.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("optimizers")
class ScheduleFree(keras.optimizers.ScheduleFreeAdamW):
    """Adam's steps beside the average of its weights: `optimizers.steps.schedule_free`.

    It needs `use_ema`: the average x takes the place of Keras' moving average of the
    weights, which is evaluated. In training, the variables hold y, where the gradient
    is taken; they step and decay from there, and the change is added to z.
    """

    def build(self, variables):
        if self.built:
            return
        with tf.init_scope():  # The first call of a compiled step may be what builds.
            super().build(variables)
            self._squared_rates = self.add_variable(())

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        starts = [tf.identity(variable.value) for variable in trainable_variables]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        self._squared_rates.assign_add(learning_rate**2)
        for y, variable in zip(starts, trainable_variables, strict=True):
            z = self._momentums[self._get_variable_index(variable)]
            z.assign_add(variable - y)
            if variable.constraint is not None:
                z.assign(variable.constraint(z))

    def _update_model_variables_moving_average(self, trainable_variables):
        total = self._squared_rates.value
        share = tf.where(total > 0, self.learning_rate.value**2 / total, 1)
        averages = self._model_variables_moving_average
        for variable, x, z in zip(
            trainable_variables, averages, self._momentums, strict=True
        ):
            x.assign_add(tf.cast(share, variable.dtype) * (z - x))
            variable.assign(x + (1 - self.beta_1) * (z - x))

    def update_step(self, gradient, variable, learning_rate):
        v = self._velocities[self._get_variable_index(variable)]
        rate = tf.cast(learning_rate, variable.dtype)
        correction = 1 - self.beta_2 ** tf.cast(self.iterations + 1, variable.dtype)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * gradient**2)
        root = tf.sqrt(v.value / correction)
        variable.assign_sub(rate * gradient / (root + self.epsilon))
