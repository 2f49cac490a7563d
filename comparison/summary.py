"""The results of a comparison as tables: a row per run, and a row per evaluation."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from comparison.plan import Comparison, Results, Run
from monitoring.history import read_history
from monitoring.measures import MEASURES
from system.errors import UserError

MOMENTS = {
    "final": "Final weights",
    "best": "Weights of the evaluation with the lowest validation loss",
}


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
    expected = [f"{moment}_{key}" for moment in MOMENTS for key in MEASURES]
    return table.reindex(columns=table.columns.union(expected, sort=False))


def identity(run: Run) -> dict[str, Any]:
    """What tells a run from the others of its comparison."""
    names = ("method", "condition", "strength", "seed")
    return {name: getattr(run, name) for name in names}


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
