"""How a run ends: its result, its model."""

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
    """Evaluate final and best weights on all images, the test images for the only time.

    Args:
        status: What `fit` returned. An interrupted run is not tested.
        trainer: As `fit` left it.
        test: The test images.

    Returns:
        The contents of result.json. A number that is not finite is None there, and
        `best` is None if nothing finite was ever found. `final` is of the weights that
        the run ends with: its `weights` says whether a callback has changed them after
        training, and its `epoch` is the one that they are of.
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

    best, ends_with = trainer.state.best, trainer.ends_with
    restored = best is not None and ends_with == RESTORED
    epoch = best.epoch if best and restored else trainer.epoch
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
    """What the test images say, and what single numbers of them hide.

    `recall` is of each class. `images_by_confidence` and `right_by_confidence` are
    numbers of images in the bins of the calibration error, by the middle of each bin.
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
    recall = {str(k): right[test.labels == k].mean() for k in np.unique(test.labels)}
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
    """Save the final model; of a run that diverged, its best.

    The model goes alone: the optimizer's state belongs to the checkpoint.

    Args:
        directory: Directory of the run.
        model: The run's own; the trainer's may be that of an earlier run.
        trainer: As `fit` left it.
        status: What `fit` returned.
    """
    if status == "diverged" and trainer.state.best:
        weights = trainer.best_weights
    else:
        weights = trainer.weights()
    assign(model.variables, weights)
    model.optimizer, model.compiled = None, False
    with replacing(directory / "model.keras") as partial:
        model.save(partial)
