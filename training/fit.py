"""The training loop."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import keras

from training.checkpoint import load_checkpoint, save_checkpoint
from training.measurement import Measurement
from training.trainer import Trainer

CHECKPOINT_SECONDS = 10.0


class Observer(Protocol):
    """Sees a run as it goes on: what `monitoring.Monitor` is."""

    def record(self, measurement: Measurement) -> None:
        """Take in an evaluation."""

    def advance(self, updates: int) -> None:
        """Take notice of the updates made so far."""

    def save(self) -> None:
        """Put on disk what a resumed run starts from; a checkpoint follows."""

    def resume(self, epoch: int) -> None:
        """Go on after this many epochs, and forget what lies beyond."""


def fit(
    trainer: Trainer,
    observer: Observer,
    directory: Path,
    *,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Train until the last epoch, a callback's `stop_training`, or a stop from outside.

    Args:
        trainer: Ready to train.
        observer: Told of every evaluation, epoch 0 included.
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

    def save():
        nonlocal last_save
        observer.save()
        save_checkpoint(directory, trainer)
        last_save = time.monotonic()

    def evaluate():
        measurement = trainer.measure()
        if measurement.finite:
            trainer.keep_if_best(measurement)
        observer.record(measurement)
        return measurement

    trainer.compile()
    if resume and load_checkpoint(directory, trainer):
        observer.resume(trainer.epoch)
    elif not evaluate().finite:
        return "diverged"
    callback_list.on_train_begin()
    while trainer.epoch < settings.epochs and not model.stop_training:
        epoch = trainer.epoch
        callback_list.on_epoch_begin(epoch)
        trainer.follow_rate_changes()
        for _ in trainer.train_epoch():
            observer.advance(trainer.update)
            overdue = time.monotonic() - last_save > CHECKPOINT_SECONDS
            if trainer.within_epoch and (should_stop() or overdue):
                save()
                if should_stop():
                    return "interrupted"
        logs = {}
        if (
            trainer.epoch % settings.evaluate_every == 0
            or trainer.epoch == settings.epochs
        ):
            measurement = evaluate()
            if not measurement.finite:
                return "diverged"
            logs = callback_logs(measurement)
        callback_list.on_epoch_end(epoch, logs)
        if should_stop() or time.monotonic() - last_save > CHECKPOINT_SECONDS:
            save()
            if should_stop() and trainer.epoch < settings.epochs:
                return "interrupted"
    callback_list.on_train_end()
    return "completed"


def callback_logs(measurement: Measurement) -> dict[str, float]:
    return {
        "loss": measurement.train.cross_entropy,
        "accuracy": measurement.train.accuracy,
        "val_loss": measurement.validation.cross_entropy,
        "val_accuracy": measurement.validation.accuracy,
    }
