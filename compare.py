"""Compare regularizers: many runs, one answer."""

import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from rich.console import Console

from command_line import Parser, exit_status, run_until_signal
from comparison import Comparison, Run, load_comparison
from config import call
from data import DATASETS
from errors import UserError
from monitoring.progress import CompareDisplay
from monitoring.summary import program
from run_directory import Place, fingerprint, look
from training.files import replacing

DEFAULT = Path(__file__).with_name("configs") / "compare.toml"
MOST_DEATHS = 2
"""Worker processes that a run may take with it before it is given up."""

Result = dict[str, Any]


class Worker:
    """The state of a worker process: what it has compiled, and whether to stop."""

    programs: dict[str, Any] = {}
    should_stop: Callable[[], bool] = staticmethod(lambda: False)


def start_worker(threads: int, stop) -> None:
    """Prepare a worker: its share of the processors, and when to end.

    Args:
        threads: For it to compute with.
        stop: Event that asks it to write a checkpoint and stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent hears it and sets `stop`.
    threading.Thread(target=end_with_parent, daemon=True).start()
    from training.backend import load_keras

    load_keras(seed=0)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    Worker.should_stop = stop.is_set


def end_with_parent() -> None:
    """End this process when its parent has ended, however that came about."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def perform(run: Run, directory: Path, mark: dict[str, str]) -> Result:
    """Make one run in a worker: continue what is there of it, replace anything else."""
    from train import train

    place, _, _ = look(directory, run.config, mark)
    return train(
        run.config,
        directory,
        resume=place is Place.UNFINISHED,
        overwrite=place is Place.OTHER,
        should_stop=Worker.should_stop,
        programs=Worker.programs,
    )


def data_marks(comparison: Comparison) -> dict[Path, dict[str, str]]:
    """The fingerprint of each run; every data file is read once."""
    of_file: dict[str, dict[str, str]] = {}
    marks = {}
    for run in comparison.runs:
        dataset = DATASETS[run.config.data["name"]]
        key = json.dumps([run.config.data["name"], run.config.data.get("path")])
        if key not in of_file:
            of_file[key] = fingerprint(call(dataset, run.config.data).sha256)
        marks[run.path] = of_file[key]
    return marks


class Comparer:
    """Makes the runs of a comparison that are still to be made, in worker processes.

    Attributes:
        results: The contents of result.json, by the path of the run.
        failures: Why a run has no result, by its path.
        pending: Runs to be made, in order.
        stale: How many of them replace a run of other settings, data or code.
    """

    def __init__(self, comparison: Comparison, directory: Path, workers: int):
        self.directory, self.workers = directory, workers
        self.results: dict[Path, Result] = {}
        self.failures: dict[Path, str] = {}
        self.pending: list[Run] = []
        self.stale = 0
        self._marks = data_marks(comparison)
        for run in comparison.runs:
            place, result, _ = look(
                directory / run.path, run.config, self._marks[run.path]
            )
            self.stale += place is Place.OTHER
            if place is Place.FINISHED:
                self.results[run.path] = result
            else:
                self.pending.append(run)

    def make_runs(
        self, should_stop: Callable[[], bool], on_end: Callable[[Run], None]
    ) -> None:
        """Make the pending runs; one that fails does not stop the others.

        Args:
            should_stop: Asked often; running runs are then checkpointed.
            on_end: Called with each run that has ended.
        """
        waiting, deaths = list(self.pending), Counter[Path]()
        while waiting and not should_stop():
            for run in self._feed_pool(waiting, should_stop, on_end):
                deaths[run.path] += 1
                if deaths[run.path] < MOST_DEATHS:
                    waiting.append(run)
                else:
                    self.failures[run.path] = f"its process died {MOST_DEATHS} times"
                    on_end(run)

    def _feed_pool(self, waiting: list[Run], should_stop, on_end) -> list[Run]:
        """Make runs until none is waiting; the ones lost if a worker dies before."""
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        running: dict[Future, Run] = {}
        with ProcessPoolExecutor(
            self.workers, context, start_worker, (threads, stop)
        ) as pool:
            while running or (waiting and not stop.is_set()):
                while waiting and len(running) < self.workers and not stop.is_set():
                    run = waiting.pop(0)
                    directory, mark = self.directory / run.path, self._marks[run.path]
                    running[pool.submit(perform, run, directory, mark)] = run
                if should_stop():
                    stop.set()
                ended, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    run = running[future]
                    try:
                        self.results[run.path] = future.result()
                    except BrokenProcessPool:
                        return list(running.values())
                    except Exception as error:
                        self.failures[run.path] = f"{type(error).__name__}: {error}"
                    del running[future]
                    on_end(run)
        return []


def compare(
    comparison: Comparison,
    directory: Path,
    workers: int,
    should_stop: Callable[[], bool],
    console: Console,
) -> Comparer:
    """Make what is missing of a comparison, and write its summary.csv.

    Returns:
        What was made.
    """
    comparer = Comparer(comparison, directory, workers)
    console.print(
        f"{len(comparison.runs)} runs in {directory}: {len(comparer.results)} finished "
        f"before, {len(comparer.pending)} to make, {comparer.stale} of them in the "
        f"place of stale ones; {workers} worker processes",
        soft_wrap=True,
    )
    with CompareDisplay(console, comparer.pending) as display:

        def on_end(run: Run) -> None:
            display.advance(run, comparer.results.get(run.path))

        comparer.make_runs(should_stop, on_end)
    for path, reason in comparer.failures.items():
        console.print(f"failed: {path}: {reason}", markup=False, soft_wrap=True)
    return comparer


def main() -> int:
    parser = Parser(__doc__, DEFAULT)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes (one per core)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the runs, and make none"
    )
    arguments = parser.parse_args()
    if arguments.workers < 1:
        raise UserError(f"--workers: expected 1 or more, received {arguments.workers}")
    comparison = load_comparison(arguments.config, arguments.overrides)
    directory = arguments.runs / comparison.name
    if arguments.dry_run:
        for run in comparison.runs:
            print(directory / run.path)
        return 0
    console = Console()
    comparer, signal_number = run_until_signal(
        lambda should_stop: compare(
            comparison, directory, arguments.workers, should_stop, console
        )
    )
    from analysis.report import report
    from analysis.summary import summarize

    pairs = [(run, comparer.results.get(run.path, {})) for run in comparison.runs]
    summary = summarize(pairs)
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(directory / "summary.csv") as partial:
        summary.to_csv(partial, index=False)
    if signal_number:
        console.print("Interrupted; the same command goes on where this stopped.")
        return 128 + signal_number
    report(comparison, summary, console)
    console.print(f"\nevery run: {directory / 'summary.csv'}", soft_wrap=True)
    console.print(
        f"tensorboard: {program('tensorboard')} --logdir {directory}", soft_wrap=True
    )
    return 1 if comparer.failures else 0


if __name__ == "__main__":
    sys.exit(exit_status(main))
