"""How a command ends while it loads; the commands import it before all else."""

import os
import signal
import sys
from pathlib import Path


def end(number, _) -> None:
    os._exit(128 + number)


def explain(kind, error, trace) -> None:
    """Name a package that is missing, and where the set-up is described."""
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


signal.signal(signal.SIGINT, end)
sys.excepthook = explain
