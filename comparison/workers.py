"""Makes the runs of a comparison, each in a worker process.

A run is a function of its config alone, so all that is needed is an executor from
`concurrent.futures`: threads of this process, or a Dask cluster's
(`comparison.cluster`). Either executes `make_in_process`, which has a worker process
make the run. So a run that dies takes no other with it, the code of a comparison stays
what it was when it began, and nobody else draws from Keras' random numbers.
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

MOST_DEATHS = 2
"""Worker processes that may die of a run before it is given up."""

MOST_TRIALS = 25
"""After so many, a process ends and another takes its place: TensorFlow never frees
what it has compiled, ten megabytes or more for each."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that no other run can escape: they end a comparison."""

ASK_SECONDS = 0.3
"""How often it is asked whether to stop, and whether a busy directory is free."""


class RunError(Exception):
    """A run has no result; the message says why."""


class Order(NamedTuple):
    """What a worker process has to know of a run.

    Attributes:
        run: The run that is to be made.
        directory: Directory of the run.
        fingerprint: Its fingerprint, where the comparison was started.
    """

    run: Run
    directory: Path
    fingerprint: Fingerprint


def serve(connection, code: str) -> None:
    """Make the runs that are sent to this process, with the code it begins with.

    Args:
        connection: Brings an `Order` for each run, and None to stop; takes back its
            result, or why it has none. When the other process has ended, the run that
            is being made stops, and so does this process.
        code: Digest of the code that the comparison was started with.
    """
    processes.begin_worker()
    programs: dict[str, Any] = {}
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(attempt(begin, code))
        while order := connection.recv():
            connection.send(attempt(perform, order, connection.poll, programs))


def begin(code: str) -> None:
    processes.load_keras(seed=0, threads=1)
    refuse_changes({"code": load_code()}, {"code": code})


def attempt(function: Callable, *arguments: Any) -> Any:
    """Call a function; returns its result, or the error that ended it.

    An error that the parent does not act on is returned as text, for not every error
    can be sent to another process.
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
    """Make one run: continue what is there of it, replace anything else.

    A run that another process is still making, for a comparison that was killed, is
    waited for.

    Args:
        order: The run, and where.
        should_stop: Asked often; the run is then checkpointed.
        programs: What the run before in this process has compiled.
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
    """Refuse to go on with other code, data or versions than at the start.

    Args:
        here: Fingerprint of a run as a worker would make it, or has made it.
        fingerprint: The same where the comparison was started.
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
        trial: Trial of its last run, whose seeds share what it has compiled.
        trials: How many it has compiled.
    """

    def __init__(self, code: str):
        """Start the process, and wait until it has loaded its code.

        Raises:
            ChildProcessError: It cannot start.
            ChangedError: It found other code.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, code), daemon=True)
        self._process.start()
        theirs.close()
        self.trial: Trial | None = None
        self.trials = 0
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            answer = RunError(self.close())
        if isinstance(answer, RunError):
            raise ChildProcessError(f"a worker process could not start: {answer}")
        if answer:
            raise answer

    def make(self, order: Order, stop: Any) -> Result | Exception:
        """Have the process make a run; returns its result, or the error that ended it.

        Raises:
            EOFError, ConnectionError: The process has died.
        """
        self.trials += order.run.trial != self.trial
        self.trial = order.run.trial
        self._connection.send(order)
        while not self._connection.poll(ASK_SECONDS):
            if stop.is_set():
                self._connection.send(None)
                break
        return self._connection.recv()

    def close(self) -> str:
        """End the process, and say how it has ended."""
        self._process.kill()
        self._process.join()
        self._connection.close()
        status = self._process.exitcode or 0
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


IDLE: dict[str, list[WorkerProcess]] = defaultdict(list)
"""Processes started by this one that make no run now, by the digest of their code."""

IDLE_LOCK = threading.Lock()


def make_in_process(code: str, stop: Any, order: Order) -> Result:
    """Make one run in a process of its own for as long as it runs.

    Args:
        code: Digest of the code of all choices, where the comparison was started.
        stop: Event that asks for a checkpoint and an end.
        order: The run, and where.
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
    """Take an idle process, best one that has compiled the trial, or start one."""
    with IDLE_LOCK:
        if idle := IDLE[code]:
            best = min(idle, key=lambda process: process.trial != trial)
            idle.remove(best)
            if best.trial == trial or best.trials < MOST_TRIALS:
                return best
            best.close()
    return WorkerProcess(code)


def close_idle(code: str) -> None:
    """End the idle processes that have loaded some code."""
    with IDLE_LOCK:
        for process in IDLE.pop(code, []):
            process.close()


@dataclass(frozen=True)
class Workers:
    """Where runs are made.

    Attributes:
        executor: Executes `make_in_process`.
        code: Digest of the code of all choices.
        stop: Event, of `threading` or Dask's, that asks all runs to stop.
        count: Function that returns how many runs can be made at once.
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
    """Make runs; one that fails does not stop the others.

    Args:
        orders: The runs, and where.
        workers: Where to make them.
        should_stop: Asked often; running runs are then checkpointed.

    Yields:
        Each run that has ended, with the contents of its result.json, or the reason
        why it has none.

    Raises:
        ChangedError: Code or data have been changed since the comparison was started.
        OSError: There is no room for results, or no worker process can start.
    """
    waiting = list(orders)
    running: dict[futures.Future, Run] = {}
    while running or waiting:
        if should_stop():
            workers.stop.set()
            waiting.clear()
        while waiting and len(running) < workers.count():
            busy = {run.trial for run in running.values()}
            # The seeds of a trial share a program, where one process makes them.
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
            except Exception as error:  # Of a cluster, whose workers have died of it.
                yield run, RunError(f"{type(error).__name__}: {error}")
