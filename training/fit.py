"""The training loop."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import keras

from training.callbacks import logs_of, make_callback_list, restore_states
from training.checkpoint import load_checkpoint, save_checkpoint
from training.measures import Measurement
from training.trainer import Trainer

CHECKPOINT_SECONDS = 10.0


class Listener(Protocol):
    """Who is told how training goes."""

    def record(self, measurement: Measurement) -> None:
        """Take notice of an evaluation."""

    def advance(self, updates: int) -> None:
        """Take notice that so many updates of the run are done."""

    def save(self) -> None:
        """Write down all evaluations so far: a checkpoint follows."""

    def resume(self, epoch: int) -> None:
        """Continue behind the evaluations up to an epoch."""

    def warn(self, message: str) -> None:
        """Tell the person who runs this."""


def fit(
    trainer: Trainer,
    listener: Listener,
    directory: Path,
    *,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Train until the last epoch, a callback's `stop_training`, or a stop from outside.

    Args:
        trainer: Ready to train.
        listener: Told of every evaluation, epoch 0 included.
        directory: Directory of the run; a checkpoint is kept in it.
        resume: Whether to start from the directory's checkpoint, if there is one.
        callbacks: Keras callbacks. Their hooks for the training and for epochs are
            called after every epoch, with `loss` and `val_loss` (the criterion, without
            penalty) and the other measures, such as `accuracy` and `val_accuracy`.
            Hooks for batches are not: an epoch is one compiled call.
        should_stop: Asked after each compiled call.

    Returns:
        "completed", "diverged" (a loss or penalty became NaN or infinite), or
        "interrupted".

    Raises:
        UserError: XLA cannot compile the model, or the checkpoint does not fit.
    """
    callbacks = list(callbacks)
    trainer.compile()
    callback_list = make_callback_list(
        callbacks,
        trainer.model,
        trainer.optimizer,
        {"epochs": trainer.settings.epochs, "steps": trainer.updates_per_epoch},
        trainer.program.task,
    )
    remembered = load_checkpoint(directory, trainer) if resume else None
    status = None
    if remembered is None:
        status = None if evaluate(trainer, listener).finite else "diverged"
        with trainer.open_to_callbacks():
            callback_list.on_train_begin()
    else:
        callback_list.on_train_begin()
        listener.resume(trainer.epoch)
        for missing in restore_states(callbacks, remembered, directory):
            listener.warn(missing)
    status = status or train_epochs(
        trainer, listener, directory, callbacks, callback_list, should_stop
    )
    callback_list.on_train_end()
    trainer.note_change()
    return status


def train_epochs(
    trainer, listener, directory, callbacks, callback_list, should_stop
) -> str:
    """Train epoch by epoch, and say how that ended."""
    last_save = time.monotonic()

    def save_and_stop() -> bool:
        """Write a checkpoint if it is time to, or to stop; whether to stop."""
        nonlocal last_save
        stop = should_stop()
        if stop or time.monotonic() - last_save > CHECKPOINT_SECONDS:
            listener.save()
            save_checkpoint(directory, trainer, callbacks)
            last_save = time.monotonic()
        return stop

    if should_stop() and save_and_stop():
        return "interrupted"
    while True:
        epoch = trainer.epoch
        if not trainer.within_epoch:
            with trainer.open_to_callbacks():
                callback_list.on_epoch_begin(epoch)
        recorded = trainer.settings.evaluates_after(epoch + 1)
        for _ in trainer.train_epoch(evaluated=recorded or bool(callbacks)):
            listener.advance(trainer.state.updates)
            if trainer.within_epoch and save_and_stop():
                return "interrupted"
        measurement = None
        if recorded or callbacks:
            measurement = trainer.measure()
            if recorded or not measurement.finite:
                record(trainer, listener, measurement)
            if not measurement.finite:
                return "diverged"
        trainer.trained_weights = trainer.weights() if callbacks else []
        with trainer.open_to_callbacks():
            logs = logs_of(measurement) if measurement else {}
            callback_list.on_epoch_end(epoch, logs)
        if trainer.epoch == trainer.settings.epochs or trainer.model.stop_training:
            finite = recorded or evaluate(trainer, listener).finite
            return "completed" if finite else "diverged"
        if save_and_stop():
            return "interrupted"


def evaluate(trainer: Trainer, listener: Listener) -> Measurement:
    measurement = trainer.measure()
    record(trainer, listener, measurement)
    return measurement


def record(trainer: Trainer, listener: Listener, measurement: Measurement) -> None:
    if measurement.finite:
        trainer.keep_if_best(measurement)
    listener.record(measurement)
