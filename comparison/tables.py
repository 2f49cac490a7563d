"""The tables of a comparison as text, for the terminal, pages and LaTeX."""

import math
from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from comparison.answer import MOMENTS, Answer
from comparison.findings import notes, sentences
from comparison.plan import Trial, count
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED, Difference
from training.measures import MINUS, Measure, find_measure

BESIDES = (
    *("test_cross_entropy", "train_accuracy", "validation_calibration_error"),
    *("memorized_wrong_label", "memorized_true_label", "memorized_clean_label"),
    *("generalization_gap", "weight_norm"),
)
"""Measures in the table of methods besides those that pairs are compared in."""

WORDS = ("condition", "method", "strength", "pair", "")
"""Columns with text, which is aligned to the left."""


def tables_of(answer: Answer) -> Iterator[pd.DataFrame]:
    """The table of methods, and, if there are pairs, one of them for each measure on
    test images."""
    yield table_of_methods(answer)
    if answer.pairs:
        yield from (table_of_pairs(answer, measure) for measure in answer.measures[1:])


def as_table(
    answer: Answer, caption: str, rows: Iterable[dict[str, str]]
) -> pd.DataFrame:
    """Make a table with a caption; without the condition if there is only one."""
    table = pd.DataFrame(rows).fillna("")
    table.attrs["caption"] = caption
    several = len(answer.comparison.conditions) > 1
    return table if several or table.empty else table.drop(columns="condition")


def table_of_methods(answer: Answer) -> pd.DataFrame:
    """A table with a row for each condition and method: mean ± deviation over seeds."""
    there = answer.summary.columns[answer.summary.notna().any()]
    besides = [find_measure(k) for k in BESIDES if f"{answer.moment}_{k}" in there]
    seeds = count(len(answer.comparison.file.seeds), "seed")
    rows = []
    for trial in answer.chosen:
        names = {"condition": trial.condition, "method": trial.method}
        names["strength"] = trial.strength
        numbers = {
            measure.label: spread(answer.values(trial, measure), measure)
            for measure in (*answer.measures, *besides)
        }
        rows.append(names | numbers)
    caption = f"{MOMENTS[answer.moment]}: means ± standard deviations over {seeds}."
    return as_table(answer, caption, rows)


def spread(values: pd.Series, measure: Measure) -> str:
    """Format mean ± sample standard deviation; empty without values."""
    if values.isna().all():
        return ""
    mean, deviation = measure.number(values.mean()), values.std()
    return mean if math.isnan(deviation) else f"{mean} ± {measure.number(deviation)}"


def table_of_pairs(answer: Answer, measure: Measure) -> pd.DataFrame:
    """A table with a row for each pair to show: difference, interval and verdict."""
    rows = []
    for condition in answer.comparison.conditions:
        for first, second in sum(answer.pairs_to_show(condition), []):
            found = answer.difference(first, second, measure)
            row = {
                "condition": condition,
                "pair": f"{first.method} {MINUS} {second.method}",
                "difference": measure.change(found.mean),
                "interval": measure.interval(found.low, found.high),
                f"{measure.better} in": f"{found.better_in(measure.better)} of "
                f"{found.seeds}",
                "verdict": verdict_in_words(found),
            }
            rows.append(row)
    unit = f"{measure.name}, {measure.unit_of_change}".rstrip(", ")
    pairs = count(len(answer.pairs), "pair")
    caption = f"Differences in {unit}, paired by seed, with intervals that are adjusted"
    caption += f" for {pairs}; in brackets: seeds that would decide."
    return as_table(answer, caption, rows)


def verdict_in_words(found: Difference) -> str:
    """The verdict; if it is not decided, with the number of seeds that would decide."""
    if found.verdict != UNDECIDED or math.isnan(found.low):
        return found.verdict
    return f"{UNDECIDED} ({found.seeds_to_decide or '> 1,000'})"


def matrix(answer: Answer, measure: Measure, condition: str) -> pd.DataFrame:
    """The matrix of differences of all pairs of a condition, row minus column; the best
    methods come first."""
    marks = {DIFFERENT: "*", EQUAL: "=", UNDECIDED: ""}
    ranked = answer.ranked(condition)

    def cell(row: Trial, column: Trial) -> str:
        if row is column:
            return ""
        found = answer.difference(row, column, measure)
        return measure.change(found.mean) + marks[found.verdict]

    table = pd.DataFrame(
        {"": row.method} | {column.method: cell(row, column) for column in ranked}
        for row in ranked
    )
    caption = f"{measure.label}, row minus column; * {DIFFERENT}, = {EQUAL}."
    table.attrs["caption"] = f"{condition} {caption}".strip()
    return table


def latex(table: pd.DataFrame) -> str:
    """A table as a LaTeX tabular, which needs the package booktabs."""
    columns = "".join("l" if column in WORDS else "r" for column in table)
    return table.to_latex(index=False, escape=True, column_format=columns)


def results_card(answer: Answer, links: Mapping[str, str]) -> str:
    """The results of a comparison in Markdown, for TensorBoard's Text page.

    Args:
        answer: Answer at the moment that strengths are chosen at.
        links: Links to TensorBoard's pages by name.
    """
    comparison = answer.comparison
    parts = [f"# {comparison.file.question or comparison.name}"]
    parts += [f"**{sentence}**" for sentence in sentences(answer)]
    pages = ", ".join(f"[{name}]({link})" for name, link in links.items())
    parts.append(f"Look at {pages}.")
    for table in tables_of(answer):
        parts += [table.attrs["caption"], table.to_html(index=False)]
    parts.append("\n".join(f"- {line}" for line in notes(answer)))
    return "\n\n".join(parts)


PAIR_COLUMNS = (
    "moment measure condition first first_strength second second_strength difference "
    "low high p seeds first_lower_in verdict seeds_to_decide"
)


def all_pairs(answers: Iterable[Answer]) -> pd.DataFrame:
    """The table in pairs.csv: a row for each moment, pair and measure."""
    rows = (
        (
            answer.moment,
            measure.key,
            first.condition,
            first.method,
            first.strength,
            second.method,
            second.strength,
            found.mean,
            found.low,
            found.high,
            found.p,
            found.seeds,
            found.better_in("lower"),
            found.verdict,
            found.seeds_to_decide,
        )
        for answer in answers
        for first, second in answer.pairs
        for measure in answer.measures
        for found in [answer.difference(first, second, measure)]
    )
    return pd.DataFrame(rows, columns=PAIR_COLUMNS.split())
