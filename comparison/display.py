"""What the terminal shows while a comparison is made."""

import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from comparison.measures import find_measure
from comparison.plan import Comparison, Run
from monitoring.progress import LINES, make_bar


class CompareDisplay:
    """How far a comparison has come: a bar on a terminal, elsewhere about ten lines."""

    def __init__(self, console: Console, comparison: Comparison, total: int):
        """
        Args:
            console: To write to.
            comparison: Whose runs are made.
            total: Number of runs to be made.
        """
        self._console, self._total = console, total
        self._moment, self._by = comparison.select, comparison.select_by
        self._measure = find_measure(f"validation_{self._by}")
        self._done, self._failed = 0, 0
        self._started = time.monotonic()
        self._best: tuple[float, str] | None = None
        self._bar = make_bar(console)
        self._task = self._bar.add_task("starting", total=self._total)

    def __enter__(self) -> "CompareDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, running: int) -> None:
        """Show how many runs are being made now."""
        self._bar.update(
            self._task,
            completed=self._done,
            description=escape(self._text(running)),
        )

    def advance(self, run: Run, result: dict[str, Any] | None, running: int) -> None:
        """Take notice that a run has ended, with a result or without."""
        self._done += 1
        if result and result["status"] == "completed" and result[self._moment]:
            value = result[self._moment]["validation"][self._by]
            best = max if self._measure.better == "higher" else min
            if self._best is None or best(value, self._best[0]) != self._best[0]:
                self._best = value, f"{run.method} {run.strength}".strip()
        elif result is None or result["status"] == "diverged":
            self._failed += 1
        self.show(running)
        every = max(1, self._total // LINES)
        if not self._console.is_terminal and (
            self._done % every == 0 or self._done == self._total
        ):
            spent = time.monotonic() - self._started
            left = spent / self._done * (self._total - self._done)
            self._console.print(
                f"{self._text(running)}; {left:.0f} s left",
                markup=False,
                soft_wrap=True,
            )

    def _text(self, running: int) -> str:
        text = f"{self._done}/{self._total} runs, {running} running"
        if self._failed:
            text += f", {self._failed} failed"
        if self._best:
            value, method = self._best
            text += (
                f"; best {self._measure.name} {self._measure.value(value)} ({method})"
            )
        return text
