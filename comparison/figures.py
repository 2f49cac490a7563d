"""The figures of a comparison, in panels; each is drawn of the answer and its curves.

A panel is as wide as a telephone, so that its text can be read on one; a page shows
two or three side by side, and says in report.html.jinja how to read them.
"""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from comparison.answer import Answer, Curves, Pair, find_tags
from comparison.colors import COLORS, INK, MUTED, PAPER, RULE, color_of, shade
from comparison.plan import Trial, short
from comparison.statistics import DIFFERENT
from comparison.tables import verdict_in_words
from training.measures import MEMORIZED, MINUS, Measure, find_measure

WIDTH, HEIGHT = 5.2, 3.3
NARROW = (3.4, 2.7)
"""Width and height of panels, in inches; a narrow one is for each of many methods."""

Panels = Iterator[tuple[str, Figure | None]]
"""Panels, those that there are, with the name of the figure that they are parts of."""


def draw_answer(answer: Answer) -> Panels:
    """What the methods came to at one moment of the runs."""
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
    """How the methods came to that, over epochs, strengths, layers and classes."""
    conditions = answer.comparison.conditions
    loss = answer.comparison.loss
    for trial in answer.chosen:
        for key in trial.varied:
            yield "strengths", draw_strengths(answer, trial, key)
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


def height_of(rows: int) -> float:
    """Height in inches of a panel whose things stand in rows."""
    return 0.9 + 0.5 * rows


class Panel:
    """Axes on which each method has its color and its name.

    Whatever shows a method has a gid "method:name", by which the report mutes it.
    """

    def __init__(
        self, answer: Answer, title: str, width: float = WIDTH, height: float = HEIGHT
    ):
        """
        Args:
            answer: Its methods are shown.
            title: Title of the panel.
            width: In inches.
            height: In inches.
        """
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.subplots()
        self.axes.set_title(title)
        self.colors = color_of(answer)
        self.ends: list[tuple[float, str, Trial]] = []

    def has_color(self, trial: Trial) -> bool:
        return self.colors[trial.method] in COLORS

    def plot(self, trial: Trial, x, y, how: str, **style: Any) -> None:
        """Plot something of a method in its color."""
        width, height = (1.9, 3) if self.has_color(trial) else (0.9, 2)
        style = {"linewidth": width, "zorder": height, "gid": gid(trial), **style}
        self.axes.plot(x, y, how, color=self.colors[trial.method], **style)

    def fill(self, trial: Trial, x, low, high) -> None:
        band = self.axes.fill_between(x, low, high, linewidth=0, alpha=0.14)
        band.set(color=self.colors[trial.method], gid=gid(trial))

    def lines(
        self, found: Mapping[Trial, pd.DataFrame], how: str, names: Mapping[Trial, str]
    ) -> None:
        """Plot a line for each method, and name it.

        The axes reach as far as the methods in color, so that one that goes astray does
        not hide the others.

        Args:
            found: Columns mean, min and max over seeds, by what stands on the x axis;
                methods in color have a band between the latter.
            how: Style of the lines.
            names: What each line is called.
        """
        for trial in sorted(found, key=self.has_color, reverse=True):
            table = found[trial]
            if self.has_color(trial):
                self.fill(trial, table.index, table["min"], table["max"])
            else:
                self.axes.autoscale(enable=False)
            self.plot(trial, table.index, table["mean"], how)
            self.ends.append((table["mean"].iloc[-1], names[trial], trial))

    def name_rows(
        self, trials: Sequence[Trial], left: Sequence[str], right: Sequence[str]
    ) -> None:
        """Say what stands in each row, of which the first is on top, and whose it is.

        Args:
            trials: Methods of the rows.
            left: What is written to the left of each.
            right: What is written to the right.
        """
        self.axes.set_ylim(len(trials) - 0.4, -0.5)
        other: Axes = self.axes.secondary_yaxis("right")  # type: ignore[assignment]
        for axes, texts in ((self.axes, left), (other, right)):
            axes.spines[["left", "right"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
            axes.set_yticks(range(len(trials)), texts)
            self.sign(axes.get_yticklabels(), trials)

    def sign(self, texts: Sequence[Text], trials: Sequence[Trial]) -> None:
        """Make texts those of methods, in their colors."""
        for text, trial in zip(texts, trials, strict=True):
            text.set(color=shade(self.colors[trial.method]), gid=gid(trial))

    def finish(self, **settings: Any) -> Figure:
        """Set the axes' labels, write the names of lines in the order of their ends,
        and return the figure."""
        self.axes.set(**settings)
        if self.axes.get_yscale() == "log":
            low, high = self.axes.get_ylim()
            steps = LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,))
            few = MaxNLocator(5)
            self.axes.yaxis.set_major_locator(steps if high / low > 8 else few)
            self.axes.yaxis.set_major_formatter("{x:g}")
            self.axes.yaxis.set_minor_locator(NullLocator())
        ends = [end for end in self.ends if math.isfinite(end[0])]
        if ends:
            _, names, trials = zip(*sorted(ends, key=lambda end: -end[0]), strict=True)
            handles = [Line2D([], [], linestyle="") for _ in names]
            legend = self.figure.legend(handles, names, loc="outside right center")
            self.sign(legend.get_texts(), trials)
        return self.figure


def gid(trial: Trial) -> str:
    return f"method:{trial.method}"


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, min and max of each column, a row for each."""
    return table.agg(["mean", "min", "max"]).T


def draw_methods(answer: Answer, condition: str, measure: Measure) -> Figure:
    """The runs of each method in a row, the best on top."""
    ranked = answer.ranked(condition)
    panel = Panel(answer, condition, height=height_of(len(ranked)))
    table = measure.scale * pd.DataFrame([answer.values(t, measure) for t in ranked])
    panel.axes.plot(table, range(len(ranked)), color=RULE, linewidth=1, zorder=1)
    means = table.mean(axis="columns")
    for row, trial in enumerate(ranked):
        seeds, mean = table.iloc[row], means.iloc[row]
        panel.plot(trial, seeds, [row] * len(seeds), "o", ms=4.5, alpha=0.55)
        panel.plot(trial, [mean, mean], [row - 0.28, row + 0.28], "-", linewidth=3)
    names = [f"{trial.method}\n{trial.strength}".rstrip() for trial in ranked]
    numbers = [measure.number(answer.mean(trial, measure)) for trial in ranked]
    panel.name_rows(ranked, names, numbers)
    return panel.finish(xlabel=f"{measure.label}, {measure.better} is better")


def draw_pairs(answer: Answer, pairs: Sequence[Pair], measure: Measure) -> Figure:
    """Differences with their intervals, and a tick for each seed."""
    firsts, names, texts = [], [], []
    panel = Panel(answer, pairs[0][0].condition, height=height_of(len(pairs)))
    reach = measure.scale * (measure.margin or 0)
    panel.axes.axvspan(-reach, reach, color=RULE, alpha=0.6, linewidth=0)
    panel.axes.axvline(0, color=INK, linewidth=0.8)
    for row, (first, second) in enumerate(pairs):
        found = answer.difference(first, second, measure)
        values = (found.low, found.mean, found.high, *found.by_seed)
        low, mean, high, *seeds = (measure.scale * value for value in values)
        face: dict = {"mfc": PAPER} if found.verdict != DIFFERENT else {}
        panel.plot(first, [low, high], [row] * 2, "-")
        panel.plot(first, mean, row, "o", ms=7, **face)
        panel.plot(first, seeds, [row + 0.24] * len(seeds), "|", ms=6)
        change = measure.change(found.mean)
        interval = measure.interval(found.low, found.high)
        firsts.append(first)
        names.append(f"{first.method}\n{MINUS} {second.method}")
        texts.append(f"{change} {interval}\n{verdict_in_words(found)}")
    panel.name_rows(firsts, names, texts)
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
    """A measure over the epochs, divided by its start if it is to be `relative`; None
    if no run has it."""
    found, tag = {}, measure.tag
    for trial, table in curves.items():
        if trial.condition == condition and tag in table:
            curve = table[tag].dropna()
            if len(curve) > 1:
                start = curve["mean"].iloc[0] if relative else 1 / measure.scale
                found[trial] = curve.iloc[1:] / start
    if not found:
        return None
    panel = Panel(answer, condition)
    panel.axes.set_yscale("log" if log else "linear")
    names = {trial: trial.name for trial in found}
    if measure.better == "lower" and not log and len(found) <= len(COLORS):
        for trial, curve in found.items():
            mean, best = curve["mean"], curve["mean"].idxmin()
            panel.plot(trial, best, mean[best], "v", ms=8)
            rise = mean.iloc[-1] - mean[best]
            rose = f", then +{rise:.{measure.digits}f}" if rise else ""
            names[trial] += f"\nbest at {best:g}{rose}"
    panel.lines(found, "-", names)
    panel.axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"{measure.name} / at the start" if relative else measure.label
    label += ", log" if log else ""
    return panel.finish(xlabel="epoch", ylabel=label, xlim=(0, None))


def draw_layers(answer: Answer, curves: Curves, condition: str) -> Figure | None:
    """Each layer's norm at the end over that at the start."""
    norms = find_tags(curves, "weights/norm/")
    found = {
        trial: pd.DataFrame(
            [table[tag].iloc[-1] / table[tag, "mean"].iloc[0] for tag in norms],
            index=[tag.rpartition("/")[2] for tag in norms],
        )
        for trial, table in curves.items()
        if norms and trial.condition == condition
    }
    if not found:
        return None
    panel = Panel(answer, condition)
    panel.axes.axhline(1, color=INK, linewidth=0.8)
    panel.lines(found, "o-", {trial: trial.name for trial in found})
    return panel.finish(yscale="log", ylabel="norm / at the start, log")


def draw_recall(answer: Answer, condition: str) -> Figure | None:
    """The recall of each class minus the control's."""
    recalls = {t: find_numbers(answer, t, "recall") for t in answer.under(condition)}
    control = [t for t in recalls if t.method == answer.comparison.file.control]
    if not control or recalls[control[0]].empty:
        return None
    base = recalls.pop(control[0])
    panel = Panel(answer, condition)
    panel.axes.axhline(0, color=INK, linewidth=0.8)
    found = {t: over_seeds(100 * (recall - base)) for t, recall in recalls.items()}
    panel.lines(found, "o-", {trial: trial.name for trial in found})
    panel.axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    of_control = f"test recall {MINUS} that of {control[0].method} (points)"
    return panel.finish(xlabel="class", ylabel=of_control)


def draw_reliability(answer: Answer, condition: str) -> Figure | None:
    """How many of the test images are right, by how sure the network is of them.

    A dot is larger, the more images it stands for, those of all seeds together.
    """
    panel = Panel(answer, condition)
    panel.axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
    error, trials = find_measure("test_calibration_error"), answer.under(condition)
    for trial in trials:
        images = find_numbers(answer, trial, "images_by_confidence").sum()
        images = images[images > 0]
        if images.empty:
            continue
        right = find_numbers(answer, trial, "right_by_confidence").sum()
        sure, accuracy = 100 * images.index, 100 * right[images.index] / images
        panel.plot(trial, sure, accuracy, "-")
        sizes, color = 160 * images / images.sum(), panel.colors[trial.method]
        panel.axes.scatter(sure, accuracy, sizes, color, gid=gid(trial))
        name = trial.name
        if len(trials) <= len(COLORS):
            name += f"\nerror {error.value(answer.mean(trial, error))}"
        panel.ends.append((accuracy.iloc[-1], name, trial))
    if not panel.ends:
        return None
    return panel.finish(xlabel="confidence (%)", ylabel="test accuracy (%)")


def find_numbers(answer: Answer, trial: Trial, name: str) -> pd.DataFrame:
    """A table of result.json whose keys are numbers, such as the recall of each class:
    a row for each seed, a column for each number."""
    start = f"{answer.moment}_{name}_"
    table = answer.results[trial].filter(regex=f"^{start}").astype(float)
    table = table.rename(columns=lambda column: float(column.removeprefix(start)))
    return table.sort_index(axis="columns")


def draw_strengths(answer: Answer, trial: Trial, key: str) -> Figure:
    """What strengths are chosen by over a setting that a method varies, validation and
    training, with every run; other settings that it varies stay as chosen."""
    measure = answer.measures[0]
    many = sum(len(other.varied) for other in answer.chosen) > 2
    panel = Panel(answer, trial.label, *(NARROW if many else (WIDTH, NARROW[1])))
    chosen = trial.varied[key]
    grid = [
        other
        for other in answer.comparison.grid(trial)
        if other.varied | {key: chosen} == trial.varied
    ]
    at, means = [short(other.varied[key]) for other in grid], {}
    for split, style in (("validation", "-"), ("train", "--")):
        same = find_measure(f"{split}_{measure.key.partition('_')[2]}")
        runs = measure.scale * pd.DataFrame([answer.values(t, same) for t in grid])
        means[split] = runs.mean(axis="columns").tolist()
        panel.plot(trial, at, runs, ".", alpha=0.3)
        panel.plot(trial, at, means[split], style)
    panel.fill(trial, at, means["validation"], means["train"])
    y = means["validation"][grid.index(trial)]
    panel.plot(trial, short(chosen), y, "o", ms=11, mfc="none", mew=2)
    for other in answer.under(trial.condition):
        if other.method == answer.comparison.file.control != trial.method:
            mean = measure.scale * answer.mean(other, measure)
            panel.axes.axhline(mean, color=MUTED, linestyle=":", linewidth=1.2)
    return panel.finish(xlabel=key.partition(".")[2], ylabel=measure.label)


def draw_conditions(answer: Answer) -> Iterator[Figure]:
    """What methods are compared in, and the training accuracy, under each condition."""
    conditions = answer.comparison.conditions
    key, *_ = next(iter(conditions.values()))
    at = {condition: short(settings[key]) for condition, settings in conditions.items()}
    for measure in (*answer.measures[1:], find_measure("train_accuracy")):
        if answer.summary[f"{answer.moment}_{measure.key}"].isna().all():
            continue
        panel = Panel(answer, "", *NARROW)
        found = {}
        for method in answer.comparison.file.methods:
            trials = [trial for trial in answer.chosen if trial.method == method]
            if trials:
                values = {at[t.condition]: answer.values(t, measure) for t in trials}
                table = measure.scale * pd.DataFrame(values, columns=list(at.values()))
                found[trials[-1]] = over_seeds(table)
        panel.lines(found, "o-", {trial: trial.method for trial in found})
        yield panel.finish(xlabel=key.partition(".")[2], ylabel=measure.label)
