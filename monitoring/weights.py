"""Scalars of a model's kernels, for all of them together and for each layer.

To add one, write a function of a list of kernels and give it a tag in `KERNEL_SCALARS`.
TensorBoard shows the docstring beside the curve. Several kernels count as one vector
or, for singular values, as the block-diagonal matrix of them all; a kernel of more than
two axes, as of a convolution, counts as the matrix of its last axis against all others.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models import kernels
from training.measures import describe

if TYPE_CHECKING:
    import keras

NEAR_ZERO = 1e-3


@dataclass(frozen=True)
class Kernel:
    """A kernel at an evaluation, and arrays that it is compared with.

    Attributes:
        weights: The kernel as it is now.
        initial: The kernel before training.
        previous: The kernel before the last update; None before the first.
        decay: Share of the weights that decay removes in an update: the learning rate
            times the weight decay. NaN if it is not the same for all weights.
        loss_gradient: Gradient of the loss without penalty; None if not computed.
        penalty_gradient: Gradient of the penalty; None if not computed.
        dead: Which pixels are 0 in all training images, (pixels,); None if not known.
    """

    weights: np.ndarray
    initial: np.ndarray
    previous: np.ndarray | None = None
    decay: float = np.nan
    loss_gradient: np.ndarray | None = None
    penalty_gradient: np.ndarray | None = None
    dead: np.ndarray | None = None

    @cached_property
    def square_sums(self) -> dict[str, float]:
        """Sums of squares of the arrays, and of the changes since the start and in the
        last update. Most scalars are computed from these few sums."""
        arrays = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        arrays.pop("dead", None)
        arrays["distance"] = self.weights - self.initial
        if self.previous is not None:
            arrays["update"] = self.weights - self.previous
        return {name: dot(array, array) for name, array in arrays.items()}

    @cached_property
    def dot_with_initial(self) -> float:
        return dot(self.weights, self.initial)

    @cached_property
    def largest_singular_value(self) -> float:
        matrix = self.weights.reshape(-1, self.weights.shape[-1])
        if not np.isfinite(matrix).all():
            return np.nan
        return np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1])


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of a * b, in an order that does not depend on the number of threads."""
    return float(np.einsum("i,i->", a.ravel(), b.ravel()))


def norm(kernels: Sequence[Kernel], name: str) -> float:
    """Root of the sum of an entry of `Kernel.square_sums` over kernels; NaN if it is
    missing."""
    return np.sqrt(sum(kernel.square_sums.get(name, np.nan) for kernel in kernels))


def frobenius_norm(kernels: Sequence[Kernel]) -> float:
    """Frobenius norm, the root of the sum of squares, of kernels: what L2 and weight
    decay hold down (Krogh & Hertz 1992)."""
    return norm(kernels, "weights")


def maximum(kernels: Sequence[Kernel]) -> float:
    """Largest |w|. AdamW without minibatch noise ends at 1 / weight_decay or below
    (Xie & Li 2024): near that bound, decay is what holds the weights."""
    return np.max([np.max(np.abs(kernel.weights)) for kernel in kernels])


def distance(kernels: Sequence[Kernel]) -> float:
    """Euclidean distance to the initial weights: how far training went. Learning noisy
    labels by heart takes it farther (Nagarajan & Kolter 2019)."""
    return norm(kernels, "distance")


def cosine(kernels: Sequence[Kernel]) -> float:
    """Cosine to the initial weights. Near 1: the network trains lazily and keeps its
    random features (Chizat et al. 2019). Near 0: the start is forgotten."""
    norms = norm(kernels, "weights") * norm(kernels, "initial")
    return dot_product(kernels) / norms


def update_ratio(kernels: Sequence[Kernel]) -> float:
    """Norm of the epoch's last update over that of the weights: the effective learning
    rate. About 0.001 is usual (CS231n); decay holds it up (Kosson et al. 2024)."""
    return norm(kernels, "update") / norm(kernels, "previous")


def l1_norm(kernels: Sequence[Kernel]) -> float:
    """Sum of |w|: what an L1 penalty holds down (Tibshirani 1996)."""
    return sum(np.sum(np.abs(kernel.weights)) for kernel in kernels)


def l1_distance(kernels: Sequence[Kernel]) -> float:
    """Sum of the absolute differences to the initial weights: far above the distance
    where many weights move a little, near it where few move far."""
    return sum(np.sum(np.abs(kernel.weights - kernel.initial)) for kernel in kernels)


def near_zero(kernels: Sequence[Kernel]) -> float:
    """Fraction of weights with |w| < 0.001: sparsity, which L1 brings and L2 does not
    (Tibshirani 1996)."""
    small = [np.abs(kernel.weights) < NEAR_ZERO for kernel in kernels]
    return sum(map(np.count_nonzero, small)) / sum(array.size for array in small)


def spectral_norm(kernels: Sequence[Kernel]) -> float:
    """Largest singular value; in all, the largest of all layers. How much a layer can
    stretch a difference between two inputs (Yoshida & Miyato 2017)."""
    return np.max([kernel.largest_singular_value for kernel in kernels])


def stable_rank(kernels: Sequence[Kernel]) -> float:
    """(norm / spectral norm)^2, at most the rank (Rudelson & Vershynin 2007): over how
    many directions a layer spreads. Decay lowers it (Galanti et al. 2022)."""
    return np.square(frobenius_norm(kernels) / spectral_norm(kernels))


def dot_product(kernels: Sequence[Kernel]) -> float:
    """Sum of w times its initial value: how much is left of the start. Decay alone
    would shrink it e-fold in decay/epochs (Wang & Aitchison 2024)."""
    return sum(kernel.dot_with_initial for kernel in kernels)


def loss_gradient_norm(kernels: Sequence[Kernel]) -> float:
    """Norm of the gradient of the loss without penalty, on 2,000 training images at
    most, dropout off. Rising late in a schedule: decay over a falling learning rate
    (Defazio 2025)."""
    return norm(kernels, "loss_gradient")


def penalty_gradient_norm(kernels: Sequence[Kernel]) -> float:
    """Norm of the gradient of the penalty alone: for L2, 2 * l2 * norm. Where it equals
    gradient/loss, neither wins (Krogh & Hertz 1992). 0 under AdamW."""
    return norm(kernels, "penalty_gradient")


def decay_share(kernels: Sequence[Kernel]) -> float:
    """Norm of what decay took off in the epoch's last update over that of the whole
    update: how much of the movement is decay (Kosson et al. 2024)."""
    return kernels[0].decay * norm(kernels, "previous") / norm(kernels, "update")


def live_pixels(kernels: Sequence[Kernel]) -> float:
    """Root mean square of the weights from pixels that vary, in the first layer: what
    the norm says of the weights that the data train."""
    return root_mean_square(kernels[0], dead=False)


def dead_pixels(kernels: Sequence[Kernel]) -> float:
    """Root mean square of the weights from pixels that are 0 in every training image:
    only a regularizer moves these. Adam normalizes the gradient of even a weak L2 to
    full steps (Loshchilov & Hutter 2019), so they fall to 0 and the norm with them."""
    return root_mean_square(kernels[0], dead=True)


def root_mean_square(kernel: Kernel, dead: bool) -> float:
    """sqrt(mean of w^2) of the weights from dead or from other pixels; NaN of none."""
    if kernel.dead is None or len(kernel.dead) != len(kernel.weights):
        return np.nan
    weights = kernel.weights[kernel.dead == dead]
    return np.sqrt(np.mean(np.square(weights))) if weights.size else np.nan


KERNEL_SCALARS: dict[str, Callable[[Sequence[Kernel]], float]] = {
    "weights/norm": frobenius_norm,
    "weights/maximum": maximum,
    "weights/distance": distance,
    "weights/cosine": cosine,
    "weights/update_ratio": update_ratio,
}
"""Logged as `tag` for all kernels together and as `tag/<layer>` for each."""

KERNEL_SCALARS_IN_DETAIL: dict[str, Callable[[Sequence[Kernel]], float]] = {
    "weights/l1_norm": l1_norm,
    "weights/l1_distance": l1_distance,
    "weights/near_zero": near_zero,
    "weights/spectral_norm": spectral_norm,
    "weights/stable_rank": stable_rank,
    "weights/dot_product": dot_product,
    "gradient/loss": loss_gradient_norm,
    "gradient/penalty": penalty_gradient_norm,
    "decay/share_of_update": decay_share,
}
"""Logged as well if `monitoring.detail` is set."""

FIRST_LAYER: dict[str, Callable[[Sequence[Kernel]], float]] = {
    "first_layer/live_pixels": live_pixels,
    "first_layer/dead_pixels": dead_pixels,
}
"""Logged of the first kernel, if that is of a dense layer that sees images."""


class WeightReader:
    """Computes the scalars of a model's kernels.

    Attributes:
        model: The model.
        descriptions: Description of each scalar by tag, for TensorBoard.
    """

    def __init__(
        self, model: "keras.Model", detail: bool, images: np.ndarray | None = None
    ):
        """
        Args:
            model: A model with its initial weights.
            detail: Whether to compute the scalars of `KERNEL_SCALARS_IN_DETAIL` too.
            images: All training images, (images, ...), to find pixels that are always
                0. Without them, the scalars of `FIRST_LAYER` are left out.
        """
        self.model = model
        self._initial = read_kernels(model)
        self._dead = None if images is None else find_dead_pixels(images)
        scalars = KERNEL_SCALARS | (KERNEL_SCALARS_IN_DETAIL if detail else {})
        parts = {"": slice(None)}
        parts |= {
            f"/{layer}": slice(i, i + 1) for i, layer in enumerate(kernels(model))
        }
        self._shown = {
            f"{tag}{name}": (function, part)
            for tag, function in scalars.items()
            for name, part in parts.items()
        }
        if images is not None:
            self._shown |= {tag: (f, slice(1)) for tag, f in FIRST_LAYER.items()}
        self.descriptions = {tag: describe(f) for tag, (f, _) in self._shown.items()}

    def __call__(
        self, decay: float | None, **others: Iterable[np.ndarray] | None
    ) -> dict[str, float]:
        """The scalars that have a finite value, by tag.

        Args:
            decay: Share of the weights that decay removes in an update, as in `Kernel`.
            **others: Other attributes of `Kernel`: an array for each kernel of the
                model.
        """
        arrays = {"weights": read_kernels(self.model), "initial": self._initial}
        arrays |= {name: as_float64(o) for name, o in others.items() if o is not None}
        share = np.nan if decay is None else decay
        found = [
            Kernel(
                decay=share, dead=self._dead, **dict(zip(arrays, of_one, strict=True))
            )
            for of_one in zip(*arrays.values(), strict=True)
        ]
        # A run that diverged has weights that are not finite, and so are its scalars.
        with np.errstate(all="ignore"):
            values = {
                tag: function(found[part])
                for tag, (function, part) in self._shown.items()
                if found[part]
            }
        return finite(values)


def finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """The values that are finite numbers."""
    numbers = {tag: float(v) for tag, v in values.items() if v is not None}
    return {tag: number for tag, number in numbers.items() if math.isfinite(number)}


def read_kernels(model: "keras.Model") -> list[np.ndarray]:
    return as_float64(kernel.numpy() for kernel in kernels(model).values())


def as_float64(arrays: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [array.astype(np.float64) for array in arrays]


def find_dead_pixels(images: np.ndarray) -> np.ndarray:
    """Whether each pixel is 0 in all images; bool, (pixels,)."""
    return np.logical_not(images.reshape(len(images), -1).any(axis=0))
