"""Chooses the strength of each method and compares all pairs of methods."""

import functools
import itertools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from comparison.plan import Comparison, Results, Run, Trial
from comparison.statistics import Difference, paired_difference
from monitoring.history import read_history
from system.errors import UserError
from training.measures import OF_A_RUN, Measure, find_measure, measures_of

MOMENTS = {
    "final": "Final weights",
    "best": "Weights of the evaluation with the lowest validation loss",
}

FEW = 5
"""Most methods of which all pairs are shown; of more, each is shown with the best and
the control alone."""

Curves = Mapping[Trial, pd.DataFrame]
"""For each chosen trial, a table of all scalars: a row for each epoch, and columns
(tag, "mean", "min" or "max")."""

Pair = tuple[Trial, Trial]


@dataclass(frozen=True)
class Answer:
    """The chosen strength of each method, and how all pairs of methods differ.

    Attributes:
        comparison: The comparison.
        summary: Table that `summarize` returned.
        moment: The weights that are compared, "final" or "best".
        measures: Measures that pairs are compared in. Strengths are chosen by the
            first, on validation images; the second is the same on test images; the
            third is the other one of loss and accuracy on test images.
        losses: What strengths are chosen by, lower is better: a number for each run,
            indexed by its trial; NaN if it has no result.
        chosen: Trials at the chosen strengths, in the order of conditions and methods.
            A method is missing if none of its strengths has all its runs.
    """

    comparison: Comparison
    summary: pd.DataFrame
    moment: str
    measures: tuple[Measure, ...]
    losses: pd.Series
    chosen: tuple[Trial, ...]

    @property
    def headline(self) -> Measure:
        """The measure that decides which method is best."""
        return self.measures[1]

    @property
    def price(self) -> Measure:
        """The other measure on the test images, in which the best may be worse."""
        return self.measures[2]

    @functools.cached_property
    def results(self) -> dict[Trial, pd.DataFrame]:
        """For each trial, its rows of the summary by seed; NaN without a result."""
        rows = self.summary.set_index("seed")
        rows = rows.where(rows["status"] == "completed")
        return dict(iter(rows.groupby(self.losses.index, sort=False)))

    @functools.cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of methods under the same condition. The second of a pair is the
        control, or else the one that comes first in the comparison file."""
        return tuple(
            (first, second)
            for condition in self.comparison.conditions
            for second, first in itertools.combinations(
                sorted(self.under(condition), key=self._is_other), 2
            )
        )

    def pairs_to_show(self, condition: str) -> list[list[Pair]]:
        """The pairs of a condition to show, in groups: all pairs in one group; or, of
        more than FEW methods, those with the best, and those with the control."""
        pairs = [pair for pair in self.pairs if pair[0].condition == condition]
        if len(self.under(condition)) <= FEW:
            return [pairs] if pairs else []
        best, *others = self.ranked(condition)
        control = [trial for trial in others if not self._is_other(trial)]
        return [
            [(trial, second) for trial in others if trial is not second]
            for second in (best, *control)
        ]

    def difference(self, first: Trial, second: Trial, measure: Measure) -> Difference:
        """A measure of one trial minus that of another, among all pairs."""
        values, others = self.values(first, measure), self.values(second, measure)
        return paired_difference(values, others, len(self.pairs), measure.margin)

    def values(self, trial: Trial, measure: Measure) -> pd.Series:
        """A measure of a trial's runs, by seed."""
        return self.results[trial][f"{self.moment}_{measure.key}"].astype(float)

    def mean(self, trial: Trial, measure: Measure) -> float:
        return float(self.values(trial, measure).mean())

    def under(self, condition: str) -> list[Trial]:
        """The chosen trials of a condition."""
        return [trial for trial in self.chosen if trial.condition == condition]

    def ranked(self, condition: str) -> list[Trial]:
        """The chosen trials of a condition, the best first."""
        return sorted(
            self.under(condition),
            key=lambda trial: self.mean(trial, self.headline),
            reverse=self.headline.better == "higher",
        )

    def _is_other(self, trial: Trial) -> bool:
        return trial.method != self.comparison.file.control


def summarize(comparison: Comparison, results: Results) -> pd.DataFrame:
    """Make a table of all runs.

    Args:
        comparison: The comparison.
        results: Results of its runs.

    Returns:
        A row for each run, with columns method, condition, strength (both as text),
        seed, status and seconds, and all numbers of result.json at both moments, such
        as `final_test_accuracy` and `best_weight_norm_of_layer_logits`.
    """
    pairs = [(run, results.get(run.path, {})) for run in comparison.runs]
    rows = [
        {
            **identity(run),
            "status": result.get("status", "no result"),
            "seconds": result.get("seconds"),
            **{moment: result.get(moment) or {} for moment in MOMENTS},
        }
        for run, result in pairs
    ]
    table = pd.json_normalize(rows, sep="_")
    expected = [f"{moment}_{key}" for moment in MOMENTS for key in OF_A_RUN]
    return table.reindex(columns=table.columns.union(expected, sort=False))


def identity(run: Run) -> dict[str, Any]:
    """The columns that identify a run in tables."""
    trial = run.trial
    return {
        "method": trial.method,
        "condition": trial.condition,
        "strength": trial.strength,
        "seed": run.seed,
    }


def find_answer(comparison: Comparison, summary: pd.DataFrame, moment: str) -> Answer:
    """Choose the strength of each method under each condition.

    Args:
        comparison: The comparison.
        summary: Table that `summarize` returned.
        moment: The weights to compare, "final" or "best".
    """
    by = comparison.file.select.by
    _, second, *_ = measures_of(comparison.runs[0].config.split.settings["task"])
    price = comparison.loss if by == second else second
    measures = tuple(
        find_measure(key, comparison.file.margins.get(key.partition("_")[2]))
        for key in (f"validation_{by}", f"test_{by}", f"test_{price}")
    )
    numbers = summary[[f"{moment}_{measure.key}" for measure in measures]].astype(float)
    whole = numbers.notna().all(axis="columns") & (summary["status"] == "completed")
    sign = -1 if measures[0].better == "higher" else 1
    losses = sign * numbers.iloc[:, 0].where(whole)
    losses.index = pd.Index([run.trial for run in comparison.runs], dtype=object)
    chosen = choose_strengths(losses)
    return Answer(comparison, summary, moment, measures, losses, chosen)


def choose_strengths(losses: pd.Series) -> tuple[Trial, ...]:
    """Choose the strength with the lowest mean loss for each method and condition.

    Args:
        losses: A loss for each run, indexed by its trial. A trial is not chosen if one
            of its losses is NaN.
    """
    of_trial = losses.groupby(level=0, sort=False)
    means = of_trial.agg(lambda of_seeds: of_seeds.mean(skipna=False)).dropna()
    by_method = means.groupby(lambda trial: trial.label, sort=False)
    return tuple(by_method.idxmin())


def read_curves(directory: Path, runs: Iterable[Run]) -> pd.DataFrame:
    """Read the histories of runs into one table.

    Args:
        directory: Directory of the comparison.
        runs: Runs of the comparison.

    Returns:
        A row for each evaluation, with columns method, condition, strength, seed,
        epoch, step, and all scalars of history.csv by tag; NaN if a run lacks one.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        path = directory / run.path / "history.csv"
        try:
            finished = (path.parent / "result.json").exists()
            found = read_history(path) if finished or path.exists() else []
        except UserError as error:
            print(f"left out of all curves: {error}", file=sys.stderr)
            continue
        rows += [{**identity(run), **row} for row in found]
    return pd.DataFrame(rows)


def mean_curves(answer: Answer, curves: pd.DataFrame) -> Curves:
    """Mean, minimum and maximum over seeds of each scalar of the chosen trials.

    The curves of a trial end where its shortest run ends, because a mean over fewer
    seeds would jump. Trials without evaluations are left out.

    Args:
        answer: Answer of the comparison.
        curves: Table that `read_curves` returned.
    """
    tags = [column for column in curves if "/" in column]
    found = {}
    for trial in answer.chosen if tags else ():
        mine = curves.query(
            "method == @trial.method and condition == @trial.condition"
            " and strength == @trial.strength"
        )
        if len(mine):
            epochs = mine.groupby("epoch")[tags]
            seeds = epochs.size()
            found[trial] = epochs.agg(["mean", "min", "max"])[seeds == seeds.max()]
    return found


def find_tags(curves: Curves, beginning: str) -> list[str]:
    """The tags of scalars that begin with a text, in the order of the model with the
    most: so the last layer is the last, if others lack some before it."""
    tables = sorted(curves.values(), key=lambda table: table.shape[1], reverse=True)
    tags = {tag: None for table in tables for tag in table.columns.unique(0)}
    return [tag for tag in tags if tag.startswith(beginning)]
