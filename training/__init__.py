"""The training of one run, and its settings."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval
from pydantic import PositiveInt

CHECKPOINT = "checkpoint"
"""Folder of a run from which `--resume` continues."""

Threads = Annotated[int, Interval(ge=1, le=1024)]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long, on what, and how often the model is looked at.

    Args:
        epochs: Passes over the training images.
        batch_size: Images per update. The last batch of an epoch may be smaller: every
            image is seen once an epoch, as in `model.fit`.
        evaluate_every: Epochs between evaluations; there is one before the first epoch
            and one after the last.
        curve_images: Validation images, and training images, of an evaluation while
            training: the first of each, which hold the classes in the data's
            proportions. "all" are all validation images, and as many training images.
            Final and best weights are measured on all in any case; which weights are
            the best, these say.
        jit_compile: Whether XLA compiles the training step. "auto" decides it by the
            model and the device, and is saved as decided: on a processor, convolutions
            and pooling are faster without.
        threads: Processors that compute. The last digits of a result depend on their
            number. "auto" is saved as decided: all that there are, in a comparison one
            for each run.
        precision: What layers compute in. If it is mixed, weights, penalties, losses
            and updates stay in float32. For mixed_float16 the loss is scaled as Keras'
            `LossScaleOptimizer` does: updates whose gradients overflow are left out.
    """

    epochs: Annotated[int, Interval(ge=1, le=1_000_000)] = 100
    batch_size: PositiveInt = 100
    evaluate_every: PositiveInt = 1
    curve_images: PositiveInt | Literal["all"] = "all"
    jit_compile: bool | Literal["auto"] = "auto"
    threads: Threads | Literal["auto"] = "auto"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"

    def evaluates_after(self, epochs: int) -> bool:
        """Whether there is an evaluation when so many epochs are completed."""
        return epochs % self.evaluate_every == 0 or epochs == self.epochs

    def updates_per_epoch(self, train_size: int) -> int:
        return -(-train_size // self.batch_size)
