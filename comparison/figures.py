"""The figures of a comparison, in panels; each is drawn of the answer and its curves.

A panel is as wide as a telephone, so that its text can be read on one; a page shows
two or three side by side, and says in report.html.jinja how to read them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from comparison.answer import Answer, Entry, Pair
from comparison.colors import COLORS, INK, MUTED, PAPER, RULE, color_of, shade
from comparison.measures import MEASURES, Measure, find_measure
from comparison.statistics import DIFFERENT, UNDECIDED

STYLE = Path(__file__).with_name("figures.mplstyle")

WIDE, NARROW = (5.2, 3.3), (3.4, 2.7)
"""Width and height of panels, in inches; a narrow one is for each of many methods."""

FITTED = 0.999
"""Accuracy on the training images from which a network counts as having learned all."""

OF_TAG = {measure.tag: measure for measure in MEASURES.values() if measure.tag}


def draw_answer(answer: Answer) -> dict[str, list[Figure]]:
    """What the methods came to at one moment of the runs: panels by figure."""
    conditions = answer.comparison.conditions
    several = len(conditions) > 1
    there = [condition for condition in conditions if answer.chosen(condition)]
    measures = [answer.headline] if several else [answer.headline, answer.price]
    with rc_context(fname=STYLE):
        return {
            "conditions": list(draw_conditions(answer)) if several and there else [],
            "methods": [draw_methods(answer, c, m) for c in there for m in measures],
            "pairs": [
                draw_pairs(answer, condition, measure, pairs)
                for condition in there
                for measure, pairs in pairs_to_draw(answer, condition, measures)
                if pairs
            ],
        }


def draw_course(answer: Answer, curves: pd.DataFrame) -> dict[str, list[Figure]]:
    """How they came to it, over epochs, strengths and layers: panels by figure."""
    there = [c for c in answer.comparison.conditions if answer.chosen(c)]
    by = answer.comparison.loss
    losses = {split: f"{split}_{by}" for split in ("validation", "train")}
    tags = {split: find_measure(key).tag for split, key in losses.items()}
    memorized = [tag for tag in curves.columns if tag.startswith("memorized/")]
    with rc_context(fname=STYLE):
        drawn: dict[str, list[Figure | None]] = {
            "when": [
                draw_curves(answer, curves, condition, tag, log=split == "train")
                for condition in there
                for split, tag in tags.items()
            ],
            "strengths": [
                draw_strengths(answer, entry)
                for entry in answer.chosen()
                if entry.choice and entry.choice.varied
            ],
            "weights": [
                *(draw_layers(answer, curves, condition) for condition in there),
                *(draw_norm(answer, curves, c) for c in there if len(there) == 1),
            ],
            "memorized": [
                draw_curves(answer, curves, condition, tag)
                for condition in there
                for tag in memorized
            ],
        }
    return {name: list(filter(None, panels)) for name, panels in drawn.items()}


class Panel:
    """Axes on which each method has its color and its name.

    What shows a method says so in its gid, "method|what it is", which the report makes
    into a name to point at.
    """

    def __init__(
        self,
        answer: Answer,
        title: str,
        size: tuple[float, float] = WIDE,
        rows: int | None = None,
    ):
        """
        Args:
            answer: Its methods are shown.
            title: Title of the panel.
            size: Width and height in inches.
            rows: Height instead in rows, on which things stand by their number.
        """
        self.height = size[1] if rows is None else 0.9 + 0.5 * rows
        self.figure = Figure(figsize=(size[0], self.height))
        self.axes = self.figure.subplots()
        self.axes.set_title(title)
        self.colors = color_of(answer)
        self.ends: list[tuple[float, str, list[str]]] = []
        if rows is not None:
            self.axes.set(yticks=[], ylim=(rows - 0.4, -0.5))
            self.axes.spines["left"].set_visible(False)

    def plot(self, entry: Entry, x, y, how: str, text: str = "", **style: Any):
        """Plot something of a method in its color, with a text to point at."""
        color = self.colors[entry.method]
        grey = color not in COLORS
        style = {"color": color, "linewidth": 0.9 if grey else 1.9, **style}
        label = f"{name_of(entry)}: {text}" if text else ""
        (line,) = self.axes.plot(x, y, how, gid=f"{entry.method}|{label}", **style)
        line.set_zorder(2 if grey else 3)
        return line

    def write(
        self, side: str, y: float, method: str, lines: Sequence[str], of: str = "data"
    ) -> None:
        """Write to the left or right of the axes: a line in the method's color, and
        one below it."""
        left = side == "left"
        for text, up in zip(lines, (1, -1), strict=False):
            self.axes.annotate(
                text,
                (0 if left else 1, y),
                (-8 if left else 8, up if len(lines) > 1 else 0),
                xycoords=("axes fraction", of),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center" if len(lines) == 1 else "bottom" if up > 0 else "top",
                color=shade(self.colors[method]) if up > 0 else INK,
                fontsize=9.5 if up > 0 else 8.5,
                fontweight="bold" if up > 0 else "normal",
                annotation_clip=False,
                gid=f"{method}|",
            )

    def write_ends(self) -> None:
        """Name lines at their right ends, moved apart where they would overlap."""
        self.axes.autoscale_view()  # Else the limits are still those of no data.
        to_axes = self.axes.transScale + self.axes.transLimits
        ends = sorted(
            (
                float(np.clip(to_axes.transform((0, max(y, 1e-30)))[1], 0, 1)),
                method,
                lines,
            )
            for y, method, lines in self.ends
            if math.isfinite(y)
        )
        room = [(11 * len(e[2]) + 2) / (53 * self.height) for e in ends]
        heights = [end[0] for end in ends]
        for i in range(1, len(heights)):
            least = heights[i - 1] + (room[i - 1] + room[i]) / 2
            heights[i] = max(heights[i], least)
        top = 1.04
        for i in reversed(range(len(heights))):
            heights[i] = min(heights[i], top - room[i] / 2)
            top = heights[i] - room[i] / 2
        for y, (_, method, lines) in zip(heights, ends, strict=True):
            self.write("right", y, method, lines, of="axes fraction")

    def place(self, values: Sequence[Any]) -> list[float]:
        """Where values stand on the x axis, with a tick at each: positive numbers on a
        logarithmic one, others in a row. A list of one number counts as that number."""
        values = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in values]
        numbers = all(isinstance(v, int | float) and v > 0 for v in values)
        at = [float(v if numbers else i) for i, v in enumerate(values)]
        if numbers and len(set(at)) > 1:
            self.axes.set_xscale("log")
        labels = [f"{v:g}" if isinstance(v, float) else short(v) for v in values]
        self.axes.set_xticks(at, labels, fontsize=8)
        self.axes.xaxis.set_minor_locator(NullLocator())
        return at

    def tick_log(self) -> None:
        """Label a logarithmic y axis with plain numbers."""
        low, high = self.axes.get_ylim()
        steps = LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,))
        self.axes.yaxis.set_major_locator(steps if high / low > 8 else MaxNLocator(5))
        self.axes.yaxis.set_major_formatter("{x:g}")
        self.axes.yaxis.set_minor_locator(NullLocator())


def name_of(entry: Entry) -> str:
    """A method with its strength, short: "adamw 3.0"."""
    values = entry.choice.varied.values() if entry.choice else ()
    return " ".join([entry.method, *map(short, values)])


def short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def draw_methods(answer: Answer, condition: str, measure: Measure) -> Figure:
    """The runs of each method in a row, the best on top."""
    ranked = answer.ranked(condition)
    panel = Panel(answer, condition, rows=len(ranked))
    losses = {e.method: measure.scale * answer.values(e, measure.key) for e in ranked}
    table = pd.DataFrame(losses)
    for seed in table.index:
        panel.axes.plot(table.loc[seed], range(len(ranked)), color=RULE, lw=1, zorder=1)
    for row, entry in enumerate(ranked):
        for seed, loss in table[entry.method].items():
            text = f"{loss:.{measure.digits}f}, seed {seed}"
            panel.plot(entry, loss, row, "o", text, ms=4.5, alpha=0.55)
        mean = table[entry.method].mean()
        text = f"{mean:.{measure.digits}f}"
        span = [row - 0.28, row + 0.28]
        panel.plot(entry, [mean] * 2, span, "-", f"mean {text}", linewidth=3)
        strength = [entry.strength] if entry.strength else []
        panel.write("left", row, entry.method, [entry.method, *strength])
        panel.write("right", row, entry.method, [text])
    if len(ranked) > len(COLORS):  # The far ones leave the room to the others.
        means = table.mean()
        far = 4 * abs(means.median() - means.iloc[0])
        low, high = panel.axes.get_xlim()
        first = means.iloc[0]
        panel.axes.set_xlim(max(low, first - far), min(high, first + far))
    panel.axes.set_xlabel(f"{measure.label}, {measure.better} is better")
    return panel.figure


def pairs_to_draw(
    answer: Answer, condition: str, measures: Sequence[Measure]
) -> Iterator[tuple[Measure, list[Pair]]]:
    """All pairs in all measures; of many, each with the best and with the control."""
    pairs, methods = answer.telling_pairs(condition), len(answer.chosen(condition))
    if len(pairs) == methods * (methods - 1) / 2:
        yield from ((measure, pairs) for measure in measures)
        return
    best, *others = answer.ranked(condition)
    yield answer.headline, [answer.pair(other, best) for other in others]
    rest = [pair for pair in pairs if best not in (pair.first, pair.second)]
    yield answer.headline, rest


def draw_pairs(
    answer: Answer, condition: str, measure: Measure, pairs: Sequence[Pair]
) -> Figure:
    """Differences with their intervals, and a tick for each seed."""
    panel = Panel(answer, condition, rows=len(pairs))
    if measure.margin:
        reach = measure.scale * measure.margin
        panel.axes.axvspan(-reach, reach, color=RULE, alpha=0.6, linewidth=0)
    panel.axes.axvline(0, color=INK, linewidth=0.8)
    for row, pair in enumerate(pairs):
        found, first = pair.differences[measure.key], pair.first
        values = (found.low, found.mean, found.high, *found.by_seed)
        low, mean, high, *seeds = (measure.scale * value for value in values)
        text = f"{measure.change(found.mean)} {measure.interval(found.low, found.high)}"
        against = f"against {name_of(pair.second)} {text}"
        panel.plot(first, [low, high], [row] * 2, "-", against)
        face: dict = {} if found.verdict == DIFFERENT else {"markerfacecolor": PAPER}
        panel.plot(first, mean, row, "o", against, ms=7, **face)
        panel.plot(first, seeds, [row + 0.24] * len(seeds), "|", ms=6)
        verdict = found.verdict
        if verdict == UNDECIDED and not math.isnan(found.low):
            verdict += f": {found.seeds_to_decide or 'over 1,000'} seeds would"
        names = [first.method, f"− {pair.second.method}"]
        panel.write("left", row, first.method, names)
        panel.write("right", row, first.method, [text, verdict])
    panel.axes.xaxis.set_major_locator(MaxNLocator(4))
    unit = f" ({measure.unit_of_change})" if measure.unit_of_change else ""
    arrow = "← better" if measure.better == "lower" else "better →"
    panel.axes.set_xlabel(f"{arrow} · difference in {measure.name}{unit}")
    return panel.figure


def draw_curves(
    answer: Answer,
    curves: pd.DataFrame,
    condition: str,
    tag: str,
    *,
    log: bool = False,
    relative: bool = False,
) -> Figure | None:
    """A scalar over the epochs, over its start if asked; None if no run has it."""
    measure = OF_TAG.get(tag) or find_measure(tag.replace("/", "_"))
    found = {
        entry: curve / curve["mean"].iloc[0] if relative else measure.scale * curve
        for entry in answer.chosen(condition)
        if tag in curves and len(curve := entry.curve(curves, tag))
    }
    if not found:
        return None
    panel, shown = Panel(answer, condition), []
    for entry, curve in found.items():
        mean, epochs = curve["mean"], curve.index
        values = (f"{epoch}: {value:.3g}" for epoch, value in mean.items())
        panel.plot(entry, epochs, mean, "-", "; ".join(values))
        lines, color = [name_of(entry)], panel.colors[entry.method]
        if color in COLORS:
            band = panel.axes.fill_between(epochs, curve["min"], curve["max"])
            band.set(color=color, alpha=0.15, linewidth=0, gid=f"{entry.method}|")
            shown.append(curve.iloc[1:])
            if measure.better == "lower" and not log:
                best, rise = mean.idxmin(), mean.iloc[-1] - mean.min()
                panel.plot(entry, best, mean[best], "v", f"best at {best}", ms=8)
                rose = f", then +{rise:.{measure.digits}f}" if rise else ""
                if len(found) <= len(COLORS):
                    lines.append(f"best at {best:g}{rose}")
        panel.ends.append((mean.iloc[-1], entry.method, lines))
    axes = panel.axes
    axes.set_yscale("log" if log else "linear")
    low, high = pd.concat(shown)["min"].min(), pd.concat(shown)["max"].max()
    if low < high and (low > 0 or not log):
        room = (high - low) * 0.05
        axes.set_ylim((low * 0.8, high * 1.25) if log else (low - room, high + room))
        if log:
            panel.tick_log()
    axes.set_xlim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"{measure.name} / at the start" if relative else measure.label
    axes.set(xlabel="epoch", ylabel=label + (", log" if log else ""))
    panel.write_ends()
    return panel.figure


def draw_norm(answer: Answer, curves: pd.DataFrame, condition: str) -> Figure | None:
    return draw_curves(answer, curves, condition, "weights/norm", relative=True)


def draw_layers(answer: Answer, curves: pd.DataFrame, condition: str) -> Figure:
    """Each layer's norm at the end over that at the start."""
    norms = [tag for tag in curves.columns if tag.startswith("weights/norm/")]
    panel = Panel(answer, condition)
    panel.axes.axhline(1, color=INK, linewidth=0.8)
    for entry in answer.chosen(condition):
        means = [entry.curve(curves, tag)["mean"] for tag in norms]
        ratios = [mean.iloc[-1] / mean.iloc[0] for mean in means if len(mean)]
        if ratios:
            text = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            panel.plot(entry, range(len(ratios)), ratios, "o-", text)
            panel.ends.append((ratios[-1], entry.method, [name_of(entry)]))
    panel.axes.set_yscale("log")
    panel.tick_log()
    panel.axes.set_xticks(range(len(norms)), [tag.rpartition("/")[2] for tag in norms])
    panel.axes.set_ylabel("norm / at the start, log")
    panel.write_ends()
    return panel.figure


def draw_strengths(answer: Answer, entry: Entry) -> Figure:
    """What strengths are chosen by, over the grid of a method: a line, or a map."""
    assert entry.choice
    measure, rows = answer.measures[0], answer.summary
    rows = rows[
        (rows["method"] == entry.method)
        & (rows["condition"] == entry.condition)
        & (rows["status"] == "completed")
    ]
    draw = draw_map if len(entry.choice.varied) > 1 else draw_line
    return draw(answer, entry, entry.choice.varied, measure, rows)


def draw_line(
    answer: Answer,
    entry: Entry,
    strength: Mapping[str, Any],
    measure: Measure,
    rows: pd.DataFrame,
) -> Figure:
    """Validation and training against the strength, with every run."""
    many = sum(bool(e.choice and e.choice.varied) for e in answer.chosen()) > 2
    panel = Panel(answer, entry.label, NARROW if many else (WIDE[0], NARROW[1]))
    ((key, chosen),) = strength.items()
    grid = answer.comparison.grid(entry.condition, entry.method)
    values, means = [other[key] for other in grid.values()], {}
    at = panel.place(values)
    for split, style in (("validation", "-"), ("train", "--")):
        name = f"{answer.moment}_{split}_{measure.key.partition('_')[2]}"
        column = measure.scale * rows[name].astype(float)
        of_strength = [column[rows["strength"] == text] for text in grid]
        for x, runs in zip(at, of_strength, strict=True):
            panel.plot(entry, [x] * len(runs), runs, ".", alpha=0.3)
        means[split] = [runs.mean() for runs in of_strength]
        panel.plot(entry, at, means[split], style)
        panel.ends.append((means[split][-1], entry.method, [split]))
    gap = panel.axes.fill_between(at, means["validation"], means["train"])
    gap.set(color=panel.colors[entry.method], alpha=0.12, linewidth=0)
    ring = values.index(chosen)
    x, y = at[ring], means["validation"][ring]
    face: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 2}
    panel.plot(entry, x, y, "o", f"{y:.3g}, chosen", ms=11, **face)
    for other in answer.chosen(entry.condition):
        if other.method == answer.comparison.control != entry.method:
            mean = measure.scale * answer.mean(other, measure.key)
            panel.axes.axhline(mean, color=MUTED, linestyle=":", linewidth=1.2)
    panel.axes.set(xlabel=key.partition(".")[2], ylabel=measure.label)
    if not many:
        panel.write_ends()
    return panel.figure


def draw_map(
    answer: Answer,
    entry: Entry,
    strength: Mapping[str, Any],
    measure: Measure,
    rows: pd.DataFrame,
) -> Figure:
    """Means over seeds by the last two settings; the best over any other settings."""
    *_, down, across = strength
    grid = answer.comparison.grid(entry.condition, entry.method)
    means = rows.groupby("strength")[f"{answer.moment}_{measure.key}"].mean()
    worst_first = measure.better == "lower"
    cells = pd.DataFrame(
        {
            "y": [short(other[down]) for other in grid.values()],
            "x": [short(other[across]) for other in grid.values()],
            "mean": means.reindex(list(grid)).to_numpy(float),
        }
    ).pivot_table("mean", "y", "x", "min" if worst_first else "max", sort=False)
    panel = Panel(answer, entry.label, rows=len(cells) + 1)
    axes, values = panel.axes, cells.to_numpy()
    dark = (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values) or 1)
    dark = 1 - dark if worst_first else dark
    blues = colormaps["Blues"]
    axes.pcolormesh(0.15 + 0.75 * dark, cmap=blues, vmin=0, vmax=1, edgecolor=PAPER)
    for (y, x), value in np.ndenumerate(values):
        color = "#ffffff" if dark[y, x] > 0.55 else "#101010"
        text = measure.number(value)
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=color)
    x = list(cells.columns).index(short(strength[across]))
    y = list(cells.index).index(short(strength[down]))
    frame = [x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y]
    panel.plot(entry, *frame, "-", "chosen", linewidth=3, clip_on=False)
    axes.set_xticks(np.arange(len(cells.columns)) + 0.5, cells.columns)
    axes.set_yticks(np.arange(len(cells)) + 0.5, cells.index)
    axes.set(xlabel=across.partition(".")[2], ylabel=down.partition(".")[2])
    axes.set_ylim(0, len(cells))
    axes.grid(visible=False)
    return panel.figure


def draw_conditions(answer: Answer) -> Iterator[Figure]:
    """The headline, the test error and the training accuracy against the condition."""
    settings = answer.comparison.conditions.values()
    key, learned = next(iter(next(iter(settings)))), threshold(answer)
    accuracy = find_measure("test_accuracy")
    error = replace(accuracy, name="test error")
    for measure in (answer.headline, error, find_measure("train_accuracy")):
        panel = Panel(answer, "", NARROW)
        at = dict(
            zip(
                answer.comparison.conditions,
                panel.place([setting[key] for setting in settings]),
                strict=True,
            )
        )
        for method in answer.comparison.methods:
            entries = [e for e in answer.chosen() if e.method == method]
            means = []
            for entry in entries:
                seeds = measure.scale * answer.values(entry, measure.key)
                seeds = 100 - seeds if measure is error else seeds
                means.append(seeds.mean())
                x, text = at[entry.condition], f"{means[-1]:.3g} at {entry.condition}"
                panel.plot(entry, [x, x], [seeds.min(), seeds.max()], "-")
                panel.plot(entry, x, means[-1], "o", text)
            if entries:
                xs = [at[entry.condition] for entry in entries]
                panel.plot(entries[0], xs, means, "-")
                panel.ends.append((means[-1], method, [method]))
        if learned:
            panel.axes.axvline(at[learned], color=MUTED, linestyle="--", linewidth=1)
        panel.axes.set(xlabel=key.partition(".")[2], ylabel=measure.label)
        panel.write_ends()
        yield panel.figure


def threshold(answer: Answer) -> str | None:
    """The interpolation threshold: the last condition in which the control learns all
    training images, next to one in which it does not; None if there is no such pair."""
    control = [e for e in answer.chosen() if e.method == answer.comparison.control]
    learned = [answer.mean(e, "train_accuracy") >= FITTED for e in control]
    for i in range(1, len(control)):
        if learned[i - 1] != learned[i]:
            return control[i if learned[i] else i - 1].condition
    return None
