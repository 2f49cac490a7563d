"""What a comparison prints: tables, and the answer last."""

import textwrap
from collections.abc import Iterable, Mapping

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from comparison.answer import MANY, Answer
from comparison.findings import notes, sentences
from comparison.tables import Table, tables_of

GAP = 2
"""Columns of the terminal between those of a table."""


def show_answers(answers: Mapping[str, Answer], console: Console) -> None:
    """Print the methods and the pairs at the moment strengths are chosen at, what is to
    be known besides, and the answer."""
    comparison = next(iter(answers.values())).comparison
    answer = answers[comparison.select]
    of_methods, of_pairs, price = tables_of(answer)
    few = [price] if len(of_pairs.rows) <= MANY else []
    for table in (of_methods, of_pairs, *few):
        if table.rows:
            console.print()
            console.print(wrap(table.caption, console.width))
            console.print(fit(table, console.width))
    console.print()
    for line in notes(answer):
        console.print(wrap(f"Note: {line}", console.width))
    for line in sentences(answer):
        console.print(wrap(line, console.width), style="bold")


def wrap(line: str, width: int) -> Text:
    """Broken at spaces alone: Rich breaks at those that hold numbers together too."""
    return Text(
        textwrap.fill(
            line, max(width, 1), break_long_words=False, break_on_hyphens=False
        )
    )


def fit(table: Table, width: int) -> Grid:
    """A table that fits, its words in one column, a condition above its rows.

    Words stand below each other where they must; the last columns may be left out,
    which are in the report.
    """
    first, words = int(table.grouped), table.words
    names = [row[first:words] for row in table.rows]
    longest = width_of(
        word for row in table.rows for cell in row[:words] for word in cell.split()
    )
    headings = [heading.replace(" ", "\n") for heading in table.headings[words:]]
    cells = [row[words:] for row in table.rows]
    widths = [width_of(column) for column in zip(headings, *cells, strict=True)]
    while longest + sum(widths) > width and len(widths) > 1:
        del widths[-1]
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("\n".join(table.headings[first:words]), overflow="fold")
    for heading, _ in zip(headings, widths, strict=False):
        grid.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for row, name, numbers in zip(table.rows, names, cells, strict=True):
        if table.grouped and row[0] != group:
            group = row[0]
            grid.add_row(Text(group, style="bold"))
        lines = [wrap(cell, width - sum(widths) - GAP) for cell in name if cell]
        grid.add_row(Text("\n").join(lines), *map(Text, numbers[: len(widths)]))
    return grid


def width_of(cells: Iterable[str]) -> int:
    """Of the widest line, with the space behind it."""
    return GAP + max(len(line) for cell in cells for line in cell.split("\n"))
