"""Compare regularizers: many runs, one answer."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))  # Not there under `python -P`.

from system import processes

if __name__ == "__main__":
    processes.begin_command()
elif __name__ == "__mp_main__":
    processes.begin_worker()

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from comparison.cluster import cluster_pool
from comparison.display import CompareDisplay
from comparison.measures import count
from comparison.plan import Comparison, Run, against_itself, load_comparison
from comparison.workers import Pool, RunMaker, local_pool
from data import as_arrays
from experiment.command_line import Parser, exit_with_status, run_until_signal
from experiment.fingerprint import Fingerprint, compute_fingerprint
from experiment.run_directory import inspect_run, path_within
from monitoring.summary import how_to_look
from system.errors import UserError
from system.processes import processors

AS_IT_IS: Any = {"markup": False, "highlight": False, "soft_wrap": True}
DEFAULT = Path(__file__).with_name("configs") / "comparisons" / "compare.toml"


@dataclass(frozen=True)
class Plan:
    """What there is of a comparison, and what is to be made.

    Attributes:
        finished: The contents of result.json, by the path of the run.
        pending: Runs to be made, in order.
        stale: Number of them that replace a run of other settings, data or code.
        fingerprints: The fingerprint of each run, by its path.
    """

    finished: dict[Path, dict[str, Any]]
    pending: list[Run]
    stale: int
    fingerprints: dict[Path, Fingerprint]


def make_plan(comparison: Comparison, directory: Path) -> Plan:
    finished: dict[Path, dict[str, Any]] = {}
    pending, stale = [], 0
    fingerprints = compute_fingerprints(comparison)
    for run in comparison.runs:
        path = path_within(directory, run.path)
        found = inspect_run(path, run.config, fingerprints[run.path])
        if found.state == "finished":
            finished[run.path] = found.result
        else:
            pending.append(run)
            stale += found.state in ("other", "changed")
    return Plan(finished, pending, stale, fingerprints)


def compute_fingerprints(comparison: Comparison) -> dict[Path, Fingerprint]:
    """The fingerprint of each run; every dataset is read once."""
    data: dict[str, str] = {}
    found = {}
    for run in comparison.runs:
        dataset = run.config.dataset
        key = json.dumps([dataset.name, dataset.settings])
        if key not in data:
            data[key] = as_arrays(dataset.build()).sha256
        found[run.path] = compute_fingerprint(run.config, data[key])
    return found


def make_runs(
    comparison: Comparison,
    plan: Plan,
    directory: Path,
    pool: Pool,
    should_stop: Callable[[], bool],
    console: Console,
) -> RunMaker:
    """Make what is pending, and show how far that has come."""
    from comparison.board import ensure_session, list_trials

    trials = list_trials(comparison)
    maker = RunMaker(directory, plan.fingerprints)
    with CompareDisplay(console, comparison, len(plan.pending)) as display:

        def show(run: Run | None) -> None:
            if run is None:
                display.show_running(maker.running)
            else:
                result = maker.results.get(run.path)
                display.advance(run, result, maker.running)
                ensure_session(directory / run.path, trials[run.path], result or {})

        maker.make(plan.pending, pool, should_stop, show)
    return maker


def make_and_grow(
    comparison: Comparison,
    directory: Path,
    plan: Plan,
    pool: Pool,
    should_stop: Callable[[], bool],
    console: Console,
) -> tuple[Comparison, dict[Path, dict[str, Any]], dict[Path, str]]:
    """Make what is pending, and what lies beyond a grid whose best value is its last.

    Returns:
        The comparison with its grids grown; the contents of result.json of its runs,
        and why others have none, by their path.
    """
    from comparison.board import write_experiment
    from comparison.growth import grow_grids

    failures: dict[Path, str] = {}
    for growth in range(comparison.grow + 1):
        write_experiment(comparison, directory)
        maker = make_runs(comparison, plan, directory, pool, should_stop, console)
        failures |= maker.failures
        results = plan.finished | maker.results
        if growth == comparison.grow or should_stop():
            break
        comparison, added = grow_grids(comparison, results)
        if not added:
            break
        for line in added:
            console.print(f"a grid grows: {line}", **AS_IT_IS)
        plan = make_plan(comparison, directory)
    return comparison, results, failures


def show_plan(
    comparison: Comparison, directory: Path, plan: Plan, workers: int
) -> None:
    """Print every run, and how long those that are to be made will take."""
    from comparison.estimate import estimate_seconds

    for run in comparison.runs:
        done = "  (finished)" if run.path in plan.finished else ""
        print(f"{directory / run.path}{done}")
    runs = count(len(comparison.runs), "run")
    print(f"{runs}, {len(plan.pending)} of them to make", end="")
    if plan.pending:
        minutes = max(1, round(estimate_seconds(plan.pending, workers) / 60))
        print(
            f": about {count(minutes, 'minute')} in "
            f"{count(workers, 'worker process', 'es')} here, give or take a factor of "
            "two",
            end="",
        )
    print()


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
    plan = make_plan(comparison, directory)
    most = len(plan.pending) or len(comparison.seeds)
    workers = arguments.workers or min(processors(), most)
    if arguments.dry_run:
        show_plan(comparison, directory, plan, workers)
        return 0
    console = Console()
    pool: contextlib.AbstractContextManager[Pool]
    if arguments.cluster:
        first = comparison.runs[0]
        fingerprint = plan.fingerprints[first.path]
        pool = cluster_pool(arguments.cluster, directory, first.config, fingerprint)
        where = f"on the workers of {arguments.cluster}"
    else:
        pool = local_pool(workers)
        where = f"in {count(workers, 'worker process', 'es')} of this machine"
    console.print(
        f"{count(len(comparison.runs), 'run')} in {directory}: {len(plan.finished)} "
        f"finished before, {len(plan.pending)} to make, {plan.stale} of them in the "
        f"place of stale ones; {where}",
        markup=False,
        soft_wrap=True,
    )
    with pool as opened:
        (comparison, results, failures), signal_number = run_until_signal(
            lambda should_stop: make_and_grow(
                comparison, directory, plan, opened, should_stop, console
            )
        )
    from comparison.report import write_report, write_tables
    from comparison.terminal import show_answers

    for path, reason in failures.items():
        console.print(f"failed: {path}: {reason}", **AS_IT_IS)
    if signal_number:
        write_tables(comparison, directory, results)
        console.print("Interrupted; the same command goes on where this stopped.")
        return 128 + signal_number
    answers = write_report(comparison, directory, results)
    console.print(f"report:       {directory / 'report.html'}", **AS_IT_IS)
    console.print(how_to_look(directory)[0], **AS_IT_IS)
    show_answers(answers, console)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
