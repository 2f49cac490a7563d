"""Judges the judge: comparisons of a method with copies of itself, where all is chance.

    python -m benchmarks.judge                  # 1,000 simulated comparisons: a minute
    python -m benchmarks.judge --real 200       # real ones, of tiny networks, besides

Real runs lie in runs/judge and are not made again: stop it whenever you like. Of each
kind it prints how many comparisons call any pair different, in how many all intervals
hold the truth, which is 0, and what choosing the best of k strengths adds where all
strengths are the same: to the validation measure that it is chosen by, and to the test
measure that methods are compared in.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from compare import inspect_runs, order_runs
from comparison.answer import find_answer, summarize
from comparison.plan import (
    Comparison,
    Results,
    Run,
    against_itself,
    load_comparison,
)
from comparison.statistics import DIFFERENT, EQUAL
from comparison.workers import RunError, local_workers, make_runs
from data.mnist import mnist
from experiment.fingerprint import all_choices, digest_of_modules
from system.processes import processors

SEEDS = 5
BASE = """
data = {{name = "npz", path = "{data}", train_size = 100, validation_size = 200}}
model = {{hidden_units = [8]}}
training = {{epochs = 5, evaluate_every = 5, batch_size = 20}}
monitoring = {{tensorboard = false}}
"""
COMPARISON = """
base = "base.toml"
seeds = [0, 1, 2, 3, 4]

[methods.none]

[methods.l2]
vary.regularizer.l2 = [1e-4, 1e-3, 1e-2]

[methods.l1]
vary.regularizer.l1 = [1e-5, 1e-4, 1e-3]
"""


def load(directory: Path) -> Comparison:
    """The comparison of copies, whose files are written into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / "digits.npz"
    if not data.exists():
        arrays = mnist()
        few = {name: getattr(arrays, name)[:1000] for name in ("x_train", "y_train")}
        few |= {name: getattr(arrays, name)[:500] for name in ("x_test", "y_test")}
        np.savez(data, **few)
    (directory / "base.toml").write_text(BASE.format(data=data.resolve()))
    (directory / "judge.toml").write_text(COMPARISON)
    return against_itself(load_comparison(directory / "judge.toml"))


def again(comparison: Comparison, number: int) -> Comparison:
    """The same comparison of other seeds, below a folder of its own."""
    used = max(run.config.seed for run in comparison.runs) + 1

    def other(run: Run) -> Run:
        config = replace(run.config, seed=run.config.seed + number * used)
        return replace(run, path=f"{number:03d}" / run.path, config=config)

    return replace(comparison, runs=tuple(map(other, comparison.runs)))


def simulate(comparison: Comparison, random) -> Results:
    """Results whose losses vary by seed, by run, and by set of images."""
    of_seed = dict(
        zip(comparison.file.seeds, random.normal(0, 0.05, SEEDS), strict=True)
    )
    results = {}
    for run in comparison.runs:
        loss = 0.5 + of_seed[run.seed] + random.normal(0, 0.02)
        losses = loss + random.normal(0, 0.01, 2)
        validation, test = (
            {"cross_entropy": loss, "accuracy": 1 - loss / 4} for loss in losses
        )
        moment = {"validation": validation, "test": test}
        results[run.path] = {"status": "completed", "final": moment, "best": moment}
    return results


def make(comparisons: list[Comparison], directory: Path) -> Results:
    """Make the runs of real comparisons that are not there yet."""
    runs = tuple(run for comparison in comparisons for run in comparison.runs)
    everything = replace(comparisons[0], runs=runs)
    found = inspect_runs(everything, directory)
    results = {path: run.result for path, run in found.items()}
    orders = order_runs(everything, found)
    code = digest_of_modules(all_choices())
    with local_workers(processors(), code) as workers:
        for run, result in make_runs(orders, workers, lambda: False):
            if isinstance(result, RunError):
                raise result
            results[run.path] = result
            done = sum(map(bool, results.values()))
            print(f"{done} of {len(runs)} runs", end="\r")
    return results


def judge(
    comparisons: Iterable[tuple[Comparison, Results]],
) -> Iterator[dict[str, float]]:
    """What each comparison of copies claims: all that it claims is wrong."""
    for comparison, results in comparisons:
        summary = summarize(comparison, results)
        answer = find_answer(comparison, summary, "final")
        found = [answer.difference(*pair, answer.headline) for pair in answer.pairs]
        row: dict[str, float] = {
            "any pair different": any(f.verdict == DIFFERENT for f in found),
            "all intervals hold 0": all(f.low <= 0 <= f.high for f in found),
            "pairs practically equal": float(
                np.mean([f.verdict == EQUAL for f in found])
            ),
        }
        for method in ("l2", "l1"):
            (trial,) = (t for t in answer.chosen if t.method == method)
            of_method = summary[summary["method"] == method]
            grid = comparison.grid(trial)
            for measure in answer.measures[:2]:
                mean = of_method[f"final_{measure.key}"].astype(float).mean()
                name = f"best of {len(grid)} strengths minus their mean, {measure.key}"
                row[name] = row.get(name, 0) + (answer.mean(trial, measure) - mean) / 2
        yield row


def show(title: str, rows: Iterable[dict[str, float]]) -> None:
    table = pd.DataFrame(rows).astype(float)
    print(f"{title}: {len(table)} comparisons of 3 copies, {SEEDS} seeds")
    for name, values in table.items():
        share = not str(name).startswith("best")
        error = values.std() / np.sqrt(len(values))
        mean = f"{values.mean():8.1%}" if share else f"{values.mean():+8.4f}"
        print(f"  {mean} ± {f'{error:.1%}' if share else f'{error:.4f}'}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulated", type=int, default=1000)
    parser.add_argument("--real", type=int, default=0)
    parser.add_argument("--directory", type=Path, default=Path("runs/judge"))
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        copies = load(Path(temporary))
        simulated = (
            (copies, simulate(copies, random)) for _ in range(arguments.simulated)
        )
        show("simulated", judge(simulated))
    if arguments.real:
        copies = load(arguments.directory)
        comparisons = [again(copies, number) for number in range(arguments.real)]
        results = make(comparisons, arguments.directory)
        show("real", judge((comparison, results) for comparison in comparisons))


if __name__ == "__main__":
    main()
