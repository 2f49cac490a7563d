"""What a comparison prints: tables, and the answer last."""

import textwrap
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from comparison.answer import MANY, Answer
from comparison.findings import notes, sentences
from comparison.tables import Table, table_of_methods, table_of_pairs


def show_answers(answers: Mapping[str, Answer], console: Console) -> None:
    """Print the methods and the pairs at the moment strengths are chosen at, what is to
    be known besides, and the answer."""
    comparison = next(iter(answers.values())).comparison
    answer = answers[comparison.select]
    pairs = [table_of_pairs(answer, measure) for measure in answer.measures[1:]]
    if len(pairs[0].rows) > MANY:
        del pairs[1:]
    for table in (table_of_methods(answer), *pairs):
        if table.rows:
            console.print()
            console.print(wrapped(table.caption, console))
            console.print(fit(table, console.width))
    console.print()
    for line in notes(answer):
        console.print(wrapped(f"Note: {line}", console))
    for line in sentences(answer):
        console.print(wrapped(line, console), style="bold")


def wrapped(line: str, console: Console) -> Text:
    """Broken at spaces alone: Rich breaks at those that hold numbers together too."""
    return Text(
        textwrap.fill(
            line, console.width, break_long_words=False, break_on_hyphens=False
        )
    )


def fit(table: Table, width: int) -> Grid:
    """A table with its words in one column, and no word broken.

    Where that is too wide, words stand below each other; then the last columns are left
    out, which are in the report.
    """
    heading, first = table.headings[table.words - 1], int(table.grouped)
    rows = [
        ["\n".join(filter(None, row[first : table.words])), *row[table.words :]]
        for row in table.rows
    ]
    columns = [
        [heading.replace(" ", "\n"), *cells]
        for heading, *cells in zip(
            [heading, *table.headings[table.words :]], *rows, strict=True
        )
    ]
    if sum(map(width_of, columns)) > width:
        columns[0] = [cell.replace(" ", "\n") for cell in columns[0]]
    while sum(map(width_of, columns)) > width and len(columns) > 2:
        del columns[-1]
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, (heading, *_) in enumerate(columns):
        if number:
            grid.add_column(heading, justify="right", no_wrap=True)
        else:
            grid.add_column(heading, overflow="fold")
    group = ""
    cells_of_rows = zip(*(cells for _, *cells in columns), strict=True)
    for row, cells in zip(table.rows, cells_of_rows, strict=True):
        if table.grouped and row[0] != group:
            group = row[0]
            grid.add_row(Text(group, style="bold"))
        grid.add_row(*map(Text, cells))
    return grid


def width_of(column: Sequence[str]) -> int:
    """Of the widest line in a column, with the space around it."""
    return 2 + max(map(len, "\n".join(column).splitlines()))
