"""Loads TensorFlow and Keras, late and without their noise on the terminal."""

import contextlib
import logging
import os
import sys


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
