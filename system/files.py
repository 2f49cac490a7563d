"""Reading files that may hold anything, and writing files whole or not at all.

Files are not trusted: devices, pickles and more than fits in memory are refused.
"""

import contextlib
import errno
import io
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from system.errors import UserError, say_once

MEGABYTE = 10**6
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EBADF)
"""Errors by which a filesystem says that it does not support a system call."""

SHARE_OF_MEMORY = 4
"""A data set may fill one part in this many: bytes grow fourfold as float32."""


def read_file(path: Path, most: int = 100 * MEGABYTE) -> bytes:
    """Read a regular file.

    Args:
        path: Path of the file. Pipes and devices are refused: reading might never end.
        most: Largest size that is read, in bytes.

    Raises:
        OSError: The system refuses to open or read it.
        UserError: It is not a regular file, or is larger.
    """
    try:
        file = open(path, "rb", opener=open_at_once)  # noqa: SIM115
    except ValueError:
        raise UserError(f"{str(path)!r}: expected a path without zero bytes") from None
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: expected a file, received a pipe or a device")
        if status.st_size > most:
            raise UserError(
                f"{path}: expected at most {most:,} bytes, received {status.st_size:,}"
            )
        return file.read()


def is_file(path: Path) -> bool:
    """Whether a file exists; False too for a path that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def expand_home(path: str | Path) -> Path:
    """A path whose ~ is the home directory; a ~ that nobody is known by stays."""
    return Path(os.path.expanduser(path))


def open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for a writer, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def first_problem(error: ValidationError) -> str:
    """Say where validation failed first, and why."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")


def unpack(
    content: bytes, most: int, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Read the arrays of an `.npz` file, once the sizes that it declares are checked.

    Args:
        content: Contents of the file.
        most: Largest size of the arrays together, in bytes.
        names: Names of the arrays to read; all of them by default.

    Raises:
        KeyError: An array of that name is missing.
        Exception: The file is damaged or not an `.npz` file; NumPy and zipfile raise
            many kinds.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if names is None:
            names = [file.removesuffix(".npy") for file in archive.namelist()]
        entries = {name: archive.getinfo(f"{name}.npy") for name in names}
        total = sum(entry.file_size for entry in entries.values())
        if total > most:
            raise ValueError(f"at most {most:,} bytes unpacked, received {total:,}")
        arrays = {}
        for name, entry in entries.items():
            with archive.open(entry) as file:
                check_size(file, entry.file_size)
            with archive.open(entry) as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def check_size(file, size: int) -> None:
    """Refuse an array that holds objects, or whose header does not fit its size."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or declared != size:
        raise ValueError(f"{dtype} of shape {shape} in {size:,} bytes")


def most_bytes() -> int:
    """Largest size of a data set, in bytes: a share of the memory of this machine or
    container."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # No container, or no limit.
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return memory // SHARE_OF_MEMORY


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path, and move what was written there to `path` at the end.

    So `path` holds the old or the new contents at any time, also after a crash. If
    something is in the way at the temporary path, such as a symbolic link, it is
    removed, not written through.
    """
    partial = path.with_name(f".{path.name}")
    try:
        partial.unlink(missing_ok=True)
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_directory(path.parent)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise name_file(path, error) from error
        raise


def sync_directory(directory: Path) -> None:
    """Wait until new names in a directory are on disk, in case of a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        say_once("this filesystem syncs no folders: a crash may lose new files")
    finally:
        os.close(descriptor)


def name_file(path: Path, error: OSError) -> OSError:
    """The same error with the path of the file, in the system's words.

    HDF5, which writes the weights of a model, puts the error number into its message
    only.
    """
    found = re.search(r"errno = (\d+)", str(error))
    number = error.errno or (int(found[1]) if found else errno.EIO)
    return OSError(number, os.strerror(number), str(path))
