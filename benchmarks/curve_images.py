"""What it costs to choose the best epoch on some of the validation images.

    python compare.py --runs /tmp/some
    python compare.py training.curve_images=10000 --runs /tmp/all
    python -m benchmarks.curve_images /tmp/some/compare /tmp/all/compare*

The runs of both have the same weights at every evaluation. So they differ in what
`best` was chosen on alone, and their best weights are measured on all images.
"""

import argparse
import json
from pathlib import Path

import pandas
from rich.console import Console
from rich.table import Table


def best_weights(comparison: Path) -> pandas.DataFrame:
    """A row for each run: its method, and what was found of its best weights."""
    rows = {}
    for path in comparison.rglob("result.json"):
        best = json.loads(path.read_text(encoding="utf-8"))["best"]
        run = path.parent.relative_to(comparison)
        rows[str(run)] = {
            "method": run.parts[0].partition(",")[0],
            "epoch": best["epoch"],
            "validation": best["validation"]["cross_entropy"],
            "test": best["test"]["cross_entropy"],
        }
    return pandas.DataFrame.from_dict(rows, orient="index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("some", type=Path, help="comparison whose curves are of some")
    parser.add_argument("all", type=Path, help="the same, of all validation images")
    arguments = parser.parse_args()
    some, every = best_weights(arguments.some), best_weights(arguments.all)
    every = every.loc[some.index]
    splits = ("validation", "test")
    lost = some[["method"]].copy()
    lost["same epoch"] = some["epoch"] == every["epoch"]
    for split in splits:
        lost[split] = some[split] - every[split]
    table = Table("method", "runs", "same epoch", title="chosen on some, less on all")
    for split in splits:
        table.add_column(f"{split} cross-entropy: mean", justify="right")
        table.add_column("highest", justify="right")
    for method, runs in lost.groupby("method"):
        cells = [f"{runs[s].agg(f):+.4f}" for s in splits for f in ("mean", "max")]
        table.add_row(method, str(len(runs)), str(runs["same epoch"].sum()), *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
