"""How the cost grows: seconds against training images, width, runs and statistics.

    python -m benchmarks.growth FIGURE.png

Each point is the median of five turns that all points of its panel take one after the
other, in processes of their own; the panel of runs is one process that makes them.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.peers import Work
from benchmarks.speed import MIDDLE, US, take_turns
from comparison.plan import load_comparison
from system.processes import load_keras

ROUNDS = 5
SIZES = (1_000, 5_000, 15_000, 30_000, 60_000)
WIDTHS = (64, 128, 256, 512, 1024, 2048)
LOGGING = ("none", "evaluate", "default", "detail")
LOGGED, NAMES_OF_LOGGING = "logged", ("nothing", "losses", "default", "all")
RUNS = 12

Point = tuple[float, float]


def measure(points: dict[float, Work]) -> list[Point]:
    """Seconds of an epoch of each work, by its place on the axis."""
    runners = {str(place): (US, work) for place, work in points.items()}
    turns = take_turns(runners, ROUNDS)
    return [
        (place, statistics.median(turn["seconds"] for turn in turns[str(place)]))
        for place in points
    ]


def weights(width: int) -> int:
    """Of 784-width-width-10, biases included."""
    return 785 * width + (width + 1) * width + (width + 1) * 10


def measure_runs() -> list[Point]:
    """Seconds after each run of one method of the default comparison, one process."""
    load_keras(seed=0)
    from train import train

    comparison = load_comparison(Path("configs/comparisons/compare.toml"))
    runs = [run for run in comparison.runs if run.trial.method == "adamw"][:RUNS]
    programs: dict = {}
    points = []
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        for number, run in enumerate(runs, start=1):
            train(run.config, Path(directory, run.path), programs=programs)
            points.append((float(number), time.perf_counter() - started))
    return points


def draw(measured: dict[str, list[Point]]) -> Figure:
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    panels = figure.subplots(1, len(measured))
    for axes, (title, points) in zip(panels, measured.items(), strict=True):
        axes.plot(*zip(*points, strict=True), "o-", color="#0072b2")
        axes.set_xlabel(title)
        axes.set_ylim(0, 1.1 * max(seconds for _, seconds in points))
        axes.grid(alpha=0.25)
        if title == LOGGED:
            axes.set_xticks(range(len(LOGGING)), NAMES_OF_LOGGING)
            axes.set_xlim(-0.4, len(LOGGING) - 0.6)
    panels[0].set_ylabel("seconds")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("figure", type=Path)
    path = parser.parse_args().figure
    measured = {
        "training images": measure({n: replace(MIDDLE, train_size=n) for n in SIZES}),
        "weights, millions": measure(
            {weights(w) / 1e6: Work((w, w), train_size=5_000) for w in WIDTHS}
        ),
        "runs made": measure_runs(),
        LOGGED: measure(
            {i: replace(MIDDLE, logging=what) for i, what in enumerate(LOGGING)}
        ),
    }
    for title, points in measured.items():
        print(title, [(round(x, 3), round(y, 3)) for x, y in points])
    draw(measured).savefig(path, dpi=130)


if __name__ == "__main__":
    main()
