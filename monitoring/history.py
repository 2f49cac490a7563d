"""The history of a run: one row per evaluation, in a CSV file."""

import csv
from pathlib import Path

from errors import UserError
from training.files import replacing

Row = dict[str, float]


class History:
    """Rows of `epoch`, `step` (updates made) and every scalar, by tag."""

    def __init__(self, directory: Path, tags: list[str]):
        self._path = directory / "history.csv"
        self._columns = ["epoch", "step", *tags]
        self.rows: list[Row] = []

    def save(self) -> None:
        """Write the file anew, whole or not at all; numbers keep all their digits."""
        with replacing(self._path) as partial, open(partial, "w", newline="") as file:
            writer = csv.DictWriter(
                file, self._columns, restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self.rows)

    def resume(self, epoch: int) -> None:
        """Read the rows up to an epoch back; what came later was not checkpointed.

        Raises:
            UserError: The file is missing or damaged.
        """
        self.rows += [row for row in read_history(self._path) if row["epoch"] <= epoch]


def read_history(path: Path) -> list[Row]:
    """The rows of a history.csv, digit for digit.

    Raises:
        UserError: The file is missing or damaged.
    """
    rows = []
    try:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                numbers = {tag: float(text) for tag, text in row.items() if text}
                numbers |= {key: int(row[key]) for key in ("epoch", "step")}
                rows.append(numbers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}); --overwrite starts anew") from None
    return rows
