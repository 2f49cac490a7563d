"""Progress of a run or of a comparison on the terminal."""

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.measures import MEASURES, Measurement

LINES = 10


class ProgressDisplay:
    """A bar with a text on a terminal; elsewhere about ten plain lines."""

    def __init__(self, console: Console, total: int):
        """
        Args:
            console: Console to show progress on.
            total: Amount of work to do, in any unit.
        """
        self._console, self._next_line = console, 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=10),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=math.inf,
        )
        self._bar.add_task("starting", total=total)
        self._task = self._bar.tasks[0]

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        self._bar.stop()

    def show(self, done: int, text: str) -> None:
        """Move the bar, and show a text beside it.

        The time left counts from the first call, which may be one with nothing done.
        """
        self._bar.update(self._task.id, description=text)
        self._bar.advance(self._task.id, done - self._task.completed)

    def show_line(self, done: int, text: str) -> None:
        """Print a line with the time left, if it is the first in a tenth of the total.

        Nothing is printed on a terminal, which has the bar.
        """
        total = int(self._task.total or 0)
        if self._console.is_terminal or self._next_line > done < total:
            return
        # The first counts the start, and one run of several that are made at a time.
        left = self._task.time_remaining if self._next_line else None
        self._next_line += max(1, total // LINES)
        text += "" if left is None else f"  {left:.0f} s left"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class RunDisplay(ProgressDisplay):
    """The epoch, the cross-entropies of the last evaluation, and the speed of a run."""

    def __init__(self, console: Console, epochs: int, updates: int, images: int):
        """
        Args:
            console: Console to show progress on.
            epochs: Number of epochs of the run.
            updates: Number of updates of one epoch.
            images: Number of images of one epoch.
        """
        super().__init__(console, epochs * updates)
        self._epochs, self._updates, self._images = epochs, updates, images
        self._losses = ""

    def advance(self, done: int) -> None:
        """Show that this many updates of the run are done."""
        self.show(done, f"{self._epoch(done)}  {self._losses}{self._speed()}")

    def record(self, measurement: Measurement) -> None:
        """Show an evaluation."""
        key = measurement.criterion
        self._losses = (
            f"train {measurement.train[key]:.4f}  "
            f"validation {measurement.validation[key]:.4f}"
        )
        self.show_line(
            measurement.step,
            f"{self._epoch(measurement.step)}  {MEASURES[key].name}: "
            f"{self._losses}{self._speed()}",
        )

    def _epoch(self, done: int) -> str:
        return f"epoch {done // self._updates}/{self._epochs}"

    def _speed(self) -> str:
        speed = self._task.speed
        return (
            f"  {speed * self._images / self._updates:,.0f} images/s" if speed else ""
        )
