"""Makes the runs of a comparison on the workers of a Dask cluster."""

import contextlib
import logging
import multiprocessing
import socket
from collections.abc import Iterator
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from comparison.plan import Run
from comparison.workers import MOST_DEATHS, Pool, WorkerProcess
from experiment.config import Config
from experiment.fingerprint import Fingerprint, compute_fingerprint
from system.errors import UserError

ASK_SECONDS = 0.5
"""How often a Dask worker asks whether to stop."""

IDLE: list[WorkerProcess] = []
"""Processes of this Dask worker that make no run now."""


class ClusterPool:
    """The workers of a Dask cluster."""

    def __init__(self, client):
        import distributed

        self._client = client
        self._executor = client.get_executor(pure=False)
        self._stop = distributed.Event(client=client)
        self._running: list = []

    def begin(self, waiting, directory, fingerprints):
        self._running = [future for future in self._running if not future.done()]
        if len(self._running) >= (sum(self._client.nthreads().values()) or 1):
            return None
        run = waiting[0]
        future = self._executor.submit(
            perform_on_cluster,
            run,
            directory / run.path,
            fingerprints[run.path],
            self._stop,
        )
        self._running.append(future)
        return run, future

    def stop(self):
        self._stop.set()


@contextlib.contextmanager
def cluster_pool(
    address: str, directory: Path, config: Config, fingerprint: Fingerprint
) -> Iterator[Pool]:
    """The workers of a Dask cluster, which must see the directory at the same path.

    Args:
        address: Address of the scheduler, "tcp://host:8786".
        directory: Directory that the runs will be written below.
        config: Config of one of the runs.
        fingerprint: The fingerprint of that run.

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
        check_workers(client, directory, config, fingerprint)
        yield ClusterPool(client)


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


def perform_on_cluster(
    run: Run, directory: Path, fingerprint: Fingerprint, stop
) -> dict[str, Any]:
    """Make one run in a process of this Dask worker, of its own for as long as it runs.

    Runs are not made in the worker itself: Keras draws initial weights from Python's
    global random numbers, which Dask uses too.

    Args:
        run: To be made.
        directory: Directory of the run.
        fingerprint: Its fingerprint, where the comparison was started.
        stop: Event of the cluster that asks to write a checkpoint and stop.
    """
    worker = IDLE.pop() if IDLE else WorkerProcess()
    try:
        for _ in range(MOST_DEATHS):
            future = worker.submit(run, directory, fingerprint)
            while not future.done():
                wait([future], timeout=ASK_SECONDS)
                if stop.is_set():
                    worker.stop()
            with contextlib.suppress(BrokenProcessPool):
                return future.result()
    finally:
        if stop.is_set():
            worker.close()
        else:
            IDLE.append(worker)
    raise RuntimeError(f"its process died {MOST_DEATHS} times")


def check_workers(
    client, directory: Path, config: Config, fingerprint: Fingerprint
) -> None:
    """Refuse a cluster that has no workers, or one that could not do the same."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = (directory / ".probe").absolute()
    probe.touch()
    try:
        found = client.run(
            find_hindrance, probe, config, fingerprint, on_error="return"
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


def find_hindrance(probe: Path, config: Config, fingerprint: Fingerprint) -> str | None:
    """Why a Dask worker cannot make the runs of a comparison, or None.

    Args:
        probe: A file below the directory of the comparison.
        config: Config of one of the runs.
        fingerprint: The fingerprint of that run where the comparison was started.
    """
    if not probe.exists():
        return f"does not see {probe.parent}"
    for name, here in compute_fingerprint(config, fingerprint["data"]).items():
        if here != fingerprint.get(name):
            if name in ("code", "files"):
                return f"has other {name} than this folder"
            return f"has {name} {here}, expected {fingerprint.get(name)} as here"
    if multiprocessing.current_process().daemon:
        return "may not start processes: start it with --no-nanny"
    return None
