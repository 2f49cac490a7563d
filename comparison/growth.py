"""Lets a grid grow where its best strength lies on its edge."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from comparison.answer import find_answer
from comparison.plan import Comparison, Results, Run, make_setting
from comparison.summary import summarize
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
    summary = summarize(comparison, results)
    added = []
    for entry in find_answer(comparison, summary, comparison.select).chosen():
        assert entry.choice
        for key in entry.choice.at_edge:
            runs = list(comparison.runs)
            mine = comparison.runs_of(entry.condition, entry.method)
            best = entry.choice.varied[key]
            beyond = next_value({run.varied[key] for run in mine}, best)
            of_edge = [run for run in mine if run.varied[key] == best]
            try:
                new = [
                    run
                    for other in of_edge[:: len(comparison.seeds)]
                    for run in beside(comparison, other, {key: beyond})
                ]
            except UserError:
                continue
            is_first = mine[0].varied[key] == best
            at = runs.index(of_edge[0]) if is_first else runs.index(of_edge[-1]) + 1
            runs[at:at] = new
            comparison = replace(comparison, runs=tuple(runs))
            added.append(f"{entry.label}: {key} = {beyond:g}, for the best is {best:g}")
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


def beside(comparison: Comparison, run: Run, changes: Settings) -> Iterator[Run]:
    """The runs of all seeds that differ from another in settings that it varies."""
    tables = run.config.tables()
    assign(tables, changes)
    condition = comparison.conditions[run.condition]
    varied = run.varied | changes
    return make_setting(
        comparison.name, tables, condition, run.method, varied, comparison.seeds
    )
