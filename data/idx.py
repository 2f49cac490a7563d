"""MNIST's own format, IDX: Fashion-MNIST and other sets that took its place."""

import gzip
import io
import os
from pathlib import Path

import numpy as np

from data.arrays import Arrays
from system.errors import UserError
from system.files import most_bytes, read_file


def idx(*, path: str) -> Arrays:
    """Four IDX files in a folder, as Fashion-MNIST has them.

    Args:
        path: Folder with train-images..., train-labels..., t10k-images... and
            t10k-labels..., compressed by gzip or not.

    Raises:
        UserError: A file is missing, or is no IDX file of bytes.
    """
    folder = Path(os.path.expanduser(path))
    return Arrays(
        x_train=read_idx(folder, "train-images"),
        y_train=read_idx(folder, "train-labels"),
        x_test=read_idx(folder, "t10k-images"),
        y_test=read_idx(folder, "t10k-labels"),
    )


def read_idx(folder: Path, part: str) -> np.ndarray:
    file = next(iter(sorted(folder.glob(f"{part}*"))), None)
    if not file:
        raise UserError(f"{folder}: expected a file {part}..., received none")
    try:
        content = read_file(file, most_bytes())
        if content.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(most_bytes())
        if content[:3] != b"\0\0\x08":
            raise ValueError("another beginning")
        first = 4 + 4 * content[3]
        shape = np.frombuffer(content[4:first], ">u4")
        return np.frombuffer(content[first:], np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{file}: expected an IDX file of bytes; {error}") from None
