"""What ends a command early, and how it is said: one line for each."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path


class UserError(Exception):
    """Something that the user can mend: one line, no traceback, exit status 2.

    Args:
        what: What it is about; the whole message where nothing else is given.
        expected: What was expected of it.
        received: What was received, and advice.
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
    """What is left of an unfinished run cannot be read; starting anew replaces it."""

    def __init__(self, *parts: object):
        super().__init__(": ".join(map(str, parts)))

    def __str__(self) -> str:
        return f"{super().__str__()}; --overwrite starts anew"


class ChangedError(UserError):
    """Code, data or versions are not what a comparison was started with."""


class ExitError(UserError):
    """A function of the user's has called `sys.exit`."""

    status = 1


@contextlib.contextmanager
def named_causes() -> Iterator[None]:
    """Name two causes that would end a command in silence, or in many lines.

    Raises:
        ExitError: For SystemExit.
        MemoryError: For TensorFlow's ResourceExhaustedError.
    """
    try:
        yield
    except SystemExit as error:
        raise ExitError(
            "expected a dataset, a model and callbacks that return, received "
            f"sys.exit({'' if error.code is None else repr(error.code)})"
        ) from error
    except Exception as error:
        # By its name: this is loaded where TensorFlow is not.
        if type(error).__name__ != "ResourceExhaustedError":
            raise
        text = str(error).partition("} ")[2] or str(error)
        raise MemoryError(text.partition(" on /job")[0][:200]) from error


def say(message: object) -> None:
    """Print a line on standard error, under the name of the command."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)


say_once = functools.cache(say)
