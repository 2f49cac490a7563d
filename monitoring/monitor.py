"""Watches one run, for `training.fit`."""

from pathlib import Path

from rich.console import Console

from monitoring.events import EventWriter
from monitoring.history import History, Row
from monitoring.hparams import Trial
from monitoring.progress import ProgressDisplay
from monitoring.scalars import read_scalars_of
from monitoring.settings import MonitoringSettings
from training.measurement import Measurement
from training.trainer import Trainer


class Monitor:
    """Writes each evaluation to the history, to TensorBoard and to the terminal."""

    def __init__(
        self,
        trainer: Trainer,
        directory: Path,
        settings: MonitoringSettings,
        console: Console,
        trial: Trial | None = None,
    ):
        self._console, self._every = console, trainer.settings.evaluate_every
        self.scalars = read_scalars_of(trainer.model)
        tags = self.scalars.descriptions
        self.history = History(directory, list(tags))
        self._events = (
            EventWriter(directory, tags, trial) if settings.tensorboard else None
        )
        self._display = ProgressDisplay(
            console, trainer.settings.epochs, trainer.updates_per_epoch, trainer.count
        )

    def __enter__(self) -> "Monitor":
        self._display.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._display.__exit__(*exception)
        if self._events:
            self._events.close()

    def record(self, measurement: Measurement) -> None:
        scalars = self.scalars(measurement)
        row: Row = {"epoch": measurement.epoch, "step": measurement.step, **scalars}
        self.history.rows.append(row)
        if self._events:
            self._events.write(measurement.epoch, scalars)
        self._display.record(measurement)

    def advance(self, updates: int) -> None:
        self._display.advance(updates)

    def save(self) -> None:
        self.history.save()

    def end(self, status: str) -> None:
        """Save all there is of a run that has ended as `training.fit` says."""
        self.save()
        if self._events:
            self._events.end(status)

    def resume(self, epoch: int) -> None:
        self.history.resume(epoch, self._every)
        self._console.print(f"Continuing after epoch {epoch}.")
