"""What a process does while it loads; the commands import it before all else."""

import contextlib
import logging
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


def begin_worker(parent: int | None = None) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it, however it ends.

    Args:
        parent: Its process, where that may have ended already; by default the one that
            this process has now.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watched = os.getppid() if parent is None else parent
    threading.Thread(target=end_with, args=(watched,), daemon=True).start()


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def load_keras(seed: int) -> None:
    """Import Keras on TensorFlow, and seed everything that draws random numbers.

    TensorFlow writes to the terminal while it loads, before its own settings can stop
    it, so standard error is closed for that long. Importing takes seconds: entry points
    call this only once a config has been checked.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with no_stderr():
        import keras
    keras.utils.set_random_seed(seed)


@contextlib.contextmanager
def no_stderr():
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
