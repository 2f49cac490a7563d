"""Draws the figures of a comparison from its answer and its curves.

A figure has one or more panels, each narrow enough for a telephone; a wide page shows
two or three side by side. Its caption is in report.html.jinja.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from scipy.optimize import isotonic_regression

from comparison.answer import Answer, Curves, Pair, find_tags
from comparison.colors import COLORS, INK, MUTED, PAPER, RULE, color_of, shade
from comparison.plan import Trial, short
from comparison.statistics import DIFFERENT
from comparison.tables import verdict_in_words
from training.measures import MEMORIZED, MINUS, Measure, find_measure

WIDE, NARROW = (5.2, 3.3), (3.4, 2.7)
"""Width and height of panels, in inches; narrow if there are many."""

FITTED = 0.999
"""Training accuracy from which a network counts as having learned all images."""

MOST_NAMES = 15
"""Most classes whose names are written below an axis."""

LINE = 11 / 53
"""Height of a line of text, in inches."""

Panels = Iterator[tuple[str, Figure | None]]
"""Names of figures, each with a panel of it; None in place of a panel without data."""


def draw_answer(answer: Answer) -> Panels:
    """Draw how the methods compare at the moment of the answer."""
    conditions = answer.comparison.conditions
    there = [condition for condition in conditions if answer.under(condition)]
    measures = [answer.headline]
    if len(conditions) > 1 and there:
        yield from (("conditions", panel) for panel in draw_conditions(answer))
    else:
        measures.append(answer.price)
    for condition in there:
        for measure in measures:
            yield "methods", draw_methods(answer, condition, measure)
        groups = answer.pairs_to_show(condition)
        for measure in measures if len(groups) == 1 else measures[:1]:
            for pairs in groups:
                yield "pairs", draw_pairs(answer, pairs, measure)


def draw_course(answer: Answer, curves: Curves) -> Panels:
    """Draw details: curves over epochs and strengths, layers, classes, confidence."""
    conditions = answer.comparison.conditions
    loss = answer.comparison.loss
    for trial in answer.chosen:
        if trial.varied:
            yield "strengths", draw_strengths(answer, trial)
    for condition in conditions:
        draw = functools.partial(draw_curves, answer, curves, condition)
        yield "when", draw(find_measure(f"validation_{loss}"))
        yield "when", draw(find_measure(f"train_{loss}"), log=True)
        yield "weights", draw_layers(answer, curves, condition)
        if len(conditions) == 1:
            yield "weights", draw(find_measure("weight_norm"), relative=True)
        for key in MEMORIZED:
            yield "memorized", draw(find_measure(f"memorized_{key}"))
        yield "classes", draw_recall(answer, condition)
        yield "classes", draw_reliability(answer, condition)


class Panel:
    """Axes on which each method has its color and its name.

    Whatever shows a method has a gid "method|text". In the report, the method is what
    it can be muted by, and the text appears when one points at it.
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
            answer: Answer whose methods are shown.
            title: Title of the panel.
            size: Width and height in inches.
            rows: Number of rows along the y axis, which decides the height instead;
                row i is at y = i, from the top.
        """
        self.height = size[1] if rows is None else 0.9 + 0.5 * rows
        self.figure = Figure(figsize=(size[0], self.height))
        self.axes = self.figure.subplots()
        self.axes.set_title(title)
        self.colors = color_of(answer)
        self.ends: list[tuple[float, str, Sequence[str]]] = []
        if rows is not None:
            self.axes.set(yticks=[], ylim=(rows - 0.4, -0.5))
            self.axes.spines["left"].set_visible(False)

    def has_color(self, trial: Trial) -> bool:
        return self.colors[trial.method] in COLORS

    def plot(self, trial: Trial, x, y, how: str, text: str = "", **style: Any) -> None:
        """Plot something in the color of a method, with a text for pointing at it."""
        width, height = (1.9, 3) if self.has_color(trial) else (0.9, 2)
        style = {"linewidth": width, "zorder": height, **style}
        label = f"{trial.method}|{trial.name}: {text}" if text else f"{trial.method}|"
        self.axes.plot(x, y, how, color=self.colors[trial.method], gid=label, **style)

    def fill(self, trial: Trial, x, low, high) -> None:
        band = self.axes.fill_between(x, low, high, linewidth=0, alpha=0.14)
        band.set(color=self.colors[trial.method], gid=f"{trial.method}|")

    def lines(
        self,
        found: Mapping[Trial, pd.DataFrame],
        how: str = "-",
        name: str = "name",
        ends: Mapping[Trial, str] | None = None,
    ) -> None:
        """Plot a line for each method, with its name at the right end.

        Methods in color get a band from the minimum to the maximum, too, and decide the
        limits of the axes, so that an outlier in grey does not squeeze them.

        Args:
            found: For each trial, a table with columns mean, min and max over seeds,
                indexed by x.
            how: Style of the lines.
            name: Attribute of a trial with its name.
            ends: Smaller text below the name of a trial.
        """
        for trial in sorted(found, key=self.has_color, reverse=True):
            table, mean = found[trial], found[trial]["mean"]
            if self.has_color(trial):
                self.fill(trial, table.index, table["min"], table["max"])
            else:
                self.axes.autoscale(enable=False)
            values = (f"{x:.3g}: {y:.3g}" for x, y in mean.items())
            self.plot(trial, table.index, mean, how, "; ".join(values))
            below = [ends[trial]] if ends and trial in ends else []
            self.end(mean.ffill().iloc[-1], trial, getattr(trial, name), *below)

    def end(self, y: float, trial: Trial, *lines: str) -> None:
        """Remember to write lines of text at the right end of a method's line."""
        self.ends.append((y, trial.method, lines))

    def write(
        self, side: str, y: float, method: str, lines: Sequence[str], of: str = "data"
    ) -> None:
        """Write one or two lines of text beside the axes: the first in the color of the
        method, the second smaller."""
        x, away, ha = (0, -8, "right") if side == "left" else (1, 8, "left")
        for text, large in zip(lines, (True, False), strict=False):
            self.axes.annotate(
                text,
                (x, y),
                (away, 0),
                xycoords=("axes fraction", of),
                textcoords="offset points",
                annotation_clip=False,
                ha=ha,
                va="center" if len(lines) == 1 else "bottom" if large else "top",
                color=shade(self.colors[method]) if large else INK,
                fontsize=9.5 if large else 8.5,
                fontweight="bold" if large else "normal",
                gid=f"{method}|",
            )

    def place(self, values: Sequence[Any]) -> list[float]:
        """Set the ticks of the x axis to values, and return their places: positive
        numbers on a logarithmic axis, others at equal distances. A list of one number
        counts as that number."""
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
        """Set labels and ticks, write the names at the ends of lines, moved apart where
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
            room = np.array([len(lines) + 0.15 for lines in texts]) * LINE / self.height
            room *= min(1, 1.04 / room.sum())
            stacked = np.cumsum(room) - room / 2
            lifted = isotonic_regression(np.clip(heights, 0, 1) - stacked).x
            heights = np.clip(lifted, -0.04, 1.04 - room.sum()) + stacked
            for y, method, lines in zip(heights, methods, texts, strict=True):
                self.write("right", y, method, lines, of="axes fraction")
        return self.figure


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the mean, min and max of each column, in a row for each."""
    return table.agg(["mean", "min", "max"]).T


def draw_methods(answer: Answer, condition: str, measure: Measure) -> Figure:
    """Draw the runs of each method and their mean in a row, the best on top."""
    ranked = answer.ranked(condition)
    panel = Panel(answer, condition, rows=len(ranked))
    table = measure.scale * pd.DataFrame([answer.values(t, measure) for t in ranked])
    panel.axes.plot(table, range(len(ranked)), color=RULE, linewidth=1, zorder=1)
    means = table.mean(axis="columns")
    for row, (trial, mean) in enumerate(zip(ranked, means, strict=True)):
        seeds = table.iloc[row]
        texts = (f"{value:.{measure.digits}f}" for value in (mean, *seeds))
        text = next(texts)
        panel.plot(
            trial, seeds, [row] * len(seeds), "o", ", ".join(texts), ms=4.5, alpha=0.55
        )
        span = [row - 0.28, row + 0.28]
        panel.plot(trial, [mean] * 2, span, "-", f"mean {text}", linewidth=3)
        strength = [trial.strength] if trial.strength else []
        panel.write("left", row, trial.method, [trial.method, *strength])
        panel.write("right", row, trial.method, [text])
    if len(ranked) > len(COLORS):  # The far ones leave the room to the others.
        reach = 4 * abs(means.median() - means.iloc[0])
        low, high = panel.axes.get_xlim()
        panel.axes.set_xlim(
            max(low, means.iloc[0] - reach), min(high, means.iloc[0] + reach)
        )
    return panel.finish(xlabel=f"{measure.label}, {measure.better} is better")


def draw_pairs(answer: Answer, pairs: Sequence[Pair], measure: Measure) -> Figure:
    """Draw the difference of each pair with its interval, and a tick for each seed."""
    panel = Panel(answer, pairs[0][0].condition, rows=len(pairs))
    reach = measure.scale * (measure.margin or 0)
    panel.axes.axvspan(-reach, reach, color=RULE, alpha=0.6, linewidth=0)
    panel.axes.axvline(0, color=INK, linewidth=0.8)
    for row, (first, second) in enumerate(pairs):
        found = answer.difference(first, second, measure)
        values = (found.low, found.mean, found.high, *found.by_seed)
        low, mean, high, *seeds = (measure.scale * value for value in values)
        text = f"{measure.change(found.mean)} {measure.interval(found.low, found.high)}"
        against = f"against {second.name} {text}"
        panel.plot(first, [low, high], [row] * 2, "-", against)
        face: dict = {"mfc": PAPER} if found.verdict != DIFFERENT else {}
        panel.plot(first, mean, row, "o", against, ms=7, **face)
        panel.plot(first, seeds, [row + 0.24] * len(seeds), "|", ms=6)
        names = [first.method, f"{MINUS} {second.method}"]
        panel.write("left", row, first.method, names)
        panel.write("right", row, first.method, [text, verdict_in_words(found)])
    panel.axes.xaxis.set_major_locator(MaxNLocator(3))
    unit = f" ({measure.unit_of_change})" if measure.unit_of_change else ""
    arrow = "← better" if measure.better == "lower" else "better →"
    return panel.finish(xlabel=f"{arrow} · difference in {measure.name}{unit}")


def draw_curves(
    answer: Answer,
    curves: Curves,
    condition: str,
    measure: Measure,
    *,
    log: bool = False,
    relative: bool = False,
) -> Figure | None:
    """Draw a measure over epochs; with `relative`, divided by its value at the start.
    None if no run has it."""
    found, tag = {}, measure.tag
    for trial, table in curves.items():
        if trial.condition == condition and tag in table:
            curve = table[tag].dropna()
            if len(curve) > 1:
                start = curve["mean"].iloc[0] if relative else 1 / measure.scale
                found[trial] = curve.iloc[1:] / start
    if not found:
        return None
    panel, ends = Panel(answer, condition), {}
    panel.axes.set_yscale("log" if log else "linear")
    if measure.better == "lower" and not log and len(found) <= len(COLORS):
        for trial, curve in found.items():
            mean, best = curve["mean"], curve["mean"].idxmin()
            panel.plot(trial, best, mean[best], "v", f"best at {best}", ms=8)
            rise = mean.iloc[-1] - mean[best]
            rose = f", then +{rise:.{measure.digits}f}" if rise else ""
            ends[trial] = f"best at {best:g}{rose}"
    panel.lines(found, ends=ends)
    panel.axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"{measure.name} / at the start" if relative else measure.label
    label += ", log" if log else ""
    return panel.finish(xlabel="epoch", ylabel=label, xlim=(0, None))


def draw_layers(answer: Answer, curves: Curves, condition: str) -> Figure | None:
    """Draw the norm of each layer at the end, divided by that at the start."""
    norms = find_tags(curves, "weights/norm/")
    found = {
        trial: pd.DataFrame(
            [table[tag].iloc[-1] / table[tag, "mean"].iloc[0] for tag in norms],
            index=range(len(norms)),
        )
        for trial, table in curves.items()
        if norms and trial.condition == condition
    }
    if not found:
        return None
    panel = Panel(answer, condition)
    panel.axes.axhline(1, color=INK, linewidth=0.8)
    panel.lines(found, "o-")
    panel.axes.set_xticks(range(len(norms)), [tag.rpartition("/")[2] for tag in norms])
    return panel.finish(yscale="log", ylabel="norm / at the start, log")


def draw_recall(answer: Answer, condition: str) -> Figure | None:
    """Draw the recall of each class minus that of the control."""
    recalls = {t: find_entries(answer, t, "recall") for t in answer.under(condition)}
    control = [t for t in recalls if t.method == answer.comparison.file.control]
    if not control or recalls[control[0]].empty:
        return None
    names = list(recalls[control[0]])
    recalls = {
        t: recall.set_axis(range(len(names)), axis="columns")
        for t, recall in recalls.items()
    }
    base = recalls.pop(control[0])
    panel = Panel(answer, condition)
    panel.axes.axhline(0, color=INK, linewidth=0.8)
    panel.lines(
        {t: over_seeds(100 * (recall - base)) for t, recall in recalls.items()}, "o-"
    )
    if len(names) <= MOST_NAMES:
        tilt = 30 if max(map(len, names)) > 3 else 0
        panel.axes.set_xticks(range(len(names)), names, rotation=tilt)
    of_control = f"test recall {MINUS} that of {control[0].method} (points)"
    return panel.finish(xlabel="class", ylabel=of_control)


def draw_reliability(answer: Answer, condition: str) -> Figure | None:
    """Draw the test accuracy by confidence.

    The area of a dot is proportional to the number of its images, over all seeds.
    """
    panel = Panel(answer, condition)
    panel.axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
    error, trials = find_measure("test_calibration_error"), answer.under(condition)
    few = len(trials) <= len(COLORS)
    for trial in trials:
        images = find_entries(answer, trial, "images_by_confidence").sum()
        images = images[images > 0].sort_index()
        if images.empty:
            continue
        right = find_entries(answer, trial, "right_by_confidence").sum()
        accuracy = 100 * right[images.index] / images
        sure = 100 * images.index.astype(float)
        text = ", ".join(map("{:.0f} % sure: {:.0f} %".format, sure, accuracy))
        panel.plot(trial, sure, accuracy, "-", text)
        sizes, color = 160 * images / images.sum(), panel.colors[trial.method]
        panel.axes.scatter(sure, accuracy, sizes, color, gid=f"{trial.method}|")
        below = [f"error {error.value(answer.mean(trial, error))}"] if few else []
        panel.end(accuracy.iloc[-1], trial, trial.name, *below)
    if not panel.ends:
        return None
    return panel.finish(xlabel="confidence (%)", ylabel="test accuracy (%)")


def find_entries(answer: Answer, trial: Trial, name: str) -> pd.DataFrame:
    """An entry of result.json that has several, such as the recall of each class, as a
    table with a row for each seed and a column for each of them."""
    start = f"{answer.moment}_{name}_"
    table = answer.results[trial].filter(regex=f"^{start}").astype(float)
    return table.rename(columns=lambda column: column.removeprefix(start))


def draw_strengths(answer: Answer, trial: Trial) -> Figure:
    """Draw what strengths are chosen by over the grid of a method: a line or a map."""
    draw = draw_map if len(trial.varied) > 1 else draw_line
    return draw(answer, trial)


def draw_line(answer: Answer, trial: Trial) -> Figure:
    """Draw the measure on validation and training images over one strength."""
    measure, grid = answer.measures[0], answer.comparison.grid(trial)
    many = sum(bool(other.varied) for other in answer.chosen) > 2
    panel = Panel(answer, trial.label, NARROW if many else (WIDE[0], NARROW[1]))
    (key,) = trial.varied
    at, means = panel.place([other.varied[key] for other in grid]), {}
    for split, style in (("validation", "-"), ("train", "--")):
        same = find_measure(f"{split}_{measure.key.partition('_')[2]}")
        runs = measure.scale * pd.DataFrame([answer.values(t, same) for t in grid])
        panel.plot(trial, at, runs, ".", alpha=0.3)
        means[split] = runs.mean(axis="columns").tolist()
        panel.plot(trial, at, means[split], style)
        if not many:
            panel.end(means[split][-1], trial, split)
    panel.fill(trial, at, means["validation"], means["train"])
    ring = grid.index(trial)
    x, y = at[ring], means["validation"][ring]
    panel.plot(trial, x, y, "o", f"{y:.3g}, chosen", ms=11, mfc="none", mew=2)
    for other in answer.under(trial.condition):
        if other.method == answer.comparison.file.control != trial.method:
            mean = measure.scale * answer.mean(other, measure)
            panel.axes.axhline(mean, color=MUTED, linestyle=":", linewidth=1.2)
    label = measure.label.removeprefix("validation ")
    return panel.finish(xlabel=key.partition(".")[2], ylabel=label)


def draw_map(answer: Answer, trial: Trial) -> Figure:
    """Draw the mean over seeds for all values of the last two settings that a method
    varies; if it varies more, the best over the others."""
    *_, down, across = trial.varied
    measure, grid = answer.measures[0], answer.comparison.grid(trial)
    table = pd.DataFrame([other.varied for other in grid]).map(short)
    table["mean"] = [answer.mean(other, measure) for other in grid]
    best = "min" if measure.better == "lower" else "max"
    cells = table.pivot_table("mean", down, across, best, sort=False)
    panel = Panel(answer, trial.label, rows=len(cells) + 1)
    colors = "Blues_r" if best == "min" else "Blues"
    panel.axes.pcolormesh(cells, cmap=colors, alpha=0.5, edgecolor=PAPER)
    for (y, x), value in np.ndenumerate(cells):
        text = measure.number(value)
        panel.axes.text(x + 0.5, y + 0.5, text, ha="center", va="center")
    x = cells.columns.get_loc(short(trial.varied[across]))
    y = cells.index.get_loc(short(trial.varied[down]))
    frame = [x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y]
    panel.plot(trial, *frame, "-", "chosen", linewidth=3, clip_on=False)
    panel.axes.set_xticks(np.arange(len(cells.columns)) + 0.5, cells.columns)
    panel.axes.set_yticks(np.arange(len(cells)) + 0.5, cells.index)
    panel.axes.grid(visible=False)
    x_name, y_name = (key.partition(".")[2] for key in (across, down))
    return panel.finish(xlabel=x_name, ylabel=y_name, ylim=(0, len(cells)))


def draw_conditions(answer: Answer) -> Iterator[Figure]:
    """Draw the headline, the test error and the training accuracy over conditions."""
    conditions, learned = answer.comparison.conditions, threshold(answer)
    key = next(iter(next(iter(conditions.values()))))
    error = replace(find_measure("test_accuracy"), name="test error")
    for measure in (answer.headline, error, find_measure("train_accuracy")):
        if answer.summary[f"{answer.moment}_{measure.key}"].isna().all():
            continue
        panel = Panel(answer, "", NARROW)
        places = panel.place([settings[key] for settings in conditions.values()])
        at = dict(zip(conditions, places, strict=True))
        found = {}
        for method in answer.comparison.file.methods:
            trials = [trial for trial in answer.chosen if trial.method == method]
            if trials:
                values = measure.scale * pd.DataFrame(
                    {at[t.condition]: answer.values(t, measure) for t in trials}
                )
                values = 100 - values if measure is error else values
                found[trials[-1]] = over_seeds(values)
        panel.lines(found, "o-", "method")
        if learned:
            panel.axes.axvline(at[learned], color=MUTED, linestyle="--", linewidth=1)
        yield panel.finish(xlabel=key.partition(".")[2], ylabel=measure.label)


def threshold(answer: Answer) -> str | None:
    """The interpolation threshold: a condition in which the control learns all training
    images, next to one in which it does not; None if there is none."""
    control = [t for t in answer.chosen if t.method == answer.comparison.file.control]
    measure = find_measure("train_accuracy")
    for pair in itertools.pairwise(control):
        before, after = (answer.mean(trial, measure) >= FITTED for trial in pair)
        if before != after:
            return pair[0 if before else 1].condition
    return None
