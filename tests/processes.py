"""Processes that are not this one's children, and what worker processes are given."""

import os
import signal
import time
from pathlib import Path

LONGEST = 60
"""Seconds that a process may take to end on a busy machine."""


def is_alive(pid):
    """Whether a process runs: one that has ended may still await its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(pids):
    deadline = time.monotonic() + LONGEST
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begin_lightly(stop):
    """Start a worker process that needs no TensorFlow."""


def perform_or_die(run, directory, mark):
    """Make a run in a moment, or kill the process, as its method says."""
    if run.method == "killer":
        os.kill(os.getpid(), signal.SIGKILL)
    deaths = directory / "deaths"
    if run.method == "once" and not deaths.exists():
        deaths.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"status": "completed", "process": os.getpid()}
