"""Time the default comparison against the same runs as tutorials write them.

    python -m benchmarks.comparison

Ours: `python compare.py` from nothing, all runs. Theirs: `benchmarks/tutorial.py`, one
process a run, `model.fit` with validation every epoch and the TensorBoard callback with
histograms; a few of the runs, one of each method in turn, scaled to all of them. Both
are whole commands, start-up and compilation included. Theirs are run before and after
ours, so that a drift of the machine falls on both.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from comparison.plan import Run, load_comparison
from data import mnist

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "comparisons" / "compare.toml"
TARGET, TARGET_SECONDS = 20.0, 75.0


def tutorial_command(run: Run, directory: Path) -> list[str]:
    """The command of the same run in tutorial style; writes its data beside it."""
    data = run.config.split.build(mnist(), run.seed)
    file = directory / f"data-{run.seed}.npz"
    np.savez(
        file,
        x_train=data.train.images,
        y_train=data.train.labels,
        x_val=data.validation.images,
        y_val=data.validation.labels,
    )
    parts = run.config.parts
    model, regularizer, optimizer, decay, training = (
        parts[name].settings
        for name in ("model", "regularizer", "optimizer", "decay", "training")
    )
    options = {
        "directory": directory / run.path,
        "data": file,
        "epochs": training["epochs"],
        "batch-size": training["batch_size"],
        "learning-rate": optimizer["learning_rate"],
        "l2": regularizer["l2"],
        "weight-decay": decay.get("strength", 0.0),
        "seed": run.seed,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    units = ["--hidden-units", *map(str, model["hidden_units"])]
    return [sys.executable, str(ROOT / "benchmarks" / "tutorial.py"), *words, *units]


def seconds_of(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - started


def make_table() -> Table:
    """Run both; what each took, and how many times faster ours is."""
    comparison = load_comparison(FILE)
    first_of_method = {run.trial.method: run for run in reversed(comparison.runs)}
    sample = [first_of_method[method] for method in comparison.file.methods]
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)

        def run_tutorials() -> None:
            theirs.extend(seconds_of(tutorial_command(run, place)) for run in sample)

        run_tutorials()
        ours = seconds_of([sys.executable, "compare.py", "--runs", str(place / "ours")])
        run_tutorials()
    runs = len(comparison.runs)
    ratios = [seconds * runs / ours for seconds in theirs]
    table = Table(title="The default comparison", title_justify="left", box=MARKDOWN)
    table.add_column("")
    for heading in ("seconds", "times faster", "from - to", "target"):
        table.add_column(heading, justify="right")
    ratio = statistics.mean(ratios)
    met = "met" if ratio >= TARGET else "MISSED"
    spread = f"{min(ratios):.1f} - {max(ratios):.1f}"
    faster = (f"{ratio:.1f}", spread, f"{TARGET:.0f} {met}")
    quick = "met" if ours <= TARGET_SECONDS else "MISSED"
    seconds = f"{ours:.0f} ({TARGET_SECONDS:.0f} {quick})"
    table.add_row(f"python compare.py, {runs} runs", seconds, *faster)
    scaled = f"tutorial style, scaled from {len(theirs)} of them"
    table.add_row(scaled, f"{statistics.mean(theirs) * runs:.0f}")
    return table


if __name__ == "__main__":
    Console(width=110).print(make_table())
