"""Prepares a process: its standard streams, its modules, and Keras."""

import contextlib
import functools
import importlib.util
import io
import logging
import os
import signal
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from system.errors import UserError, say

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"comparison"}
"""Folders that a single run imports."""

FLOATX = "float32"
"""Type of the weights of every run, whatever keras.json says."""

PACKAGES = ("tensorflow", "keras", "numpy", "tensorboard")
"""Packages whose versions affect the numbers of a run."""

REQUIRED = {
    *("annotated_types", "fcntl", "jinja2", "keras", "matplotlib", "numpy", "pandas"),
    *("PIL", "pydantic", "rich", "scipy", "tensorboard", "tensorflow", "tomli_w"),
}
"""Modules of the packages in requirements.txt, and `fcntl`, which Windows lacks."""


def begin_command() -> None:
    """Prepare a process for its command, before it imports anything else.

    After this, Ctrl-C ends the process without a traceback; a missing package is named
    in one line; and the process goes on if nobody reads its output, or a disk has no
    room for it.
    """
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    sys.excepthook = explain
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:  # Else the next file would get its number.
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, stream, os.fdopen(number, "rww"[number], closefd=False))
    if sys.stdout.fileno() == 1:
        output = io.BufferedWriter(Output(1, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(
            output,
            sys.stdout.encoding,
            "backslashreplace",
            line_buffering=bool(sys.stdout.line_buffering),
        )
    if not os.environ.get("COLUMNS", "80").strip("0"):
        del os.environ["COLUMNS"]  # Rich would show nothing in 0 columns.
    refuse_other_modules()


class Output(io.FileIO):
    """Standard output; after the first failure, what is written is thrown away."""

    def write(self, content):
        try:
            return super().write(content)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                say(f"standard output: {error.strerror}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(content)


def refuse_other_modules() -> None:
    """Refuse modules from elsewhere that have the names of this project's, or its names
    for those of packages that it needs.

    Raises:
        UserError: Python would import, or has imported, such a module.
    """
    for names, ours in ((FLOORS, True), (REQUIRED, False)):
        for name in names:
            found = importlib.util.find_spec(name)
            file = Path(found.origin).resolve() if found and found.origin else None
            if file and (file.parent in (ROOT, ROOT / name)) != ours:
                where = ROOT / name if ours else f"the package {name}"
                raise UserError(
                    f"import {name}: expected {where}, received {file}, which comes "
                    "first on sys.path"
                )


def explain(kind, error, trace) -> None:
    """Excepthook: print a user's mistake or a missing package as one line."""
    missing = issubclass(kind, ModuleNotFoundError) and error.name or ""
    if issubclass(kind, UserError):
        say(error)
    elif missing.partition(".")[0] in REQUIRED:
        say(
            "expected the packages of requirements.txt, on Linux or macOS, received a "
            f"Python without {missing} ({sys.executable}); README.md says what to do"
        )
    else:
        sys.__excepthook__(kind, error, trace)
        return
    sys.exit(2)


@functools.cache  # Each lookup of a version leaks some memory.
def package_versions() -> dict[str, str]:
    """The versions of PACKAGES."""
    return {package: version(package) for package in PACKAGES}


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_used() -> int:
    """The most memory that this process has used so far, in bytes."""
    import resource  # Windows lacks it, which is to be said in a line.

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else 1024 * used


def begin_worker() -> None:
    """Ignore Ctrl-C: the parent process asks its workers to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def import_keras() -> None:
    """Import Keras with its TensorFlow backend, and silence both.

    Raises:
        UserError: Keras cannot be imported.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # TensorFlow writes to the terminal before its own settings can stop it.
    with no_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except ImportError as error:
            raise UserError(f"Keras cannot be imported: {error}") from error
        except (ValueError, AttributeError) as error:
            raise UserError(f"Keras cannot read its keras.json: {error}") from error
    warnings.filterwarnings("ignore", "", DeprecationWarning, "keras|tensorflow|numpy")


def load_keras(
    seed: int, threads: int | str = "auto", precision: str | None = None
) -> None:
    """Import Keras, reset its global settings, and seed its random numbers.

    Importing takes seconds, so entry points call this once the config is checked. The
    reset makes runs independent of ~/.keras/keras.json, of earlier runs, and of what a
    model function has set: float type, epsilon, image axes, numbering of layer names.

    Args:
        seed: Seed of the run.
        threads: Number of threads to compute with, or "auto" for one per processor.
            The number may change the last digits of matrix products.
        precision: Keras' dtype policy for layers; FLOATX by default.

    Raises:
        UserError: Keras cannot be imported, or this process already computes with
            another number of threads.
    """
    import_keras()
    import keras
    import tensorflow as tf

    if threads not in ("auto", threads_in_use()):
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            raise UserError(
                f"training.threads: expected what this process computes with already, "
                f"received {threads}; start another process"
            ) from None
    keras.config.set_floatx(FLOATX)
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    # So layers are numbered from the start again, whatever was built before.
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(precision or FLOATX)  # `clear_session` resets it.
    keras.utils.set_random_seed(seed)


def threads_in_use() -> int:
    """The number of threads that TensorFlow computes with."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or processors()


@contextlib.contextmanager
def no_stderr():
    """Discard what any code, C++ included, writes to standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
