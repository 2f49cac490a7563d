"""Compare regularizers: many runs, one answer."""

import functools
import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))  # Not there under `python -P`.

from system import processes

if __name__ == "__main__":
    processes.begin_command()
elif __name__ == "__mp_main__":
    processes.begin_worker()

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from comparison.cluster import cluster_workers
from comparison.plan import Comparison, Results, against_itself, count, load_comparison
from comparison.workers import Order, RunError, Workers, local_workers, make_runs
from data import as_arrays
from experiment.command_line import Parser, exit_with_status, run_until_signal
from experiment.fingerprint import (
    all_choices,
    code_of,
    compute_fingerprint,
    digest_of_modules,
)
from experiment.run_directory import RunDirectory, inspect_run, path_within
from monitoring.progress import ProgressDisplay
from monitoring.summary import how_to_look
from system.errors import UserError
from system.processes import processors

DEFAULT = Path(__file__).with_name("configs") / "comparisons" / "compare.toml"

code_at_start = functools.cache(code_of)
"""Digest of the code when it is first asked for: worker processes keep that code, also
for runs that are added when a grid grows."""


Found = dict[Path, RunDirectory]
"""The directories of the runs of a comparison, by the paths of the runs."""


def inspect_runs(
    comparison: Comparison,
    directory: Path,
    say: Callable[[str], None] = lambda line: None,
) -> Found:
    """Look into the directory of each run; data and code are read once.

    Args:
        comparison: The comparison.
        directory: Directory of the comparison.
        say: Told what was read, of the first run of each condition.

    Raises:
        UserError: The data cannot be used, or a directory leads elsewhere.
    """
    datasets = {str(run.config.dataset): run.config.dataset for run in comparison.runs}
    firsts = {run.trial.condition: run for run in reversed(comparison.runs)}
    data, found = {}, {}
    for name, dataset in datasets.items():
        arrays = as_arrays(dataset.build())
        data[name] = arrays.sha256
        for condition in comparison.conditions:
            run = firsts[condition]
            if str(run.config.dataset) == name:
                line = run.config.split.build(arrays, run.seed).summary
                say(f"{condition}: {line}" if condition else line)
    for run in comparison.runs:
        code = code_at_start(run.config.functions)
        digest = data[str(run.config.dataset)]
        fingerprint = compute_fingerprint(run.config, digest, code)
        path = path_within(directory, run.path)
        found[run.path] = inspect_run(path, run.config, fingerprint)
    return found


def order_runs(comparison: Comparison, found: Found) -> list[Order]:
    """Orders for the runs that are not finished."""
    places = [(run, found[run.path]) for run in comparison.runs]
    return [
        Order(run, place.path.absolute(), place.fingerprint)
        for run, place in places
        if place.state != "finished"
    ]


def make_and_grow(
    comparison: Comparison,
    directory: Path,
    found: Found,
    workers: Workers,
    should_stop: Callable[[], bool],
    console: Console,
) -> tuple[Comparison, Results]:
    """Make the runs that are not finished, and add runs while a grid's best value is on
    its edge.

    Returns:
        The comparison with its grown grids, and the results of its runs.
    """
    from comparison.board import ensure_session, write_experiment
    from comparison.growth import grow_grids

    for growth in range(comparison.file.grow + 1):
        rows = write_experiment(comparison, directory)
        results = {path: run.result for path, run in found.items() if run.result}
        orders = order_runs(comparison, found)
        with ProgressDisplay(console, len(orders)) as display:
            failed, ended = 0, make_runs(orders, workers, should_stop)
            display.show(0, f"0/{len(orders)} runs")
            for done, (run, result) in enumerate(ended, start=1):
                if isinstance(result, RunError):
                    console.print(Text(f"failed: {run.path}: {result}"), soft_wrap=True)
                    result = {}
                else:
                    results[run.path] = result
                trial, path = run.trial, directory / run.path
                ensure_session(path, trial, rows[trial], result)
                failed += result.get("status") not in ("completed", "interrupted")
                text = f"{done}/{len(orders)} runs"
                text += f", {failed} failed" if failed else ""
                display.show(done, text)
                display.show_line(done, text)
        if growth == comparison.file.grow or should_stop():
            break
        comparison, added = grow_grids(comparison, results)
        if not added:
            break
        for line in added:
            print(f"a grid grows: {line}")
        found = inspect_runs(comparison, directory)
    return comparison, results


def show_plan(
    comparison: Comparison, directory: Path, found: Found, workers: int
) -> None:
    """Print all runs, and how long those that are not finished will take."""
    from comparison.estimate import estimate_seconds

    pending = [order.run for order in order_runs(comparison, found)]
    for run in comparison.runs:
        done = "  (finished)" if found[run.path].state == "finished" else ""
        print(f"{directory / run.path}{done}")
    text = f"{count(len(comparison.runs), 'run')}, {len(pending)} of them to make"
    if pending:
        minutes = max(1, round(estimate_seconds(pending, workers) / 60))
        processes = count(workers, "worker process", "es")
        text += f": about {count(minutes, 'minute')} in {processes} here"
        text += ", give or take a factor of two"
    print(text)
    if comparison.file.grow:
        values = count(comparison.file.grow, "value")
        print(f"Where a grid's best lies on its edge, up to {values} are added.")


def parse_arguments():
    parser = Parser(
        __doc__,
        DEFAULT,
        "A comparison file names a base config, seeds, a control, and methods, each "
        "with what it sets and a grid of strengths that it varies; "
        "docs/comparisons.md explains it. ",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        help="processes on this machine (one per processor: the fastest, as measured)",
    )
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="of a Dask scheduler: its workers are used"
    )
    parser.add_argument(
        "--against-itself",
        action="store_true",
        help="compare the control with copies of itself: what is found is chance",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the runs and estimate the time, and make none",
    )
    arguments = parser.parse_args()
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError(f"--workers: expected 1 or more, received {arguments.workers}")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    comparison = load_comparison(arguments.config, arguments.overrides)
    if arguments.against_itself:
        comparison = against_itself(comparison)
    directory = path_within(arguments.runs, Path(comparison.name))
    found = inspect_runs(comparison, directory, say=print)
    pending = order_runs(comparison, found)
    size = arguments.workers or min(
        processors(), len(pending) or len(comparison.file.seeds)
    )
    if arguments.dry_run:
        show_plan(comparison, directory, found, size)
        return 0
    console = Console()
    code = digest_of_modules(all_choices())
    if arguments.cluster:
        first = next(iter(found.values()))
        pool = cluster_workers(arguments.cluster, code, directory, first)
        where = f"on the workers of {arguments.cluster}"
    else:
        pool = local_workers(size, code)
        where = f"in {count(size, 'worker process', 'es')} of this machine"
    stale = [run for run in found.values() if run.state in ("other", "changed")]
    in_place = f", {len(stale)} of them in the place of stale ones" if stale else ""
    print(
        f"{count(len(found), 'run')} in {directory}: {len(found) - len(pending)} "
        f"finished before, {len(pending)} to make{in_place}; {where}"
    )
    first_of_each = {run.difference: run.path for run in reversed(stale)}
    for difference, path in first_of_each.items():
        print(f"made again: {path} {difference}")
    with pool as workers:
        (comparison, results), signal_number = run_until_signal(
            lambda should_stop: make_and_grow(
                comparison, directory, found, workers, should_stop, console
            )
        )
    from comparison.report import write_report, write_tables
    from comparison.terminal import show_answer

    if signal_number:
        write_tables(comparison, directory, results)
        print("Interrupted; the same command goes on where this stopped.")
        return 128 + signal_number
    answer = write_report(comparison, directory, results)
    print(f"report:       {directory / 'report.html'}")
    print(how_to_look(directory))
    show_answer(answer, console)
    return 0 if len(results) == len(comparison.runs) else 1


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
