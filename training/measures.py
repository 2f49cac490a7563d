"""What an evaluation finds, each measure a sum over images.

To add one, add an entry: evaluations, history.csv, result.json, TensorBoard and the
tables of a comparison take it from here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from training.losses import softmax_cross_entropy, squared_error
from training.tasks import TASKS

CALIBRATION_BINS = 15


def mean(total, count: int):
    return total / count


@dataclass(frozen=True)
class Measure:
    """A number that tells how good a network is on a set of images.

    Attributes:
        label: Its name on every page.
        unit: Unit of its values.
        better: Which way is better, "lower" or "higher".
        margin: Methods that differ by less are practically equal; None where the scale
            of the labels decides it.
        group: Group of its tags in TensorBoard: `<group>/train`, `<group>/validation`.
        description: What TensorBoard says of it.
        sums: Function `(labels, outputs)` of tensors, as a loss is one, to values whose
            sum over the images is needed, (images,) or (images, width).
        value: Function of their sum, () or (width,), and the number of images, to the
            measure.
        tasks: Names of the tasks in which it is measured.
    """

    label: str
    unit: str
    better: str
    margin: float | None
    group: str
    description: str
    sums: Callable[[Any, Any], Any]
    value: Callable[[Any, int], float] = mean
    tasks: tuple[str, ...] = ("classification", "binary")


def accuracy_sums(labels, logits):
    import tensorflow as tf

    return tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)


def calibration_sums(labels, logits):
    """Confidence minus correctness, in the column of the bin of the confidence."""
    import tensorflow as tf

    confidence = tf.reduce_max(tf.nn.softmax(logits), axis=1)
    correct = tf.cast(accuracy_sums(labels, logits), confidence.dtype)
    bins = tf.cast(tf.math.ceil(confidence * CALIBRATION_BINS), tf.int32) - 1
    excess = confidence - correct
    return tf.one_hot(bins, CALIBRATION_BINS, dtype=excess.dtype) * excess[:, None]


def squares(labels, predictions):
    """What the coefficient of determination needs: the error and the label, squared."""
    import tensorflow as tf

    label = tf.cast(labels, tf.float64)
    error = label - tf.cast(predictions[:, 0], tf.float64)
    return tf.stack([error**2, label**2, label], axis=1)


def determination(sums, count: int) -> float:
    unexplained, square, total = sums
    variation = square - total**2 / count
    return 1 - unexplained / variation if variation > 0 else math.nan


def logit_scales(labels, logits):
    import tensorflow as tf

    return tf.math.reduce_std(logits, axis=1)


MEASURES = {
    "cross_entropy": Measure(
        "cross-entropy",
        "nats",
        "lower",
        0.01,
        "loss",
        "Cross-entropy, without penalty. Rising again on validation images: "
        "overfitting.",
        softmax_cross_entropy,
    ),
    "accuracy": Measure(
        "accuracy",
        "%",
        "higher",
        0.005,
        "accuracy",
        "Fraction of the images classified right.",
        accuracy_sums,
    ),
    "calibration_error": Measure(
        "calibration error",
        "%",
        "lower",
        0.005,
        "calibration",
        "Expected calibration error: mean distance of confidence and accuracy, over "
        f"{CALIBRATION_BINS} bins of confidence (Guo et al. 2017).",
        calibration_sums,
        lambda sums, count: math.fsum(map(abs, sums)) / count,
    ),
    "mean_squared_error": Measure(
        "mean squared error",
        "",
        "lower",
        None,
        "loss",
        "Mean squared error, without penalty. Rising again on validation images: "
        "overfitting.",
        squared_error,
        tasks=("regression",),
    ),
    "r_squared": Measure(
        "R squared",
        "%",
        "higher",
        0.005,
        "r_squared",
        "Coefficient of determination: fraction of the variance of the labels that is "
        "explained.",
        squares,
        determination,
        tasks=("regression",),
    ),
}
"""By the key that result.json has."""


def measures_of(task: str) -> dict[str, Measure]:
    """The measures of a task, by key, first that which runs are compared by."""
    found = {key: m for key, m in MEASURES.items() if task in m.tasks}
    criterion = TASKS[task].criterion
    return {criterion: found[criterion]} | found


def name_in_logs(key: str, criterion: str) -> str:
    """What Keras' callbacks know a measure by: what runs are compared by is a loss."""
    return "loss" if key == criterion else key


def watched(task: str) -> dict[str, str]:
    """Which way each number is better that callbacks of a task see, by its name."""
    measures = measures_of(task)
    return {
        of + name_in_logs(key, TASKS[task].criterion): measure.better
        for of in ("val_", "")
        for key, measure in measures.items()
    }


class Share(NamedTuple):
    """A share of the training images: its name on every page, and what it is."""

    label: str
    description: str


MEMORIZED = {
    "wrong_label": Share(
        "wrong labels fitted",
        "Of the training images whose label was redrawn wrong: the fraction predicted "
        "as that label. It is learned by heart (Zhang et al. 2017).",
    ),
    "true_label": Share(
        "wrong labels corrected",
        "Of the training images whose label was redrawn wrong: the fraction predicted "
        "as what they are, against their label.",
    ),
    "clean_label": Share(
        "right labels fitted",
        "Of the training images whose label is right: the fraction predicted right.",
    ),
}
"""What becomes of noisy labels, by the key that result.json has."""
