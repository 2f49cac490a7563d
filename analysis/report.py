"""What a comparison found, as a table and in words."""

import math

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from analysis.statistics import (
    Choice,
    Difference,
    choose_strengths,
    chosen_runs,
    holm,
    paired_difference,
)
from comparison import Comparison

MOMENTS = {
    "final": "Final weights",
    "best": "Weights of the evaluation with the lowest validation cross-entropy",
}
TESTED = {"test_cross_entropy": "test cross-entropy", "test_accuracy": "test accuracy"}


def report(comparison: Comparison, summary: pd.DataFrame, console: Console) -> None:
    """Print the table of both moments, and the findings of the one selected on."""
    for moment in MOMENTS:
        choices = choose_strengths(summary, moment)
        console.print()
        console.print(make_table(comparison, summary, choices, moment))
    choices = choose_strengths(summary, comparison.select)
    console.print(f"\n{MOMENTS[comparison.select]}:")
    for line in findings(comparison, summary, choices):
        console.print(f"- {line}", soft_wrap=True, highlight=False, markup=False)


def make_table(
    comparison: Comparison,
    summary: pd.DataFrame,
    choices: dict[str, Choice],
    moment: str,
) -> Table:
    """Means over seeds, and beneath them the differences to the control."""
    table = Table(
        title=f"{MOMENTS[moment]}: means over seeds, and differences to "
        f"{comparison.control} with 95 % intervals",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("method")
    for heading in ("validation\ncross-entropy", *TESTED.values(), "norm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for method in comparison.methods:
        if method not in choices:
            table.add_row(method, "no strength whose runs all completed")
            continue
        rows = chosen_runs(summary, choices[method], method)
        differences = differences_to_control(comparison, summary, choices, moment)
        tested = []
        for measure in TESTED:
            text = figure(rows[f"{moment}_{measure}"].mean(), measure)
            if method in differences[measure]:
                difference = differences[measure][method]
                text += (
                    f"\n{change(difference, measure)}\n{interval(difference, measure)}"
                )
            tested.append(text)
        table.add_row(
            f"{method}\n{shortened(choices[method].strength)}".strip(),
            figure(choices[method].mean, "cross_entropy"),
            *tested,
            f"{rows[f'{moment}_weight_norm'].mean():.1f}",
        )
    return table


def differences_to_control(
    comparison: Comparison,
    summary: pd.DataFrame,
    choices: dict[str, Choice],
    moment: str,
) -> dict[str, dict[str, Difference]]:
    """Paired differences by measure and method, each at its chosen strength."""
    found: dict[str, dict[str, Difference]] = {measure: {} for measure in TESTED}
    if comparison.control not in choices:
        return found
    name = comparison.control
    control = chosen_runs(summary, choices[name], name)
    for method, choice in choices.items():
        rows = chosen_runs(summary, choice, method)
        for measure in TESTED if method != name else ():
            column = f"{moment}_{measure}"
            found[measure][method] = paired_difference(rows[column], control[column])
    return found


def findings(
    comparison: Comparison, summary: pd.DataFrame, choices: dict[str, Choice]
) -> list[str]:
    """Sentences that say no more than the intervals allow."""
    lines = []
    found = differences_to_control(comparison, summary, choices, comparison.select)
    for measure, by_method in found.items():
        lines += sentences(comparison.control, measure, by_method)
    for method, choice in choices.items():
        if choice.at_edge:
            lines.append(
                f"{method}: the best strength, {choice.strength}, lies on the edge of "
                "its grid; a better one may lie beyond."
            )
        if choice.missing:
            lines.append(f"{method}: {choice.missing} runs failed or diverged.")
    for method in comparison.methods:
        if method not in choices:
            lines.append(f"{method}: left out, for no strength has all its runs.")
    return lines


def sentences(
    control: str, measure: str, by_method: dict[str, Difference]
) -> list[str]:
    lines: list[str] = []
    p_values = holm([difference.p for difference in by_method.values()])
    for (method, difference), p in zip(by_method.items(), p_values, strict=True):
        name = TESTED[measure]
        if math.isnan(difference.low):
            lines.append(f"{method}: too few seeds for an interval of {name}.")
            continue
        evidence = (
            f"{change(difference, measure)}, 95 % interval "
            f"{interval(difference, measure)}, p = {p:.2g} after Holm"
        )
        if math.isfinite(difference.wilcoxon_p):
            evidence += f", Wilcoxon p = {difference.wilcoxon_p:.2g}"
        if difference.clear:
            verb = "raises" if difference.mean > 0 else "lowers"
            lines.append(f"{method} {verb} {name} against {control}: {evidence}.")
        else:
            lines.append(
                f"{method}: no difference to {control} in {name} is shown: {evidence}."
            )
    return lines


def shortened(strength: str) -> str:
    """A strength without the sections of its settings."""
    return " ".join(part.partition(".")[2] for part in strength.split())


def figure(value: float, measure: str) -> str:
    return f"{value:.2%}" if measure.endswith("accuracy") else f"{value:.4f}"


def change(difference: Difference, measure: str) -> str:
    if measure.endswith("accuracy"):
        return f"{100 * difference.mean:+.2f} points"
    return f"{difference.mean:+.4f}"


def interval(difference: Difference, measure: str) -> str:
    scale, digits = (100, 2) if measure.endswith("accuracy") else (1, 4)
    low, high = scale * difference.low, scale * difference.high
    return f"[{low:+.{digits}f}, {high:+.{digits}f}]"
