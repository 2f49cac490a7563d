"""What a comparison found, in Markdown, for TensorBoard's Text page."""

from collections.abc import Iterable, Mapping, Sequence

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
from comparison.statistics import Difference


def describe_results(answer: Answer, links: Mapping[str, str]) -> str:
    """Tables of means and of differences, the findings, and where else to look.

    Args:
        answer: Of the moment that strengths are chosen by.
        links: By name, relative to TensorBoard's address.
    """
    comparison = answer.comparison
    return "\n\n".join(
        [
            f"# {comparison.name}: {len(comparison.seeds)} seeds",
            "Look at " + ", ".join(f"[{k}]({v})" for k, v in links.items()) + ".",
            f"{MOMENTS[answer.moment]}: means ± standard deviations over seeds.",
            as_table(
                ["method", "strength", *MEASURES.values(), "gap", "norm"],
                [means(answer, entry) for entry in answer.entries],
            ),
            f"Differences to {comparison.control} by seed: means, 95 % t intervals.",
            as_table(
                ["method", *MEASURES.values()],
                [
                    [entry.label, *map(difference, entry.differences.items())]
                    for entry in answer.entries
                    if entry.differences
                ],
            ),
            "\n".join(f"- {line}" for line in findings(answer)),
        ]
    )


def means(answer: Answer, entry: Entry) -> list[str]:
    if entry.choice is None:
        return [entry.label, "none has all its runs", *[""] * (len(MEASURES) + 2)]
    measures = [*MEASURES, "generalization_gap", "weight_norm"]
    return [
        entry.label,
        entry.strength,
        *(spread(answer, entry, measure) for measure in measures),
    ]


def spread(answer: Answer, entry: Entry, measure: str) -> str:
    """Mean ± standard deviation over seeds, the latter with n - 1."""
    values = entry.runs[f"{answer.moment}_{measure}"].astype(float)
    if measure == "weight_norm":
        return f"{values.mean():.2f} ± {values.std():.2f}"
    return f"{figure(values.mean(), measure)} ± {figure(values.std(), measure)}"


def difference(item: tuple[str, Difference]) -> str:
    measure, found = item
    return f"{change(found, measure)} {interval(found, measure)}"


def as_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
