"""How far the best strength moves when the learning rate does, from finished runs.

    python compare.py configs/comparisons/separability.toml
    python -m docs.separability [--runs DIR]

prints the table of docs/theory.md and draws its figure.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

FOLDER = Path(__file__).parent
MEASURE = "final_validation_cross_entropy"
METHODS = {"l2": "#4292c6", "decoupled": "#f16913", "independent": "#756bb1"}


def best_strength(runs: pd.DataFrame) -> float:
    """Where the parabola through the best of a grid and its neighbours is lowest.

    Args:
        runs: One seed at all strengths; the best lies inside the grid.

    Returns:
        Its logarithm to base 10.
    """
    runs = runs.sort_values("x")
    x, loss = np.log10(runs["x"].to_numpy()), runs[MEASURE].to_numpy()
    best = int(loss.argmin())
    assert 0 < best < len(x) - 1, "the best strength lies on the edge of its grid"
    near = slice(best - 1, best + 2)
    bend, slope, _ = np.polyfit(x[near], loss[near], 2)
    return -slope / (2 * bend)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    folder = parser.parse_args().runs / "separability"
    columns = ["method", "condition", "strength", "seed", MEASURE]
    summary = pd.read_csv(folder / "summary.csv", usecols=columns)
    summary["rate"] = summary["condition"].str.partition("=")[2].astype(float)
    summary["x"] = pd.to_numeric(summary["strength"].str.partition("=")[2])
    figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained")
    print("| | 3e-4 | 1e-3 | 3e-3 | decades of strength per decade of rate |")
    print("|---|---|---|---|---|")
    for panel, (method, color) in zip(panels, METHODS.items(), strict=True):
        of_method = summary[summary["method"] == method]
        found = (
            of_method.groupby(["seed", "rate"])[["x", MEASURE]]
            .apply(best_strength)
            .unstack("rate")
        )
        rates = np.log10(found.columns.to_numpy())
        shifts = np.polyfit(rates, found.to_numpy().T, 1)[0]
        half = stats.sem(shifts) * stats.t.ppf(0.975, len(shifts) - 1)
        cells = " | ".join(f"{10**mean:.2g}" for mean in found.mean())
        low, high = shifts.mean() - half, shifts.mean() + half
        print(
            f"| `{method}` | {cells} | {shifts.mean():+.2f} [{low:+.2f}, {high:+.2f}] |"
        )
        for _, row in found.iterrows():
            panel.plot(10**rates, 10**row, "o-", color=color, alpha=0.5, markersize=4)
        middle = 10 ** found.to_numpy().mean()
        panel.plot(10**rates, middle * 10 ** (rates - rates.mean()), ":", color="gray")
        panel.set(xscale="log", yscale="log", title=method, xlabel="learning rate")
        panel.set_ylim(middle / 12, middle * 12)
        panel.set_xticks(10**rates, [f"{rate:g}" for rate in 10**rates])
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("best strength")
    figure.savefig(FOLDER / "separability.png", dpi=120)


if __name__ == "__main__":
    main()
