"""The listener of `training.fit` that writes and shows how a run goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from tensorboard.plugins.text.summary_v2 import text_pb

from monitoring import MonitoringSettings
from monitoring.events import EventWriter
from monitoring.gallery import Gallery
from monitoring.history import History, Row
from monitoring.progress import RunDisplay
from monitoring.scalars import ScalarReader
from monitoring.summary import write_card
from training.measures import Measurement
from training.trainer import Trainer


class Monitor:
    """Writes each evaluation to the history, to TensorBoard and to the terminal."""

    def __init__(
        self,
        trainer: Trainer,
        directory: Path,
        settings: MonitoringSettings,
        console: Console,
        pictures: bool = True,
    ):
        """
        Args:
            trainer: Trainer of the run, with its initial weights.
            directory: Directory of the run.
            settings: Settings of what to write.
            console: Console to show progress on.
            pictures: Whether TensorBoard gets histograms and pictures too.
        """
        self._trainer, self._directory, self._console = trainer, directory, console
        self._read_scalars = ScalarReader(trainer, settings.detail)
        descriptions = self._read_scalars.descriptions
        self._history = History(directory, list(descriptions))
        self._events = self._gallery = None
        if settings.tensorboard:
            self._events = EventWriter(directory, descriptions)
        if self._events and pictures:
            self._gallery = Gallery(
                trainer.model,
                trainer.data.image_shape,
                self._events,
                trainer.settings.epochs,
                trainer.settings.evaluate_every,
            )
        self._display = RunDisplay(
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
        scalars = self._read_scalars(measurement)
        row: Row = {"epoch": measurement.epoch, "step": measurement.step, **scalars}
        self._history.rows.append(row)
        if self._gallery:
            self._gallery.record(measurement.epoch)
            if measurement.epoch == 0:
                self._gallery.show_graph()
        if self._events:
            self._events.write(measurement.epoch, scalars)
        self._display.record(measurement)

    def advance(self, updates: int) -> None:
        self._display.advance(updates)

    def save(self) -> None:
        self._history.save()

    def end(self, result: Mapping[str, Any]) -> None:
        """Show the pictures and the result of a run, unless it was interrupted.

        Args:
            result: The contents of result.json.
        """
        if not self._events or result["status"] == "interrupted":
            return
        epoch = result["final"]["epoch"]
        if self._gallery:
            self._gallery.finish(epoch)
            self._gallery.show_answers(
                self._trainer.data,
                lambda images: self._trainer.evaluate_split(images)[1],
                epoch,
            )
        card = text_pb("card/run", write_card(result, self._directory))
        self._events.add(epoch, summary=card)

    def resume(self, epoch: int) -> None:
        self._history.resume(epoch, self._trainer.settings.evaluate_every)
        self.warn(f"Continuing after epoch {epoch}.")

    def warn(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)
