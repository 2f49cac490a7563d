"""Compare regularizers: many runs, one answer."""

from system import processes

if __name__ == "__main__":
    processes.begin_command()
elif __name__ == "__mp_main__":
    processes.begin_worker()

import contextlib
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from comparison.display import CompareDisplay
from comparison.hparams import ensure_session, list_trials
from comparison.plan import Comparison, Run, load_comparison
from comparison.workers import (
    Pool,
    RunMaker,
    cluster_pool,
    load_tensorflow,
    local_pool,
    processors,
)
from data import DATASETS
from experiment.command_line import Parser, exit_with_status, run_until_signal
from experiment.config import call
from experiment.run_directory import Place, below, fingerprint, look
from monitoring.summary import how_to_look
from system.errors import UserError

DEFAULT = Path(__file__).with_name("configs") / "comparisons" / "compare.toml"


@dataclass(frozen=True)
class Plan:
    """What there is of a comparison, and what is to be made.

    Attributes:
        finished: The contents of result.json, by the path of the run.
        pending: Runs to be made, in order.
        stale: How many of them replace a run of other settings, data or code.
        marks: The fingerprint of each run, by its path.
    """

    finished: dict[Path, dict[str, Any]]
    pending: list[Run]
    stale: int
    marks: dict[Path, dict[str, str]]


def make_plan(comparison: Comparison, directory: Path) -> Plan:
    finished: dict[Path, dict[str, Any]] = {}
    pending, stale = [], 0
    marks = fingerprints(comparison)
    for run in comparison.runs:
        there = below(directory, run.path)
        place, result, _ = look(there, run.config, marks[run.path])
        if place is Place.FINISHED:
            finished[run.path] = result
        else:
            pending.append(run)
            stale += place is Place.OTHER
    return Plan(finished, pending, stale, marks)


def fingerprints(comparison: Comparison) -> dict[Path, dict[str, str]]:
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


def make_runs(
    comparison: Comparison,
    plan: Plan,
    directory: Path,
    open_pool: Callable[[], contextlib.AbstractContextManager[Pool]],
    should_stop: Callable[[], bool],
    console: Console,
) -> RunMaker:
    """Make what is pending, and show how far that has come."""
    trials = list_trials(comparison)
    maker = RunMaker(directory, plan.marks)
    with CompareDisplay(console, len(plan.pending)) as display:

        def show(run: Run | None) -> None:
            if run is None:
                display.show(maker.running)
            else:
                result = maker.results.get(run.path)
                display.advance(run, result, maker.running)
                ensure_session(directory / run.path, trials[run.path], result or {})

        maker.make(plan.pending, open_pool, should_stop, show)
    return maker


def show_plan(
    comparison: Comparison, directory: Path, plan: Plan, workers: int
) -> None:
    """Print every run, and how long those that are to be made will take."""
    from comparison.estimate import estimate_seconds

    for run in comparison.runs:
        done = "  (finished)" if run.path in plan.finished else ""
        print(f"{directory / run.path}{done}")
    print(f"{len(comparison.runs)} runs, {len(plan.pending)} of them to make", end="")
    if plan.pending:
        load_tensorflow()
        minutes = estimate_seconds(plan.pending, workers) / 60
        print(
            f": about {minutes:.0f} minutes in {workers} worker processes here, give "
            "or take a factor of two",
            end="",
        )
    print()


def parse_arguments():
    parser = Parser(__doc__, DEFAULT)
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
    directory = below(arguments.runs, Path(comparison.name))
    plan = make_plan(comparison, directory)
    workers = arguments.workers or max(1, min(processors(), len(plan.pending)))
    if arguments.dry_run:
        show_plan(comparison, directory, plan, workers)
        return 0
    console = Console()
    if arguments.cluster:
        open_pool = functools.partial(cluster_pool, arguments.cluster, directory)
        where = f"on the workers of {arguments.cluster}"
    else:
        open_pool = functools.partial(local_pool, workers)
        where = f"in {workers} worker processes of this machine"
    from comparison.board import write_experiment

    write_experiment(comparison, directory)
    console.print(
        f"{len(comparison.runs)} runs in {directory}: {len(plan.finished)} finished "
        f"before, {len(plan.pending)} to make, {plan.stale} of them in the place of "
        f"stale ones; {where}",
        markup=False,
        soft_wrap=True,
    )
    maker, signal_number = run_until_signal(
        lambda should_stop: make_runs(
            comparison, plan, directory, open_pool, should_stop, console
        )
    )
    for path, reason in maker.failures.items():
        console.print(f"failed: {path}: {reason}", markup=False, soft_wrap=True)
    from comparison.report import write_report, write_tables

    results = plan.finished | maker.results
    if signal_number:
        write_tables(comparison, directory, results)
        console.print("Interrupted; the same command goes on where this stopped.")
        return 128 + signal_number
    write_report(comparison, directory, results, console)
    for line in how_to_look(directory):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return 1 if maker.failures else 0


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
