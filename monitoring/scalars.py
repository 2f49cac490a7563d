"""The scalars that a run logs to TensorBoard and, under the same names, to history.csv.

They are the measures of an evaluation, scalars computed from a `Measurement`, and
those of the kernels (`monitoring.weights`). To add one of the second kind, write a
function of a `Measurement` and give it a tag in `SCALARS`; TensorBoard shows its
docstring beside the curve.
"""

from collections.abc import Callable

from monitoring.weights import WeightReader, finite
from training.measures import MEMORIZED, Measurement, describe
from training.trainer import Trainer

SPLITS = {
    "train": "training images (their labels may be noisy), dropout off",
    "validation": "images that are not trained on",
}


def loss_gap(measurement: Measurement) -> float:
    """loss/validation - loss/train: how much is learned that does not generalize."""
    return measurement.gap


def accuracy_gap(measurement: Measurement) -> float:
    """accuracy/train - accuracy/validation."""
    return measurement.train["accuracy"] - measurement.validation["accuracy"]


def best_validation_loss(measurement: Measurement) -> float:
    """Lowest loss/validation so far: what stopping in time would have given."""
    return measurement.best_validation


def objective(measurement: Measurement) -> float:
    """What the updates minimize: training loss plus penalty. Not comparable between
    methods."""
    return measurement.objective


def penalty(measurement: Measurement) -> float:
    """Sum of the L1 and L2 penalties; 0 under weight decay, which is no penalty."""
    return measurement.penalty


def decay_per_update(measurement: Measurement) -> float | None:
    """Share of the kernels that decay takes off in an update, whatever the gradient
    (Loshchilov & Hutter 2019). 0 under L2; absent under rules that take more off some
    weights of a kernel than off others."""
    return measurement.decay


def decay_epochs(measurement: Measurement) -> float | None:
    """1 / (decay/per_update * updates per epoch): epochs over which the weights average
    past updates; from 1 to the length of the run is sensible
    (Wang & Aitchison 2024)."""
    share = measurement.decay
    return 1 / (share * measurement.updates_per_epoch) if share else None


def logit_scale(measurement: Measurement) -> float:
    """Standard deviation of the validation logits over the classes: confidence, right
    or wrong. It grows while the network overfits (Guo et al. 2017)."""
    return measurement.validation["logit_scale"]


def learning_rate(measurement: Measurement) -> float:
    """Learning rate of the last update, at epoch 0 of the first, read back from the
    optimizer."""
    return measurement.learning_rate


def weight_decay(measurement: Measurement) -> float:
    """Weight decay, read back from the optimizer: as a rule it multiplies it by the
    learning rate."""
    return measurement.weight_decay


def epoch_seconds(measurement: Measurement) -> float | None:
    """Seconds for the updates of one epoch, without evaluation."""
    return measurement.epoch_seconds


SCALARS: dict[str, Callable[[Measurement], float | None]] = {
    "gap/loss": loss_gap,
    "gap/accuracy": accuracy_gap,
    "best/validation_loss": best_validation_loss,
    "objective/total": objective,
    "objective/penalty": penalty,
    "optimizer/learning_rate": learning_rate,
    "optimizer/weight_decay": weight_decay,
    "time/epoch_seconds": epoch_seconds,
}

SCALARS_IN_DETAIL: dict[str, Callable[[Measurement], float | None]] = {
    "decay/per_update": decay_per_update,
    "decay/epochs": decay_epochs,
    "logits/scale": logit_scale,
}
"""Logged as well if `monitoring.detail` is set."""


class ScalarReader:
    """Computes the scalars of a run.

    Attributes:
        descriptions: Description of each scalar by tag, for TensorBoard.
    """

    def __init__(self, trainer: Trainer, detail: bool):
        """
        Args:
            trainer: Trainer of the run, with its initial weights.
            detail: Whether to compute those of `SCALARS_IN_DETAIL` and
                `KERNEL_SCALARS_IN_DETAIL` too.
        """
        self._trainer, self._detail = trainer, detail
        self._scalars = SCALARS | (SCALARS_IN_DETAIL if detail else {})
        measures = dict(trainer.measures)
        if trainer.program.loss is measures[trainer.criterion].sums:
            del measures["loss"]  # The same number has one name.
        if "accuracy" not in measures:
            del self._scalars["gap/accuracy"]
            self._scalars.pop("logits/scale", None)
        self._measured = {
            f"{measure.tag}/{split}": (split, key)
            for key, measure in measures.items()
            for split in SPLITS
        }
        self._weights = WeightReader(trainer.model, detail, trainer.data.train.pixels)
        most = f"On at most {trainer.curve_images:,}"
        noisy = trainer.data.memorized(trainer.curve_images)
        self.descriptions = {
            **{
                tag: f"{measures[key].description} {most} {SPLITS[split]}."
                for tag, (split, key) in self._measured.items()
            },
            **{f"memorized/{key}": MEMORIZED[key].about for key in noisy},
            **{tag: describe(function) for tag, function in self._scalars.items()},
            **self._weights.descriptions,
        }

    def __call__(self, measurement: Measurement) -> dict[str, float]:
        """The scalars that have a finite value, by tag."""
        of_loss, of_penalty = (
            self._trainer.gradients() if self._detail else (None, None)
        )
        values = {
            **{
                tag: getattr(measurement, split)[key]
                for tag, (split, key) in self._measured.items()
            },
            **{f"memorized/{k}": value for k, value in measurement.memorized.items()},
            **{tag: function(measurement) for tag, function in self._scalars.items()},
            **self._weights(
                measurement.decay,
                previous=self._trainer.previous_kernels,
                loss_gradient=of_loss,
                penalty_gradient=of_penalty,
            ),
        }
        return finite(values)
