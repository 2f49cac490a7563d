"""Every scalar that a run logs, to TensorBoard and under the same name to history.csv.

To add one, add a line. A scalar is computed from a measurement; a kernel scalar from a
list of kernels, once for all of them together and once for each layer as `tag/<layer>`.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from models import kernels
from training.measurement import Measurement


@dataclass(frozen=True)
class Scalar:
    """A tag, what it reveals in one line, and its value; None where there is none."""

    tag: str
    description: str
    value: Callable[[Measurement], float | None]


@dataclass(frozen=True)
class KernelScalar:
    """A tag, what it reveals in one line, and its value for a list of kernels."""

    tag: str
    description: str
    value: Callable[[Sequence[tf.Tensor]], tf.Tensor]


def frobenius_norm(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """sqrt(sum of w^2) over all weights of all the kernels."""
    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels]))


SCALARS: list[Scalar | KernelScalar] = [
    Scalar(
        "loss/train",
        "Cross-entropy on training images (their labels may be noisy), no penalty, "
        "dropout off.",
        lambda m: m.train.cross_entropy,
    ),
    Scalar(
        "loss/validation",
        "Cross-entropy on images that are not trained on, no penalty. Rising again: "
        "overfitting.",
        lambda m: m.validation.cross_entropy,
    ),
    Scalar(
        "accuracy/train",
        "Fraction of training images classified right.",
        lambda m: m.train.accuracy,
    ),
    Scalar(
        "accuracy/validation",
        "Fraction of validation images classified right.",
        lambda m: m.validation.accuracy,
    ),
    Scalar(
        "gap/loss",
        "loss/validation - loss/train: how much is learned that does not generalize.",
        lambda m: m.gap,
    ),
    Scalar(
        "gap/accuracy",
        "accuracy/train - accuracy/validation.",
        lambda m: m.train.accuracy - m.validation.accuracy,
    ),
    Scalar(
        "best/validation_loss",
        "Lowest loss/validation so far: what stopping in time would have given.",
        lambda m: m.best_validation,
    ),
    Scalar(
        "objective/total",
        "What the updates minimize: training loss plus penalty. Not comparable between "
        "methods.",
        lambda m: m.objective,
    ),
    Scalar(
        "objective/penalty",
        "Sum of the L1 and L2 penalties; 0 under weight decay, which is no penalty.",
        lambda m: m.penalty,
    ),
    KernelScalar(
        "weights/norm",
        "Frobenius norm, the root of the sum of squares, of kernels: what L2 and "
        "weight decay hold down.",
        frobenius_norm,
    ),
    Scalar(
        "optimizer/learning_rate",
        "Learning rate of the last update, at epoch 0 of the first, read back from the "
        "optimizer.",
        lambda m: m.learning_rate,
    ),
    Scalar(
        "optimizer/weight_decay",
        "Weight decay, read back from the optimizer, which multiplies it by the "
        "learning rate.",
        lambda m: m.weight_decay,
    ),
    Scalar(
        "time/epoch_seconds",
        "Seconds for the updates of one epoch, without evaluation.",
        lambda m: m.epoch_seconds,
    ),
]


@functools.lru_cache(maxsize=8)
def read_scalars_of(model: keras.Model) -> "ScalarReader":
    """The reader of a model: runs that share a compiled model share its one call."""
    return ScalarReader(model)


class ScalarReader:
    """Computes all scalars of a model; those of its kernels in one compiled call."""

    def __init__(self, model: keras.Model):
        self._kernels = kernels(model)
        self.descriptions: dict[str, str] = {}
        for scalar in SCALARS:
            tags = [scalar.tag]
            if isinstance(scalar, KernelScalar):
                tags += [f"{scalar.tag}/{layer}" for layer in self._kernels]
            self.descriptions |= dict.fromkeys(tags, scalar.description)
        self._kernel_scalars = tf.function(self._compute_kernel_scalars)

    def _compute_kernel_scalars(self) -> dict[str, tf.Tensor]:
        tensors = {k: tf.cast(v, tf.float64) for k, v in self._kernels.items()}
        values = {}
        for scalar in SCALARS:
            if isinstance(scalar, KernelScalar) and tensors:
                values[scalar.tag] = scalar.value(list(tensors.values()))
                for layer, tensor in tensors.items():
                    values[f"{scalar.tag}/{layer}"] = scalar.value([tensor])
        return values

    def __call__(self, measurement: Measurement) -> dict[str, float]:
        """The scalars that have a value, by tag."""
        of_kernels = self._kernel_scalars()
        values = {
            s.tag: s.value(measurement) for s in SCALARS if isinstance(s, Scalar)
        } | {tag: float(value) for tag, value in of_kernels.items()}
        return {
            tag: value
            for tag in self.descriptions
            if (value := values.get(tag)) is not None
        }
