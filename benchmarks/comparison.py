"""Time the default comparison against the same runs as tutorials write them.

Ours: `python compare.py` from nothing, all runs. Theirs: `benchmarks/tutorial.py`, one
process a run, `model.fit` with validation every epoch and the TensorBoard callback with
histograms; a few of the runs, one of each method in turn, scaled to all of them. Both
are whole commands, start-up and compilation included. Theirs are run before and after
ours, so that a drift of the machine falls on both.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from comparison import Run, load_comparison
from config import call
from data import mnist, split

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "compare.toml"


def tutorial_command(run: Run, directory: Path) -> list[str]:
    """The command of the same run in tutorial style; writes its data beside it."""
    data = call(split, run.config.data, mnist(), run.seed)
    file = directory / f"data-{run.seed}.npz"
    np.savez(
        file,
        x_train=data.train.images,
        y_train=data.train.labels,
        x_val=data.validation.images,
        y_val=data.validation.labels,
    )
    model, optimizer, training = (
        run.config.model,
        run.config.optimizer,
        run.config.training,
    )
    options = {
        "directory": directory / run.path,
        "data": file,
        "epochs": training["epochs"],
        "batch-size": training["batch_size"],
        "learning-rate": optimizer["learning_rate"],
        "l2": model["l2"],
        "weight-decay": optimizer.get("weight_decay", 0.0),
        "seed": run.seed,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    units = ["--hidden-units", *map(str, model["hidden_units"])]
    return [sys.executable, str(ROOT / "benchmarks" / "tutorial.py"), *words, *units]


def seconds_of(command: list[str]) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return time.perf_counter() - started, done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", nargs="*", help="section.key=value, for ours")
    overrides = parser.parse_args().overrides
    comparison = load_comparison(FILE)
    first_of_method = {run.method: run for run in reversed(comparison.runs)}
    sample = [first_of_method[method] for method in comparison.methods]
    theirs = []
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)

        def run_tutorials() -> None:
            for run in sample:
                seconds, accuracy = seconds_of(tutorial_command(run, place))
                theirs.append(seconds)
                print(f"tutorial style, {run.path}: {seconds:.1f} s, {accuracy}")

        run_tutorials()
        compare = [sys.executable, "compare.py", "--runs", str(place / "ours")]
        ours, _ = seconds_of([*compare, *overrides])
        print(f"compare.py {' '.join(overrides)}: {ours:.1f} s")
        run_tutorials()
    runs = len(comparison.runs)
    ratios = [seconds * runs / ours for seconds in theirs]
    print(
        f"{runs} runs: {ours:.0f} s here, {statistics.mean(theirs) * runs:.0f} s in "
        f"tutorial style (scaled from {len(theirs)} of them): "
        f"{statistics.mean(ratios):.1f} times faster (from {min(ratios):.1f} to "
        f"{max(ratios):.1f}). {platform.machine()}, {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
