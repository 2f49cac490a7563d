"""What a comparison prints: a table of each moment, and the findings in words."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparison.answer import (
    MEASURES,
    MOMENTS,
    Answer,
    Entry,
    change,
    figure,
    findings,
    interval,
)


def show_answers(answers: dict[str, Answer], console: Console) -> None:
    """Print the tables of all moments, and the findings of the one selected on."""
    for answer in answers.values():
        console.print()
        console.print(make_table(answer))
    selected = next(iter(answers.values())).comparison.select
    console.print(
        f"\n{MOMENTS[selected]}, mean differences with 95 % intervals, p after Holm:",
        soft_wrap=True,
    )
    for line in findings(answers[selected]):
        console.print(f"- {line}", soft_wrap=True, highlight=False, markup=False)


def make_table(answer: Answer) -> Table:
    """Means over seeds, and beneath them the differences to the control."""
    table = Table(
        title=f"{MOMENTS[answer.moment]}: means over seeds, and differences to "
        f"{answer.comparison.control} with 95 % intervals",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", overflow="fold")
    for name in MEASURES.values():
        table.add_column(name.replace(" ", "\n", 1), justify="right", no_wrap=True)
    table.add_column("norm", justify="right", no_wrap=True)
    condition = ""
    for entry in answer.entries:
        if entry.condition != condition:
            condition = entry.condition
            table.add_section()
            table.add_row(Text(condition, style="bold"))
        if entry.choice is None:
            table.add_row(entry.method, "no strength has all its runs")
            continue
        table.add_row(
            Text(f"{entry.method}\n{entry.strength}".strip()),
            *(cell(answer, entry, measure) for measure in MEASURES),
            f"{answer.mean(entry, 'weight_norm'):.1f}",
        )
    return table


def cell(answer: Answer, entry: Entry, measure: str) -> str:
    lines = [figure(answer.mean(entry, measure), measure)]
    if measure in entry.differences:
        difference = entry.differences[measure]
        lines += [change(difference, measure), interval(difference, measure)]
    return "\n".join(lines)
