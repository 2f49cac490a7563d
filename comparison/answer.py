"""What a comparison found: each method at its own strength, every pair compared."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from comparison.plan import Comparison, Run, in_words
from comparison.statistics import Choice, Difference, choose_strength, paired_difference
from experiment.config import Settings
from monitoring.measures import Measure, find_measure
from training.measures import measures_of

FEW = 5
"""Methods of which every pair is shown; of more, the best and the control with each."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What one method came to under one condition.

    Attributes:
        condition: Name of the condition; empty if the comparison has none.
        method: Name of the method.
        choice: The chosen strength; None if no strength has all its runs.
        runs: The runs at that strength, one for each seed.
        results: Rows of the summary of these runs, by seed.
    """

    condition: str
    method: str
    choice: Choice | None
    runs: tuple[Run, ...]
    results: pd.DataFrame

    @property
    def varied(self) -> Settings:
        """What the method varies, as chosen; nothing if it varies nothing."""
        return self.choice.varied if self.choice else {}

    @property
    def strength(self) -> str:
        """The chosen strength as the summary has it: "l2=0.003"."""
        return in_words(self.varied)

    @property
    def label(self) -> str:
        return f"{self.method} {self.condition}".rstrip()

    @property
    def name(self) -> str:
        """The method with its strength, short: "adamw 3.0"."""
        return " ".join([self.method, *map(short, self.varied.values())])


Curves = Mapping[Entry, pd.DataFrame]
"""Every scalar at the chosen strengths, by epoch: columns (tag, mean, min or max)."""


def short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


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

    @property
    def headline(self) -> Measure:
        """What decides who has won."""
        return self.measures[1]

    @property
    def price(self) -> Measure:
        """The other measure on the test images."""
        return self.measures[2]

    @functools.cached_property
    def pairs(self) -> tuple[tuple[Entry, Entry], ...]:
        """Every two methods under one condition, of which the second is the control, or
        else the earlier one in the file."""
        return tuple(
            (first, second)
            for condition in self.comparison.conditions
            for second, first in itertools.combinations(
                sorted(self.chosen(condition), key=self._is_other), 2
            )
        )

    def pairs_to_show(self, condition: str) -> list[list[tuple[Entry, Entry]]]:
        """All pairs of a condition in one list; of many, each other method and the best
        in one, and each other method and the control in another."""
        pairs = [pair for pair in self.pairs if pair[0].condition == condition]
        if len(self.chosen(condition)) <= FEW:
            return [pairs] if pairs else []
        best, *others = self.ranked(condition)
        control = [entry for entry in others if not self._is_other(entry)]
        return [
            [(entry, second) for entry in others if entry is not second]
            for second in (best, *control)
        ]

    def difference(self, first: Entry, second: Entry, measure: Measure) -> Difference:
        """A measure of one entry minus that of another, among all pairs."""
        values, others = self.values(first, measure), self.values(second, measure)
        return paired_difference(values, others, len(self.pairs), measure.margin)

    def values(self, entry: Entry, measure: Measure) -> pd.Series:
        """A measure of an entry's runs, by seed."""
        return entry.results[f"{self.moment}_{measure.key}"].astype(float)

    def mean(self, entry: Entry, measure: Measure) -> float:
        return float(self.values(entry, measure).mean())

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
            key=lambda entry: self.mean(entry, self.headline),
            reverse=self.headline.better == "higher",
        )

    def _is_other(self, entry: Entry) -> bool:
        return entry.method != self.comparison.control


def find_answer(comparison: Comparison, summary: pd.DataFrame, moment: str) -> Answer:
    """Choose each method's strength under each condition.

    Args:
        comparison: What was asked.
        summary: From `comparison.summary.summarize`.
        moment: "final" or "best".
    """
    by = comparison.select_by
    _, second, *_ = measures_of(comparison.runs[0].config.split.settings["task"])
    price = comparison.loss if by == second else second
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
        grid = comparison.grid(condition, method)
        mine = summary.query("condition == @condition and method == @method")
        of_strength = [losses[mine.index[mine["strength"] == text]] for text in grid]
        choice = choose_strength(list(grid.values()), of_strength)
        strength = in_words(choice.varied) if choice else None
        runs = comparison.runs_of(condition, method)
        chosen = tuple(run for run in runs if run.strength == strength)
        results = mine[mine["strength"] == strength].set_index("seed")
        entries.append(Entry(condition, method, choice, chosen, results))
    return Answer(comparison, summary, moment, tuple(entries), measures)


def mean_curves(answer: Answer, curves: pd.DataFrame) -> Curves:
    """Mean, minimum and maximum over the seeds of each entry, of each scalar.

    A curve ends where its first seed ends: a mean of the other seeds would jump. An
    entry without evaluations is left out.

    Args:
        answer: To the comparison.
        curves: From `comparison.summary.read_curves`.
    """
    tags = [column for column in curves if "/" in column]
    settings = curves.groupby(["method", "condition", "strength"]) if tags else {}
    of_setting = dict(iter(settings))
    found = {}
    for entry in answer.chosen():
        setting = entry.method, entry.condition, entry.strength
        if setting in of_setting:
            epochs = of_setting[setting].groupby("epoch")[tags]
            seeds = epochs.size()
            found[entry] = epochs.agg(["mean", "min", "max"])[seeds == seeds.max()]
    return found


def find_tags(curves: Curves, beginning: str) -> list[str]:
    """The tags of scalars that begin with a text."""
    tags = {tag: None for table in curves.values() for tag in table.columns.unique(0)}
    return [tag for tag in tags if tag.startswith(beginning)]
