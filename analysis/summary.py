"""The results of a comparison as one table, a row per run."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from comparison import Run

MOMENTS, SPLITS = ("final", "best"), ("train", "validation", "test")
MEASURES = ("cross_entropy", "accuracy")
OTHERS = ("epoch", "penalty", "generalization_gap", "weight_norm")


def summarize(results: Iterable[tuple[Run, dict[str, Any]]]) -> pd.DataFrame:
    """One row per run.

    Args:
        results: Runs with the contents of their result.json; empty for one that failed.

    Returns:
        Columns method, strength (what the method varies, as text), seed, status and
        seconds, then `final_test_accuracy` and the like for both moments.
    """
    return pd.DataFrame([row(run, result) for run, result in results])


def row(run: Run, result: dict[str, Any]) -> dict[str, Any]:
    cells = {
        "method": run.method,
        "strength": strength(run),
        "seed": run.seed,
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


def strength(run: Run) -> str:
    return " ".join(f"{key}={value}" for key, value in run.strengths.items())
