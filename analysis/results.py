"""What a comparison found, in Markdown, for TensorBoard's Text page."""

from collections.abc import Mapping

from analysis.answer import (
    MEASURES,
    MOMENTS,
    Answer,
    Entry,
    change,
    figure,
    findings,
    interval,
)


def describe_results(answer: Answer, links: Mapping[str, str]) -> str:
    """A table of means and differences, the findings, and where else to look.

    Args:
        answer: Of the moment that strengths are chosen by.
        links: By name, relative to TensorBoard's address.
    """
    comparison = answer.comparison
    return "\n\n".join(
        [
            f"# {comparison.name}: {len(comparison.seeds)} seeds",
            f"{MOMENTS[answer.moment]}: means ± standard deviations over seeds, then "
            f"the mean difference to {comparison.control}, seed by seed, with its 95 % "
            "t interval.",
            make_table(answer),
            "\n".join(f"- {line}" for line in findings(answer)),
            "Look at " + ", ".join(f"[{k}]({v})" for k, v in links.items()) + ".",
        ]
    )


def make_table(answer: Answer) -> str:
    headings = ["method", "strength", *MEASURES.values(), "gap", "norm"]
    rows = [headings, ["---", "---", *["---:"] * (len(headings) - 2)]]
    for entry in answer.entries:
        if entry.choice is None:
            rows.append([entry.label, "none has all its runs", *[""] * 5])
            continue
        rows.append(
            [
                entry.label,
                f"`{entry.strength}`" if entry.strength else "",
                *(cell(answer, entry, measure) for measure in MEASURES),
                spread(answer, entry, "generalization_gap"),
                spread(answer, entry, "weight_norm"),
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(answer: Answer, entry: Entry, measure: str) -> str:
    text = spread(answer, entry, measure)
    if measure in entry.differences:
        difference = entry.differences[measure]
        text += f", {change(difference, measure)} {interval(difference, measure)}"
    return text


def spread(answer: Answer, entry: Entry, measure: str) -> str:
    """Mean ± standard deviation over seeds, the latter with n - 1."""
    values = entry.runs[f"{answer.moment}_{measure}"].astype(float)
    return f"{figure(values.mean(), measure)} ± {figure(values.std(), measure)}"
