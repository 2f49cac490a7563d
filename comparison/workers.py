"""Makes the runs of a comparison, in processes of this machine.

A run is a function of its config alone, so all that is needed is an executor from
`concurrent.futures`: one for each process here, `distributed.Client.get_executor` on a
cluster (`comparison.cluster`).
"""

import contextlib
import errno
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from comparison.plan import Run
from experiment.fingerprint import Fingerprint, compute_fingerprint
from experiment.run_directory import (
    BusyError,
    inspect_run,
    path_within,
    read_fingerprint,
)
from system import processes
from system.errors import ChangedError, DamagedError

MOST_DEATHS = 2
"""Worker processes that may die of a run before it is given up."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that no other run can escape: they end a comparison."""

ASK_SECONDS = 0.5
"""How often a worker asks whether a run that another process makes is free."""


def start_worker(stop) -> None:
    """Prepare a worker process: it holds the code that it began with.

    Args:
        stop: Event that asks it to write a checkpoint and stop.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    processes.begin_worker(parent.pid)
    processes.load_keras(seed=0, threads=1)
    import training.fit
    import training.result
    import training.sharing  # noqa: F401

    perform.should_stop = stop.is_set  # type: ignore[attr-defined]
    perform.programs = {}  # type: ignore[attr-defined]


def perform(run: Run, directory: Path, fingerprint: Fingerprint) -> dict[str, Any]:
    """Make one run in a worker: continue what is there of it, replace anything else.

    A run that another process is still making, for a comparison that was killed, is
    waited for.

    Args:
        run: To be made.
        directory: Directory of the run.
        fingerprint: Its fingerprint, where the comparison was started.
    """
    from train import train

    refuse_changes(compute_fingerprint(run.config, fingerprint["data"]), fingerprint)
    should_stop = getattr(perform, "should_stop", lambda: False)
    damaged = False
    while True:
        state = inspect_run(directory, run.config, fingerprint).state
        try:
            result = train(
                run.config,
                directory,
                resume=state == "unfinished" and not damaged,
                overwrite=state in ("other", "changed") or damaged,
                should_stop=should_stop,
                programs=getattr(perform, "programs", None),
                pictures=run.pictures,
            )
        except DamagedError:
            if damaged:
                raise
            damaged = True
        except BusyError:
            if should_stop():
                raise
            time.sleep(ASK_SECONDS)
        else:
            refuse_changes(read_fingerprint(directory / "config.toml"), fingerprint)
            return result


def refuse_changes(here: Fingerprint, fingerprint: Fingerprint) -> None:
    """Refuse to go on with other code, data or versions than at the start.

    Args:
        here: Fingerprint of a run as a worker would make it, or has made it.
        fingerprint: The same where the comparison was started.
    """
    changed = [
        name
        for name in fingerprint.keys() | here
        if here.get(name) != fingerprint.get(name)
    ]
    if changed:
        raise ChangedError(
            f"{' and '.join(sorted(changed))} changed while the comparison was made; "
            "what is finished stays, and the same command goes on from it"
        )


class WorkerProcess:
    """A process that makes runs one after the other, started anew if it has died.

    Attributes:
        setting: What the last run was of: its seeds share a compiled program.
    """

    def __init__(self) -> None:
        self.setting: tuple[str, str, str] | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._executor = ProcessPoolExecutor(1, context, start_worker, (self._stop,))

    def submit(self, run: Run, directory: Path, fingerprint: Fingerprint) -> Future:
        """Begin a run; the arguments are those of `perform`."""
        self.setting = setting_of(run)
        try:
            return self._executor.submit(perform, run, directory, fingerprint)
        except BrokenProcessPool:
            self._start()
            return self._executor.submit(perform, run, directory, fingerprint)

    def stop(self) -> None:
        """Ask the run to write a checkpoint and stop; no other can be made then."""
        self._stop.set()

    def close(self) -> None:
        self._executor.shutdown()


def setting_of(run: Run) -> tuple[str, str, str]:
    return run.condition, run.method, run.strength


class Pool(Protocol):
    """Where runs are made."""

    def begin(
        self,
        waiting: list[Run],
        directory: Path,
        fingerprints: Mapping[Path, Fingerprint],
    ) -> tuple[Run, Future] | None:
        """Begin one of the runs that wait; None if all places are taken."""

    def stop(self) -> None:
        """Ask all runs to write a checkpoint and stop."""


class LocalPool:
    """Processes of this machine."""

    def __init__(self, size: int):
        self._idle = [WorkerProcess() for _ in range(size)]
        self._all = list(self._idle)

    def begin(self, waiting, directory, fingerprints):
        """Begin a run of the setting that an idle process has compiled, or a new one.

        Only where all others are taken up do two processes share the seeds of one.
        """
        if not self._idle:
            return None
        worker = self._idle.pop(0)
        taken = {other.setting for other in self._all} - {worker.setting}

        def preference(run: Run) -> int:
            setting = setting_of(run)
            return 0 if setting == worker.setting else 2 if setting in taken else 1

        run = min(waiting, key=preference)
        future = worker.submit(run, directory / run.path, fingerprints[run.path])
        future.add_done_callback(lambda _: self._idle.append(worker))
        return run, future

    def stop(self):
        for worker in self._all:
            worker.stop()

    def close(self) -> None:
        for worker in self._all:
            worker.close()


@contextlib.contextmanager
def local_pool(size: int) -> Iterator[LocalPool]:
    """Processes of this machine, for as long as this lasts."""
    with contextlib.closing(LocalPool(size)) as pool:
        yield pool


class RunMaker:
    """Makes runs, and keeps what came of them.

    Attributes:
        results: The contents of result.json, by the path of the run.
        failures: Why a run has no result, by its path.
        running: Number of runs being made now.
    """

    def __init__(self, directory: Path, fingerprints: Mapping[Path, Fingerprint]):
        """
        Args:
            directory: Directory of the comparison.
            fingerprints: The fingerprint of each run, by its path.
        """
        self._directory, self._fingerprints = directory.absolute(), fingerprints
        self.results: dict[Path, dict[str, Any]] = {}
        self.failures: dict[Path, str] = {}
        self.running = 0

    def make(
        self,
        runs: list[Run],
        pool: Pool,
        should_stop: Callable[[], bool],
        on_change: Callable[[Run | None], None],
    ) -> None:
        """Make runs; one that fails does not stop the others.

        Args:
            runs: To be made.
            pool: Where to make them.
            should_stop: Asked often; running runs are then checkpointed.
            on_change: Called with each run that has ended, and with None when others
                have begun.

        Raises:
            ChangedError: The code has been changed since the comparison was started.
            OSError: There is no room for results.
        """
        waiting, running = list(runs), dict[Future, Run]()
        deaths = Counter[Path]()
        stopping = False
        while running or (waiting and not stopping):
            if should_stop() and not stopping:
                stopping = True
                pool.stop()
            while waiting and not stopping:
                begun = pool.begin(waiting, self._directory, self._fingerprints)
                if begun is None:
                    break
                run, future = begun
                path_within(self._directory, run.path)
                waiting.remove(run)
                running[future] = run
                self.running = len(running)
                on_change(None)
            ended, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in ended:
                run = running.pop(future)
                self.running = len(running)
                try:
                    self.results[run.path] = future.result()
                except BrokenProcessPool:
                    deaths[run.path] += 1
                    if deaths[run.path] < MOST_DEATHS:
                        waiting.insert(0, run)
                        continue
                    self.failures[run.path] = f"its process died {MOST_DEATHS} times"
                except Exception as error:
                    no_room = isinstance(error, OSError) and error.errno in NO_ROOM
                    if no_room or isinstance(error, ChangedError):
                        pool.stop()
                        raise
                    self.failures[run.path] = f"{type(error).__name__}: {error}"
                on_change(run)
