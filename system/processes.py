"""What a process does before and while it loads Keras."""

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
"""What every run keeps its weights in, whatever keras.json says."""

PACKAGES = ("tensorflow", "keras", "numpy", "tensorboard")
"""What decides the numbers of a run besides this code."""

REQUIRED = {
    *("annotated_types", "fcntl", "jinja2", "keras", "matplotlib", "numpy", "pandas"),
    *("PIL", "pydantic", "rich", "scipy", "tensorboard", "tensorflow", "tomli_w"),
}
"""Modules of the packages in requirements.txt, and one that Windows does not have."""


def begin_command() -> None:
    """Ready a process for its command, before it imports anything else.

    Ctrl-C ends it without a traceback; a package that is missing is named; output that
    nobody reads, or that a disk has no room for, does not end it.
    """
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    sys.excepthook = explain
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:  # Else files would be opened in its place.
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
        del os.environ["COLUMNS"]  # With 0 columns, nothing would be shown.
    refuse_other_modules()


class Output(io.FileIO):
    """Standard output that is thrown away from the first failure on."""

    def write(self, content):
        try:
            return super().write(content)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                say(f"standard output: {error.strerror}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(content)


def refuse_other_modules() -> None:
    """Refuse files of other modules that have the names of this project's.

    Raises:
        UserError: Python would import, or has imported, such a file.
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
    """Show what ends a command while it imports: a mistake, in one line."""
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


@functools.cache  # Each search for a package's version keeps some memory.
def package_versions() -> dict[str, str]:
    """The versions of the packages that decide the numbers of a run."""
    return {package: version(package) for package in PACKAGES}


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def begin_worker() -> None:
    """Leave Ctrl-C to the parent, which asks a worker process to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def import_keras() -> None:
    """Import Keras on TensorFlow without a word on the terminal.

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
    """Import Keras on TensorFlow, undo what was set before, and seed random numbers.

    Importing takes seconds: entry points call this only once a config is checked. A run
    has Keras' own defaults, whatever ~/.keras/keras.json, an earlier run or a model
    function has set: types of numbers, epsilon, the axes of images, names of layers.

    Args:
        seed: Seed of the run.
        threads: Threads to compute with, "auto" for all that there are. More than one
            may sum a matrix product in another order, in its last digits.
        precision: Keras' policy of what layers compute in, FLOATX if not given.

    Raises:
        UserError: Keras cannot be imported, or this process computes with another
            number of threads already.
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
    # Layers are then named by their place in the model, whatever was made before.
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(precision or FLOATX)  # Which that would undo.
    keras.utils.set_random_seed(seed)


def threads_in_use() -> int:
    """The number of threads that TensorFlow computes with."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or processors()


@contextlib.contextmanager
def no_stderr():
    """Throw away what is written to standard error, by whatever code."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
