"""Makes the runs of a comparison, in processes of this machine or of a Dask cluster.

A run is a function of its config alone, so all that is needed is an executor from
`concurrent.futures`: a process pool here, `distributed.Client.get_executor` there.
"""

import contextlib
import errno
import functools
import logging
import multiprocessing
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from comparison.plan import Run
from experiment.run_directory import (
    BusyError,
    Place,
    below,
    fingerprint,
    look,
    package_versions,
)
from system import processes
from system.errors import DamagedError, UserError

MOST_DEATHS = 2
"""Worker processes that may die of a run before it is given up."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that no other run can escape: they end a comparison."""

ASK_SECONDS = 0.5
"""How often a worker asks whether to stop, and whether a busy run is free."""


class Worker:
    """The state of a worker process: what it has compiled, and whether to stop."""

    programs: dict[str, Any] = {}
    should_stop: Callable[[], bool] = staticmethod(lambda: False)


def perform(run: Run, directory: Path, mark: dict[str, str]) -> dict[str, Any]:
    """Make one run in a worker: continue what is there of it, replace anything else.

    A run that another process is still making, for a comparison that was killed, is
    waited for.

    Args:
        run: To be made.
        directory: Of the run.
        mark: Its fingerprint, where the comparison was started.
    """
    from train import train

    if code() != mark["code"]:
        raise UserError("this worker has other code than the comparison")
    damaged = False
    while True:
        place, _, _ = look(directory, run.config, mark)
        try:
            result = train(
                run.config,
                directory,
                resume=place is Place.UNFINISHED and not damaged,
                overwrite=place is Place.OTHER or damaged,
                should_stop=Worker.should_stop,
                programs=Worker.programs,
                pictures=run.pictures,
            )
        except DamagedError:
            if damaged:
                raise
            damaged = True
        except BusyError:
            if Worker.should_stop():
                raise
            time.sleep(ASK_SECONDS)
        else:
            place, _, reason = look(directory, run.config, mark)
            if place is Place.OTHER:
                raise UserError(f"made of other data than the comparison's: {reason}")
            return result


@dataclass(frozen=True)
class Pool:
    """Where runs are made.

    Attributes:
        submit: Takes the arguments of `perform`.
        size: Tells how many runs are made at once.
        stop: Asks the runs to write a checkpoint and stop.
    """

    submit: Callable[[Run, Path, dict[str, str]], Future]
    size: Callable[[], int]
    stop: Callable[[], None]


@contextlib.contextmanager
def local_pool(workers: int) -> Iterator[Pool]:
    """Processes of this machine."""
    executor, stop = start_processes(workers)
    with executor:
        submit = functools.partial(executor.submit, perform)
        yield Pool(submit, lambda: workers, stop.set)


def start_processes(workers: int):
    """An executor of worker processes, and the event that asks them to stop."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    executor = ProcessPoolExecutor(workers, context, start_worker, (stop,))
    return executor, stop


def processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_worker(stop) -> None:
    """Prepare a worker of the local pool.

    Args:
        stop: Event that asks it to write a checkpoint and stop.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    processes.begin_worker(parent.pid)
    load_tensorflow()
    Worker.should_stop = stop.is_set


def load_tensorflow() -> None:
    """Load it, to compute with one thread.

    More would sum some matrix products in another order: the last digits of a result
    would depend on the number of workers, and on the machine's processors.
    """
    from system.processes import load_keras

    load_keras(seed=0)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)


@contextlib.contextmanager
def cluster_pool(address: str, directory: Path) -> Iterator[Pool]:
    """The workers of a Dask cluster, which must see the directory at the same path.

    Args:
        address: Of the scheduler, "tcp://host:8786".
        directory: That the runs will be written below.

    Raises:
        UserError: Dask is not installed, no scheduler answers, or a worker sees other
            files or has other code.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(
            "--cluster needs Dask: pip install -r requirements-cluster.txt"
        ) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)
    refuse_silent_address(address)
    with distributed.Client(address, set_as_default=False) as client:
        check_workers(client, directory)
        executor = client.get_executor(pure=False)
        stop = distributed.Event(client=client)

        def submit(run, directory, mark):
            return executor.submit(perform_on_cluster, run, directory, mark, stop)

        yield Pool(submit, lambda: sum(client.nthreads().values()) or 1, stop.set)


def refuse_silent_address(address: str) -> None:
    """Refuse an address that nothing answers at: Dask's client would complain long."""
    try:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), timeout=10).close()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            "--cluster: expected the address of a Dask scheduler such as "
            f"tcp://127.0.0.1:8786, received {address} ({error})"
        ) from None


class Front:
    """The processes of a Dask worker, one for each of its threads.

    Runs are not made in the worker itself: Keras draws initial weights from Python's
    global random numbers, which Dask uses too.
    """

    lock = threading.Lock()
    processes: Any = None
    stop: Any = None


def perform_on_cluster(
    run: Run, directory: Path, mark: dict[str, str], stop
) -> dict[str, Any]:
    """Make one run in a process of this Dask worker.

    One that was stopped for another comparison, whose runs are made here too, goes on.

    Args:
        run: To be made.
        directory: Of the run.
        mark: Its fingerprint, where the comparison was started.
        stop: Event of the cluster that asks to write a checkpoint and stop.
    """
    deaths = 0
    while deaths < MOST_DEATHS:
        processes = own_processes()
        try:
            future = processes.submit(perform, run, directory, mark)
            while not future.done():
                wait([future], timeout=ASK_SECONDS)
                if stop.is_set():
                    Front.stop.set()
            result = future.result()
        except BrokenProcessPool:
            deaths += 1
        else:
            if result["status"] != "interrupted" or stop.is_set():
                return result
        finally:
            if stop.is_set():
                give_up(processes)
        give_up(processes)
    raise RuntimeError(f"its process died {MOST_DEATHS} times")


def own_processes() -> ProcessPoolExecutor:
    from distributed import get_worker

    with Front.lock:
        if Front.processes is None:
            threads = get_worker().state.nthreads
            Front.processes, Front.stop = start_processes(threads)
        return Front.processes


def give_up(processes: ProcessPoolExecutor) -> None:
    """Have the next run start new processes: these are broken, or were stopped."""
    with Front.lock:
        if Front.processes is processes:
            Front.processes = None
    processes.shutdown(wait=False)


def check_workers(client, directory: Path) -> None:
    """Refuse a cluster that has no workers, or one that could not do the same."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = (directory / ".probe").absolute()
    probe.touch()
    try:
        found = client.run(
            find_hindrance, probe, code(), package_versions(), on_error="return"
        )
    finally:
        probe.unlink()
    if not found:
        raise UserError("--cluster: the scheduler has no workers")
    for worker, hindrance in found.items():
        if "No module named" in str(hindrance):
            hindrance = "does not find the code of this folder: start it here"
        if hindrance:
            raise UserError(f"--cluster: worker {worker} {hindrance}")


def find_hindrance(
    probe: Path, expected_code: str, expected_versions: dict[str, str]
) -> str | None:
    """Why a Dask worker cannot make the runs of a comparison, or None.

    Args:
        probe: A file below the directory of the comparison.
        expected_code: The fingerprint of the comparison's code.
        expected_versions: Of the packages where the comparison was started.
    """
    if not probe.exists():
        return f"does not see {probe.parent}"
    if code() != expected_code:
        return "has other code than this folder"
    for package, found in package_versions().items():
        if found != expected_versions[package]:
            here = expected_versions[package]
            return f"has {package} {found}, expected {here} as here"
    if multiprocessing.current_process().daemon:
        return "may not start processes: start it with --no-nanny"
    return None


def code() -> str:
    return fingerprint(data_sha256="")["code"]


class RunMaker:
    """Makes runs, and keeps what came of them.

    Attributes:
        results: The contents of result.json, by the path of the run.
        failures: Why a run has no result, by its path.
        running: Number of runs being made now.
    """

    def __init__(self, directory: Path, marks: dict[Path, dict[str, str]]):
        """
        Args:
            directory: Of the comparison.
            marks: The fingerprint of each run, by its path.
        """
        self._directory, self._marks = directory.absolute(), marks
        self.results: dict[Path, dict[str, Any]] = {}
        self.failures: dict[Path, str] = {}
        self.running = 0

    def make(
        self,
        runs: list[Run],
        open_pool: Callable[[], contextlib.AbstractContextManager[Pool]],
        should_stop: Callable[[], bool],
        on_change: Callable[[Run | None], None],
    ) -> None:
        """Make runs; one that fails does not stop the others.

        One that was lost with its worker is made again alone, to see whether it was the
        cause.

        Args:
            runs: In this order.
            open_pool: Opened again for the runs that a dead worker has left.
            should_stop: Asked often; running runs are then checkpointed.
            on_change: Called with each run that has ended, and with None when others
                have begun.
        """
        waiting, deaths = list(runs), Counter[Path]()
        while waiting and not should_stop():
            suspects = [run for run in waiting if deaths[run.path]]
            batch = suspects[:1] or waiting.copy()
            lost = self._feed(batch, open_pool, should_stop, on_change)
            made = self.results.keys() | self.failures.keys()
            waiting = [run for run in waiting if run.path not in made]
            for run in lost:
                deaths[run.path] += 1
                if deaths[run.path] == MOST_DEATHS:
                    waiting.remove(run)
                    self.failures[run.path] = f"its process died {MOST_DEATHS} times"
                    on_change(run)

    def _feed(self, waiting: list[Run], open_pool, should_stop, on_change) -> list[Run]:
        """Make runs until none is waiting; the ones lost if a worker dies before."""
        with open_pool() as pool:
            running: dict[Future, Run] = {}
            try:
                self._work(pool, waiting, running, should_stop, on_change)
            except BrokenProcessPool:
                return list(running.values())
            return []

    def _work(self, pool: Pool, waiting, running, should_stop, on_change) -> None:
        stopping = False

        def fill() -> None:
            while waiting and len(running) < pool.size() and not stopping:
                run = waiting.pop(0)
                directory = below(self._directory, run.path)
                running[pool.submit(run, directory, self._marks[run.path])] = run
            self.running = len(running)

        fill()
        on_change(None)
        while running:
            if should_stop() and not stopping:
                stopping = True
                pool.stop()
            ended, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in ended:
                run = running[future]
                try:
                    self.results[run.path] = future.result()
                except BrokenProcessPool:
                    raise
                except Exception as error:
                    if isinstance(error, OSError) and error.errno in NO_ROOM:
                        pool.stop()
                        raise
                    self.failures[run.path] = f"{type(error).__name__}: {error}"
                del running[future]
                fill()
                on_change(run)
