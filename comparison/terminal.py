"""Prints the results of a comparison: tables, and the answer last."""

import textwrap

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparison.answer import FEW, Answer
from comparison.findings import notes, sentences
from comparison.tables import WORDS, tables_of

GAP = 2
"""Characters between the columns of a table."""


def show_answer(answer: Answer, console: Console) -> None:
    """Print the tables of methods and pairs, notes, and the answer.

    Args:
        answer: Answer at the moment that strengths are chosen at.
        console: Console to print on.
    """
    tables = list(tables_of(answer))
    few = len(answer.comparison.file.methods) <= FEW
    for table in tables if few else tables[:2]:
        if len(table):
            console.print()
            console.print(wrap(table.attrs["caption"], console.width))
            console.print(fit_to_width(table, console.width))
    console.print()
    for line in notes(answer):
        console.print(wrap(f"Note: {line}", console.width))
    for line in sentences(answer):
        console.print(wrap(line, console.width), style="bold")


def wrap(line: str, width: int) -> Text:
    """Break a line at spaces; Rich would also separate numbers from their units."""
    lines = textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
    return Text("\n".join(lines))


def fit_to_width(table: pd.DataFrame, width: int) -> Table:
    """Make a table with as many columns as fit into a width.

    Columns of text are put below each other in the first column, and each condition
    above its rows. The last column to be left out is the verdict.
    """
    words = [name for name in table if name in WORDS and name != "condition"]
    names = table[words].agg(lambda row: "\n".join(filter(None, row)), axis="columns")
    conditions = table["condition"] if "condition" in table else [""] * len(table)
    room = width - GAP - max(map(len, " ".join([*conditions, *names]).split()))
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("\n".join(words))
    numbers = table.drop(columns=table.columns.intersection(WORDS))
    shown: list[str] = []
    for heading in sorted(numbers, key=lambda heading: heading != "verdict"):
        room -= GAP + max(map(len, [*heading.split(), *table[heading]]))
        if room >= 0 or not shown:
            shown.append(heading)
    left_out = numbers.columns.difference(shown, sort=False)
    numbers = numbers.drop(columns=left_out)
    for heading in numbers:
        grid.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    if len(left_out):
        grid.caption = f"Too wide, in the report: {', '.join(left_out)}."
        grid.caption_justify = "left"
    above = ""
    cells = numbers.to_numpy()
    for condition, name, row in zip(conditions, names, cells, strict=True):
        if condition != above:
            grid.add_row(Text(condition, style="bold"))
        above = condition
        grid.add_row(*map(Text, [name, *row]))
    return grid
