"""A table of numbers with a column of labels, one example a row."""

import io

import numpy as np

from data.arrays import Arrays, Share, hold_out, read
from system.errors import UserError

MOST_VALUES = 100
"""Different values of a column of text, each of which becomes a column."""


def csv(*, path: str, label: str, test_share: Share = 0.2) -> Arrays:
    """Your own table in a .csv file with a header; what is learned from is its columns.

    A column of text becomes one of 0 and 1 for each of its values. Mind
    data.standardize, which numbers outside [0, 1] need.

    Args:
        path: The file.
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
        columns = ", ".join(map(str, table))
        raise UserError("data.label", f"a column of {path}: {columns}", label)
    if incomplete := table.columns[table.isna().any()].tolist():
        raise UserError(path, "a value in every row", f"none in some of {incomplete}")
    labels = table.pop(label).to_numpy()
    texts = table.select_dtypes(exclude=["number", "bool"]).nunique()
    if too_many := texts.index[texts > MOST_VALUES].tolist():
        most = f"numbers or at most {MOST_VALUES} different texts in a column"
        raise UserError(path, most, f"more in {too_many}")
    images = pd.get_dummies(table, dtype=float).to_numpy(np.float32)
    names = labels.dtype.kind == "O"
    return hold_out(images, labels.astype(str) if names else labels, test_share)
