"""What a process does while it loads; the commands import it before all else."""

import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

from system.errors import UserError


def begin_command() -> None:
    """End at Ctrl-C without a traceback, and name a package that is missing."""
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    sys.excepthook = explain


PACKAGES = ("tensorflow", "keras", "numpy", "tensorboard")
"""What decides the numbers of a run besides this code."""

REQUIRED = {
    *("annotated_types", "jinja2", "keras", "matplotlib", "numpy", "pandas", "PIL"),
    *("pydantic", "rich", "scipy", "tensorboard", "tensorflow", "tomli_w"),
}
"""Modules of the packages in requirements.txt."""


def explain(kind, error, trace) -> None:
    missing = issubclass(kind, ModuleNotFoundError) and error.name
    if not missing or missing.partition(".")[0] not in REQUIRED:
        sys.__excepthook__(kind, error, trace)
        return
    command = Path(sys.argv[0]).name
    print(
        f"{command}: expected the packages of requirements.txt, received a Python "
        f"without {error.name} ({sys.executable}); README.md says how to set up .venv",
        file=sys.stderr,
    )
    sys.exit(2)


@functools.cache  # Each search for a package's version keeps some memory.
def package_versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def processors() -> int:
    """Number of those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def load_keras(seed: int, threads: int | None = None) -> None:
    """Import Keras on TensorFlow as new, and seed everything that draws random numbers.

    TensorFlow writes to the terminal while it loads, before its own settings can stop
    it, so standard error is closed for that long. Importing takes seconds: entry points
    call this only once a config has been checked.

    Args:
        seed: Seed of the run.
        threads: Threads to compute with, all that there are if not given. More than
            one may sum a matrix product in another order, in its last digits.

    Raises:
        UserError: This process computes with another number of threads already.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with no_stderr():
        import keras
        import tensorflow as tf
    if threads and threads != threads_in_use():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            raise UserError(
                f"training.threads: expected what this process computes with already, "
                f"received {threads}; start another process"
            ) from None
    # Layers are then named by their place in the model, whatever was made before.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)


def threads_in_use() -> int:
    """Number of threads that TensorFlow computes with."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or processors()


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
