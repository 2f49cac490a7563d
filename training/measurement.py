"""All that is known of a model at the end of an epoch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Evaluation = Mapping[str, float]
"""A set of images, dropout off: the values of the task's measures, `loss` (the mean of
what the updates minimize, without penalty) and `logit_scale` (the standard deviation of
the logits over the classes)."""


@dataclass(frozen=True)
class Measurement:
    """All that is known of a model at the end of an epoch, on the same weights.

    Attributes:
        epoch: Epochs completed; 0 is before training.
        step: Updates made.
        train: The first training images, as many as validation images.
        validation: The validation images; while training, `training.curve_images`.
        memorized: Only with noisy labels, fractions of the training images measured.
            `wrong_label`: of those whose label was redrawn wrong, predicted as that
            label; `true_label`: of the same, predicted as what they are;
            `clean_label`: of the others, predicted right.
        penalty: Sum of all weight penalties (not of penalties on activations).
        criterion: Key of the measure that runs are compared by, in the evaluations.
        best_validation: Its lowest value on the validation images so far.
        learning_rate: As the optimizer holds it.
        weight_decay: As the optimizer holds it; 0 if it has none.
        decay: Share of the kernels that the last update took off; None under a rule
            that does not take the same off all weights.
        epoch_seconds: Seconds for the updates of one epoch since the last evaluation,
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
    def decay_epochs(self) -> float | None:
        """Epochs in which decay alone shrinks the kernels e-fold; None without it."""
        return 1 / (self.decay * self.updates_per_epoch) if self.decay else None

    @property
    def finite(self) -> bool:
        losses = (self.train[self.criterion], self.validation[self.criterion])
        return self.weights_finite and all(
            map(math.isfinite, (*losses, self.objective))
        )
