"""Extends a grid if its best strength is on its edge."""

import math
from collections.abc import Iterable
from dataclasses import replace

from comparison.answer import find_answer, summarize
from comparison.plan import Comparison, Results, plan_runs
from system.errors import UserError


def grow_grids(
    comparison: Comparison, results: Results
) -> tuple[Comparison, list[str]]:
    """Add a value beyond each edge of a grid that a best strength is on.

    Which values are added depends on the finished runs alone, so that the same command
    makes the same comparison again. Values that the setting does not allow are left
    out.

    Args:
        comparison: The comparison.
        results: Results of its runs.

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
    """The number that continues a grid beyond one of its edges.

    Its ratio to the edge is that of the two numbers before the edge: after 0.3, 1 and 3
    comes 10, because such grids have two ratios in turn. If there is no such number, as
    beyond 0, it is NaN, which no setting allows.
    """
    *_, before, last, _ = sorted(values, reverse=edge == min(values))
    value = last * edge / before if before else math.nan
    if not math.isnan(value):
        value = round(value) if isinstance(edge, int) else float(f"{value:.3g}")
    return value if (value - edge) * (edge - last) > 0 else math.nan
