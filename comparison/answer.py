"""What a comparison found: each method at its own strength, against the control."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from comparison.plan import Comparison, in_words
from comparison.statistics import (
    Choice,
    Difference,
    choose_strength,
    holm,
    paired_difference,
)

MOMENTS = {
    "final": "Final weights",
    "best": "Weights of the evaluation with the lowest validation cross-entropy",
}
MEASURES = {
    "validation_cross_entropy": "validation cross-entropy",
    "test_cross_entropy": "test cross-entropy",
    "test_accuracy": "test accuracy",
}
"""What the methods are compared in."""

FEW = 3
"""Seeds that are too few to tell much: with two, an interval is 13 deviations wide."""


@dataclass(frozen=True)
class Entry:
    """What one method came to under one condition.

    Attributes:
        condition: As text; empty if the comparison has none.
        method: Its name.
        choice: Its strength; None if no strength has all its runs.
        runs: The rows of the summary at that strength, by seed.
        differences: Minus the control at the control's strength, by measure; empty for
            the control itself.
    """

    condition: str
    method: str
    choice: Choice | None
    runs: pd.DataFrame
    differences: dict[str, Difference]

    @property
    def strength(self) -> str:
        """As text, as the summary has it."""
        return in_words(self.choice.strength) if self.choice else ""

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.method, self.condition)))

    def curve(self, curves: pd.DataFrame, tag: str) -> pd.DataFrame:
        """A scalar at the chosen strength: its mean, min and max over seeds, by epoch.

        Args:
            curves: From `comparison.summary.read_curves`.
            tag: Of the scalar.
        """
        rows = curves[
            (curves["method"] == self.method)
            & (curves["condition"] == self.condition)
            & (curves["strength"] == self.strength)
        ]
        return rows.groupby("epoch")[tag].agg(["mean", "min", "max"]).dropna()


@dataclass(frozen=True)
class Answer:
    """The entries of every condition and method, for one moment of the runs.

    Attributes:
        comparison: What was asked.
        summary: From `comparison.summary.summarize`.
        moment: "final" or "best".
        entries: In the order of conditions and methods.
    """

    comparison: Comparison
    summary: pd.DataFrame
    moment: str
    entries: tuple[Entry, ...]

    def mean(self, entry: Entry, measure: str) -> float:
        return float(entry.runs[f"{self.moment}_{measure}"].astype(float).mean())


def find_answer(comparison: Comparison, summary: pd.DataFrame, moment: str) -> Answer:
    """Choose each method's strength and compare it with the control's.

    Args:
        comparison: What was asked.
        summary: From `comparison.summary.summarize`.
        moment: "final" or "best".
    """
    entries = []
    for condition in comparison.conditions:
        there = summary[summary["condition"] == condition]
        chosen = {
            method: choose(comparison, there, method, moment)
            for method in comparison.methods
        }
        for method, (choice, runs) in chosen.items():
            control_choice, control = chosen[comparison.control]
            comparable = method != comparison.control and choice and control_choice
            differences = {
                measure: paired_difference(
                    runs[f"{moment}_{measure}"], control[f"{moment}_{measure}"]
                )
                for measure in (MEASURES if comparable else ())
            }
            entries.append(Entry(condition, method, choice, runs, differences))
    adjust_p_values(entries)
    return Answer(comparison, summary, moment, tuple(entries))


def adjust_p_values(entries: list[Entry]) -> None:
    """Replace each measure's p-values by Holm's, over all methods and conditions."""
    compared = [entry for entry in entries if entry.differences]
    for measure in MEASURES:
        adjusted = holm([entry.differences[measure].p for entry in compared])
        for entry, p in zip(compared, adjusted, strict=True):
            entry.differences[measure] = replace(entry.differences[measure], p=p)


def choose(
    comparison: Comparison, summary: pd.DataFrame, method: str, moment: str
) -> tuple[Choice | None, pd.DataFrame]:
    """The strength chosen for a method under a condition, and its runs by seed."""
    rows = summary[summary["method"] == method]
    grid = {r.strength: r.strengths for r in comparison.runs if r.method == method}
    losses = rows[f"{moment}_validation_cross_entropy"].astype(float)
    losses = losses.where(rows["status"] == "completed")
    of_strength = [losses[rows["strength"] == text] for text in grid]
    choice = choose_strength(list(grid.values()), of_strength)
    strength = in_words(choice.strength) if choice else None
    return choice, rows[rows["strength"] == strength].set_index("seed")


def findings(answer: Answer) -> list[str]:
    """Sentences that say no more than the intervals allow."""
    lines = [sentence(answer, entry) for entry in answer.entries if entry.differences]
    for entry in answer.entries:
        if entry.choice is None:
            lines.append(f"{entry.label}: left out, for no strength has all its runs.")
            continue
        for key in entry.choice.at_edge:
            lines.append(
                f"{entry.label}: the best {key}, {entry.choice.strength[key]}, lies on "
                "the edge of its grid; a better one may lie beyond."
            )
        if entry.choice.missing:
            lines.append(
                f"{entry.label}: {entry.choice.missing} runs failed or diverged."
            )
    seeds = len(answer.comparison.seeds)
    if seeds < FEW:
        lines.append(f"{seeds} seeds are too few to tell; 5 or more make an answer.")
    return lines


def sentence(answer: Answer, entry: Entry) -> str:
    """In what a method differs from the control, and in what that is not shown."""
    parts = []
    for measure, difference in entry.differences.items():
        if difference.clear:
            direction = "higher" if difference.mean > 0 else "lower"
            finding = f"{direction} {MEASURES[measure]}"
        else:
            finding = f"no difference shown in {MEASURES[measure]}"
        parts.append(f"{finding} ({evidence(difference, measure)})")
    return f"{entry.label} against {answer.comparison.control}: {', '.join(parts)}."


def evidence(difference: Difference, measure: str) -> str:
    text = f"{change(difference, measure)} {interval(difference, measure)}"
    if math.isfinite(difference.p):
        text += f", p = {difference.p:.2g}"
    if math.isfinite(difference.wilcoxon_p):
        text += f", Wilcoxon's p = {difference.wilcoxon_p:.2g} before Holm"
    return text


def figure(value: float, measure: str) -> str:
    return f"{value:.2%}" if measure.endswith("accuracy") else f"{value:.4f}"


def change(difference: Difference, measure: str) -> str:
    if measure.endswith("accuracy"):
        return f"{100 * difference.mean:+.2f} points"
    return f"{difference.mean:+.4f}"


def interval(difference: Difference, measure: str) -> str:
    if math.isnan(difference.low):
        return "(no interval)"
    scale = 100 if measure.endswith("accuracy") else 1
    low, high = scale * difference.low, scale * difference.high
    digits = 2 if scale == 100 else 3 if max(-low, high) >= 0.01 else 4
    return f"[{low:+.{digits}f}, {high:+.{digits}f}]"
