"""Every scalar that a run logs, to TensorBoard and under the same name to history.csv.

To add one, add a line. A scalar is computed from what is `Seen`; a kernel scalar from a
list of kernels, once for all of them together and once for each layer as `tag/<layer>`.
Those marked `detail` are logged
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
from training.measures import MEASURES
from training.trainer import GRADIENT_IMAGES, Trainer

SPLITS = {
    "train": "training images (their labels may be noisy), dropout off",
    "validation": "images that are not trained on",
}

MEMORIZED = {
    "wrong_label": "Of the training images whose label was redrawn wrong: the fraction "
    "predicted as that label. It is learned by heart (Zhang et al. 2017).",
    "true_label": "Of the same images: the fraction predicted as what they are, "
    "against their label.",
    "clean_label": "Of the other training images: the fraction predicted right.",
}


def accuracy_gap(measurement: Measurement) -> float:
    return measurement.train["accuracy"] - measurement.validation["accuracy"]


@dataclass(frozen=True)
class Seen:
    """What a scalar is computed from.

    Attributes:
        measurement: What the evaluation found.
        live: Weights of a dense first layer from pixels that vary, (pixels, units);
            None if the first layer is of another kind.
        dead: The same from pixels that are 0 in all training images of the run.
    """

    measurement: Measurement
    live: np.ndarray | None
    dead: np.ndarray | None


@dataclass(frozen=True)
class Scalar:
    """A tag, what it reveals in one line, and its value; None where there is none."""

    tag: str
    description: str
    value: Callable[[Seen], float | None]
    detail: bool = False


@dataclass(frozen=True)
class KernelScalar:
    """A scalar of kernels: of all together, and of each as `tag/<layer>`."""

    tag: str
    description: str
    value: Callable[[Sequence[Kernel]], float | None]
    detail: bool = False


def measure_scalars() -> list[Scalar]:
    """What evaluations measure, on the training and on the validation images."""

    def value(split: str, name: str) -> Callable[[Seen], float]:
        return lambda seen: getattr(seen.measurement, split)[name]

    return [
        Scalar(
            f"{measure.group}/{split}",
            f"{measure.description} On {of}.",
            value(split, name),
        )
        for name, measure in MEASURES.items()
        for split, of in SPLITS.items()
    ]


def memorized_scalars() -> list[Scalar]:
    """What becomes of noisy labels; nothing without them."""

    def value(name: str) -> Callable[[Seen], float | None]:
        return lambda seen: seen.measurement.memorized.get(name)

    return [
        Scalar(f"memorized/{name}", text, value(name))
        for name, text in MEMORIZED.items()
    ]


SCALARS: list[Scalar | KernelScalar] = [
    *measure_scalars(),
    *memorized_scalars(),
    Scalar(
        "trained_loss/train",
        "Mean of what the updates minimize, without penalty, on the training images.",
        lambda seen: seen.measurement.train["loss"],
    ),
    Scalar(
        "trained_loss/validation",
        "The same on the validation images: what tells overfitting where the loss that "
        "is trained is not the cross-entropy.",
        lambda seen: seen.measurement.validation["loss"],
    ),
    Scalar(
        "gap/loss",
        "loss/validation - loss/train: how much is learned that does not generalize.",
        lambda seen: seen.measurement.gap,
    ),
    Scalar(
        "gap/accuracy",
        "accuracy/train - accuracy/validation.",
        lambda seen: accuracy_gap(seen.measurement),
    ),
    Scalar(
        "best/validation_loss",
        "Lowest loss/validation so far: what stopping in time would have given.",
        lambda seen: seen.measurement.best_validation,
    ),
    Scalar(
        "objective/total",
        "What the updates minimize: training loss plus penalty. Not comparable between "
        "methods.",
        lambda seen: seen.measurement.objective,
    ),
    Scalar(
        "objective/penalty",
        "Sum of the L1 and L2 penalties; 0 under weight decay, which is no penalty.",
        lambda seen: seen.measurement.penalty,
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
    Scalar(
        "first_layer/live_pixels",
        "Root mean square of the weights from pixels that vary, in the first layer: "
        "what the norm says of the weights that the data train.",
        lambda seen: root_mean_square(seen.live),
    ),
    Scalar(
        "first_layer/dead_pixels",
        "The same from pixels that are 0 in every training image: only a regularizer "
        "moves these. Adam normalizes the gradient of even a weak L2 to full steps "
        "(Loshchilov & Hutter 2019), so they fall to 0 and the norm with them.",
        lambda seen: root_mean_square(seen.dead),
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
        "Share of the kernels that decay takes off in an update, whatever the gradient "
        "(Loshchilov & Hutter 2019). 0 under L2; absent under rules that take more off "
        "some weights of a kernel than off others.",
        lambda seen: seen.measurement.decay,
        detail=True,
    ),
    Scalar(
        "decay/epochs",
        "1 / (decay/per_update * updates per epoch): epochs over which the weights "
        "average past updates; from 1 to the length of the run is sensible (Wang & "
        "Aitchison 2024).",
        lambda seen: seen.measurement.decay_epochs,
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
        lambda seen: seen.measurement.validation["logit_scale"],
        detail=True,
    ),
    Scalar(
        "optimizer/learning_rate",
        "Learning rate of the last update, at epoch 0 of the first, read back from the "
        "optimizer.",
        lambda seen: seen.measurement.learning_rate,
    ),
    Scalar(
        "optimizer/weight_decay",
        "Weight decay, read back from the optimizer: as a rule it multiplies it by the "
        "learning rate.",
        lambda seen: seen.measurement.weight_decay,
    ),
    Scalar(
        "time/epoch_seconds",
        "Seconds for the updates of one epoch, without evaluation.",
        lambda seen: seen.measurement.epoch_seconds,
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
            trainer: Trainer of the run, before it has restored a checkpoint: its
                weights are the initial ones.
            detail: Whether to compute those that are marked so too.
        """
        self._trainer, self._detail = trainer, detail
        self._layers = list(kernels(trainer.model))
        self._initial = self._read_kernels()
        self._scalars = [s for s in SCALARS if detail or not s.detail]
        if trainer.program.loss == "cross_entropy":
            self._scalars = [s for s in self._scalars if "trained_loss" not in s.tag]
        if not trainer.data.memorized(len(trainer.data.validation)):
            self._scalars = [s for s in self._scalars if "memorized" not in s.tag]
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
        seen = Seen(measurement, *self._first_layer(found))
        values: dict[str, float | None] = {}
        # A run that diverged has weights that are not finite, and so are its scalars.
        with np.errstate(all="ignore"):
            for scalar in self._scalars:
                if isinstance(scalar, Scalar):
                    values[scalar.tag] = scalar.value(seen)
                else:
                    values |= self._of_kernels(scalar, found)
        return {tag: float(value) for tag, value in values.items() if value is not None}

    def _first_layer(
        self, found: list[Kernel]
    ) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """The weights from live pixels and from dead ones, if the layer is dense."""
        if not found or len(found[0].weights) != len(self._dead):
            return None, None
        rows = found[0].weights
        return rows[~self._dead], rows[self._dead]

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
