"""How a run ends: its result, its model."""

import math
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np

from data import Split
from experiment.run_directory import package_versions
from models import kernels
from system.files import replacing
from training.measurement import Evaluation, Measurement
from training.trainer import Trainer


def compute_result(status: str, trainer: Trainer, test: Split) -> dict[str, Any]:
    """Evaluate the final and the best weights, for the only time on the test images.

    Args:
        status: What `fit` returned. An interrupted run is not tested.
        trainer: As `fit` left it.
        test: The test images.

    Returns:
        The contents of result.json. A number that is not finite is None there, and
        `best` is None if nothing finite was ever found.
    """

    def describe(measurement: Measurement) -> dict[str, Any]:
        norms = {
            layer: float(np.linalg.norm(kernel.numpy().astype(np.float64)))
            for layer, kernel in kernels(trainer.model).items()
        }
        tested = status != "interrupted"
        return {
            "epoch": measurement.epoch,
            "train": summary(measurement.train),
            "validation": summary(measurement.validation),
            **({"test": summary(trainer.evaluate_split(test))} if tested else {}),
            "penalty": finite(measurement.penalty),
            "generalization_gap": finite(measurement.gap),
            "weight_norm": finite(math.hypot(*norms.values())),
            "weight_norm_of_layer": {k: finite(norm) for k, norm in norms.items()},
        }

    final, best = describe(trainer.measure()), None
    best_is_final = trainer.best and trainer.best.epoch == trainer.epoch
    if best_is_final and not trainer.within_epoch:
        best = final
    elif trainer.best:
        variables = trainer.model.variables
        final_weights = [variable.numpy() for variable in variables]
        assign(variables, trainer.best_weights)
        best = describe(trainer.best)
        assign(variables, final_weights)
    return {
        "status": status,
        "seed": trainer.seed,
        "seconds": round(trainer.seconds, 3),
        "final": final,
        "best": best,
        "versions": {
            "python": platform.python_version(),
            **package_versions(),
        },
    }


def summary(evaluation: Evaluation) -> dict[str, float | None]:
    return {
        "cross_entropy": finite(evaluation.cross_entropy),
        "accuracy": finite(evaluation.accuracy),
    }


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save_model(
    directory: Path, model: keras.Model, trainer: Trainer, status: str
) -> None:
    """Save the final model; of a run that diverged, its best.

    The model goes alone: the optimizer's state belongs to the checkpoint.

    Args:
        directory: Of the run.
        model: The run's own; the trainer's may be another one's of the same graph.
        trainer: As `fit` left it.
        status: What `fit` returned.
    """
    if status == "diverged" and trainer.best:
        weights = trainer.best_weights
    else:
        weights = [variable.numpy() for variable in trainer.model.variables]
    assign(model.variables, weights)
    model.optimizer = None
    with replacing(directory / "model.keras") as partial:
        model.save(partial)
