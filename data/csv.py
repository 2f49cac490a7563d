"""A table of numbers with a column of labels, one example a row."""

import io
import os
from pathlib import Path

import numpy as np

from data.arrays import Arrays, Share, hold_out
from system.errors import UserError
from system.files import most_bytes, read_file

MOST_VALUES = 100
"""Different values of a column of text, each of which becomes a column."""


def csv(*, path: str, label: str, test_share: Share = 0.2) -> Arrays:
    """Your own table in a .csv file with a header; what is learned from is its columns.

    A column of text becomes one of 0 and 1 for each of its values. Mind
    data.standardize, which numbers outside [0, 1] need.

    Args:
        path: The file.
        label: Column with the class, as text or as a number from 0.
        test_share: Share of each class to test on.

    Raises:
        UserError: There is no such file or column, or a value is missing.
    """
    import pandas as pd

    file = Path(os.path.expanduser(path))
    try:
        table = pd.read_csv(io.BytesIO(read_file(file, most_bytes())))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: expected a .csv file; {error}") from None
    if label not in table:
        raise UserError(
            f"data.label: expected a column of {file}, one of "
            f"{', '.join(map(str, table))}, received {label}"
        )
    if incomplete := list(table.columns[table.isna().any()]):
        raise UserError(
            f"{file}: expected a value in every row, received none in some of "
            f"{', '.join(map(str, incomplete))}"
        )
    labels = table.pop(label).to_numpy()
    names: list[str] = []
    if labels.dtype.kind == "O":
        found, labels = np.unique(labels.astype(str), return_inverse=True)
        names = found.tolist()
    kinds = table.select_dtypes(exclude=["number", "bool"]).nunique()
    if too_many := list(kinds.index[kinds > MOST_VALUES]):
        raise UserError(
            f"{file}: expected columns of numbers, or of at most {MOST_VALUES} "
            f"different texts, received more in {', '.join(too_many)}"
        )
    images = pd.get_dummies(table, dtype=float).to_numpy(np.float32)
    return hold_out(images, labels, test_share, names)
