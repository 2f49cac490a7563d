"""ADOPT, which Keras does not have."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("optimizers")
class Adopt(keras.optimizers.Adam):
    """Adam that divides by the squares of earlier gradients: `optimizers.steps.adopt`.

    The bound on a direction is 0 in the first update, which therefore makes no step.
    """

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        t = tf.cast(self.iterations, variable.dtype)
        direction = gradient / tf.maximum(tf.sqrt(v.value), self.epsilon)
        direction = tf.clip_by_value(direction, -(t**0.25), t**0.25)
        m.assign(self.beta_1 * m + (1 - self.beta_1) * direction)
        variable.assign_sub(tf.cast(learning_rate, variable.dtype) * m.value)
        kept = self.beta_2 * tf.cast(t > 0, variable.dtype)
        v.assign(kept * v + (1 - kept) * gradient**2)
