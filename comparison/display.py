"""What the terminal shows while a comparison is made."""

from typing import Any

from rich.console import Console

from comparison.measures import find_measure
from comparison.plan import Comparison, Run
from monitoring.progress import ProgressDisplay


class CompareDisplay(ProgressDisplay):
    """How far a comparison has come, and the best run so far."""

    def __init__(self, console: Console, comparison: Comparison, total: int):
        """
        Args:
            console: The terminal, or what stands for it.
            comparison: Whose runs are made.
            total: Number of runs to be made.
        """
        super().__init__(console, total)
        self._total = total
        self._moment, self._by = comparison.select, comparison.select_by
        self._measure = find_measure(f"validation_{self._by}")
        self._done, self._failed = 0, 0
        self._best: tuple[float, str] | None = None

    def show_running(self, running: int) -> None:
        """Show how many runs are being made now."""
        self.show(self._done, self._text(running))

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
        self.show_running(running)
        self.show_line(self._done, self._text(running))

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
