"""MNIST's own format, IDX: Fashion-MNIST and other sets that took its place."""

import gzip
import io
import os
from pathlib import Path

import numpy as np

from data.arrays import Arrays, read
from system.errors import UserError
from system.files import most_bytes

PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def idx(*, path: str) -> Arrays:
    """Four IDX files in a folder, as Fashion-MNIST has them.

    Args:
        path: Folder with train-images..., train-labels..., t10k-images... and
            t10k-labels..., compressed by gzip or not.

    Raises:
        UserError: A file is missing, or is no IDX file of bytes.
    """
    folder = Path(os.path.expanduser(path))
    x_train, y_train, x_test, y_test = (read_idx(folder, part) for part in PARTS)
    return Arrays(x_train, y_train, x_test, y_test)


def read_idx(folder: Path, part: str) -> np.ndarray:
    file = min(folder.glob(f"{part}*"), default=None)
    if not file:
        raise UserError(folder, f"a file {part}...", "none")
    content = read(file)
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(most_bytes())
        if content[:3] != b"\0\0\x08":
            raise ValueError("another beginning")
        first = 4 + 4 * content[3]
        shape = np.frombuffer(content[4:first], ">u4")
        return np.frombuffer(content[first:], np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(file, "an IDX file of bytes", error) from None
