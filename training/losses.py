"""What the updates minimize, before any penalty."""

import keras


def cross_entropy(labels, logits):
    """Softmax cross-entropy in nats, one value per image."""
    return keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )


def mean_squared_error(labels, logits):
    """Mean over the classes of (logit - one-hot label)^2, one value per image."""
    return keras.losses.mean_squared_error(
        keras.ops.one_hot(labels, logits.shape[1], dtype=logits.dtype), logits
    )


LOSSES = {"cross_entropy": cross_entropy, "mean_squared_error": mean_squared_error}
