"""Errors that end a command, each printed as one line."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can mend: one line, no traceback, exit status 2.

    Args:
        what: The setting, file or option at fault; the whole message if it is all that
            is given.
        expected: What would be valid.
        received: What was found instead, and advice.
    """

    status = 2

    def __init__(self, what: object, expected: object = None, received: object = None):
        clause = (
            "" if expected is None else f": expected {expected}, received {received}"
        )
        super().__init__(f"{what}{clause}")

    def __str__(self) -> str:
        line = " ".join(super().__str__().split())
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class DamagedError(UserError):
    """The files of an unfinished run cannot be read; `--overwrite` replaces them."""

    def __init__(self, *parts: object):
        super().__init__(": ".join(map(str, parts)))

    def __str__(self) -> str:
        return f"{super().__str__()}; --overwrite starts anew"


class ChangedError(UserError):
    """Code, data or versions have changed since a comparison was started."""


class ExitError(UserError):
    """A function written by the user has called `sys.exit`."""

    status = 1


@contextlib.contextmanager
def named_causes() -> Iterator[None]:
    """Turn two exceptions that explain nothing into errors that do.

    Raises:
        ExitError: In place of SystemExit, which would end the command in silence.
        MemoryError: In place of TensorFlow's ResourceExhaustedError, which fills pages.
    """
    try:
        yield
    except SystemExit as error:
        raise ExitError(
            "expected a dataset, a model and callbacks that return, received "
            f"sys.exit({'' if error.code is None else repr(error.code)})"
        ) from error
    except Exception as error:
        # By its name, because TensorFlow may not be loaded.
        if type(error).__name__ != "ResourceExhaustedError":
            raise
        text = str(error).partition("} ")[2] or str(error)
        raise MemoryError(text.partition(" on /job")[0][:200]) from error


def say(message: object) -> None:
    """Print a line on standard error, under the name of the command."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)


say_once = functools.cache(say)
