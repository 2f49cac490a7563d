"""The results of a comparison as tables: a row per run, and a row per evaluation."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from comparison.plan import Run
from monitoring.history import read_history
from system.errors import UserError

MOMENTS, SPLITS = ("final", "best"), ("train", "validation", "test")
MEASURES = ("cross_entropy", "accuracy")
OTHERS = ("epoch", "penalty", "generalization_gap", "weight_norm")


def summarize(results: Iterable[tuple[Run, dict[str, Any]]]) -> pd.DataFrame:
    """One row per run.

    Args:
        results: Runs with the contents of their result.json; empty for one that failed.

    Returns:
        Columns method, condition, strength (both as text), seed, status and seconds,
        then `final_test_accuracy` and the like for both moments.
    """
    return pd.DataFrame([row(run, result) for run, result in results])


def row(run: Run, result: dict[str, Any]) -> dict[str, Any]:
    cells = {
        **identity(run),
        "status": result.get("status", "failed"),
        "seconds": result.get("seconds"),
    }
    for moment in MOMENTS:
        found = result.get(moment) or {}
        for split in SPLITS:
            for measure in MEASURES:
                cells[f"{moment}_{split}_{measure}"] = found.get(split, {}).get(measure)
        cells |= {f"{moment}_{name}": found.get(name) for name in OTHERS}
    return cells


def identity(run: Run) -> dict[str, Any]:
    """What tells a run from the others of its comparison."""
    return {
        "method": run.method,
        "condition": run.condition,
        "strength": run.strength,
        "seed": run.seed,
    }


def read_curves(directory: Path, runs: Iterable[Run]) -> pd.DataFrame:
    """One row per evaluation of each run that has been evaluated.

    Args:
        directory: Of the comparison.
        runs: Of the comparison.

    Returns:
        Columns method, condition, strength, seed, epoch, step, and every scalar of
        history.csv by its tag; NaN where a run does not have it.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        path = directory / run.path / "history.csv"
        try:
            found = read_history(path) if path.exists() else []
        except UserError as error:
            print(f"left out of all curves: {error}", file=sys.stderr)
            continue
        rows += [{**identity(run), **row} for row in found]
    return pd.DataFrame(rows)
