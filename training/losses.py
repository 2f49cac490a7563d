"""Tasks, and the losses that updates minimize, to which penalties are added.

A function of LOSSES returns a loss: a function `(labels, outputs)` of tensors to one
value per image. In classification, labels are class numbers, (images,), and outputs
are logits, (images, classes). In regression, labels are numbers, (images,), and outputs
are predictions, (images, 1).
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from annotated_types import Ge, Interval, MinLen
from pydantic import NonNegativeFloat, PositiveFloat

from system.errors import UserError

Loss = Callable[[Any, Any], Any]


def softmax_cross_entropy(labels, logits):
    """Cross-entropy, without penalty. Rising again on validation images:
    overfitting."""
    import keras

    return keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )


def squared_error(labels, outputs):
    """Mean squared error, without penalty. Rising again on validation images:
    overfitting."""
    import keras

    return keras.losses.mean_squared_error(targets(labels, outputs), outputs)


def targets(labels, outputs):
    """What outputs are compared with: one-hot labels of classes, or the numbers."""
    import keras

    if labels.dtype.is_integer:
        return keras.ops.one_hot(labels, outputs.shape[1], dtype=outputs.dtype)
    return keras.ops.cast(labels, outputs.dtype)[:, None]


def cross_entropy(
    *,
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    class_weights: Annotated[Sequence[NonNegativeFloat], MinLen(2)] | None = None,
) -> Loss:
    """Softmax cross-entropy in nats.

    Args:
        label_smoothing: Probability that is taken from the class of an image and spread
            evenly over all classes (Szegedy et al. 2016).
        class_weights: What the loss of an image is multiplied by, for each class.
    """
    if not label_smoothing and not class_weights:
        return softmax_cross_entropy

    def loss(labels, logits):
        import keras

        if class_weights and len(class_weights) != logits.shape[1]:
            raise UserError(
                "loss.class_weights", f"{logits.shape[1]} weights", len(class_weights)
            )
        values = keras.losses.categorical_crossentropy(
            targets(labels, logits),
            logits,
            from_logits=True,
            label_smoothing=label_smoothing,
        )
        if not class_weights:
            return values
        weights = keras.ops.convert_to_tensor(class_weights, values.dtype)
        return values * keras.ops.take(weights, labels)

    return loss


def focal(*, gamma: Annotated[float, Ge(0)] = 2.0) -> Loss:
    """Cross-entropy times (1 - p)^gamma, p the probability of the class of the image.

    Images that are classified well count less (Lin et al. 2017).

    Args:
        gamma: How much less; at 0 the loss is the cross-entropy.
    """

    def loss(labels, logits):
        import keras

        values = softmax_cross_entropy(labels, logits)
        # Below epsilon the slope of a power may be infinite.
        wrong = keras.ops.maximum(-keras.ops.expm1(-values), keras.config.epsilon())
        return wrong**gamma * values

    return loss


def mean_squared_error() -> Loss:
    """Squared difference to the label, one-hot where it is a class."""
    return squared_error


def huber(*, delta: PositiveFloat = 1.0) -> Loss:
    """Half the squared difference to the label up to delta, from there on linear.

    It heeds outliers less (Huber 1964). Labels of classes are one-hot, and the mean is
    taken over the classes.

    Args:
        delta: The difference from which on the loss is linear.
    """

    def loss(labels, outputs):
        import keras

        return keras.losses.huber(targets(labels, outputs), outputs, delta)

    return loss


LOSSES: dict[str, Callable[..., Loss]] = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "mean_squared_error": mean_squared_error,
    "huber": huber,
}

CLASS_LOSSES = ("cross_entropy", "focal")
"""Losses that need classes, and so do not go with regression."""

TASKS = {
    "classification": "cross_entropy",
    "binary": "cross_entropy",
    "regression": "mean_squared_error",
}
"""For each value of `data.task`, the loss that is minimized by default; the measure of
the same name is the criterion that runs are compared by."""
