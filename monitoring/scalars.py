"""Every scalar that a run logs, to TensorBoard and under the same name to history.csv.

To add one, add a line. A scalar is computed from a measurement; a kernel scalar from a
list of kernels, once for all of them together and once for each layer as `tag/<layer>`;
a pixel scalar from the weights that leave the pixels. Those marked `detail` are logged
if `monitoring.detail` is set. docs/tensorboard.md says where each is known from.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models import kernels
from monitoring.weights import (
    NEAR_ZERO,
    Kernel,
    cosine_to_start,
    decay_share,
    distance_to_start,
    dot_product_with_start,
    frobenius_norm,
    l1_distance_to_start,
    l1_norm,
    loss_gradient_norm,
    maximum,
    near_zero_fraction,
    penalty_gradient_norm,
    root_mean_square,
    spectral_norm,
    stable_rank,
    update_ratio,
)
from training.measurement import Measurement
from training.trainer import GRADIENT_IMAGES, Trainer


@dataclass(frozen=True)
class Scalar:
    """A tag, what it reveals in one line, and its value; None where there is none."""

    tag: str
    description: str
    value: Callable[[Measurement], float | None]
    detail: bool = False


@dataclass(frozen=True)
class KernelScalar:
    """The same, of a list of kernels."""

    tag: str
    description: str
    value: Callable[[Sequence[Kernel]], float | None]
    detail: bool = False


@dataclass(frozen=True)
class PixelScalar:
    """The same, of the rows of the first kernel, of live pixels and of dead ones.

    A pixel is dead if it is 0 in all training images of the run. A first layer that is
    not dense has no such rows.
    """

    tag: str
    description: str
    value: Callable[[np.ndarray, np.ndarray], float | None]
    detail: bool = False


SCALARS: list[Scalar | KernelScalar | PixelScalar] = [
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
        "weight decay hold down (Krogh & Hertz 1992).",
        frobenius_norm,
    ),
    KernelScalar(
        "weights/maximum",
        "Largest |w|. AdamW without minibatch noise ends at 1 / weight_decay or below "
        "(Xie & Li 2024): near that bound, decay is what holds the weights.",
        maximum,
    ),
    KernelScalar(
        "weights/distance",
        "Euclidean distance to the initial weights: how far training went. Learning "
        "noisy labels by heart takes it farther (Nagarajan & Kolter 2019).",
        distance_to_start,
    ),
    KernelScalar(
        "weights/cosine",
        "Cosine to the initial weights. Near 1: the network trains lazily and keeps "
        "its random features (Chizat et al. 2019). Near 0: the start is forgotten.",
        cosine_to_start,
    ),
    KernelScalar(
        "weights/update_ratio",
        "Norm of the epoch's last update over that of the weights: the effective "
        "learning rate. About 0.001 is usual (CS231n); decay holds it up "
        "(Kosson et al. 2024).",
        update_ratio,
    ),
    PixelScalar(
        "first_layer/live_pixels",
        "Root mean square of the weights from pixels that vary, in the first layer: "
        "what the norm says of the weights that the data train.",
        lambda live, _: root_mean_square(live),
    ),
    PixelScalar(
        "first_layer/dead_pixels",
        "The same from pixels that are 0 in every training image: only a regularizer "
        "moves these. Adam normalizes the gradient of even a weak L2 to full steps "
        "(Loshchilov & Hutter 2019), so they fall to 0 and the norm with them.",
        lambda _, dead: root_mean_square(dead),
    ),
    KernelScalar(
        "weights/l1_norm",
        "Sum of |w|: what an L1 penalty holds down (Tibshirani 1996).",
        l1_norm,
        detail=True,
    ),
    KernelScalar(
        "weights/l1_distance",
        "Sum of the absolute differences to the initial weights: far above the "
        "distance where many weights move a little, near it where few move far.",
        l1_distance_to_start,
        detail=True,
    ),
    KernelScalar(
        "weights/near_zero",
        f"Fraction of weights with |w| < {NEAR_ZERO:g}: sparsity, which L1 brings and "
        "L2 does not (Tibshirani 1996).",
        near_zero_fraction,
        detail=True,
    ),
    KernelScalar(
        "weights/spectral_norm",
        "Largest singular value; in all, the largest of all layers. How much a layer "
        "can stretch a difference between two inputs (Yoshida & Miyato 2017).",
        spectral_norm,
        detail=True,
    ),
    KernelScalar(
        "weights/stable_rank",
        "(norm / spectral norm)^2, at most the rank (Rudelson & Vershynin 2007): over "
        "how many directions a layer spreads. Decay lowers it (Galanti et al. 2022).",
        stable_rank,
        detail=True,
    ),
    KernelScalar(
        "weights/dot_product",
        "Sum of w times its initial value: how much is left of the start. Decay alone "
        "would shrink it e-fold in decay/epochs (Wang & Aitchison 2024).",
        dot_product_with_start,
        detail=True,
    ),
    KernelScalar(
        "gradient/loss",
        f"Norm of the gradient of the loss without penalty, on {GRADIENT_IMAGES:,} "
        "training images at most, dropout off. Rising late in a schedule: decay over a "
        "falling learning rate (Defazio 2025).",
        loss_gradient_norm,
        detail=True,
    ),
    KernelScalar(
        "gradient/penalty",
        "Norm of the gradient of the penalty alone: for L2, 2 * l2 * norm. Where it "
        "equals gradient/loss, neither wins (Krogh & Hertz 1992). 0 under AdamW.",
        penalty_gradient_norm,
        detail=True,
    ),
    Scalar(
        "decay/per_update",
        "learning_rate * weight_decay: share of the kernels that decay takes off in an "
        "update, whatever the gradient (Loshchilov & Hutter 2019). 0 under L2.",
        lambda m: m.decay,
        detail=True,
    ),
    Scalar(
        "decay/epochs",
        "1 / (decay/per_update * updates per epoch): epochs over which the weights "
        "average past updates; from 1 to the length of the run is sensible (Wang & "
        "Aitchison 2024).",
        lambda m: m.decay_epochs,
        detail=True,
    ),
    KernelScalar(
        "decay/share_of_update",
        "Norm of what decay took off in the epoch's last update over that of the whole "
        "update: how much of the movement is decay (Kosson et al. 2024).",
        decay_share,
        detail=True,
    ),
    Scalar(
        "logits/scale",
        "Standard deviation of the validation logits over the classes: confidence, "
        "right or wrong. It grows while the network overfits (Guo et al. 2017).",
        lambda m: m.validation.logit_scale,
        detail=True,
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


class ScalarReader:
    """Computes the scalars of a run.

    Attributes:
        descriptions: What each reveals, by tag.
    """

    def __init__(self, trainer: Trainer, detail: bool):
        """
        Args:
            trainer: Of the run, before it has restored a checkpoint: its weights are
                the initial ones.
            detail: Whether to compute those that are marked so too.
        """
        self._trainer, self._detail = trainer, detail
        self._layers = list(kernels(trainer.model))
        self._initial = self._read_kernels()
        self._scalars = [s for s in SCALARS if detail or not s.detail]
        self._dead = find_dead_pixels(trainer.data.train.pixels)
        self.descriptions: dict[str, str] = {}
        for scalar in self._scalars:
            tags = [scalar.tag]
            if isinstance(scalar, KernelScalar):
                tags += [f"{scalar.tag}/{layer}" for layer in self._layers]
            self.descriptions |= dict.fromkeys(tags, scalar.description)

    def _read_kernels(self) -> list[np.ndarray]:
        return as_float64(k.numpy() for k in kernels(self._trainer.model).values())

    def _look_at_kernels(self, measurement: Measurement) -> list[Kernel]:
        """The kernels as they are, and what the scalars compare them with."""
        columns = {"weights": self._read_kernels(), "initial": self._initial}
        if self._trainer.previous_kernels is not None:
            columns["previous"] = as_float64(self._trainer.previous_kernels)
        if self._detail:
            of_loss, of_penalty = map(as_float64, self._trainer.gradients())
            columns |= {"loss_gradient": of_loss, "penalty_gradient": of_penalty}
        return [
            Kernel(decay=measurement.decay, **dict(zip(columns, arrays, strict=True)))
            for arrays in zip(*columns.values(), strict=True)
        ]

    def __call__(self, measurement: Measurement) -> dict[str, float]:
        """The scalars that have a value, by tag."""
        found = self._look_at_kernels(measurement)
        values: dict[str, float | None] = {}
        # A run that diverged has weights that are not finite, and so are its scalars.
        with np.errstate(all="ignore"):
            for scalar in self._scalars:
                if isinstance(scalar, Scalar):
                    values[scalar.tag] = scalar.value(measurement)
                elif isinstance(scalar, KernelScalar):
                    values |= self._of_kernels(scalar, found)
                elif found and len(found[0].weights) == len(self._dead):
                    rows = found[0].weights
                    values[scalar.tag] = scalar.value(
                        rows[~self._dead], rows[self._dead]
                    )
        return {tag: float(value) for tag, value in values.items() if value is not None}

    def _of_kernels(
        self, scalar: KernelScalar, found: list[Kernel]
    ) -> dict[str, float | None]:
        if not found:
            return {}
        values = {scalar.tag: scalar.value(found)}
        for layer, kernel in zip(self._layers, found, strict=True):
            values[f"{scalar.tag}/{layer}"] = scalar.value([kernel])
        return values


def as_float64(arrays: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [array.astype(np.float64) for array in arrays]


def find_dead_pixels(images: np.ndarray) -> np.ndarray:
    """Whether each pixel is 0 in all images; bool, (pixels,)."""
    return np.logical_not(images.reshape(len(images), -1).any(axis=0))
