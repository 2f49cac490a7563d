"""Makes the runs of a comparison in worker processes.

A run depends on its config alone, so an executor of `concurrent.futures` is all that is
needed: threads of this process, or those of a Dask cluster (`comparison.cluster`). They
call `make_in_process`, which hands a run to a worker process. So a crash ends one run
only, code that is edited meanwhile is not used, and no other code in the process draws
from Keras' random numbers.
"""

import contextlib
import errno
import functools
import multiprocessing
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from comparison.plan import Result, Run, Trial
from experiment.config import differences
from experiment.fingerprint import Fingerprint, compute_fingerprint, load_code
from experiment.run_directory import BusyError, inspect_run, read_fingerprint
from system import processes
from system.errors import ChangedError, DamagedError
from system.files import MEGABYTE

MOST_DEATHS = 2
"""How often a worker process may die of a run before the run is given up."""

MOST_GROWTH = 500 * MEGABYTE
"""When its memory has grown by so much since its first run, a worker process is
replaced: TensorFlow never frees what it has compiled, ten megabytes or more a run."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that all other runs would meet, too, so that they end a comparison."""

ASK_SECONDS = 0.3
"""Seconds between two looks at whether to stop, or whether a directory is free."""


class RunError(Exception):
    """A run has failed; the message says why."""


class Order(NamedTuple):
    """What a worker process needs to make a run.

    Attributes:
        run: The run.
        directory: Directory of the run.
        fingerprint: Fingerprint of the run when the comparison was started.
    """

    run: Run
    directory: Path
    fingerprint: Fingerprint


def serve(connection, code: str) -> None:
    """Make the runs that are sent to this process.

    Args:
        connection: Receives an `Order` for each run, or None to stop; sends back its
            result or an error, and the memory of this process. If the other process
            ends, so do the current run and this process.
        code: Digest of the code that the comparison was started with.
    """
    processes.begin_worker()
    programs: dict[str, Any] = {}
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(attempt(begin, code))
        while order := connection.recv():
            answer = attempt(perform, order, connection.poll, programs)
            connection.send((answer, processes.memory_used()))


def begin(code: str) -> None:
    processes.load_keras(seed=0, threads=1)
    refuse_changes({"code": load_code()}, {"code": code})


def attempt(function: Callable, *arguments: Any) -> Any:
    """Call a function; returns its result, or the error that it raised.

    Errors that the parent does not handle are turned into a RunError with their text,
    because not all errors can be sent to another process.
    """
    try:
        return function(*arguments)
    except ChangedError as error:
        return error
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return OSError(error.errno, error.strerror, error.filename)
        return RunError(f"{type(error).__name__}: {error}")


def perform(
    order: Order, should_stop: Callable[[], bool], programs: dict[str, Any]
) -> Result:
    """Make a run: continue it if it is unfinished, replace whatever else is there.

    If another process, of a comparison that was killed, is still making it, wait.

    Args:
        order: The run and its directory.
        should_stop: Called often; when it returns True, the run is checkpointed.
        programs: Compiled program of the previous run in this process.
    """
    from train import train

    run, directory, fingerprint = order
    code = fingerprint["code"]
    refuse_changes(
        compute_fingerprint(run.config, fingerprint["data"], code), fingerprint
    )
    make = functools.partial(
        train,
        run.config,
        directory,
        should_stop=should_stop,
        programs=programs,
        pictures=run.pictures,
        code=code,
    )
    while True:
        state = inspect_run(directory, run.config, fingerprint).state
        stale = state in ("other", "changed")
        try:
            result = make(resume=state == "unfinished", overwrite=stale)
            break
        except DamagedError:
            result = make(overwrite=True)
            break
        except BusyError:
            if should_stop():
                raise
            time.sleep(ASK_SECONDS)
    refuse_changes(read_fingerprint(directory / "config.toml"), fingerprint)
    return result


def refuse_changes(here: Fingerprint, fingerprint: Fingerprint) -> None:
    """Refuse to go on if code, data or versions have changed since the start.

    Args:
        here: Fingerprint of a run in this process.
        fingerprint: Fingerprint of the run when the comparison was started.
    """
    changed = [name for name, *_ in differences(here, fingerprint)]
    if changed:
        raise ChangedError(
            f"{' and '.join(changed)} changed while the comparison was made; "
            "what is finished stays, and the same command goes on from it"
        )


class WorkerProcess:
    """A process that makes runs one after the other.

    Attributes:
        trial: Trial of its last run; other seeds of it share the compiled program.
        growth: Bytes by which its memory has grown since its first run.
    """

    def __init__(self, code: str):
        """Start the process, and wait until it has loaded its code.

        Raises:
            ChildProcessError: The process cannot start.
            ChangedError: The code has changed.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, code), daemon=True)
        self._process.start()
        theirs.close()
        self.trial: Trial | None = None
        self.growth = 0
        self._memory_at_first = 0
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            answer = RunError(self.close())
        if isinstance(answer, RunError):
            raise ChildProcessError(f"a worker process could not start: {answer}")
        if answer:
            raise answer

    def make(self, order: Order, stop: Any) -> Result | Exception:
        """Have the process make a run; returns its result or the error that it raised.

        Raises:
            EOFError, ConnectionError: The process has died.
        """
        self.trial = order.run.trial
        self._connection.send(order)
        while not self._connection.poll(ASK_SECONDS):
            if stop.is_set():
                self._connection.send(None)
                break
        answer, memory = self._connection.recv()
        self._memory_at_first = self._memory_at_first or memory
        self.growth = memory - self._memory_at_first
        return answer

    def close(self) -> str:
        """End the process, and return how it ended, in words."""
        self._process.kill()
        self._process.join()
        self._connection.close()
        status = self._process.exitcode or 0
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


IDLE: dict[str, list[WorkerProcess]] = defaultdict(list)
"""Idle worker processes of this process, by the digest of their code."""

IDLE_LOCK = threading.Lock()


def make_in_process(code: str, stop: Any, order: Order) -> Result:
    """Have a worker process make a run.

    Args:
        code: Digest of the code of all choices when the comparison was started.
        stop: Event that asks runs to checkpoint and stop.
        order: The run and its directory.
    """
    for _ in range(MOST_DEATHS):
        process = take_process(code, order.run.trial)
        try:
            answer = process.make(order, stop)
        except (EOFError, ConnectionError):
            death = process.close()
            continue
        except BaseException:
            process.close()
            raise
        if stop.is_set():
            process.close()
        else:
            IDLE[code].append(process)
        if isinstance(answer, Exception):
            raise answer
        return answer
    raise RunError(f"its process died {MOST_DEATHS} times ({death})")


def take_process(code: str, trial: Trial) -> WorkerProcess:
    """Take an idle process, one with the compiled trial if possible, or start one."""
    with IDLE_LOCK:
        if idle := IDLE[code]:
            best = min(idle, key=lambda process: process.trial != trial)
            idle.remove(best)
            if best.growth < MOST_GROWTH:
                return best
            best.close()
    return WorkerProcess(code)


def close_idle(code: str) -> None:
    """End the idle processes with this code."""
    with IDLE_LOCK:
        for process in IDLE.pop(code, []):
            process.close()


@dataclass(frozen=True)
class Workers:
    """Where runs are made.

    Attributes:
        executor: Executes `make_in_process`.
        code: Digest of the code of all choices.
        stop: Event of `threading` or of Dask that asks all runs to stop.
        count: Function that returns how many runs can be made at the same time.
    """

    executor: futures.Executor
    code: str
    stop: Any
    count: Callable[[], int]


@contextlib.contextmanager
def local_workers(count: int, code: str) -> Iterator[Workers]:
    """Worker processes of this machine."""
    stop = threading.Event()
    with contextlib.ExitStack() as at_end:
        at_end.callback(close_idle, code)
        executor = at_end.enter_context(futures.ThreadPoolExecutor(count))
        at_end.callback(stop.set)
        yield Workers(executor, code, stop, lambda: count)


def make_runs(
    orders: Iterable[Order], workers: Workers, should_stop: Callable[[], bool]
) -> Iterator[tuple[Run, Result | RunError]]:
    """Make runs; a run that fails does not stop the others.

    Args:
        orders: The runs and their directories.
        workers: Workers that make them.
        should_stop: Called often; when it returns True, current runs are checkpointed.

    Yields:
        Each run when it has ended, with its result or the error that it failed with.

    Raises:
        ChangedError: Code or data have changed since the comparison was started.
        OSError: A disk is full, or no worker process can start.
    """
    waiting = list(orders)
    running: dict[futures.Future, Run] = {}
    while running or waiting:
        if should_stop():
            workers.stop.set()
            waiting.clear()
        while waiting and len(running) < workers.count():
            busy = {run.trial for run in running.values()}
            # The seeds of a trial share a program if the same process makes them.
            order = min(waiting, key=lambda order: order.run.trial in busy)
            waiting.remove(order)
            future = workers.executor.submit(
                make_in_process, workers.code, workers.stop, order
            )
            running[future] = order.run
        ended, _ = futures.wait(running, ASK_SECONDS, futures.FIRST_COMPLETED)
        for future in ended:
            run = running.pop(future)
            try:
                yield run, future.result()
            except RunError as error:
                yield run, error
            except (ChangedError, OSError, futures.CancelledError):
                raise
            except Exception as error:  # From a cluster whose workers died of the run.
                yield run, RunError(f"{type(error).__name__}: {error}")
