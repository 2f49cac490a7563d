"""The compiled calls: the updates of an epoch, and an evaluation."""

import keras
import tensorflow as tf

from training.losses import cross_entropy
from training.twin import training_twin

EVALUATION_BLOCK = 1000
"""Images evaluated at once: enough for the processor, and little memory."""


def compile_updates(model, optimizer, loss, seed, jit_compile):
    """Compile the updates of an epoch into one call.

    Args:
        model: A plain model; see `training.twin` for what is trained in its place.
        optimizer: Built for the model. Its weight decay is put into a variable, so that
            assigning to it has an effect.
        loss: Function of (labels, logits) to one value per image.
        seed: Of the dropout masks.
        jit_compile: Whether XLA compiles the call.

    Returns:
        A function `(images, labels, batches, rates, first, last)` of tensors that makes
        the updates first to last - 1 of the rows of `batches`, (updates, batch), which
        hold indices of images, at the learning rates `rates`, (updates,).
    """
    if optimizer.weight_decay is not None:
        optimizer.weight_decay = keras.Variable(
            optimizer.weight_decay, trainable=False, name="weight_decay"
        )
    twin = training_twin(model, seed, optimizer.iterations, jit_compile)

    @tf.function(jit_compile=jit_compile)
    def updates(images, labels, batches, rates, first, last):
        update = first
        while update < last:
            batch = tf.gather(batches, update)
            with tf.GradientTape() as tape:
                logits = twin(tf.gather(images, batch), training=True)
                objective = tf.reduce_mean(loss(tf.gather(labels, batch), logits))
                if twin.losses:
                    objective += tf.add_n(twin.losses)
            gradients = tape.gradient(objective, twin.trainable_variables)
            optimizer.learning_rate.assign(tf.gather(rates, update))
            optimizer.apply(gradients, twin.trainable_variables)
            update += 1

    return updates


def compile_evaluation(model, loss, jit_compile):
    """Compile an evaluation: dropout off, weights fixed.

    Returns:
        A function `(images, labels)` to float64 means over the images, (3,): the
        cross-entropy, the accuracy, and `loss`.
    """

    def sums(images, labels):
        logits = model(images, training=False)
        correct = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
        columns = [cross_entropy(labels, logits), correct, loss(labels, logits)]
        return tf.stack([tf.reduce_sum(tf.cast(c, tf.float64)) for c in columns])

    @tf.function(jit_compile=jit_compile)
    def evaluation(images, labels):
        count = labels.shape[0]
        whole = count - count % EVALUATION_BLOCK
        total = tf.zeros(3, tf.float64)
        for start in tf.range(0, whole, EVALUATION_BLOCK):
            block = start + tf.range(EVALUATION_BLOCK)
            total += sums(tf.gather(images, block), tf.gather(labels, block))
        if whole < count:
            total += sums(images[whole:], labels[whole:])
        return total / count

    return evaluation


def compile_penalty(model):
    """Compile the sum of all weight penalties, a float64 scalar."""

    @tf.function
    def penalty():
        terms = [v.regularizer(v) for v in model.trainable_variables if v.regularizer]
        return tf.add_n([tf.cast(t, tf.float64) for t in [*terms, 0.0]])

    return penalty
