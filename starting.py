"""What a process does while it loads; the commands import it before all else."""

import os
import signal
import sys
import threading
import time
from pathlib import Path


def begin_command() -> None:
    """End at Ctrl-C without a traceback, and name a package that is missing."""
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    sys.excepthook = explain


def explain(kind, error, trace) -> None:
    if not issubclass(kind, ModuleNotFoundError):
        sys.__excepthook__(kind, error, trace)
        return
    command = Path(sys.argv[0]).name
    print(
        f"{command}: expected the packages of requirements.txt, received a Python "
        f"without {error.name} ({sys.executable}); README.md says how to set up .venv",
        file=sys.stderr,
    )
    sys.exit(2)


def begin_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()


def end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
