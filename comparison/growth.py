"""Lets a grid grow where its best strength lies on its edge."""

import math
from collections.abc import Iterable
from dataclasses import replace

from comparison.answer import find_answer, summarize
from comparison.plan import Comparison, Results, Run, Trial, make_trial
from experiment.config import Settings, assign
from system.errors import UserError


def grow_grids(
    comparison: Comparison, results: Results
) -> tuple[Comparison, list[str]]:
    """Add the value beyond each edge that a best strength lies on, with all seeds.

    What is added follows from the finished runs alone, so that the same command, given
    again, makes the same comparison. A value that its setting does not allow is not.

    Args:
        comparison: As it is.
        results: The results of its runs.

    Returns:
        The comparison with more runs, and what was added, in words.
    """
    answer = find_answer(
        comparison, summarize(comparison, results), comparison.file.select.at
    )
    added = []
    for trial in answer.chosen:
        for key in comparison.edges(trial):
            grid, best = comparison.grid(trial), trial.varied[key]
            beyond = next_value({other.varied[key] for other in grid}, best)
            of_edge = [other for other in grid if other.varied[key] == best]
            try:
                new = [
                    run
                    for other in of_edge
                    for run in beside(comparison, other, {key: beyond})
                ]
            except UserError:
                continue
            runs = list(comparison.runs)
            edge = [run for other in of_edge for run in comparison.runs_of(other)]
            is_first = grid[0] in of_edge
            at = runs.index(edge[0]) if is_first else runs.index(edge[-1]) + 1
            runs[at:at] = new
            comparison = replace(comparison, runs=tuple(runs))
            added.append(f"{trial.label}: {key} = {beyond:g}, for the best is {best:g}")
    return comparison, added


def next_value(values: Iterable[float], edge: float) -> float:
    """The number beyond an edge, two steps of the grid from the last but one.

    The next of 0.3, 1 and 3 is 10: grids often have two ratios in turn. Where none lies
    beyond, as at 0, the result is NaN, which no setting allows.
    """
    *_, before, last, _ = sorted(values, reverse=edge == min(values))
    value = last * edge / before if before else math.nan
    if not math.isnan(value):
        value = round(value) if isinstance(edge, int) else float(f"{value:.3g}")
    return value if (value - edge) * (edge - last) > 0 else math.nan


def beside(comparison: Comparison, trial: Trial, changes: Settings) -> list[Run]:
    """The runs of the trial that differs from another in settings that it varies."""
    tables = comparison.runs_of(trial)[0].config.tables()
    assign(tables, changes)
    condition = comparison.conditions[trial.condition]
    new = replace(trial, varied=trial.varied | changes)
    return make_trial(comparison.name, tables, new, condition, comparison.file.seeds)
