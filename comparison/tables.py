"""The tables of a comparison: text that the terminal, Markdown, HTML and LaTeX show."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from comparison.answer import Answer, Entry
from comparison.findings import notes, sentences
from comparison.measures import MEASURES, MINUS, Measure, count
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED, Difference
from comparison.summary import MOMENTS

BESIDES = (
    *("train_accuracy", "validation_calibration_error"),
    *("memorized_wrong_label", "memorized_true_label", "memorized_clean_label"),
    *("generalization_gap", "weight_norm"),
)
"""What a table of methods shows besides what they are compared in, if runs have it."""


@dataclass(frozen=True)
class Table:
    """Cells of text.

    Attributes:
        caption: What is shown.
        headings: Headings of the columns.
        rows: A cell for each heading.
        words: How many columns, the first ones, are words and stand to the left.
        grouped: Whether the first column is the condition, by which rows are sorted.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int
    grouped: bool = False

    def markdown(self) -> str:
        lines = [self.headings, ["---"] * len(self.headings), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{self.caption}\n\n{text}"

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=list(self.headings))

    def latex(self) -> str:
        """A tabular environment; it needs the package booktabs."""
        columns = "l" * self.words + "r" * (len(self.headings) - self.words)
        return self.frame().to_latex(index=False, escape=True, column_format=columns)


def by_condition(
    answer: Answer,
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: int,
) -> Table:
    """A table whose first column is the condition, which is left out if there is none.

    Args:
        answer: Answer that the table shows a part of.
        caption: What is shown.
        headings: Headings of the other columns.
        rows: The condition, and a cell for each heading.
        words: How many of the headings, the first ones, are of words.
    """
    several = len(answer.comparison.conditions) > 1
    first = 0 if several else 1
    shown = [row[first:] for row in rows]
    headings = ["condition", *headings][first:]
    return Table(caption, headings, shown, words + several, several)


def table_of_methods(answer: Answer) -> Table:
    """A row for each condition and method: means ± standard deviations over seeds."""
    there = answer.summary.columns[answer.summary.notna().any()]
    besides = [MEASURES[k] for k in BESIDES if f"{answer.moment}_{k}" in there]
    measures = [*answer.measures, *besides]
    rows = []
    for entry in answer.entries:
        strength, cells = "none has all its runs", [""] * len(measures)
        if entry.choice:
            strength = entry.strength
            cells = [
                spread(answer.values(entry, measure), measure) for measure in measures
            ]
        rows.append([entry.condition, entry.method, strength, *cells])
    return by_condition(
        answer,
        f"{MOMENTS[answer.moment]}: means ± standard deviations over "
        f"{count(len(answer.comparison.seeds), 'seed')}.",
        ["method", "strength", *(measure.label for measure in measures)],
        rows,
        2,
    )


def spread(values: pd.Series, measure: Measure) -> str:
    """Mean ± standard deviation over seeds, the latter with n - 1."""
    mean, deviation = measure.number(values.mean()), values.std()
    return mean if math.isnan(deviation) else f"{mean} ± {measure.number(deviation)}"


def table_of_pairs(answer: Answer, measure: Measure) -> Table:
    """A row for each pair that is shown: difference, interval, seeds and verdict."""
    rows = []
    for condition in answer.comparison.conditions:
        for first, second in sum(answer.pairs_to_show(condition), []):
            found = answer.difference(first, second, measure)
            cells = [
                condition,
                f"{first.method} {MINUS} {second.method}",
                measure.change(found.mean),
                measure.interval(found.low, found.high),
                f"{found.better_in(measure.better)} of {found.seeds}",
                verdict_in_words(found),
            ]
            rows.append(cells)
    unit = f"{measure.name}, {measure.unit_of_change}".rstrip(", ")
    return by_condition(
        answer,
        f"Differences in {unit}, paired by seed, with intervals that are adjusted for "
        f"{count(len(answer.pairs), 'pair')}; in brackets: seeds that would decide.",
        ["pair", "difference", "interval", f"{measure.better} in", "verdict"],
        rows,
        1,
    )


def verdict_in_words(found: Difference) -> str:
    """The verdict, and if there is none yet, how many seeds would give one."""
    if found.verdict != UNDECIDED or math.isnan(found.low):
        return found.verdict
    return f"{UNDECIDED} ({found.seeds_to_decide or '> 1,000'})"


def matrix(answer: Answer, measure: Measure, condition: str) -> Table:
    """The difference of every pair of a condition, row minus column, best row first."""
    marks = {DIFFERENT: "*", EQUAL: "=", UNDECIDED: ""}
    ranked = answer.ranked(condition)

    def cell(row: Entry, column: Entry) -> str:
        if row is column:
            return ""
        found = answer.difference(row, column, measure)
        return measure.change(found.mean) + marks[found.verdict]

    rows = [[row.method, *(cell(row, column) for column in ranked)] for row in ranked]
    caption = f"{measure.label}, row minus column; * {DIFFERENT}, = {EQUAL}."
    headings = ["", *(entry.method for entry in ranked)]
    return Table(f"{condition} {caption}".strip(), headings, rows, 1)


def tables_of(answer: Answer) -> Iterator[Table]:
    """The table of methods, and those of pairs in the measures on the test images."""
    yield table_of_methods(answer)
    yield from (table_of_pairs(answer, measure) for measure in answer.measures[1:])


def results_card(answer: Answer, links: Mapping[str, str]) -> str:
    """What a comparison found, in Markdown, for TensorBoard's Text page.

    Args:
        answer: Answer of the moment that strengths are chosen at.
        links: By name, relative to TensorBoard's address.
    """
    comparison = answer.comparison
    return "\n\n".join(
        [
            f"# {comparison.question or comparison.name}",
            *(f"**{sentence}**" for sentence in sentences(answer)),
            "Look at " + ", ".join(f"[{k}]({v})" for k, v in links.items()) + ".",
            *(table.markdown() for table in tables_of(answer)),
            "\n".join(f"- {line}" for line in notes(answer)),
        ]
    )


def all_pairs(answers: Iterable[Answer]) -> pd.DataFrame:
    """The contents of pairs.csv: a row for each moment, pair and measure."""
    return pd.DataFrame(
        {
            "moment": answer.moment,
            "measure": measure.key,
            "condition": first.condition,
            "first": first.method,
            "first_strength": first.strength,
            "second": second.method,
            "second_strength": second.strength,
            "difference": found.mean,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "seeds": found.seeds,
            "first_lower_in": found.better_in("lower"),
            "verdict": found.verdict,
            "seeds_to_decide": found.seeds_to_decide,
        }
        for answer in answers
        for first, second in answer.pairs
        for measure in answer.measures
        for found in [answer.difference(first, second, measure)]
    )
