"""Lets a grid grow where its best strength lies on its edge."""

import math
from collections.abc import Iterable
from dataclasses import replace

from comparison.answer import find_answer, summarize
from comparison.plan import Comparison, Results, plan_runs
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
            place, best = (trial.condition, trial.method), trial.varied[key]
            grid = comparison.grids[place]
            values, beyond = grid[key], next_value(grid[key], best)
            longer = [beyond, *values] if values[0] == best else [*values, beyond]
            grids = comparison.grids | {place: grid | {key: longer}}
            grown = replace(comparison, grids=grids)
            try:
                comparison = replace(grown, runs=plan_runs(grown))
            except UserError:
                continue
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
