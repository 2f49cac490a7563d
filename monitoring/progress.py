"""What the terminal shows while a run trains."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from training.measurement import Measurement

LINES = 10


def make_bar(console: Console) -> Progress:
    """What is being done, how far it has come, and the time left, on 80 columns."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


class ProgressDisplay:
    """A bar on a terminal; elsewhere about ten plain lines over the run.

    Shows the epoch, the speed, the cross-entropies of the last evaluation, and the time
    left.
    """

    def __init__(self, console: Console, epochs: int, updates: int, images: int):
        """
        Args:
            console: To write to.
            epochs: Number of epochs of the run.
            updates: Number of updates of one epoch.
            images: Number of images of one epoch.
        """
        self._console, self._epochs = console, epochs
        self._updates, self._images = updates, images
        self._started: tuple[float, int] | None = None
        self._losses, self._speed, self._next_line = "", "", 0
        self._bar = make_bar(console)
        self._task = self._bar.add_task("starting", total=epochs * updates)

    def __enter__(self) -> "ProgressDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def advance(self, done: int) -> None:
        """Take notice that this many updates of the run are done."""
        now = time.monotonic()
        if self._started is None:
            self._started = now, done
        since, first = self._started
        if now > since:
            images = (done - first) / self._updates * self._images
            self._speed = f"{images / (now - since):,.0f} images/s"
        self._bar.update(
            self._task,
            completed=done,
            description=f"epoch {done // self._updates}/{self._epochs}  "
            f"{self._losses}  {self._speed}",
        )

    def record(self, measurement: Measurement) -> None:
        train, validation = measurement.train, measurement.validation
        self._losses = (
            f"train {train['cross_entropy']:.4f}  "
            f"validation {validation['cross_entropy']:.4f}"
        )
        if self._console.is_terminal:
            return
        if measurement.epoch >= self._next_line or measurement.epoch == self._epochs:
            self._next_line += max(1, self._epochs // LINES)
            left = self._time_left(measurement.step)
            epoch = f"epoch {measurement.epoch}/{self._epochs}"
            speed = f"  {self._speed}" if self._speed else ""
            self._console.print(
                f"{epoch}  cross-entropy: {self._losses}{speed}{left}", soft_wrap=True
            )

    def _time_left(self, done: int) -> str:
        if self._started is None or done <= self._started[1]:
            return ""
        since, first = self._started
        per_update = (time.monotonic() - since) / (done - first)
        seconds = per_update * (self._epochs * self._updates - done)
        return f"  {seconds:.0f} s left"
