"""Where the seconds go: of the default run, and of the default comparison's runs.

    python -m benchmarks.phases run
    python -m benchmarks.phases comparison

The comparison's are the runs of its first seed, made one after the other in one process
with one thread, as a worker of `compare.py` makes them.
"""

import argparse
import contextlib
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import train
from comparison.plan import load_comparison
from experiment.config import load_config
from system.processes import load_keras

OTHER = "data, the model, the rest"


class Phases:
    """Seconds by phase. Of phases within each other, the inner one counts."""

    def __init__(self, started: float):
        self.seconds: dict[str, float] = defaultdict(float)
        self._names, self._since = [OTHER], started

    def _turn(self) -> None:
        now = time.perf_counter()
        self.seconds[self._names[-1]] += now - self._since
        self._since = now

    @contextlib.contextmanager
    def count(self, name: str) -> Iterator[None]:
        self._turn()
        self._names.append(name)
        try:
            yield
        finally:
            self._turn()
            self._names.pop()

    def watch(self, owner, attribute: str, name: str, first: str | None = None) -> None:
        """Count a function's time as `name`; that of its first call as `first`."""
        function = getattr(owner, attribute)
        names = iter([first or name])

        @functools.wraps(function)
        def watched(*arguments, **keywords):
            with self.count(next(names, name)):
                return function(*arguments, **keywords)

        setattr(owner, attribute, watched)


def watch_runs(phases: Phases) -> None:
    import monitoring.monitor as monitor
    from monitoring.gallery import Gallery
    from monitoring.history import History
    from monitoring.scalars import ScalarReader
    from training import fit, result
    from training.trainer import Trainer

    phases.watch(Trainer, "_call", "updates", first="compiling updates")
    phases.watch(Trainer, "measure", "evaluations", first="compiling evaluations")
    phases.watch(Trainer, "evaluate_split", "evaluations")
    phases.watch(ScalarReader, "__call__", "statistics of weights")
    phases.watch(Gallery, "record", "histograms, pictures, graph")
    phases.watch(Gallery, "finish", "histograms, pictures, graph")
    phases.watch(monitor.EventWriter, "write", "writing events, history, checkpoints")
    phases.watch(History, "save", "writing events, history, checkpoints")
    phases.watch(fit, "save_checkpoint", "writing events, history, checkpoints")
    phases.watch(result, "save_model", "saving the model")


def make_table(title: str, seconds: dict[str, float]) -> Table:
    table = Table("phase", title=title, title_justify="left")
    for heading in ("seconds", "share"):
        table.add_column(heading, justify="right")
    whole = sum(seconds.values())
    for name, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{taken:.2f}", f"{taken / whole:.0%}")
    table.add_row("all", f"{whole:.2f}", "")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("run", "comparison"))
    part = parser.parse_args().part
    loaded = time.process_time()
    phases = Phases(time.perf_counter() - loaded)
    programs: dict = {}
    with phases.count("loading TensorFlow"):
        if part == "run":
            load_keras(seed=0)
            title, configs = "python train.py", [load_config(train.BASELINE)]
        else:
            load_keras(seed=0, threads=1)
            runs = load_comparison(Path("configs/comparisons/compare.toml")).runs
            configs = [run.config for run in runs if run.seed == runs[0].seed]
            title = f"{len(configs)} runs of python compare.py"
        watch_runs(phases)
    with tempfile.TemporaryDirectory() as directory:
        for number, config in enumerate(configs):
            train.train(config, Path(directory, str(number)), programs=programs)
    with phases.count(OTHER):
        Console(width=100).print(make_table(title, phases.seconds))


if __name__ == "__main__":
    main()
