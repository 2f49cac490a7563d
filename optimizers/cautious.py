"""Cautious weight decay, which Keras does not have."""

import keras
import tensorflow as tf


class CautiousAdamW(keras.optimizers.AdamW):
    """AdamW whose decay leaves alone the weights that its step makes grow.

    See `optimizers.adam.adamw_cautious`.
    """

    def _apply_weight_decay(self, variables):
        """Not before the step, which says where to decay."""

    def update_step(self, gradient, variable, learning_rate):
        before = tf.identity(variable)
        super().update_step(gradient, variable, learning_rate)
        if self._use_weight_decay(variable):
            rate = tf.cast(learning_rate, variable.dtype)
            decay = tf.cast(self.weight_decay, variable.dtype)
            grows = (before - variable) * before < 0
            shrunk = tf.where(grows, tf.zeros_like(before), before)
            variable.assign_sub(rate * decay * shrunk)
