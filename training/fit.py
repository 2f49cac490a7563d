"""The training loop."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from training.checkpoint import load_checkpoint, save_checkpoint
from training.measurement import Measurement
from training.trainer import Trainer

if TYPE_CHECKING:
    from monitoring.monitor import Monitor

CHECKPOINT_SECONDS = 10.0


def fit(
    trainer: Trainer,
    monitor: "Monitor",
    directory: Path,
    *,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Train until the last epoch, a callback's `stop_training`, or a stop from outside.

    Args:
        trainer: Ready to train.
        monitor: Told of every evaluation, epoch 0 included.
        directory: Of the run; a checkpoint is kept in it.
        resume: Whether to start from the directory's checkpoint, if there is one.
        callbacks: Keras callbacks. Their hooks for epochs are called, with `loss`,
            `accuracy`, `val_loss` and `val_accuracy` (both losses cross-entropy without
            penalty) at epochs with an evaluation and nothing at others. Hooks for
            batches are not: an epoch is one compiled call.
        should_stop: Asked after each compiled call.

    Returns:
        "completed", "diverged" (a loss or penalty became NaN or infinite), or
        "interrupted".

    Raises:
        UserError: XLA cannot compile the model, or the checkpoint does not fit.
    """
    model, settings = trainer.model, trainer.settings
    model.optimizer, model.stop_training = trainer.optimizer, False
    callback_list = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=settings.epochs
    )
    last_save = time.monotonic()

    def evaluate() -> Measurement:
        measurement = trainer.measure()
        if measurement.finite:
            trainer.keep_if_best(measurement)
        monitor.record(measurement)
        return measurement

    def save_and_stop() -> bool:
        """Write a checkpoint if it is time to, or to stop; whether to stop."""
        nonlocal last_save
        stop = should_stop()
        if stop or time.monotonic() - last_save > CHECKPOINT_SECONDS:
            monitor.save()
            save_checkpoint(directory, trainer)
            last_save = time.monotonic()
        return stop

    trainer.compile()
    if resume and load_checkpoint(directory, trainer):
        monitor.resume(trainer.epoch)
    elif not evaluate().finite:
        return "diverged"
    callback_list.on_train_begin()
    if should_stop() and save_and_stop():
        return "interrupted"
    while True:
        epoch = trainer.epoch
        if not trainer.within_epoch:
            callback_list.on_epoch_begin(epoch)
            trainer.follow_rate_changes()
        for _ in trainer.train_epoch():
            monitor.advance(trainer.update)
            if trainer.within_epoch and save_and_stop():
                return "interrupted"
        logs = {}
        if settings.evaluates_after(trainer.epoch):
            measurement = evaluate()
            if not measurement.finite:
                return "diverged"
            logs = callback_logs(measurement)
        callback_list.on_epoch_end(epoch, logs)
        trainer.follow_rate_changes()
        if trainer.epoch == settings.epochs or model.stop_training:
            callback_list.on_train_end()
            return "completed"
        if save_and_stop():
            return "interrupted"


def callback_logs(measurement: Measurement) -> dict[str, float]:
    return {
        "loss": measurement.train.cross_entropy,
        "accuracy": measurement.train.accuracy,
        "val_loss": measurement.validation.cross_entropy,
        "val_accuracy": measurement.validation.accuracy,
    }
