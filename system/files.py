"""Files: read whatever they hold, written whole or not at all.

They may be anyone's: no device, no pickle, and no more than memory holds is read.
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
"""Errors of a filesystem that lacks what a system call asks of it."""

SHARE_OF_MEMORY = 4
"""A data set may fill one part in this many; as float32 it takes four times as much."""


def read_file(path: Path, most: int = 100 * MEGABYTE) -> bytes:
    """The contents of a regular file.

    Args:
        path: A pipe or a device, on which reading might never end, is refused.
        most: Bytes.

    Raises:
        OSError: The system refuses.
        UserError: It is no file, or larger.
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
    """Whether a file is there; of a path that there cannot be, that it is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for what may be at a pipe's other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def first_problem(error: ValidationError) -> str:
    """The first thing that a file's contents are not, in words."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")


def unpack(
    content: bytes, most: int, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, after a look at the sizes that it declares.

    Args:
        content: Content of the file.
        most: Bytes that the arrays may take.
        names: Names of the arrays wanted; all of them if not given.

    Raises:
        KeyError: There is no array of a name.
        Exception: The file is damaged or no `.npz`; NumPy and zipfile raise many kinds.
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
    """Refuse an array that declares another size than it has, or holds objects."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or declared != size:
        raise ValueError(f"{dtype} of shape {shape} in {size:,} bytes")


def most_bytes() -> int:
    """What a data set may take: a share of the memory of this machine or container."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # No container, or without limit.
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return memory // SHARE_OF_MEMORY


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
        sync_directory(path.parent)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise name_file(path, error) from error
        raise


def sync_directory(directory: Path) -> None:
    """See a new name on disk before the next file is written, whatever then happens."""
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
    """The same error, with the file that it is about and in the system's words.

    HDF5, which writes a model's weights, gives the number in its message alone.
    """
    found = re.search(r"errno = (\d+)", str(error))
    number = error.errno or (int(found[1]) if found else errno.EIO)
    return OSError(number, os.strerror(number), str(path))
