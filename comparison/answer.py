"""From results to the answer: each method at its own strength, every pair compared."""

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
"""Methods of which every pair is shown; of more, the best and the control with each."""

Curves = Mapping[Trial, pd.DataFrame]
"""Every scalar at the chosen strengths, by epoch: columns (tag, mean, min or max)."""

Pair = tuple[Trial, Trial]


@dataclass(frozen=True)
class Answer:
    """Each method at its chosen strength, and all pairs, at one moment.

    Attributes:
        comparison: What was asked.
        summary: From `summarize`.
        moment: "final" or "best".
        measures: What pairs are compared in: what strengths are chosen by on the
            validation images, then the same on the test images, then the other of loss
            and accuracy.
        losses: What strengths are chosen by, the lower the better: one for each run, by
            its trial; NaN if it has no result.
        chosen: The trials at the chosen strengths, in the order of conditions and
            methods. A method is left out if no strength has all its runs.
    """

    comparison: Comparison
    summary: pd.DataFrame
    moment: str
    measures: tuple[Measure, ...]
    losses: pd.Series
    chosen: tuple[Trial, ...]

    @property
    def headline(self) -> Measure:
        """What decides who has won."""
        return self.measures[1]

    @property
    def price(self) -> Measure:
        """The other measure on the test images."""
        return self.measures[2]

    @functools.cached_property
    def results(self) -> dict[Trial, pd.DataFrame]:
        """Rows of the summary by seed, of each trial; NaN where a run has no result."""
        rows = self.summary.set_index("seed")
        rows = rows.where(rows["status"] == "completed")
        return dict(iter(rows.groupby(self.losses.index, sort=False)))

    @functools.cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every two methods under one condition, of which the second is the control, or
        else the earlier one in the file."""
        return tuple(
            (first, second)
            for condition in self.comparison.conditions
            for second, first in itertools.combinations(
                sorted(self.under(condition), key=self._is_other), 2
            )
        )

    def pairs_to_show(self, condition: str) -> list[list[Pair]]:
        """All pairs of a condition in one list; of many, each other method and the best
        in one, and each other method and the control in another."""
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
    """One row per run.

    Args:
        comparison: What was asked.
        results: The results of its runs.

    Returns:
        Columns method, condition, strength (both as text), seed, status and seconds,
        then every number of result.json at both moments: `final_test_accuracy`,
        `best_weight_norm_of_layer_logits` and the like.
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
    """What tells a run from the others of its comparison."""
    trial = run.trial
    return {
        "method": trial.method,
        "condition": trial.condition,
        "strength": trial.strength,
        "seed": run.seed,
    }


def find_answer(comparison: Comparison, summary: pd.DataFrame, moment: str) -> Answer:
    """Choose each method's strength under each condition.

    Args:
        comparison: What was asked.
        summary: From `summarize`.
        moment: "final" or "best".
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
        losses: A loss for each run, by its trial. A trial is not chosen if one is NaN.
    """
    of_trial = losses.groupby(level=0, sort=False)
    means = of_trial.agg(lambda of_seeds: of_seeds.mean(skipna=False)).dropna()
    by_method = means.groupby(lambda trial: trial.label, sort=False)
    return tuple(by_method.idxmin())


def read_curves(directory: Path, runs: Iterable[Run]) -> pd.DataFrame:
    """One row per evaluation of each run that has been evaluated.

    Args:
        directory: Directory of the comparison.
        runs: Runs of the comparison.

    Returns:
        Columns method, condition, strength, seed, epoch, step, and every scalar of
        history.csv by its tag; NaN where a run does not have it.
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
    """Mean, minimum and maximum over the seeds of each chosen trial, of each scalar.

    A curve ends where its first seed ends: a mean of the other seeds would jump. A
    trial without evaluations is left out.

    Args:
        answer: To the comparison.
        curves: From `read_curves`.
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
    """The tags of scalars that begin with a text."""
    tags = {tag: None for table in curves.values() for tag in table.columns.unique(0)}
    return [tag for tag in tags if tag.startswith(beginning)]
