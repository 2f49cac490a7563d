"""The figures of a comparison, in panels; each is drawn of the answer and its curves.

A panel is as wide as a telephone, so that its text can be read on one; a page shows
two or three side by side, and says in report.html.jinja how to read them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from scipy.optimize import isotonic_regression

from comparison.answer import Answer, Entry
from comparison.colors import COLORS, INK, MUTED, PAPER, RULE, color_of, shade
from comparison.measures import MEASURES, MINUS, Measure, find_measure
from comparison.statistics import DIFFERENT
from comparison.tables import verdict_in_words

STYLE = Path(__file__).with_name("figures.mplstyle")

WIDE, NARROW = (5.2, 3.3), (3.4, 2.7)
"""Width and height of panels, in inches; a narrow one is for each of many methods."""

FITTED = 0.999
"""Accuracy on the training images from which a network counts as having learned all."""

LINE = 11 / 53
"""Height of a line of text in inches, by which names are kept apart."""

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
                draw_pairs(answer, pairs, measure)
                for groups in map(answer.pairs_to_show, there)
                for measure in (measures if len(groups) == 1 else measures[:1])
                for pairs in groups
            ],
        }


def draw_course(answer: Answer, curves: pd.DataFrame) -> dict[str, list[Figure]]:
    """How they came to it, over epochs, strengths and layers: panels by figure."""
    there = [c for c in answer.comparison.conditions if answer.chosen(c)]
    by = answer.comparison.loss
    validation, train = (
        find_measure(f"{split}_{by}").tag for split in ("validation", "train")
    )
    memorized = [tag for tag in curves.columns if tag.startswith("memorized/")]
    panels: dict[str, list[Figure | None]] = {}
    with rc_context(fname=STYLE):
        for entry in answer.chosen():
            if entry.choice and entry.choice.varied:
                panels.setdefault("strengths", []).append(draw_strengths(answer, entry))
        for condition in there:
            of_condition = {
                "when": [
                    draw_curves(answer, curves, condition, validation),
                    draw_curves(answer, curves, condition, train, log=True),
                ],
                "weights": [draw_layers(answer, curves, condition)],
                "memorized": [
                    draw_curves(answer, curves, condition, tag) for tag in memorized
                ],
                "classes": [
                    draw_recall(answer, condition),
                    draw_reliability(answer, condition),
                ],
            }
            if len(there) == 1:
                of_condition["weights"].append(
                    draw_curves(
                        answer, curves, condition, "weights/norm", relative=True
                    )
                )
            for name, drawn in of_condition.items():
                panels.setdefault(name, []).extend(drawn)
    return {name: list(filter(None, drawn)) for name, drawn in panels.items()}


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

    def has_color(self, entry: Entry) -> bool:
        return self.colors[entry.method] in COLORS

    def plot(self, entry: Entry, x, y, how: str, text: str = "", **style: Any) -> None:
        """Plot something of a method in its color, with a text to point at."""
        colored = self.has_color(entry)
        style = {"linewidth": 1.9 if colored else 0.9, **style}
        label = f"{name_of(entry)}: {text}" if text else ""
        self.axes.plot(
            x,
            y,
            how,
            color=self.colors[entry.method],
            gid=f"{entry.method}|{label}",
            zorder=3 if colored else 2,
            **style,
        )

    def fill(self, entry: Entry, x, low, high) -> None:
        band = self.axes.fill_between(x, low, high, linewidth=0, alpha=0.14)
        band.set(color=self.colors[entry.method], gid=f"{entry.method}|")

    def lines(
        self,
        found: Mapping[Entry, pd.DataFrame],
        how: str = "-",
        name: Callable[[Entry], str] | None = None,
    ) -> None:
        """Plot a line for each method, with its name at the right end.

        Args:
            found: Columns mean, min and max over seeds, by what stands on the x axis;
                methods in color have a band between the latter.
            how: Style of the lines.
            name: Function of an entry to what it is called; else `name_of`.
        """
        for entry, table in found.items():
            mean = table["mean"]
            values = (f"{x:.3g}: {y:.3g}" for x, y in mean.items())
            self.plot(entry, table.index, mean, how, "; ".join(values))
            if self.has_color(entry):
                self.fill(entry, table.index, table["min"], table["max"])
            self.ends.append((mean.iloc[-1], entry.method, [(name or name_of)(entry)]))

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

    def finish(self, **settings: Any) -> Figure:
        """Set the axes' labels, write names at the ends of lines, moved apart where
        they would overlap, and return the figure."""
        self.axes.set(**settings)
        if self.axes.get_yscale() == "log":
            low, high = self.axes.get_ylim()
            steps = LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,))
            few = MaxNLocator(5)
            self.axes.yaxis.set_major_locator(steps if high / low > 8 else few)
            self.axes.yaxis.set_major_formatter("{x:g}")
            self.axes.yaxis.set_minor_locator(NullLocator())
        self.axes.autoscale_view()  # Else the limits are still those of no data.
        to_axes = self.axes.transScale + self.axes.transLimits
        ends = sorted(
            (to_axes.transform((1, max(y, 1e-30)))[1], method, lines)
            for y, method, lines in self.ends
            if math.isfinite(y)
        )
        if ends:
            heights, methods, texts = zip(*ends, strict=True)
            room = np.array([len(lines) + 0.2 for lines in texts]) * LINE / self.height
            stacked = np.cumsum(room) - room / 2
            lifted = isotonic_regression(np.clip(heights, 0, 1) - stacked).x
            heights = np.minimum(lifted, 1.04 - room.sum()) + stacked
            for y, method, lines in zip(heights, methods, texts, strict=True):
                self.write("right", y, method, lines, of="axes fraction")
        return self.figure


def name_of(entry: Entry) -> str:
    """A method with its strength, short: "adamw 3.0"."""
    values = entry.choice.varied.values() if entry.choice else ()
    return " ".join([entry.method, *map(short, values)])


def short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, min and max of each column, a row for each."""
    return table.agg(["mean", "min", "max"]).T


def draw_methods(answer: Answer, condition: str, measure: Measure) -> Figure:
    """The runs of each method in a row, the best on top."""
    ranked = answer.ranked(condition)
    panel = Panel(answer, condition, rows=len(ranked))
    table = measure.scale * pd.DataFrame([answer.values(e, measure) for e in ranked])
    for seed in table:
        panel.axes.plot(table[seed], range(len(ranked)), color=RULE, lw=1, zorder=1)
    means = table.mean(axis="columns").tolist()
    for row, (entry, mean) in enumerate(zip(ranked, means, strict=True)):
        for seed, value in table.iloc[row].items():
            text = f"{value:.{measure.digits}f}, seed {seed}"
            panel.plot(entry, value, row, "o", text, ms=4.5, alpha=0.55)
        text = f"{mean:.{measure.digits}f}"
        span = [row - 0.28, row + 0.28]
        panel.plot(entry, [mean] * 2, span, "-", f"mean {text}", linewidth=3)
        strength = [entry.strength] if entry.strength else []
        panel.write("left", row, entry.method, [entry.method, *strength])
        panel.write("right", row, entry.method, [text])
    if len(ranked) > len(COLORS):  # The far ones leave the room to the others.
        reach = 4 * abs(np.median(means) - means[0])
        low, high = panel.axes.get_xlim()
        panel.axes.set_xlim(max(low, means[0] - reach), min(high, means[0] + reach))
    return panel.finish(xlabel=f"{measure.label}, {measure.better} is better")


def draw_pairs(
    answer: Answer, pairs: Sequence[tuple[Entry, Entry]], measure: Measure
) -> Figure:
    """Differences with their intervals, and a tick for each seed."""
    panel = Panel(answer, pairs[0][0].condition, rows=len(pairs))
    reach = measure.scale * (measure.margin or 0)
    panel.axes.axvspan(-reach, reach, color=RULE, alpha=0.6, linewidth=0)
    panel.axes.axvline(0, color=INK, linewidth=0.8)
    for row, (first, second) in enumerate(pairs):
        found = answer.difference(first, second, measure)
        values = (found.low, found.mean, found.high, *found.by_seed)
        low, mean, high, *seeds = (measure.scale * value for value in values)
        text = f"{measure.change(found.mean)} {measure.interval(found.low, found.high)}"
        against = f"against {name_of(second)} {text}"
        panel.plot(first, [low, high], [row] * 2, "-", against)
        face: dict = {"mfc": PAPER} if found.verdict != DIFFERENT else {}
        panel.plot(first, mean, row, "o", against, ms=7, **face)
        panel.plot(first, seeds, [row + 0.24] * len(seeds), "|", ms=6)
        names = [first.method, f"{MINUS} {second.method}"]
        panel.write("left", row, first.method, names)
        panel.write("right", row, first.method, [text, verdict_in_words(found)])
    panel.axes.xaxis.set_major_locator(MaxNLocator(4))
    unit = f" ({measure.unit_of_change})" if measure.unit_of_change else ""
    arrow = "← better" if measure.better == "lower" else "better →"
    return panel.finish(xlabel=f"{arrow} · difference in {measure.name}{unit}")


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
    panel = Panel(answer, condition)
    panel.lines(found)
    colored = {entry: curve for entry, curve in found.items() if panel.has_color(entry)}
    if measure.better == "lower" and not log:
        for (entry, curve), end in zip(found.items(), panel.ends, strict=True):
            best, mean = curve["mean"].idxmin(), curve["mean"]
            if entry in colored:
                panel.plot(entry, best, mean[best], "v", f"best at {best}", ms=8)
            rise = mean.iloc[-1] - mean[best]
            rose = f", then +{rise:.{measure.digits}f}" if rise else ""
            if len(found) <= len(COLORS):
                end[2].append(f"best at {best:g}{rose}")
    axes = panel.axes
    axes.set_yscale("log" if log else "linear")
    shown = pd.concat([curve.iloc[1:] for curve in colored.values()])
    low, high = shown["min"].min(), shown["max"].max()
    if low < high and (low > 0 or not log):
        room = (high - low) * 0.05
        axes.set_ylim((low * 0.8, high * 1.25) if log else (low - room, high + room))
    axes.set_xlim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"{measure.name} / at the start" if relative else measure.label
    return panel.finish(xlabel="epoch", ylabel=label + (", log" if log else ""))


def draw_layers(answer: Answer, curves: pd.DataFrame, condition: str) -> Figure | None:
    """Each layer's norm at the end over that at the start."""
    norms = [tag for tag in curves.columns if tag.startswith("weights/norm/")]
    found = {}
    for entry in answer.chosen(condition):
        of_layers = [entry.curve(curves, tag) for tag in norms]
        ends = [c.iloc[-1] / c["mean"].iloc[0] for c in of_layers if len(c)]
        if ends:
            found[entry] = pd.DataFrame(ends, index=range(len(ends)))
    if not found:
        return None
    panel = Panel(answer, condition)
    panel.axes.axhline(1, color=INK, linewidth=0.8)
    panel.lines(found, "o-")
    panel.axes.set_xticks(range(len(norms)), [tag.rpartition("/")[2] for tag in norms])
    return panel.finish(yscale="log", ylabel="norm / at the start, log")


def draw_recall(answer: Answer, condition: str) -> Figure | None:
    """The recall of each class minus the control's."""
    recalls = {e: find_numbers(answer, e, "recall") for e in answer.chosen(condition)}
    control = [e for e in recalls if e.method == answer.comparison.control]
    if not control or recalls[control[0]].empty:
        return None
    base = recalls.pop(control[0])
    panel = Panel(answer, condition)
    panel.axes.axhline(0, color=INK, linewidth=0.8)
    panel.lines(
        {e: over_seeds(100 * (recall - base)) for e, recall in recalls.items()}, "o-"
    )
    panel.axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    of_control = f"test recall {MINUS} that of {control[0].method} (points)"
    return panel.finish(xlabel="class", ylabel=of_control)


def draw_reliability(answer: Answer, condition: str) -> Figure | None:
    """How many of the test images are right, by how sure the network is of them.

    A dot is larger, the more images it stands for, those of all seeds together.
    """
    panel = Panel(answer, condition)
    panel.axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
    error = MEASURES["test_calibration_error"]
    for entry in answer.chosen(condition):
        images = find_numbers(answer, entry, "images_by_confidence").sum()
        if images.empty:
            continue
        right = find_numbers(answer, entry, "right_by_confidence").sum()
        sure, accuracy = 100 * images.index, 100 * right / images
        panel.plot(entry, sure, accuracy, "-")
        sizes = 2 + 10 * np.sqrt(images / images.sum())
        for x, y, size, count in zip(sure, accuracy, sizes, images, strict=True):
            text = f"{x:.0f} % sure, {y:.0f} % right, {count:.0f} images"
            panel.plot(entry, x, y, "o", text, ms=size)
        lines = [name_of(entry), f"error {error.value(answer.mean(entry, error))}"]
        panel.ends.append((accuracy.iloc[-1], entry.method, lines))
    if not panel.ends:
        return None
    return panel.finish(xlabel="confidence (%)", ylabel="test accuracy (%)")


def find_numbers(answer: Answer, entry: Entry, name: str) -> pd.DataFrame:
    """What result.json has by number under a name: a row a seed, a column a number."""
    start = f"{answer.moment}_{name}_"
    table = entry.results.filter(regex=f"^{start}").astype(float)
    return table.rename(columns=lambda column: float(column.removeprefix(start)))


def draw_strengths(answer: Answer, entry: Entry) -> Figure:
    """What strengths are chosen by, over the grid of a method: a line, or a map."""
    assert entry.choice
    rows = answer.summary[
        (answer.summary["method"] == entry.method)
        & (answer.summary["condition"] == entry.condition)
        & (answer.summary["status"] == "completed")
    ]
    draw = draw_map if len(entry.choice.varied) > 1 else draw_line
    return draw(answer, entry, entry.choice.varied, rows)


def draw_line(
    answer: Answer, entry: Entry, strength: Mapping[str, Any], rows: pd.DataFrame
) -> Figure:
    """Validation and training against the strength, with every run."""
    measure = answer.measures[0]
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
        if not many:
            panel.ends.append((means[split][-1], entry.method, [split]))
    panel.fill(entry, at, means["validation"], means["train"])
    ring = values.index(chosen)
    x, y = at[ring], means["validation"][ring]
    panel.plot(entry, x, y, "o", f"{y:.3g}, chosen", ms=11, mfc="none", mew=2)
    for other in answer.chosen(entry.condition):
        if other.method == answer.comparison.control != entry.method:
            mean = measure.scale * answer.mean(other, measure)
            panel.axes.axhline(mean, color=MUTED, linestyle=":", linewidth=1.2)
    return panel.finish(xlabel=key.partition(".")[2], ylabel=measure.label)


def draw_map(
    answer: Answer, entry: Entry, strength: Mapping[str, Any], rows: pd.DataFrame
) -> Figure:
    """Means over seeds by the last two settings; the best over any other settings."""
    *_, down, across = strength
    measure = answer.measures[0]
    grid = answer.comparison.grid(entry.condition, entry.method)
    means = rows.groupby("strength")[f"{answer.moment}_{measure.key}"].mean()
    table = pd.DataFrame(list(grid.values())).map(short)
    table["mean"] = means.reindex(list(grid)).to_numpy(float)
    best = "min" if measure.better == "lower" else "max"
    cells = table.pivot_table("mean", down, across, best, sort=False)
    panel = Panel(answer, entry.label, rows=len(cells) + 1)
    axes, values = panel.axes, cells.to_numpy()
    dark = (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values) or 1)
    dark = 1 - dark if best == "min" else dark
    axes.pcolormesh(dark, cmap="Blues", vmin=-0.2, vmax=1.13, edgecolor=PAPER)
    for (y, x), value in np.ndenumerate(values):
        color, text = "white" if dark[y, x] > 0.55 else "black", measure.number(value)
        axes.text(x + 0.5, y + 0.5, text, color=color, ha="center", va="center")
    x = list(cells.columns).index(short(strength[across]))
    y = list(cells.index).index(short(strength[down]))
    frame = [x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y]
    panel.plot(entry, *frame, "-", "chosen", linewidth=3, clip_on=False)
    axes.set_xticks(np.arange(len(cells.columns)) + 0.5, cells.columns)
    axes.set_yticks(np.arange(len(cells)) + 0.5, cells.index)
    axes.grid(visible=False)
    x_name, y_name = (key.partition(".")[2] for key in (across, down))
    return panel.finish(xlabel=x_name, ylabel=y_name, ylim=(0, len(cells)))


def draw_conditions(answer: Answer) -> Iterator[Figure]:
    """The headline, the test error and the training accuracy against the condition."""
    conditions, learned = answer.comparison.conditions, threshold(answer)
    key = next(iter(next(iter(conditions.values()))))
    accuracy = find_measure("test_accuracy")
    error = replace(accuracy, name="test error")
    for measure in (answer.headline, error, find_measure("train_accuracy")):
        panel = Panel(answer, "", NARROW)
        places = panel.place([settings[key] for settings in conditions.values()])
        at = dict(zip(conditions, places, strict=True))
        of_method: dict[str, list[Entry]] = {}
        for entry in answer.chosen():
            of_method.setdefault(entry.method, []).append(entry)
        found = {}
        for entries in of_method.values():
            values = measure.scale * pd.DataFrame(
                {at[e.condition]: answer.values(e, measure) for e in entries}
            )
            found[entries[-1]] = over_seeds(
                100 - values if measure is error else values
            )
        panel.lines(found, "o-", lambda entry: entry.method)
        if learned:
            panel.axes.axvline(at[learned], color=MUTED, linestyle="--", linewidth=1)
        yield panel.finish(xlabel=key.partition(".")[2], ylabel=measure.label)


def threshold(answer: Answer) -> str | None:
    """The interpolation threshold: the last condition in which the control learns all
    training images, next to one in which it does not; None if there is no such pair."""
    control = [e for e in answer.chosen() if e.method == answer.comparison.control]
    measure = find_measure("train_accuracy")
    learned = [answer.mean(e, measure) >= FITTED for e in control]
    for i in range(1, len(control)):
        if learned[i - 1] != learned[i]:
            return control[i if learned[i] else i - 1].condition
    return None
