"""Datasets of your own in files: arrays (npz), images (idx), tables (csv)."""

import gzip
import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np

from data.arrays import Arrays, Share, hold_out
from system.errors import UserError
from system.files import expand_home, most_bytes, read_file, unpack

NAMES = ("x_train", "y_train", "x_test", "y_test")
PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
MOST_VALUES = 100
"""Different values of a column of text, each of which becomes a column."""


def npz(*, path: str) -> Arrays:
    """Your own `.npz` file: any image shape, any number of classes.

    Args:
        path: File with the arrays x_train, y_train, x_test and y_test: images as bytes
            or floats, labels as integers from 0 or as names. Relative to the current
            directory, or with ~.

    Raises:
        UserError: The file is missing, damaged, or holds something else.
    """
    content = read(path)
    try:
        x_train, y_train, x_test, y_test = unpack(content, most_bytes(), NAMES).values()
        digest = sha256(content).hexdigest()
        return Arrays(x_train, y_train, x_test, y_test, digest)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except Exception as error:  # NumPy and zipfile raise many kinds.
        expected = f"an .npz file of the numeric arrays {', '.join(NAMES)}"
        raise UserError(path, expected, f"{type(error).__name__}: {error}") from None


def idx(*, path: str) -> Arrays:
    """Four IDX files in a folder, the format of MNIST, Fashion-MNIST and others.

    Args:
        path: Folder with train-images..., train-labels..., t10k-images... and
            t10k-labels..., compressed by gzip or not. Relative to the current
            directory, or with ~.

    Raises:
        UserError: A file is missing, or is no IDX file of bytes.
    """
    folder = folder_of(path)
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


def csv(*, path: str, label: str, test_share: Share = 0.2) -> Arrays:
    """Your own table in a .csv file with a header; what is learned from is its columns.

    A column of text becomes one of 0 and 1 for each of its values. Mind
    data.standardize, which numbers outside [0, 1] need.

    Args:
        path: The file, relative to the current directory, or with ~.
        label: Column with the class, as text or as a number from 0; in regression, with
            the number to tell.
        test_share: Share of each class, or of all rows in regression, to test on.

    Raises:
        UserError: There is no such file or column, or a value is missing.
    """
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(read(path)))
    except ValueError as error:
        raise UserError(path, "a .csv file", error) from None
    if label not in table:
        columns = (
            f"a column of {path}, separated by commas: {', '.join(map(str, table))}"
        )
        raise UserError("data.label", columns, label)
    for row, column in np.argwhere(table.isna())[:1]:
        where = f"none in row {row + 1} of {table.columns[column]}"
        raise UserError(path, "a value in every row", where)
    labels = table.pop(label).to_numpy()
    texts = table.select_dtypes(exclude=["number", "bool"]).nunique()
    if too_many := texts.index[texts > MOST_VALUES].tolist():
        most = f"numbers or at most {MOST_VALUES} different texts in a column"
        raise UserError(path, most, f"more in {too_many}")
    images = pd.get_dummies(table, dtype=float).to_numpy(np.float32)
    names = labels.dtype.kind == "O"
    return hold_out(images, labels.astype(str) if names else labels, test_share)


def read(path: str | Path) -> bytes:
    """Read a file whose path may begin with ~."""
    try:
        return read_file(expand_home(path), most_bytes())
    except OSError as error:
        where = "" if os.path.isabs(path) else f" (from {os.getcwd()})"
        raise UserError(f"{path}{where}: {error.strerror}") from None


def folder_of(path: str) -> Path:
    """A folder whose path may begin with ~."""
    folder = expand_home(path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise UserError(folder.absolute(), "a folder", found)
    return folder
