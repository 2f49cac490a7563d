"""The history of a run: one row per evaluation, in a CSV file."""

import csv
import io
from pathlib import Path

from system.errors import DamagedError
from system.files import read_file, replacing

Row = dict[str, float]


class History:
    """The rows of history.csv: `epoch`, `step` (updates made) and scalars by tag."""

    def __init__(self, directory: Path, tags: list[str]):
        self._path = directory / "history.csv"
        self._columns = ["epoch", "step", *tags]
        self.rows: list[Row] = []

    def save(self) -> None:
        """Write the file anew, whole or not at all; numbers keep all their digits."""
        with (
            replacing(self._path) as partial,
            open(partial, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(
                file, self._columns, restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self.rows)

    def resume(self, epoch: int, every: int) -> None:
        """Read the rows of a file up to the epoch of a checkpoint.

        Args:
            epoch: Epoch of the checkpoint.
            every: Epochs between rows.

        Raises:
            DamagedError: The file or some of its rows are missing or damaged.
        """
        rows = [row for row in read_history(self._path) if row["epoch"] <= epoch]
        if [row["epoch"] for row in rows] != list(range(0, epoch + 1, every)):
            raise DamagedError(self._path, f"expected every row up to epoch {epoch}")
        for row in rows:
            if unknown := row.keys() - set(self._columns):
                raise DamagedError(self._path, f"unknown column {unknown.pop()}")
        self.rows += rows


def read_history(path: Path) -> list[Row]:
    """Read the rows of a history.csv, with all their digits.

    Raises:
        DamagedError: The file is missing or damaged.
    """
    rows = []
    try:
        text = read_file(path).decode("utf-8-sig")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            numbers = {tag: float(text) for tag, text in row.items() if text}
            numbers |= {key: int(row[key]) for key in ("epoch", "step")}
            rows.append(numbers)
        if not rows:
            raise ValueError("no evaluation")
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DamagedError(path, f"damaged ({error})") from None
    return rows
