"""The tables of a comparison: text that the terminal, Markdown, HTML and LaTeX show."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from comparison.answer import MOMENTS, Answer, Entry
from comparison.findings import notes, sentences
from comparison.measures import MEASURES, MINUS, Measure, count
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED, Difference

BESIDES = (
    *("train_accuracy", "validation_calibration_error"),
    *("memorized_wrong_label", "memorized_true_label", "memorized_clean_label"),
    *("generalization_gap", "weight_norm"),
)
"""What a table of methods shows besides what they are compared in, if runs have it."""


@dataclass(frozen=True)
class Table:
    """Cells of text; a cell may have several lines.

    Attributes:
        caption: What is shown.
        headings: Headings of the columns.
        rows: A cell for each heading.
        words: How many columns, the first ones, are words and stand to the left.
        grouped: Whether the first column is the condition, by which rows are sorted.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    grouped: bool = False

    def markdown(self) -> str:
        lines = [self.headings, ("---",) * len(self.headings), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{self.caption}\n\n{text}"

    def latex(self) -> str:
        """A tabular environment; it needs the package booktabs."""
        columns = "l" * self.words + "r" * (len(self.headings) - self.words)
        frame = pd.DataFrame(self.rows, columns=list(self.headings))
        return frame.to_latex(index=False, escape=True, column_format=columns)


def table_of_methods(answer: Answer) -> Table:
    """A row for each condition and method: means ± standard deviations over seeds."""
    there = answer.summary.columns[answer.summary.notna().any()]
    measures = [
        *answer.measures,
        *(MEASURES[key] for key in BESIDES if f"{answer.moment}_{key}" in there),
    ]
    several = len(answer.comparison.conditions) > 1
    words = ["condition"] * several + ["method", "strength"]
    rows = []
    for entry in answer.entries:
        cells = [entry.condition] * several + [entry.method, entry.strength]
        if entry.choice:
            cells += [spread(answer, entry, measure) for measure in measures]
        else:
            cells[-1] = "none has all its runs"
            cells += [""] * len(measures)
        rows.append(tuple(cells))
    return Table(
        f"{MOMENTS[answer.moment]}: means ± standard deviations over "
        f"{count(len(answer.comparison.seeds), 'seed')}.",
        (*words, *(measure.label for measure in measures)),
        tuple(rows),
        len(words),
        several,
    )


def spread(answer: Answer, entry: Entry, measure: Measure) -> str:
    """Mean ± standard deviation over seeds, the latter with n - 1."""
    values = answer.values(entry, measure.key)
    mean, deviation = measure.number(values.mean()), values.std()
    if math.isnan(deviation):
        return mean
    return f"{mean} ± {measure.number(deviation)}"


def table_of_pairs(answer: Answer, measure: Measure) -> Table:
    """A row for each pair that is shown: difference, interval, seeds and verdict."""
    several = len(answer.comparison.conditions) > 1
    rows = [
        (
            *([pair.first.condition] * several),
            f"{pair.first.method} {MINUS} {pair.second.method}",
            measure.change(found.mean),
            measure.interval(found.low, found.high),
            f"{found.better_in(measure.better)} of {found.seeds}",
            verdict_in_words(found),
        )
        for condition in answer.comparison.conditions
        for pair in answer.telling_pairs(condition)
        for found in [pair.differences[measure.key]]
    ]
    unit = f"{measure.name}, {measure.unit_of_change}".rstrip(", ")
    return Table(
        f"Differences in {unit}, paired by seed, with intervals that are adjusted for "
        f"{count(len(answer.pairs), 'pair')}; in brackets: seeds that would decide.",
        (
            *(["condition"] * several),
            *("pair", "difference", "interval"),
            *(f"{measure.better} in", "verdict"),
        ),
        tuple(rows),
        1 + several,
        several,
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
        found = answer.pair(row, column).differences[measure.key]
        return measure.change(found.mean) + marks[found.verdict]

    rows = [(row.method, *(cell(row, column) for column in ranked)) for row in ranked]
    caption = f"{measure.label}, row minus column; * {DIFFERENT}, = {EQUAL}."
    return Table(
        f"{condition} {caption}".strip(),
        ("", *(entry.method for entry in ranked)),
        tuple(rows),
        1,
    )


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
            table_of_methods(answer).markdown(),
            *(table_of_pairs(answer, m).markdown() for m in answer.measures[1:]),
            "\n".join(f"- {line}" for line in notes(answer)),
        ]
    )


def all_pairs(answers: Iterable[Answer]) -> pd.DataFrame:
    """The contents of pairs.csv: a row for each moment, measure and pair."""
    return pd.DataFrame(
        {
            "moment": answer.moment,
            "measure": key,
            "condition": pair.first.condition,
            "first": pair.first.method,
            "first_strength": pair.first.strength,
            "second": pair.second.method,
            "second_strength": pair.second.strength,
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
        for pair in answer.pairs
        for key, found in pair.differences.items()
    )
