"""Measures of a network: name, unit and format of each number.

To add a measure, add an entry to MEASURES: evaluations, history.csv, result.json,
TensorBoard and the tables of a comparison take it from there.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from training.losses import TASKS, softmax_cross_entropy, squared_error

CALIBRATION_BINS = 15
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def mean(total, count: int):
    return total / count


@dataclass(frozen=True)
class Measure:
    """A number of a run, and how tables, pages, figures and sentences show it.

    Attributes:
        name: Name in words, such as "cross-entropy" or "test cross-entropy".
        unit: Unit, such as "nats"; "%" for a fraction to be shown in percent; empty for
            a number without unit.
        better: "lower" or "higher"; empty if neither is better.
        margin: Difference below which methods are practically equal; None if there is
            no natural scale. A tenth of it is the last digit that is shown.
        tag: Tag in TensorBoard and column in history.csv; empty if it is in neither.
            For an entry of MEASURES, the group of its tags: `<group>/train` and
            `<group>/validation`.
        sums: Function `(labels, outputs)` of tensors, like a loss, to the values that
            are summed over the images, (images,) or (images, width). TensorBoard shows
            its docstring. None for a number that is not a sum over images, and for the
            loss that the run minimizes.
        reduce: Function of that sum, () or (width,), and of the number of images, to
            the value of the measure.
        tasks: Names of the tasks in which it is measured.
        about: Description for TensorBoard, if `sums` has no docstring.
        key: Column of summary.csv without the moment, such as "test_cross_entropy".
    """

    name: str
    unit: str = ""
    better: str = ""
    margin: float | None = None
    tag: str = ""
    sums: Callable[[Any, Any], Any] | None = None
    reduce: Callable[[Any, int], float] = mean
    tasks: tuple[str, ...] = ("classification", "binary")
    about: str = ""
    key: str = ""

    @property
    def description(self) -> str:
        """Description for TensorBoard."""
        return self.about or describe(self.sums)

    @property
    def label(self) -> str:
        """Name with unit, for axes and table headings: "test cross-entropy (nats)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def scale(self) -> int:
        return 100 if self.unit == "%" else 1

    @property
    def unit_of_change(self) -> str:
        return "points" if self.unit == "%" else self.unit

    @property
    def within(self) -> str:
        """The margin in words: "within 0.50 points"."""
        size = self._write(self.margin or 0, "")
        return f"within {size} {self.unit_of_change}".rstrip()

    @property
    def best(self) -> str:
        return "highest" if self.better == "higher" else "lowest"

    @property
    def digits(self) -> int:
        """Number of decimals that are shown."""
        if self.margin is None:
            return 4
        return max(0, 1 - math.floor(math.log10(self.scale * self.margin) + 1e-9))

    def number(self, number: float) -> str:
        """Format a value without its unit: "0.348" or "90.81"."""
        return self._write(number, "")

    def value(self, number: float) -> str:
        """Format a value with its unit: "0.348 nats" or "90.81 %"."""
        return SPACE.join(filter(None, (self.number(number), self.unit)))

    def change(self, number: float) -> str:
        """Format a difference without its unit: "+0.027" or "−1.14"."""
        return self._write(number, "+")

    def interval(self, low: float, high: float) -> str:
        """Format an interval: "[−0.049, −0.005]", or "no interval" of too few runs."""
        if math.isnan(low):
            return "no interval"
        return f"[{self.change(low)},{SPACE}{self.change(high)}]"

    def _write(self, number: float, sign: str) -> str:
        if not math.isfinite(number):
            return "not finite"
        text = f"{self.scale * number:{sign}z.{self.digits}f}"
        return text.replace("-", MINUS)


def describe(function: Callable | None) -> str:
    """The first paragraph of a function's docstring, in one line."""
    return " ".join((function.__doc__ or "").partition("\n\n")[0].split())


def accuracy(labels, logits):
    """Fraction of the images classified right."""
    import tensorflow as tf

    return tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)


def calibration(labels, logits):
    """Expected calibration error: mean distance of confidence and accuracy, over 15
    bins of confidence (Guo et al. 2017).

    Returns:
        Confidence minus correctness, in the column of the bin of the confidence.
    """
    import tensorflow as tf

    confidence = tf.reduce_max(tf.nn.softmax(logits), axis=1)
    correct = tf.cast(accuracy(labels, logits), confidence.dtype)
    bins = tf.cast(tf.math.ceil(confidence * CALIBRATION_BINS), tf.int32) - 1
    excess = confidence - correct
    return tf.one_hot(bins, CALIBRATION_BINS, dtype=excess.dtype) * excess[:, None]


def mean_of_sizes(sums, count: int) -> float:
    return math.fsum(map(abs, sums)) / count


def squares(labels, predictions):
    """Coefficient of determination: fraction of the variance of the labels that is
    explained.

    Returns:
        The error and the label, squared, and the label.
    """
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


NUMBERS = ("regression",)
MEASURES = {
    "cross_entropy": Measure(
        "cross-entropy", "nats", "lower", 0.01, "loss", softmax_cross_entropy
    ),
    "accuracy": Measure("accuracy", "%", "higher", 0.005, "accuracy", accuracy),
    "calibration_error": Measure(
        "calibration error",
        "%",
        "lower",
        0.005,
        "calibration",
        calibration,
        mean_of_sizes,
    ),
    "mean_squared_error": Measure(
        "mean squared error", "", "lower", None, "loss", squared_error, tasks=NUMBERS
    ),
    "r_squared": Measure(
        "R squared",
        "",
        "higher",
        0.005,
        "r_squared",
        squares,
        determination,
        tasks=NUMBERS,
    ),
    "loss": Measure(
        "loss",
        better="lower",
        tag="trained_loss",
        tasks=tuple(TASKS),
        about="Mean of what the updates minimize, without penalty.",
    ),
}
"""The measures of an evaluation, by their key in result.json."""

MEMORIZED = {
    key: Measure(name, "%", margin=0.005, tag=f"memorized/{key}", about=about)
    for key, name, about in (
        (
            "wrong_label",
            "wrong labels fitted",
            "Of the training images whose label was redrawn wrong: the fraction "
            "predicted as that label. It is learned by heart (Zhang et al. 2017).",
        ),
        (
            "true_label",
            "wrong labels corrected",
            "Of the training images whose label was redrawn wrong: the fraction "
            "predicted as what they are, against their label.",
        ),
        (
            "clean_label",
            "right labels fitted",
            "Of the training images whose label is right: the fraction predicted "
            "right.",
        ),
    )
}
"""Measures of what becomes of noisy labels, by their key in result.json."""

OF_A_RUN = {
    **{
        f"{split}_{key}": replace(
            measure, name=f"{split} {measure.name}", tag=f"{measure.tag}/{split}"
        )
        for key, measure in MEASURES.items()
        for split in ("train", "validation", "test")
    },
    **{f"memorized_{key}": measure for key, measure in MEMORIZED.items()},
    "generalization_gap": Measure("gap", margin=0.01, tag="gap/loss"),
    "penalty": Measure("penalty", tag="objective/penalty"),
    "weight_norm": Measure("norm of all kernels", margin=0.1, tag="weights/norm"),
}
"""All measures of a run, by their column of summary.csv without the moment."""


def find_measure(key: str, margin: float | None = None) -> Measure:
    """Find a measure by its column; one that is not listed is named by its column.

    Args:
        key: Column of summary.csv, without the moment.
        margin: Margin to use in place of the measure's own.
    """
    measure = OF_A_RUN.get(key) or Measure(key.replace("_", " "))
    return replace(measure, key=key, margin=margin or measure.margin)


def measures_of(task: str) -> dict[str, Measure]:
    """The measures of a task by key, beginning with the criterion of the task."""
    found = {key: m for key, m in MEASURES.items() if task in m.tasks}
    criterion = TASKS[task]
    return {criterion: found[criterion]} | found


def name_in_logs(key: str, criterion: str) -> str:
    """The name of a measure in Keras' logs, where the criterion is called "loss"."""
    return "loss" if key == criterion else key


def watched(task: str) -> dict[str, str]:
    """The numbers in the logs of callbacks: for each name, which way is better."""
    return {
        of + name_in_logs(key, TASKS[task]): measure.better
        for of in ("val_", "")
        for key, measure in measures_of(task).items()
        if key != "loss"
    }


Evaluation = Mapping[str, float]
"""Evaluation of a set of images, dropout off: the measures of the task, `loss` (the
mean of the training loss, without penalty) and `logit_scale` (the standard deviation of
the logits over the classes)."""


@dataclass(frozen=True)
class Measurement:
    """The state of a model at the end of an epoch.

    Attributes:
        epoch: Epochs completed; 0 is before training.
        step: Updates made.
        train: Evaluation of the first training images, as many as validation images.
        validation: Evaluation of the validation images; while training, of the first
            `training.curve_images`.
        memorized: Empty without noisy labels. Else `wrong_label`, the fraction of the
            images with a wrong label that are predicted as that label; `true_label`,
            the fraction of the same images predicted as their true label; and
            `clean_label`, the fraction of all others predicted right.
        penalty: Sum of all weight penalties, without those on activations.
        criterion: Key in the evaluations of the measure that runs are compared by.
        best_validation: Lowest criterion on the validation images so far.
        learning_rate: Learning rate that the optimizer holds.
        weight_decay: Weight decay that the optimizer holds; 0 if it has none.
        decay: Share of the kernels that decay took off in the last update; None under
            rules that take other shares off other weights.
        epoch_seconds: Seconds that an epoch's updates took since the last evaluation,
            without evaluation and compilation; None before training.
        updates_per_epoch: Number of updates in an epoch of the run.
        weights_finite: Whether all weights are finite numbers.
    """

    epoch: int
    step: int
    train: Evaluation
    validation: Evaluation
    penalty: float
    criterion: str
    best_validation: float
    learning_rate: float
    weight_decay: float
    decay: float | None
    epoch_seconds: float | None
    updates_per_epoch: int
    weights_finite: bool = True
    memorized: Mapping[str, float] = field(default_factory=dict)

    @property
    def objective(self) -> float:
        return self.train["loss"] + self.penalty

    @property
    def gap(self) -> float:
        return self.validation[self.criterion] - self.train[self.criterion]

    @property
    def finite(self) -> bool:
        losses = (self.train[self.criterion], self.validation[self.criterion])
        return self.weights_finite and all(
            map(math.isfinite, (*losses, self.objective))
        )
