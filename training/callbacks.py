"""Keras callbacks, called between compiled epochs."""

import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from system.errors import DamagedError
from training.measures import MEASURES, Measurement, name_in_logs, watched
from training.trainer import Trainer

BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)
KERAS_METRICS: dict[str, Callable[[], dict[str, Any]]] = {
    "classification": lambda: {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    },
    "binary": lambda: {
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
        "metrics": [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)],
    },
    "regression": lambda: {"loss": "mean_squared_error"},
}
"""Arguments of `compile` for each task, for callbacks that call `model.evaluate`."""

OF_KERAS = ("_model", "params")
"""Attributes of a callback that Keras sets."""


def make_callback_list(
    callbacks: Iterable[keras.callbacks.Callback], trainer: Trainer
) -> keras.callbacks.CallbackList:
    """Prepare callbacks and the model, so that they find it as under `model.fit`.

    The model is compiled with the loss and the metrics of the task, so that callbacks
    can call `model.evaluate`. A callback whose `mode` is "auto" is told whether the
    measure that it monitors is better high or low.

    Args:
        callbacks: Callbacks of the run. A warning names each one that has hooks for
            batches, which cannot be called.
        trainer: Trainer of the run.
    """
    callbacks, model = list(callbacks), trainer.model
    if callbacks:
        metrics = KERAS_METRICS[trainer.program.task]()
        model.compile(trainer.optimizer, auto_scale_loss=False, **metrics)
    better = watched(trainer.program.task)
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        way = better.get(monitor) if isinstance(monitor, str) else None
        if way and getattr(callback, "mode", None) == "auto":
            callback.mode = "max" if way == "higher" else "min"
        hooks = [hook for hook in BATCH_HOOKS if overrides(callback, hook)]
        if hooks and getattr(callback, "save_freq", None) != "epoch":
            warnings.warn(
                f"{type(callback).__name__}.{hooks[0]} is not called: an epoch is one "
                "compiled call",
                stacklevel=2,
            )
    model.stop_training = False
    return keras.callbacks.CallbackList(
        callbacks,
        model=model,
        verbose=0,
        epochs=trainer.settings.epochs,
        steps=trainer.updates_per_epoch,
    )


def is_keras_own(callback: keras.callbacks.Callback) -> bool:
    return type(callback).__module__.startswith("keras.")


def overrides(callback: keras.callbacks.Callback, hook: str) -> bool:
    inherited = getattr(keras.callbacks.Callback, hook)
    return hook in vars(callback) or getattr(type(callback), hook) is not inherited


def logs_of(measurement: Measurement) -> dict[str, float]:
    """The `logs` of epoch hooks: finite measures, under the names of `model.fit`."""
    return {
        of + name_in_logs(key, measurement.criterion): value
        for of, found in (("", measurement.train), ("val_", measurement.validation))
        for key, value in found.items()
        if key in MEASURES and key != "loss" and math.isfinite(value)
    }


def states_of(callbacks: Iterable[keras.callbacks.Callback]) -> list[dict[str, Any]]:
    """The state of callbacks: attributes that are numbers, text, arrays or lists."""
    return [
        {
            "class": type(callback).__name__,
            **{name: v for name, v in attributes(callback) if is_plain(v)},
        }
        for callback in callbacks
    ]


def restore_states(
    callbacks: list[keras.callbacks.Callback],
    states: list[dict[str, Any]],
    directory: Path,
) -> list[str]:
    """Put callbacks back into the states that a checkpoint holds.

    Args:
        callbacks: Callbacks of the run, in the order of `states`.
        states: What `states_of` returned when the checkpoint was written.
        directory: Directory of the run, for the message.

    Returns:
        A warning for each callback that has attributes which a checkpoint cannot hold;
        Keras' own are left out.

    Raises:
        DamagedError: The run was begun with other callbacks.
    """
    begun = [state.pop("class") for state in states]
    here = [type(callback).__name__ for callback in callbacks]
    if begun != here:
        raise DamagedError(
            directory,
            f"expected the callbacks that the run was begun with, {begun}, "
            f"received {here}",
        )
    lines = []
    for callback, state in zip(callbacks, states, strict=True):
        vars(callback).update(state)
        lost = [name for name, v in attributes(callback) if not is_plain(v)]
        if lost and not is_keras_own(callback):
            lines.append(
                f"{type(callback).__name__}: a checkpoint does not hold its "
                f"{', '.join(lost)}, which begins anew"
            )
    return lines


def attributes(callback: keras.callbacks.Callback) -> list[tuple[str, Any]]:
    """The attributes of a callback, without functions and those that Keras sets."""
    return [
        (name, value)
        for name, value in vars(callback).items()
        if name not in OF_KERAS and not callable(value)
    ]


def is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, bool | int | float | str | np.generic)
