"""The figures of a comparison; each is a function of its answer and its curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from comparison.answer import Answer, Entry
from comparison.plan import in_words
from comparison.statistics import DIFFERENT

COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#8c564b", "#7f3fbf", "#bcbd22", "#17becf", "#a50026", "#4d9221"),
)
CONTROL_COLOR = "#444444"
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
WIDEST = 4
"""Panels side by side."""


def draw_figures(answer: Answer, curves: pd.DataFrame) -> dict[str, tuple[Figure, str]]:
    """Draw all figures that a comparison has something for.

    Args:
        answer: Of the moment that strengths are selected by.
        curves: From `comparison.summary.read_curves`.

    Returns:
        Figures and their captions, by name.
    """
    control, seeds = answer.comparison.control, len(answer.comparison.seeds)
    over_seeds = f"Lines are means over {seeds} seeds, bands reach from the lowest "
    over_seeds += "seed to the highest, each method is at its chosen strength."
    drawn: dict[str, tuple[Figure | None, str]] = {}
    with rc_context(STYLE):
        drawn["conditions"] = (
            draw_conditions(answer),
            "Test cross-entropy under each condition, every method at the strength "
            "chosen there. Bars: lowest and highest seed.",
        )
        drawn["differences"] = (
            draw_differences(answer),
            "Differences, paired by seed, with adjusted 95 % intervals. Filled: "
            "different.",
        )
        drawn["learning_curves"] = (
            draw_learning_curves(answer, curves),
            "Cross-entropy on training (dashed) and validation images (solid), dropout "
            f"off, no penalty. {over_seeds} Grey: validation of {control}.",
        )
        drawn["gap"] = (
            draw_curves(answer, curves, ["gap/loss"]),
            "Validation minus training cross-entropy: what is learned that does not "
            f"generalize. {over_seeds}",
        )
        norms = [tag for tag in curves.columns if tag.startswith("weights/norm/")]
        drawn["weight_norms"] = (
            draw_curves(answer, curves, ["weights/norm", *norms]),
            f"Frobenius norm of all kernels, and of each layer's. {over_seeds}",
        )
        drawn["strengths"] = (
            draw_strengths(answer),
            "Validation cross-entropy at the end against strength: dots are runs, the "
            "line is their mean, the ring is the chosen strength; dotted: "
            f"{control}.",
        )
        drawn["norm_and_gap"] = (
            draw_norm_and_gap(answer),
            "Every completed run: the norm of its kernels against its gap. The chosen "
            "strengths are ringed.",
        )
    return {name: (f, text) for name, (f, text) in drawn.items() if f is not None}


def method_colors(answer: Answer) -> dict[str, str]:
    """The control is grey, the others differ."""
    comparison = answer.comparison
    others = [method for method in comparison.methods if method != comparison.control]
    colors = {m: COLORS[i % len(COLORS)] for i, m in enumerate(others)}
    return colors | {comparison.control: CONTROL_COLOR}


def make_panels(count: int, columns: int, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, in rows of at most `columns`."""
    columns = min(columns, WIDEST, count)
    rows = -(-count // columns)
    width, height = (
        (7.0, 3.6) if count == 1 else (3.1 * columns + 0.4, 2.5 * rows + 0.4)
    )
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False, **shared).flat
    for unused in axes[count:]:
        unused.remove()
    return figure, list(axes[:count])


def chosen(answer: Answer) -> list[Entry]:
    return [entry for entry in answer.entries if entry.choice]


def plot_band(axes: Axes, curve: pd.DataFrame, color: str, **line: Any) -> None:
    axes.plot(curve.index, curve["mean"], color=color, linewidth=1.6, **line)
    axes.fill_between(
        curve.index, curve["min"], curve["max"], color=color, alpha=0.18, linewidth=0
    )


def draw_learning_curves(answer: Answer, curves: pd.DataFrame) -> Figure | None:
    entries = chosen(answer)
    if not entries:
        return None
    colors, control = method_colors(answer), answer.comparison.control
    validation = [entry.curve(curves, "loss/validation") for entry in entries]
    several = len(answer.comparison.conditions) > 1
    columns = len(answer.comparison.methods) if several else WIDEST
    figure, panels = make_panels(len(entries), columns)
    for entry, curve, axes in zip(entries, validation, panels, strict=True):
        beside = [
            (other.method, c)
            for other, c in zip(entries, validation, strict=True)
            if other.condition == entry.condition
        ]
        for method, other in beside:
            if method == control != entry.method:
                axes.plot(other["mean"], color=CONTROL_COLOR, alpha=0.5, linewidth=1)
        plot_band(axes, curve, colors[entry.method])
        train = entry.curve(curves, "loss/train")
        plot_band(axes, train, colors[entry.method], linestyle="--")
        axes.set_ylim(0, 1.1 * max(c["max"].iloc[1:].max() for _, c in beside))
        axes.set_title("\n".join(filter(None, (entry.label, entry.strength))))
    figure.supxlabel("epoch")
    figure.supylabel("cross-entropy")
    return figure


def draw_curves(
    answer: Answer, curves: pd.DataFrame, tags: Sequence[str]
) -> Figure | None:
    """Scalars of all methods over the epochs: a panel per condition and scalar."""
    entries = chosen(answer)
    if not entries:
        return None
    colors = method_colors(answer)
    conditions = list(answer.comparison.conditions)
    cells = [(condition, tag) for condition in conditions for tag in tags]
    columns = len(tags) if len(tags) > 1 else WIDEST
    figure, panels = make_panels(len(cells), columns)
    for (condition, tag), axes in zip(cells, panels, strict=True):
        for entry in entries:
            if entry.condition == condition:
                curve = entry.curve(curves, tag)
                plot_band(axes, curve, colors[entry.method], label=entry.method)
        axes.set_title("\n".join(filter(None, (condition, tag))))
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    figure.supxlabel("epoch")
    add_legend(figure, panels)
    return figure


def draw_strengths(answer: Answer) -> Figure | None:
    """Loss against strength: a panel per condition and method that varies something."""
    cells = [e for e in chosen(answer) if e.choice and e.choice.strength]
    if not cells:
        return None
    colors, control = method_colors(answer), answer.comparison.control
    columns = len({e.method for e in cells}) if cells[0].condition else WIDEST
    figure, panels = make_panels(
        len(cells), columns, sharey=len(answer.comparison.conditions) == 1
    )
    measure = f"{answer.moment}_validation_cross_entropy"
    for entry, axes in zip(cells, panels, strict=True):
        assert entry.choice
        grid = strengths_of(answer, entry)
        *others, key = entry.choice.strength
        values = [strength[key] for strength in grid]
        positions, ticks = positions_of(values)
        if ticks is None:
            axes.set_xscale("log")
        else:
            axes.set_xticks(range(len(ticks)), ticks)
        lines: dict[str, list[tuple[float, float]]] = {}
        for strength, position in zip(grid, positions, strict=True):
            losses = completed(answer, entry, in_words(strength))[measure].astype(float)
            color = colors[entry.method]
            axes.plot([position] * len(losses), losses, ".", color=color, alpha=0.35)
            line = in_words({other: strength[other] for other in others})
            lines.setdefault(line, []).append((position, losses.mean()))
            if strength == entry.choice.strength:
                axes.plot(
                    [position],
                    [losses.mean()],
                    "o",
                    mfc="none",
                    ms=10,
                    mew=1.6,
                    color=color,
                )
        styles = ("-", "--", ":", "-.")
        for i, (line, points) in enumerate(lines.items()):
            axes.plot(
                *zip(*points, strict=True), styles[i % 4], color=color, label=line
            )
        if others:
            axes.legend(fontsize=7)
        for other in chosen(answer):
            if (other.method, other.condition) == (control, entry.condition):
                mean = answer.mean(other, "validation_cross_entropy")
                axes.axhline(mean, color=CONTROL_COLOR, linestyle=":")
        axes.set_title(entry.label)
        axes.set_xlabel(key)
    figure.supylabel("validation cross-entropy")
    return figure


def strengths_of(answer: Answer, entry: Entry) -> list[dict[str, Any]]:
    """The grid of a method, in order."""
    return list(answer.comparison.grid(entry.condition, entry.method).values())


def completed(
    answer: Answer, entry: Entry, strength: str | None = None
) -> pd.DataFrame:
    """The completed runs of a method under a condition, at one strength or at all."""
    rows = answer.summary
    rows = rows[
        (rows["method"] == entry.method)
        & (rows["condition"] == entry.condition)
        & (rows["status"] == "completed")
    ]
    return rows if strength is None else rows[rows["strength"] == strength]


def positions_of(values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Where values stand on an axis: positive numbers on a logarithmic one, others in
    a row, with their texts. A list of one number, such as a width, counts as that."""
    values = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in values]
    if all(isinstance(v, int | float) and v > 0 for v in values):
        return [float(v) for v in values], None
    texts = list(dict.fromkeys(map(short, values)))
    return [float(texts.index(short(value))) for value in values], texts


def short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def draw_norm_and_gap(answer: Answer) -> Figure | None:
    entries = chosen(answer)
    if not entries:
        return None
    colors = method_colors(answer)
    conditions = list(answer.comparison.conditions)
    figure, panels = make_panels(len(conditions), WIDEST)
    x, y = (f"{answer.moment}_{name}" for name in ("weight_norm", "generalization_gap"))
    for condition, axes in zip(conditions, panels, strict=True):
        for entry in entries:
            if entry.condition == condition:
                runs, color = completed(answer, entry), colors[entry.method]
                axes.plot(
                    runs[x], runs[y], ".", color=color, alpha=0.6, label=entry.method
                )
                axes.plot(
                    entry.runs[x], entry.runs[y], "o", mfc="none", ms=8, color=color
                )
        axes.set_title(condition)
    figure.supxlabel("norm of all kernels")
    figure.supylabel("gap in cross-entropy")
    add_legend(figure, panels)
    return figure


def draw_differences(answer: Answer) -> Figure | None:
    """A forest plot: a row per pair and condition, a panel per measure."""
    pairs = [p for c in answer.comparison.conditions for p in answer.telling_pairs(c)]
    if not pairs:
        return None
    colors = method_colors(answer)
    figure = Figure(figsize=(9.6, 1.3 + 0.32 * len(pairs)))
    panels = figure.subplots(1, len(answer.measures), sharey=True)
    for measure, axes in zip(answer.measures, panels, strict=True):
        for row, pair in enumerate(pairs):
            found, color = pair.differences[measure.key], colors[pair.first.method]
            mean, low, high = (
                measure.scale * v for v in (found.mean, found.low, found.high)
            )
            axes.plot([low, high], [row, row], color=color, linewidth=2)
            fill = color if found.verdict == DIFFERENT else "white"
            axes.plot([mean], [row], "o", color=color, markerfacecolor=fill, ms=6)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(measure.name)
        axes.set_xlabel(measure.unit_of_change)
    labels = [f"{pair.first.label} - {pair.second.method}" for pair in pairs]
    panels[0].set_yticks(range(len(pairs)), labels)
    panels[0].set_ylim(len(pairs) - 0.5, -0.5)
    return figure


def draw_conditions(answer: Answer) -> Figure | None:
    """Test cross-entropy of each method from condition to condition."""
    conditions = answer.comparison.conditions
    if len(conditions) < 2 or not chosen(answer):
        return None
    colors = method_colors(answer)
    firsts = [next(iter(settings.items())) for settings in conditions.values()]
    key, values = firsts[0][0], [value for _, value in firsts]
    positions, ticks = positions_of(values)
    figure, (axes,) = make_panels(1, 1)
    for method in answer.comparison.methods:
        points = [
            (position, entry.runs[f"{answer.moment}_test_cross_entropy"].astype(float))
            for condition, position in zip(conditions, positions, strict=True)
            for entry in chosen(answer)
            if (entry.method, entry.condition) == (method, condition)
        ]
        if points:
            at, losses = zip(*points, strict=True)
            means = np.array([values.mean() for values in losses])
            reach = [
                means - [values.min() for values in losses],
                [values.max() for values in losses] - means,
            ]
            axes.errorbar(
                at,
                means,
                reach,
                color=colors[method],
                marker="o",
                capsize=3,
                label=method,
            )
    if ticks is None:
        axes.set_xscale("log")
        axes.set_xticks(positions, map(short, values))
        axes.minorticks_off()
    else:
        axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlabel(key)
    axes.set_ylabel("test cross-entropy")
    axes.legend()
    return figure


def add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, above them."""
    handles = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles[label] = handle
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=6,
        fontsize=8,
    )
