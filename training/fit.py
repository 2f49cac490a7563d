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
    """Is told how training goes."""

    def record(self, measurement: Measurement) -> None:
        """Called after each evaluation."""

    def advance(self, updates: int) -> None:
        """Called after each compiled call, with the updates made since the start."""

    def save(self) -> None:
        """Called before each checkpoint: save all evaluations so far."""

    def resume(self, epoch: int) -> None:
        """Called when a run is resumed: go on after the evaluation of this epoch."""

    def warn(self, message: str) -> None:
        """Called with messages for the user."""


def fit(
    trainer: Trainer,
    listener: Listener,
    directory: Path,
    *,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Train until the last epoch, until a callback sets `stop_training`, or until
    `should_stop` returns True.

    Args:
        trainer: Trainer of the run.
        listener: Told of every evaluation, including that before the first epoch.
        directory: Directory of the run, in which a checkpoint is kept.
        resume: Whether to start from the checkpoint in the directory, if there is one.
        callbacks: Keras callbacks. Hooks for epochs and for the whole training are
            called; epoch hooks get `loss` and `val_loss` (the criterion, without
            penalty) and the other measures, such as `accuracy` and `val_accuracy`.
            Hooks for batches are not called, as an epoch is one compiled call.
        should_stop: Called after each compiled call.

    Returns:
        "completed", "diverged" (a loss or penalty became NaN or infinite), or
        "interrupted".

    Raises:
        UserError: XLA cannot compile the model, or the checkpoint does not fit.
    """
    trainer.compile()
    called = make_callback_list(callbacks, trainer)
    remembered = load_checkpoint(directory, trainer) if resume else None
    trainer.trained_weights = trainer.weights() if called.callbacks else []
    last_save = time.monotonic()

    def save_and_stop() -> bool:
        """Write a checkpoint if one is due or training is to stop; return whether it
        is."""
        nonlocal last_save
        stop = should_stop()
        if stop or time.monotonic() - last_save > CHECKPOINT_SECONDS:
            listener.save()
            save_checkpoint(directory, trainer, called.callbacks)
            last_save = time.monotonic()
        return stop

    status = ""
    if remembered is None:
        status = "" if evaluate(trainer, listener).finite else "diverged"
        with trainer.open_to_callbacks():
            called.on_train_begin()
    else:
        called.on_train_begin()
        listener.resume(trainer.epoch)
        for missing in restore_states(called.callbacks, remembered, directory):
            listener.warn(missing)
    if not status and save_and_stop():
        status = "interrupted"
    while not status:
        status = train_epoch(trainer, listener, called, save_and_stop)
    called.on_train_end()
    return status


def train_epoch(trainer, listener, called, save_and_stop) -> str:
    """Train for one epoch; return the status with which it ended the run, or ""."""
    epoch = trainer.epoch
    if not trainer.within_epoch:
        with trainer.open_to_callbacks():
            called.on_epoch_begin(epoch)
    recorded = trainer.settings.evaluates_after(epoch + 1)
    measured = recorded or bool(called.callbacks)
    for _ in trainer.train_epoch(evaluated=measured):
        trainer.trained_weights = trainer.weights() if called.callbacks else []
        listener.advance(trainer.state.updates)
        if trainer.within_epoch and save_and_stop():
            return "interrupted"
    logs = {}
    if measured:
        measurement = evaluate(trainer, listener, recorded)
        if not measurement.finite:
            return "diverged"
        logs = logs_of(measurement)
    with trainer.open_to_callbacks():
        called.on_epoch_end(epoch, logs)
    if trainer.epoch == trainer.settings.epochs or trainer.model.stop_training:
        finite = recorded or evaluate(trainer, listener).finite
        return "completed" if finite else "diverged"
    return "interrupted" if save_and_stop() else ""


def evaluate(
    trainer: Trainer, listener: Listener, recorded: bool = True
) -> Measurement:
    """Evaluate the model; record the result if asked to, or if it is not finite."""
    measurement = trainer.measure()
    if recorded or not measurement.finite:
        trainer.keep_if_best(measurement)
        listener.record(measurement)
    return measurement
