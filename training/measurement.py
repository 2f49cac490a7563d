"""What an evaluation finds."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """Means over a set of images, dropout off.

    Attributes:
        cross_entropy: In nats, without any penalty.
        accuracy: Fraction classified right.
        loss: What the updates minimize, without any penalty.
        logit_scale: Standard deviation of the logits over the classes.
    """

    cross_entropy: float
    accuracy: float
    loss: float
    logit_scale: float


@dataclass(frozen=True)
class Measurement:
    """All that is known of a model at the end of an epoch, on the same weights.

    Attributes:
        epoch: Epochs completed; 0 is before training.
        step: Updates made.
        train: On the first training images, as many as there are validation images.
        validation: On the validation images.
        penalty: Sum of all weight penalties (not of penalties on activations).
        best_validation: Lowest validation cross-entropy so far, this one included.
        learning_rate: As the optimizer holds it.
        weight_decay: As the optimizer holds it; 0 if it has none.
        decay: Share of the kernels that the last update took off; None under a rule
            that does not take the same off all weights.
        epoch_seconds: For the updates of one epoch since the last evaluation, without
            evaluation and compilation; None before training.
        updates_per_epoch: Of the run.
        weights_finite: Whether all weights are finite numbers.
    """

    epoch: int
    step: int
    train: Evaluation
    validation: Evaluation
    penalty: float
    best_validation: float
    learning_rate: float
    weight_decay: float
    decay: float | None
    epoch_seconds: float | None
    updates_per_epoch: int
    weights_finite: bool = True

    @property
    def objective(self) -> float:
        return self.train.loss + self.penalty

    @property
    def gap(self) -> float:
        return self.validation.cross_entropy - self.train.cross_entropy

    @property
    def decay_epochs(self) -> float | None:
        """Epochs in which decay alone shrinks the kernels e-fold; None without it."""
        return 1 / (self.decay * self.updates_per_epoch) if self.decay else None

    @property
    def finite(self) -> bool:
        losses = (self.train.cross_entropy, self.validation.cross_entropy)
        return self.weights_finite and all(
            map(math.isfinite, (*losses, self.objective))
        )
