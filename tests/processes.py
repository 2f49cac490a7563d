"""Waits for processes that are not this one's children."""

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
