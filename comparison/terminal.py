"""What a comparison prints: tables, and the answer last."""

import textwrap
from collections.abc import Mapping

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparison.answer import MANY, Answer
from comparison.findings import notes, sentences
from comparison.tables import WORDS, tables_of

GAP = 2
"""Columns of the terminal between those of a table."""


def show_answers(answers: Mapping[str, Answer], console: Console) -> None:
    """Print the methods and the pairs at the moment strengths are chosen at, what is to
    be known besides, and the answer."""
    answer = answers[next(iter(answers.values())).comparison.select]
    of_methods, of_pairs, price = tables_of(answer)
    few = [price] if len(of_pairs) <= MANY else []
    for table in (of_methods, of_pairs, *few):
        if len(table):
            console.print()
            console.print(wrap(table.attrs["caption"], console.width))
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


def fit(table: pd.DataFrame, width: int) -> Table:
    """A table that fits, its words in one column, a condition above its rows.

    Words stand below each other where they must; the last columns may be left out,
    which are in the report.
    """
    words = [column for column in table if column in WORDS and column != "condition"]
    numbers = table.drop(columns=table.columns.intersection(WORDS))
    numbers = numbers.rename(columns=lambda heading: heading.replace(" ", "\n"))
    widths = [
        GAP + max(len(line) for cell in column for line in cell.split("\n"))
        for column in ([heading, *cells] for heading, cells in numbers.items())
    ]
    longest = max(len(word) for cell in table[words].stack() for word in cell.split())
    while GAP + longest + sum(widths) > width and len(widths) > 1:
        del widths[-1]
    numbers = numbers.iloc[:, : len(widths)]
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("\n".join(words), overflow="fold")
    for heading in numbers:
        grid.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for number, row in table.iterrows():
        if row.get("condition", "") != group:
            group = row["condition"]
            grid.add_row(Text(group, style="bold"))
        lines = [wrap(name, width - sum(widths) - GAP) for name in row[words] if name]
        grid.add_row(Text("\n").join(lines), *map(Text, numbers.loc[number]))
    return grid
