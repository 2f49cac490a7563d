"""What the terminal shows while a comparison is made."""

from typing import Any

from rich.console import Console

from comparison.plan import Comparison, Run
from monitoring.measures import find_measure
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
        if total:
            self._show()

    def advance(self, run: Run, result: dict[str, Any]) -> None:
        """Count a run that has ended, by the contents of its result.json."""
        self._done += 1
        if result.get("status") == "completed" and result[self._moment]:
            value = result[self._moment]["validation"][self._by]
            best = max if self._measure.better == "higher" else min
            if self._best is None or best(value, self._best[0]) != self._best[0]:
                self._best = value, f"{run.method} {run.strength}".strip()
        elif result.get("status") != "interrupted":
            self._failed += 1
        self._show()

    def _show(self) -> None:
        text = f"{self._done}/{self._total} runs"
        if self._failed:
            text += f", {self._failed} failed"
        if self._best:
            value, method = self._best
            text += (
                f"; best {self._measure.name} {self._measure.value(value)} ({method})"
            )
        self.show(self._done, text)
        self.show_line(self._done, text)
