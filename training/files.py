"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what was written then takes the place of `path`.

    What is in the way at that path, a symbolic link say, is removed, not written to.
    """
    partial = path.with_name(f".{path.name}")
    try:
        partial.unlink(missing_ok=True)
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync(path.parent)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise about(path, error) from error
        raise


def sync(directory: Path) -> None:
    """See a new name on disk before the next file is written, whatever then happens."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def about(path: Path, error: OSError) -> OSError:
    """The same error, with the file that it is about and in the system's words.

    HDF5, which writes a model's weights, gives the number in its message alone.
    """
    found = re.search(r"errno = (\d+)", str(error))
    number = error.errno or (int(found[1]) if found else errno.EIO)
    return OSError(number, os.strerror(number), str(path))
