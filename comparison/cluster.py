"""Makes the runs of a comparison on the workers of a Dask cluster."""

import contextlib
import logging
import multiprocessing
import socket
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from comparison.workers import Workers, close_idle
from experiment.config import differences
from experiment.fingerprint import (
    DIGESTS,
    all_choices,
    compute_fingerprint,
    digest_of_modules,
)
from experiment.run_directory import RunDirectory
from system.errors import UserError


@contextlib.contextmanager
def cluster_workers(
    address: str, code: str, directory: Path, first: RunDirectory
) -> Iterator[Workers]:
    """Use the workers of a Dask cluster, and those that join it meanwhile.

    Args:
        address: Address of the scheduler, such as "tcp://host:8786".
        code: Digest of the code of all choices.
        directory: Directory of the comparison.
        first: One of its runs.

    Raises:
        UserError: Dask is not installed, no scheduler answers, or no worker has the
            same files and code.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(
            "--cluster needs Dask: pip install -r requirements-cluster.txt"
        ) from None
    logging.disable()  # What Dask has to say, in whichever of its loggers.
    refuse_silent_address(address)
    directory.mkdir(parents=True, exist_ok=True)
    with (
        distributed.Client(address, set_as_default=False) as client,
        tempfile.NamedTemporaryFile(dir=directory.absolute(), prefix=".") as probe,
    ):
        check = partial(find_hindrance, code, Path(probe.name), first)
        hindrances: dict[str, str | None] = {}
        fit: list[str] = []

        def count() -> int:
            """Number of threads of the workers that can make runs; checks new ones."""
            threads = client.nthreads()
            if new := [*threads.keys() - hindrances.keys()]:
                found = client.run(check, workers=new, on_error="return")
                hindrances.update(found)
                fit.extend(worker for worker in found if not found[worker])
                for worker in found.keys() - fit:
                    line = describe(worker, found[worker])
                    if not fit:
                        raise UserError(f"--cluster: {line}")
                    print(f"left out: {line}", file=sys.stderr)
            return max(1, sum(threads.get(worker, 0) for worker in fit))

        count()
        if not fit:
            raise UserError("--cluster: the scheduler has no workers")
        executor = client.get_executor(
            pure=False, workers=fit, allow_other_workers=True
        )
        stop = distributed.Event(client=client)
        try:
            yield Workers(executor, code, stop, count)
        except (OSError, CancelledError) as error:
            if isinstance(error, OSError) and client.status == "running":
                raise
            raise ConnectionError(
                f"the scheduler at {address} is gone; what is finished stays, and the "
                "same command goes on from it"
            ) from None
        finally:
            if client.status == "running":
                stop.set()
                executor.shutdown()
                client.run(close_idle, code)


def describe(worker: str, hindrance: object) -> str:
    if "No module named" in str(hindrance):
        hindrance = "does not find the code of this folder: start it here"
    return f"worker {worker} {hindrance}"


def refuse_silent_address(address: str) -> None:
    """Refuse an address at which nothing answers: Dask would take long to say so."""
    try:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), timeout=10).close()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            "--cluster: expected the address of a Dask scheduler such as "
            f"tcp://127.0.0.1:8786, received {address} ({error})"
        ) from None


def find_hindrance(code: str, probe: Path, first: RunDirectory) -> str | None:
    """Find out why this Dask worker cannot make the runs of a comparison.

    Args:
        code: Digest of the code of all choices on the machine of the comparison.
        probe: A file in the directory of the comparison.
        first: One of the runs, as the machine of the comparison sees it.

    Returns:
        The reason in words; None if it can.
    """
    if not probe.exists():
        return f"does not see {probe.parent}"
    there, own_code = first.fingerprint, digest_of_modules(all_choices())
    here = compute_fingerprint(first.config, there["data"], own_code)
    for name, own, expected in differences(here, there | {"code": code}):
        if name in DIGESTS:
            return f"has other {name} than this folder"
        return f"has {name} {own}, expected {expected} as here"
    if multiprocessing.current_process().daemon:
        return "may not start processes: start it with --no-nanny"
    return None
