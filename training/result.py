"""The end of a run: its result and its saved model."""

import math
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np

from data import Split
from models import kernels
from system.files import replacing
from system.processes import package_versions
from training.measures import CALIBRATION_BINS, Evaluation, Measurement
from training.program import assign
from training.trainer import AS_TRAINED, RESTORED, Trainer


def compute_result(status: str, trainer: Trainer, test: Split) -> dict[str, Any]:
    """Evaluate the final and the best weights on all images.

    This is the only time that the test images are evaluated.

    Args:
        status: Status that `fit` returned. An interrupted run is not tested.
        trainer: Trainer after `fit`.
        test: The test images.

    Returns:
        The contents of result.json. Numbers that are not finite are None, and `best` is
        None if no evaluation was finite. `final` describes the weights that the run
        ends with: `weights` says whether a callback changed them after training, and
        `epoch` is the epoch at whose end they were.
    """

    def describe(measurement: Measurement, epoch: int, weights: str) -> dict[str, Any]:
        norms = {
            layer: float(np.linalg.norm(kernel.numpy().astype(np.float64)))
            for layer, kernel in kernels(trainer.model).items()
        }
        tested = status != "interrupted"
        return {
            "epoch": epoch,
            "weights": weights,
            "train": summary(measurement.train),
            "validation": summary(measurement.validation),
            **(of_test(trainer, test) if tested else {}),
            "memorized": {k: finite(v) for k, v in measurement.memorized.items()},
            "penalty": finite(measurement.penalty),
            "generalization_gap": finite(measurement.gap),
            "weight_norm": finite(math.hypot(*norms.values())),
            "weight_norm_of_layer": {k: finite(norm) for k, norm in norms.items()},
        }

    best, ends_with = trainer.state.best, trainer.ends_with()
    epoch = best.epoch if best and ends_with == RESTORED else trainer.epoch
    final = describe(trainer.measure(all_images=True), epoch, ends_with)
    found = None
    if best and best.step == trainer.state.updates and ends_with == AS_TRAINED:
        found = final
    elif best:
        variables = trainer.model.variables
        final_weights = trainer.weights()
        assign(variables, trainer.best_weights)
        part = trainer.curve_images < len(trainer.data.validation)
        measured = trainer.measure(all_images=True) if part else best
        found = describe(measured, best.epoch, AS_TRAINED)
        assign(variables, final_weights)
    return {
        "status": status,
        "seed": trainer.seed,
        "seconds": round(trainer.seconds, 3),
        "final": final,
        "best": found,
        "versions": {"python": platform.python_version(), **package_versions()},
        "changed_before_resume": trainer.state.changes,
    }


def of_test(trainer: Trainer, test: Split) -> dict[str, Any]:
    """Evaluate the test images.

    Returns:
        The entries of result.json: `test`, the measures; `recall` by class name; and
        `images_by_confidence` and `right_by_confidence`, the number of images, and of
        those classified right, in each bin of the calibration error, by its middle.
    """
    evaluation, logits = trainer.evaluate_split(test)
    found = {"test": summary(evaluation)}
    if trainer.program.task == "regression" or not np.isfinite(logits).all():
        return found
    right = logits.argmax(axis=1) == test.labels
    confidence = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    bins = np.ceil(confidence * CALIBRATION_BINS) - 1
    by_confidence = {
        f"{(number + 0.5) / CALIBRATION_BINS:.3f}": right[bins == number]
        for number in range(CALIBRATION_BINS)
    }
    names = trainer.data.class_names
    recall = {names[k]: right[test.labels == k].mean() for k in np.unique(test.labels)}
    return found | {
        "recall": {k: float(v) for k, v in recall.items()},
        "images_by_confidence": {k: len(v) for k, v in by_confidence.items()},
        "right_by_confidence": {k: int(v.sum()) for k, v in by_confidence.items()},
    }


def summary(evaluation: Evaluation) -> dict[str, float | None]:
    return {k: finite(v) for k, v in evaluation.items() if k != "logit_scale"}


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def save_model(
    directory: Path, model: keras.Model, trainer: Trainer, status: str
) -> None:
    """Save the model with its final weights, or the best if the run diverged.

    The optimizer is not saved: its state is in the checkpoint.

    Args:
        directory: Directory of the run.
        model: Model of the run. (That of the trainer may be of an earlier run, whose
            program is shared.)
        trainer: Trainer after `fit`.
        status: Status that `fit` returned.
    """
    if status == "diverged" and trainer.state.best:
        weights = trainer.best_weights
    else:
        weights = trainer.weights()
    assign(model.variables, weights)
    model.optimizer, model.compiled = None, False
    with replacing(directory / "model.keras") as partial:
        model.save(partial)
