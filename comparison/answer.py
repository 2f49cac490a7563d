"""What a comparison found: each method at its own strength, every pair compared."""

import functools
import itertools
from dataclasses import dataclass

import pandas as pd

from comparison.measures import Measure, find_measure
from comparison.plan import Comparison, in_words
from comparison.statistics import (
    Choice,
    Difference,
    choose_strength,
    paired_difference,
)

MOMENTS = {
    "final": "Final weights",
    "best": "Weights of the evaluation with the lowest validation loss",
}


MANY = 10
"""Pairs of a condition that are still all shown: those of five methods."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What one method came to under one condition.

    Attributes:
        condition: As text; empty if the comparison has none.
        method: Its name.
        choice: Its strength; None if no strength has all its runs.
        runs: The rows of the summary at that strength, by seed.
    """

    condition: str
    method: str
    choice: Choice | None
    runs: pd.DataFrame

    @property
    def strength(self) -> str:
        """As text, as the summary has it."""
        return in_words(self.choice.varied) if self.choice else ""

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.method, self.condition)))

    def curve(self, curves: pd.DataFrame, tag: str) -> pd.DataFrame:
        """A scalar at the chosen strength: its mean, min and max over seeds, by epoch.

        It ends where the first seed ends: a mean of other seeds would jump.

        Args:
            curves: From `comparison.summary.read_curves`.
            tag: Tag of the scalar.
        """
        rows = curves[
            (curves["method"] == self.method)
            & (curves["condition"] == self.condition)
            & (curves["strength"] == self.strength)
        ]
        table = rows.groupby("epoch")[tag].agg(["mean", "min", "max", "count"])
        count = table.pop("count")
        return table[count == count.max()]


@dataclass(frozen=True)
class Pair:
    """Two methods under one condition, each at its own strength.

    Attributes:
        first: The one that the other is subtracted from.
        second: The control, if it is one of the two; else the earlier one in the file.
        differences: First minus second, by the key of the measure.
    """

    first: Entry
    second: Entry
    differences: dict[str, Difference]

    def turned(self) -> "Pair":
        turned = {key: found.turned() for key, found in self.differences.items()}
        return Pair(self.second, self.first, turned)


@dataclass(frozen=True)
class Answer:
    """The entries of every condition and method, and all pairs, at one moment.

    Attributes:
        comparison: What was asked.
        summary: From `comparison.summary.summarize`.
        moment: "final" or "best".
        entries: In the order of conditions and methods.
        measures: What pairs are compared in: what strengths are chosen by on the
            validation images, then the same on the test images, then the other of loss
            and accuracy.
    """

    comparison: Comparison
    summary: pd.DataFrame
    moment: str
    entries: tuple[Entry, ...]
    measures: tuple[Measure, ...]

    @functools.cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of methods under one condition, minus the control, or the earlier
        one in the file."""
        couples = [
            (first, second)
            for condition in self.comparison.conditions
            for second, first in itertools.combinations(
                sorted(self.chosen(condition), key=self._is_other), 2
            )
        ]
        return tuple(
            Pair(
                first,
                second,
                {
                    measure.key: paired_difference(
                        self.values(first, measure.key),
                        self.values(second, measure.key),
                        len(couples),
                        measure.margin,
                    )
                    for measure in self.measures
                },
            )
            for first, second in couples
        )

    def _is_other(self, entry: Entry) -> bool:
        return entry.method != self.comparison.control

    @property
    def headline(self) -> Measure:
        """What decides who has won."""
        return self.measures[1]

    @property
    def price(self) -> Measure:
        """The other measure on the test images."""
        return self.measures[2]

    def values(self, entry: Entry, key: str) -> pd.Series:
        """A measure of an entry's runs, by seed."""
        return entry.runs[f"{self.moment}_{key}"].astype(float)

    def mean(self, entry: Entry, key: str) -> float:
        return float(self.values(entry, key).mean())

    def chosen(self, condition: str | None = None) -> list[Entry]:
        """The entries that have a strength, of one condition or of all."""
        return [
            entry
            for entry in self.entries
            if entry.choice and condition in (None, entry.condition)
        ]

    def ranked(self, condition: str) -> list[Entry]:
        """The entries of a condition that have a strength, the best first."""
        return sorted(
            self.chosen(condition),
            key=lambda entry: self.mean(entry, self.headline.key),
            reverse=self.headline.better == "higher",
        )

    def against(self, reference: Entry) -> list[Pair]:
        """Every other method of its condition minus one, in the order of methods."""
        pairs = [pair for pair in self.pairs if reference in (pair.first, pair.second)]
        return [pair if pair.second is reference else pair.turned() for pair in pairs]

    def telling_pairs(self, condition: str) -> list[Pair]:
        """All pairs of a condition; of many, those with the best and the control."""
        pairs = [pair for pair in self.pairs if pair.first.condition == condition]
        if len(pairs) <= MANY:
            return pairs
        told = {self.ranked(condition)[0].method, self.comparison.control}
        return [p for p in pairs if told & {p.first.method, p.second.method}]

    def pair(self, first: Entry, second: Entry) -> Pair:
        return next(pair for pair in self.against(second) if pair.first is first)


def find_answer(comparison: Comparison, summary: pd.DataFrame, moment: str) -> Answer:
    """Choose each method's strength under each condition.

    Args:
        comparison: What was asked.
        summary: From `comparison.summary.summarize`.
        moment: "final" or "best".
    """
    by = comparison.select_by
    price = comparison.loss if by == "accuracy" else "accuracy"
    measures = tuple(
        find_measure(key, comparison.margins.get(key.partition("_")[2]))
        for key in (f"validation_{by}", f"test_{by}", f"test_{price}")
    )
    numbers = summary[[f"{moment}_{measure.key}" for measure in measures]].astype(float)
    whole = numbers.notna().all(axis="columns") & (summary["status"] == "completed")
    sign = -1 if measures[0].better == "higher" else 1
    losses = sign * numbers.iloc[:, 0].where(whole)
    entries = []
    for condition, method in itertools.product(
        comparison.conditions, comparison.methods
    ):
        mine = summary[
            (summary["condition"] == condition) & (summary["method"] == method)
        ]
        grid = comparison.grid(condition, method)
        runs_of = [mine[mine["strength"] == text] for text in grid]
        of_strength = [losses[runs.index] for runs in runs_of]
        choice = choose_strength(list(grid.values()), of_strength)
        strength = in_words(choice.varied) if choice else None
        runs = mine[mine["strength"] == strength].set_index("seed")
        entries.append(Entry(condition, method, choice, runs))
    return Answer(comparison, summary, moment, tuple(entries), measures)
