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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from comparison.cluster import cluster_workers
from comparison.display import CompareDisplay
from comparison.plan import Comparison, Run, against_itself, load_comparison
from comparison.workers import RunError, Workers, local_workers, make_runs
from data import as_arrays
from experiment.command_line import Parser, exit_with_status, run_until_signal
from experiment.fingerprint import (
    Fingerprint,
    all_choices,
    code_of,
    compute_fingerprint,
    digest_of_modules,
)
from experiment.run_directory import inspect_run, path_within
from monitoring.measures import count
from monitoring.summary import how_to_look
from system.errors import UserError
from system.processes import processors

AS_IT_IS: Any = {"markup": False, "highlight": False, "soft_wrap": True}
DEFAULT = Path(__file__).with_name("configs") / "comparisons" / "compare.toml"

code_at_start = functools.cache(code_of)
"""Also of plans made later: worker processes hold the code of the start."""


@dataclass(frozen=True)
class Plan:
    """What there is of a comparison, and what is to be made.

    Attributes:
        finished: The contents of result.json, by the path of the run.
        pending: Runs to be made, in order.
        stale: What they replace: directories, and in what it differs.
        fingerprints: The fingerprint of each run, by its path.
    """

    finished: dict[Path, dict[str, Any]]
    pending: list[Run]
    stale: list[tuple[Path, str]]
    fingerprints: dict[Path, Fingerprint]


def make_plan(comparison: Comparison, directory: Path) -> Plan:
    plan = Plan({}, [], [], compute_fingerprints(comparison))
    for run in comparison.runs:
        path = path_within(directory, run.path)
        found = inspect_run(path, run.config, plan.fingerprints[run.path])
        if found.state == "finished":
            plan.finished[run.path] = found.result
        else:
            plan.pending.append(run)
        if found.state in ("other", "changed"):
            plan.stale.append((path, found.difference))
    return plan


def compute_fingerprints(comparison: Comparison) -> dict[Path, Fingerprint]:
    """The fingerprint of each run; every dataset and all code is read once."""
    data: dict[str, str] = {}
    fingerprints, of_setting = {}, {}
    for run in comparison.runs:
        dataset = run.config.dataset
        key = f"{dataset.name} {dataset.settings}"
        if key not in data:
            data[key] = as_arrays(dataset.build()).sha256
        if run.setting not in of_setting:
            code = code_at_start(run.config.functions)
            of_setting[run.setting] = compute_fingerprint(run.config, data[key], code)
        fingerprints[run.path] = of_setting[run.setting]
    return fingerprints


def make_and_grow(
    comparison: Comparison,
    directory: Path,
    plan: Plan,
    workers: Workers,
    should_stop: Callable[[], bool],
    console: Console,
) -> tuple[Comparison, dict[Path, dict[str, Any]], dict[Path, str]]:
    """Make what is pending, and what lies beyond a grid whose best value is its last.

    Returns:
        The comparison with its grids grown; the contents of result.json of its runs,
        and why others have none, by their path.
    """
    from comparison.board import ensure_session, list_trials, write_experiment
    from comparison.growth import grow_grids

    failures: dict[Path, str] = {}
    for growth in range(comparison.grow + 1):
        write_experiment(comparison, directory)
        trials = list_trials(comparison)
        made = make_runs(
            plan.pending, directory, plan.fingerprints, workers, should_stop
        )
        with CompareDisplay(console, comparison, len(plan.pending)) as display:
            for run, result in made:
                if isinstance(result, RunError):
                    failures[run.path], result = str(result), {}
                else:
                    plan.finished[run.path] = result
                display.advance(run, result)
                ensure_session(directory / run.path, trials[run.path], result)
        if growth == comparison.grow or should_stop():
            break
        comparison, added = grow_grids(comparison, plan.finished)
        if not added:
            break
        for line in added:
            console.print(f"a grid grows: {line}", **AS_IT_IS)
        plan = make_plan(comparison, directory)
    return comparison, plan.finished, failures


def show_plan(
    comparison: Comparison, directory: Path, plan: Plan, workers: int
) -> None:
    """Print every run, and how long those that are to be made will take."""
    from comparison.estimate import estimate_seconds
    from comparison.growth import list_growth

    for run in comparison.runs:
        done = "  (finished)" if run.path in plan.finished else ""
        print(f"{directory / run.path}{done}")
    text = f"{count(len(comparison.runs), 'run')}, {len(plan.pending)} of them to make"
    if plan.pending:
        minutes = max(1, round(estimate_seconds(plan.pending, workers) / 60))
        processes = count(workers, "worker process", "es")
        text += f": about {count(minutes, 'minute')} in {processes} here"
        text += ", give or take a factor of two"
    print(text)
    for line in list_growth(comparison):
        print(line)


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
    size = arguments.workers or min(
        processors(), len(plan.pending) or len(comparison.seeds)
    )
    if arguments.dry_run:
        show_plan(comparison, directory, plan, size)
        return 0
    console = Console()
    code = digest_of_modules(all_choices())
    if arguments.cluster:
        first = comparison.runs[0]
        fingerprint = plan.fingerprints[first.path]
        pool = cluster_workers(
            arguments.cluster, code, directory, first.config, fingerprint
        )
        where = f"on the workers of {arguments.cluster}"
    else:
        pool = local_workers(size, code)
        where = f"in {count(size, 'worker process', 'es')} of this machine"
    console.print(
        f"{count(len(comparison.runs), 'run')} in {directory}: {len(plan.finished)} "
        f"finished before, {len(plan.pending)} to make, {len(plan.stale)} of them in "
        f"the place of stale ones; {where}",
        **AS_IT_IS,
    )
    for reason, path in {reason: path for path, reason in reversed(plan.stale)}.items():
        console.print(f"made again: {path} {reason}", **AS_IT_IS)
    with pool as workers:
        (comparison, results, failures), signal_number = run_until_signal(
            lambda should_stop: make_and_grow(
                comparison, directory, plan, workers, should_stop, console
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
    console.print(how_to_look(directory), **AS_IT_IS)
    show_answers(answers, console)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
