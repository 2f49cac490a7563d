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


def children(process):
    """The worker processes of a comparison."""
    lists = Path(f"/proc/{process.pid}/task").glob("*/children")
    pids = " ".join(path.read_text() for path in lists).split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def wait_for_end(pids):
    deadline = time.monotonic() + LONGEST
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def serve_lightly(connection, code):
    """Make the runs that are sent in a moment, without TensorFlow.

    As its method says, a run kills the process, always or once, or leaves 0.2 GB.
    """
    if code == "cannot start":
        os._exit(7)
    connection.send(None)
    memory = 0
    while order := connection.recv():
        run, directory, _ = order
        deaths = directory / "deaths"
        if (
            run.trial.method == "killer"
            or run.trial.method == "once"
            and not deaths.exists()
        ):
            deaths.mkdir(parents=True)
            os.kill(os.getpid(), signal.SIGKILL)
        memory += 2 * 10**8 * (run.trial.method == "leak")
        answer = {"status": "completed", "process": os.getpid()}
        connection.send((answer, 10**9 + memory))
