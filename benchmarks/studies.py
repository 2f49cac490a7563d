"""Answers published questions, and ours: what the pages of docs/results/ hold.

    python -m benchmarks.studies [NAME ...] [--runs DIR]

A study is comparison files, configs/studies/NAME*.toml, and a page. Its runs are made,
as far as they are not finished. What is needed of them goes to docs/results/NAME/, and
the figure and the tables of the page are made from that alone, so that a test can hold
the page to it.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import stats

from comparison.colors import COLORS, MUTED
from comparison.report import STYLE

ROOT = Path(__file__).resolve().parent.parent
CONFIGS, PAGES = ROOT / "configs" / "studies", ROOT / "docs" / "results"
IDENTITY = ["comparison", "condition", "method", "strength"]
PAIR = ["condition", "measure", "first", "second"]
PAIR += ["difference", "low", "high", "verdict"]

METHODS = ("none", "adamw", "l2", "dropout", "max_norm", "l1", "to_start")
COLOR = dict(zip(METHODS, COLORS, strict=True)) | {
    "adamw_dropout": COLORS[5],
    "random_mask": COLORS[6],
    "decay": COLORS[1],
    "small_start": COLORS[2],
    "large_epsilon": COLORS[3],
}
LAYERS = ("hidden_1", "hidden_2", "logits")
TEST_LOSS, TRAINED_LOSS = "final_test_cross_entropy", "final_test_loss"
TRAIN, TEST = ACCURACIES = ("final_train_accuracy", "final_test_accuracy")
VALIDATION = "final_validation_accuracy"
VALIDATION_LOSS = "final_validation_cross_entropy"


@dataclass(frozen=True)
class Found:
    """What a study found.

    Attributes:
        runs: A row a run: comparison, condition, method, strength, seed, whether the
            strength is the method's own under the condition, and what the study keeps.
        curves: A row an evaluation, means over seeds; empty if the study keeps none.
        pairs: A row a pair of methods and measure on the test images, final weights.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    pairs: pd.DataFrame

    def own(self, **where: str) -> pd.DataFrame:
        """The runs of each method's own strength, of those that are asked for."""
        return select(self.runs[self.runs["own_strength"]], **where).copy()


def select(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def each(table: pd.DataFrame, *columns: str) -> Iterator[tuple]:
    """The groups of a table in its order, each with its name."""
    return iter(table.groupby(list(columns), sort=False))


def spread(values: pd.Series, digits: int, scale: float = 1) -> str:
    """The mean over seeds, and the standard deviation if there is more than one."""
    numbers = (scale * values.agg(["mean", "std"])).dropna()
    return " ± ".join(f"{number:.{digits}f}" for number in numbers)


def percent(values: pd.Series) -> str:
    return spread(values, 1, 100)


def value_of(text: str) -> str:
    """What stands behind the names of settings: "256" of "hidden_units=[256]"."""
    return re.sub(r"\w+=", "", text).strip("[]")


def interval(pair: pd.Series, digits: int, scale: float = 1) -> str:
    numbers = scale * pair[["difference", "low", "high"]].to_numpy(float)
    mean, low, high = (f"{x:+.{digits}f}".replace("-", "−") for x in numbers)
    return f"{mean} [{low}, {high}]"


def mean_interval(values: pd.Series | np.ndarray) -> pd.Series:
    """The mean of a number for each seed, and its 95 % interval by Student's t."""
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    mean = np.mean(values)
    return pd.Series({"difference": mean, "low": mean - half, "high": mean + half})


def plot(axes, rows: pd.DataFrame, x: str | pd.Series, y: str) -> None:
    """Plot a line for each method, its mean over seeds, with a band from min to max."""
    for (method,), group in each(rows, "method"):
        values = group.groupby(x)[y].agg(["mean", "min", "max"])
        axes.plot(values["mean"], "o-", ms=3.5, color=COLOR[method], label=method)
        band = (values.index, values["min"], values["max"])
        axes.fill_between(*band, color=COLOR[method], alpha=0.14, linewidth=0)
    axes.set(xscale="log")


def heat_map(axes, table: pd.DataFrame, digits: int, light: float, dark: float) -> None:
    """Draw the numbers of a table in its cells, the first row lowest."""
    axes.imshow(
        table, cmap="Blues", vmin=light, vmax=dark, aspect="auto", origin="lower"
    )
    for (row, column), number in np.ndenumerate(table.to_numpy()):
        white = abs(number - light) > 0.6 * abs(dark - light)
        axes.text(
            column,
            row,
            f"{number:.{digits}f}",
            color="white" if white else "black",
            ha="center",
            va="center",
            fontsize=7,
        )
    axes.grid(False)
    axes.set_xticks(range(table.shape[1]), table.columns)
    axes.set_yticks(range(table.shape[0]), table.index)


def style_of(strengths: pd.Series, strength: str) -> str:
    """Lines of a method are told apart by their dashes, in the order of its grid."""
    return ("-", "--", ":")[list(dict.fromkeys(strengths)).index(strength)]


LABELS = {"label_noise=0.0": "true labels", "label_noise=1.0": "random labels"}


def first_epoch_of_all(curve: pd.DataFrame) -> str:
    """The first evaluation at which every seed has all training images right."""
    whole = curve.loc[curve["accuracy/train"] == 1, "epoch"]
    return f"{whole.iloc[0]}" if len(whole) else "never"


def tables_of_random_labels(found: Found) -> Iterator[pd.DataFrame]:
    rows = []
    for (method, strength), runs in each(found.runs, "method", "strength"):
        row = {"method": method, "strength": strength}
        for condition, labels in LABELS.items():
            these = select(runs, condition=condition)
            curves = select(found.curves, condition=condition)
            curve = select(curves, method=method, strength=strength)
            row[f"{labels}: right in training, %"] = percent(these[TRAIN])
            row[f"{labels}: all right first at epoch"] = first_epoch_of_all(curve)
            row[f"{labels}: right in the test, %"] = percent(these[TEST])
        rows.append(row)
    yield pd.DataFrame(rows)


def draw_random_labels(found: Found, figure: Figure) -> None:
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (condition, title) in zip(panels, LABELS.items(), strict=True):
        curves = select(found.curves, condition=condition)
        for (method, strength), curve in each(curves, "method", "strength"):
            axes.plot(
                curve["epoch"],
                100 * curve["accuracy/train"],
                style_of(select(curves, method=method)["strength"], strength),
                color=COLOR[method],
                label=f"{method} {value_of(strength)}",
            )
        axes.set(title=title, xlabel="epoch", xlim=(0, 60))
    panels[0].set_ylabel("training accuracy (%)")
    panels[1].legend(frameon=False, fontsize=8)


MEMORIZED = {
    "final_memorized_wrong_label": "wrong labels fitted, %",
    "final_memorized_true_label": "wrong labels corrected, %",
    "final_memorized_clean_label": "right labels fitted, %",
    TEST: "test accuracy, %",
}


def tables_of_wrong_labels(found: Found) -> Iterator[pd.DataFrame]:
    rows = []
    for (method, strength), runs in each(found.own(), "method", "strength"):
        row = {"method": method, "strength": strength}
        row |= {name: percent(runs[column]) for column, name in MEMORIZED.items()}
        row["test cross-entropy"] = spread(runs[TEST_LOSS], 3)
        rows.append(row)
    yield pd.DataFrame(rows)
    against = select(found.pairs, second="none", measure="test_accuracy")
    yield pd.DataFrame(
        {
            "method": pair["first"],
            "test accuracy minus none, points": interval(pair, 1, 100),
            "verdict": pair["verdict"],
        }
        for _, pair in against.iterrows()
    )


def draw_wrong_labels(found: Found, figure: Figure) -> None:
    axes = figure.subplots()
    x, y, *_ = MEMORIZED
    for (name,), runs in each(found.runs, "method"):
        means = runs.groupby("strength", sort=False)[[x, y, "own_strength"]].mean()
        axes.plot(100 * means[x], 100 * means[y], ".-", color=COLOR[name], alpha=0.6)
        own = 100 * means[means["own_strength"] == 1]
        axes.plot(own[x], own[y], "o", color=COLOR[name], ms=9, label=name)
    axes.plot([0, 100], [100, 0], ":", color=MUTED)
    axes.set(xlabel="wrong labels fitted (%)", ylabel="wrong labels corrected (%)")
    axes.set(xlim=(0, 102), ylim=(0, 100))
    axes.legend(frameon=False, fontsize=8)


def ends(found: Found) -> pd.DataFrame:
    """A row for each layer: how many weights it has, its norm at the start and end."""
    last = found.curves["epoch"].max()
    tags = [f"weights/norm/{layer}" for layer in LAYERS]
    start = found.curves[found.curves["epoch"] == 0].set_index(IDENTITY)[tags]
    end = found.curves[found.curves["epoch"] == last].set_index(IDENTITY)[tags]
    rows = []
    for identity, norms in end.iterrows():
        first, second = map(int, value_of(identity[1]).split(", "))
        counts = (784 * first, first * second, 10 * second)
        for layer, tag, weights in zip(LAYERS, tags, counts, strict=True):
            row = dict(zip(IDENTITY, identity, strict=True))
            row |= {"layer": layer, "weights": weights, "end": norms[tag]}
            rows.append(row | {"start": start.loc[identity, tag]})
    return pd.DataFrame(rows)


RATE = 1e-3


def tables_of_layer_norms(found: Found) -> Iterator[pd.DataFrame]:
    rows = []
    for (units, method, strength), layers in each(
        ends(found), "condition", "method", "strength"
    ):
        end, start = layers["end"], layers["start"]
        row = {"units": value_of(units), "method": method, "strength": strength}
        for layer, norm, ratio in zip(LAYERS, end, end / start, strict=True):
            row[layer] = f"{norm:.2f} ({ratio:.2f})"
        row["largest / smallest"] = f"{end.max() / end.min():.2f}"
        if method == "adamw":
            settled = np.sqrt(RATE / 2 / float(value_of(strength)) * layers["weights"])
            ratios = [f"{ratio:.2f}" for ratio in end / settled]
            row["norm / that of noise alone"] = ", ".join(ratios)
        rows.append(row)
        if method == "none":
            texts = [f"{norm:.2f}" for norm in start]
            ratio = f"{start.max() / start.min():.2f}"
            first = row | {"method": "at the start", "largest / smallest": ratio}
            rows.insert(-1, first | dict(zip(LAYERS, texts, strict=True)))
    yield pd.DataFrame(rows).fillna("")


def draw_layer_norms(found: Found, figure: Figure) -> None:
    norms = ends(found)
    panels = figure.subplots(1, norms["condition"].nunique(), sharey=True)
    for axes, ((units,), layers) in zip(panels, each(norms, "condition"), strict=True):
        axes.plot(LAYERS, layers["start"][:3], "s:", color=MUTED, label="start")
        for (method, strength), these in each(layers, "method", "strength"):
            axes.plot(
                LAYERS,
                these["end"],
                "o" + style_of(select(layers, method=method)["strength"], strength),
                color=COLOR[method],
                label=f"{method} {value_of(strength)}",
            )
        axes.set(title=value_of(units), yscale="log")
    panels[0].set_ylabel("norm at the end, log")
    panels[-1].legend(
        frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5)
    )


LOSS_OF = {
    "double_descent": "test cross-entropy",
    "double_descent_squared": "test squared loss",
}


def tables_of_double_descent(found: Found) -> Iterator[pd.DataFrame]:
    for (name,), widths in each(found.own(), "comparison"):
        digits = 3 if name == "double_descent" else 4
        rows = []
        for (width,), runs in each(widths, "condition"):
            train = percent(select(runs, method="none")[TRAIN])
            row = {"width": value_of(width), "none: right in training, %": train}
            for (method, strength), these in each(runs, "method", "strength"):
                chosen = f" (`{value_of(strength)}`)" if strength else ""
                row[f"{method}: loss"] = spread(these[TRAINED_LOSS], digits) + chosen
            for (method,), these in each(runs, "method"):
                row[f"{method}: error, %"] = percent(1 - these[TEST])
            rows.append(row)
        yield pd.DataFrame(rows)
    yield pd.DataFrame(
        rise_and_fall(runs) | {"loss": LOSS_OF[name]}
        for (name,), runs in each(found.own(method="none"), "comparison")
    )


def rise_and_fall(runs: pd.DataFrame) -> dict[str, str]:
    """The test loss where a network can just fit, minus that at each other width."""
    runs = runs.assign(width=runs["condition"].map(value_of).astype(int))
    fitted = runs.groupby("width")[TRAIN].mean() >= 0.99
    losses = runs.pivot(index="seed", columns="width", values=TRAINED_LOSS)
    row = {"loss": "", "fits from": f"{fitted.idxmax()} units"}
    for width in losses.columns:
        rise = losses[fitted.idxmax()] - losses[width]
        row[f"minus {width}"] = interval(mean_interval(rise), 4) if rise.any() else ""
    return row


def draw_double_descent(found: Found, figure: Figure) -> None:
    own = found.own()
    own["width"] = own["condition"].map(value_of).astype(int)
    own["test error (%)"] = 100 - 100 * own[TEST]
    own["training accuracy (%)"] = 100 * own[TRAIN]
    panels = figure.subplots(2, 3)
    for row, (name, label) in zip(panels, LOSS_OF.items(), strict=True):
        runs = select(own, comparison=name).rename(columns={TRAINED_LOSS: label})
        shown = (label, "test error (%)", "training accuracy (%)")
        for axes, column in zip(row, shown, strict=True):
            plot(axes, runs, "width", column)
            axes.set(xlabel="hidden units", ylabel=column)
            axes.set_xticks(sorted(set(own["width"])), sorted(set(own["width"])))
            axes.minorticks_off()
    panels[0, 0].legend(frameon=False, fontsize=8)


GROKKING = (
    *("accuracy/train", "accuracy/validation"),
    *("weights/norm", "weights/update_ratio"),
)
PUBLISHED_UPDATES = (2_000, 10_000, 20_000, 30_000, 50_000, 100_000)
PENALTY_UPDATES = (500, 2_000, 5_000, 10_000, 15_000, 20_000)


USUAL_SCALE = 3**-0.5
"""By which `lecun_uniform` is larger than the paper's usual start."""

GENERALIZED = {"train": 0.99, "validation": 0.8}


def starts_of(condition: str) -> str:
    return f"{float(value_of(condition)) / USUAL_SCALE:.0f}"


def four_numbers(values: np.ndarray) -> str:
    """The values of `GROKKING` in %, %, as they are, and in 1/10,000."""
    return " / ".join(f"{x:.1f}" for x in values * (100, 100, 1, 1e4))


def first_update(curve: pd.DataFrame, split: str) -> float:
    """The first update after which enough images of a split are right, or NaN."""
    return curve.loc[curve[f"accuracy/{split}"] >= GENERALIZED[split], "step"].min()


def tables_of_grokking(found: Found) -> Iterator[pd.DataFrame]:
    of = dict(tuple(found.curves.groupby("comparison", sort=False)))
    for curves, moments in (
        (pd.concat([of["grokking"], of["grokking_controls"]]), PUBLISHED_UPDATES),
        (of["grokking_l2"], PENALTY_UPDATES),
    ):
        rows = []
        for updates in moments:
            row = {"updates": f"{updates:,}"}
            for (method, strength), curve in each(curves, "method", "strength"):
                there = curve.loc[curve["step"] == updates, list(GROKKING)]
                for numbers in there.to_numpy():
                    name = f"{method} {value_of(strength)}".strip()
                    row[name] = four_numbers(numbers)
            rows.append(row)
        yield pd.DataFrame(rows).fillna("")
    rows = []
    for (start, strength), curve in each(
        of["grokking_starts"], "condition", "strength"
    ):
        row = {"start": starts_of(start), "decay": value_of(strength)}
        for split, part in GENERALIZED.items():
            first = first_update(curve, split)
            reached = "never" if np.isnan(first) else f"{first:,.0f}"
            row[f"{100 * part:.0f} % of {split}"] = reached
        row["at the end"] = four_numbers(curve[list(GROKKING)].to_numpy()[-1])
        rows.append(row)
    yield pd.DataFrame(rows)


def draw_grokking(found: Found, figure: Figure) -> None:
    (accuracy, norm), (penalty, starts) = figure.subplots(2, 2)
    of = dict(tuple(found.curves.groupby("comparison", sort=False)))
    published = pd.concat([of["grokking"], of["grokking_controls"]])
    for (method,), curve in each(published, "method"):
        curve, color = curve[curve["step"] > 0], COLOR[method]
        for split, dashes in (("train", "--"), ("validation", "-")):
            label = method if split == "validation" else None
            values = 100 * curve[f"accuracy/{split}"]
            accuracy.plot(curve["step"], values, dashes, color=color, label=label)
        norm.plot(curve["step"], curve["weights/norm"], color=color)
    shades = (0.25, 0.5, 0.75, 1)
    for shade, ((strength,), curve) in zip(
        shades, each(of["grokking_l2"], "strength"), strict=True
    ):
        curve, label = curve[curve["step"] > 0], f"l2 {value_of(strength)}"
        values = 100 * curve["accuracy/validation"]
        penalty.plot(curve["step"], values, color=COLOR["l2"], alpha=shade, label=label)
    for axes, label in (
        (accuracy, "accuracy (%)"),
        (norm, "norm of all kernels"),
        (penalty, "validation accuracy (%)"),
    ):
        axes.set(xscale="log", xlabel="updates", ylabel=label)
    for axes in (accuracy, penalty):
        axes.legend(frameon=False, fontsize=8)
    for shade, ((start,), curves) in zip(
        shades, each(of["grokking_starts"], "condition"), strict=True
    ):
        delays = [
            first_update(curve, "validation") for _, curve in each(curves, "strength")
        ]
        strengths = curves["strength"].map(value_of).astype(float).unique()
        label = f"start of {starts_of(start)}"
        starts.plot(
            strengths, delays, "o-", color=COLOR["decay"], alpha=shade, label=label
        )
    starts.set(xscale="log", yscale="log", xlabel="decay")
    starts.set_ylabel("updates until 80 % of validation")
    starts.legend(frameon=False, fontsize=8)


NOISE_OF = {"our_table": "right labels", "our_table_noise": "a fifth redrawn"}


WORTH = {
    TEST_LOSS: ("cross-entropy", lambda values: spread(values, 3)),
    TEST: ("accuracy, %", percent),
    "final_test_calibration_error": ("calibration error, %", percent),
    TRAIN: ("training labels fitted, %", percent),
    "final_memorized_wrong_label": ("wrong labels fitted, %", percent),
    "final_weight_norm": ("norm", lambda values: spread(values, 1)),
}
"""What the table shows of a method on the test images, and of its weights."""

MARKS = {"different": "*", "practically equal": "="}


def tables_of_our_table(found: Found) -> Iterator[pd.DataFrame]:
    for (_,), own in each(found.own(), "comparison"):
        rows = []
        for (size, method, strength), runs in each(
            own, "condition", "method", "strength"
        ):
            row = {"images": f"{int(value_of(size)):,}", "method": method}
            row["strength"] = value_of(strength)
            for column, (name, text) in WORTH.items():
                if runs[column].notna().all():
                    row[name] = text(runs[column])
            rows.append(row)
        yield pd.DataFrame(rows)
    on_loss = select(found.pairs, measure="test_cross_entropy")
    for (_,), pairs in each(on_loss, "comparison"):
        cells: dict[str, dict[str, str]] = {}
        for _, pair in pairs.iterrows():
            names = f"{pair['first']} minus {pair['second']}"
            row = cells.setdefault(names, {"pair": names})
            column = f"{int(value_of(pair['condition'])):,} images"
            row[column] = interval(pair, 3) + MARKS.get(pair["verdict"], "")
        yield pd.DataFrame(cells.values())


def draw_our_table(found: Found, figure: Figure) -> None:
    against = select(found.pairs, measure="test_cross_entropy", second="none")
    sizes = against["condition"].nunique()
    panels = figure.subplots(2, sizes, sharey=True, sharex="col")
    for axes, ((name, size), pairs) in zip(
        panels.flat, each(against, "comparison", "condition"), strict=True
    ):
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for _, pair in pairs.iterrows():
            color = COLOR[pair["first"]]
            axes.plot([pair["low"], pair["high"]], [pair["first"]] * 2, color=color)
            axes.plot(pair["difference"], pair["first"], "o", color=color)
        axes.set_title(f"{int(value_of(size)):,} images,\n{NOISE_OF[name]}")
    for axes in panels[1]:
        axes.set_xlabel("test cross-entropy\nminus none")


PUBLISHED_F1 = {"256": (99.66, 98.03, 0.07), "5500": (99.92, 97.81, 0.07)}
"""Of table 2 of Keskar et al. 2017, by batch size: training and test accuracy in %, and
the standard deviation of the latter."""


def tables_of_large_batches(found: Found) -> Iterator[pd.DataFrame]:
    published = {"method": "published", "strength": ""}
    for batch, (train, test, deviation) in PUBLISHED_F1.items():
        published[f"batches of {batch}: training, %"] = f"{train}"
        published[f"batches of {batch}: test, %"] = f"{test} ± {deviation}"
    rows = [published | {"small minus large, points": "+0.22"}]
    for (method, strength), runs in each(found.runs, "method", "strength"):
        row = {"method": method, "strength": value_of(strength)}
        for (condition,), these in each(runs, "condition"):
            batches = f"batches of {value_of(condition)}"
            row[f"{batches}: training, %"] = spread(these[TRAIN], 2, 100)
            row[f"{batches}: test, %"] = spread(these[TEST], 2, 100)
        small, large = (
            runs.pivot(index="seed", columns="condition", values=TEST)[
                list(dict.fromkeys(runs["condition"]))
            ]
            .to_numpy()
            .T
        )
        row["small minus large, points"] = interval(
            mean_interval(small - large), 2, 100
        )
        rows.append(row)
    yield pd.DataFrame(rows).fillna("")


def draw_large_batches(found: Found, figure: Figure) -> None:
    axes = figure.subplots()
    batches = each(found.runs, "condition")
    for color, shift, ((condition,), runs) in zip(
        COLORS[1:], (-0.12, 0.12), batches, strict=False
    ):
        label = f"batches of {value_of(condition)}"
        _, published, deviation = PUBLISHED_F1[value_of(condition)]
        names = ["published"]
        axes.errorbar(shift, published, deviation, fmt="D", color=color, label=label)
        for x, ((method, strength), these) in enumerate(
            each(runs, "method", "strength"), start=1
        ):
            axes.plot([x + shift] * len(these), 100 * these[TEST], "o", color=color)
            names.append(f"{method}\n{value_of(strength)}".strip())
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel="test accuracy (%)", ylim=(96, 98.6))
    axes.legend(frameon=False, fontsize=8)


PUBLISHED_ERRORS = {
    "l2": 1.62,
    "l2_l1": 1.60,
    "max_norm": 1.35,
    "dropout_l2": 1.25,
    "dropout_max_norm": 1.05,
}
"""Of table 9 of Srivastava et al. 2014, in %."""


def errors_of(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (method, strength), these in each(runs, "method", "strength"):
        row = {"method": method, "strength": strength}
        row["right in training, %"] = spread(these[TRAIN], 2, 100)
        row["test error, %"] = spread(1 - these[TEST], 2, 100)
        if method in PUBLISHED_ERRORS:
            row["published, %"] = f"{PUBLISHED_ERRORS[method]:.2f}"
        row["test cross-entropy"] = spread(these[TEST_LOSS], 4)
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def tables_of_dropout(found: Found) -> Iterator[pd.DataFrame]:
    yield errors_of(found.own(comparison="dropout"))
    tried: dict[str, list[str]] = {}
    searched = select(found.runs, comparison="dropout")
    for (method, strength), runs in each(searched, "method", "strength"):
        error = spread(1 - runs[VALIDATION], 2, 100)
        tried.setdefault(method, []).append(f"{value_of(strength)}: {error}")
    yield pd.DataFrame(
        {"method": method, "strength: validation error, %": "; ".join(errors)}
        for method, errors in tried.items()
        if len(errors) > 1
    )
    on_accuracy = select(found.pairs, comparison="dropout", measure="test_accuracy")
    yield pd.DataFrame(
        {
            "pair": f"{pair['first']} minus {pair['second']}",
            "test accuracy, points": interval(pair, 2, 100),
            "verdict": pair["verdict"],
        }
        for _, pair in on_accuracy.iterrows()
    )
    yield errors_of(found.own(comparison="dropout_full"))
    yield errors_of(found.own(comparison="dropout_longer"))


def draw_dropout(found: Found, figure: Figure) -> None:
    axes = figure.subplots()
    for (method,), runs in each(found.own(comparison="dropout"), "method"):
        errors = 100 - 100 * runs[TEST]
        axes.plot(errors, [method] * len(errors), "o", color=COLORS[1], alpha=0.4)
        axes.plot(errors.mean(), method, "|", ms=14, color=COLORS[0])
    updates = {"dropout_full": ("7,500", "full"), "dropout_longer": ("30,000", "none")}
    for comparison, (number, fill) in updates.items():
        runs = found.own(comparison=comparison)
        axes.plot(
            100 - 100 * runs[TEST],
            runs["method"],
            "s",
            color=COLORS[4],
            fillstyle=fill,
            label=f"large, {number} updates",
        )
    axes.plot(
        [*PUBLISHED_ERRORS.values()],
        [*PUBLISHED_ERRORS],
        "D",
        color=COLORS[2],
        label="published",
    )
    axes.invert_yaxis()
    axes.set(xlabel="test error (%)", xlim=(0, None))
    axes.legend(
        frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1)
    )


def best_strength(runs: pd.DataFrame) -> float:
    """Where the parabola through the best of a grid and its neighbors is lowest.

    Args:
        runs: One seed at all strengths; the best lies inside the grid.

    Returns:
        Its logarithm to base 10.
    """
    x = np.log10(runs["strength"].map(value_of).astype(float).to_numpy())
    loss = runs[VALIDATION_LOSS].to_numpy()
    best = int(loss.argmin())
    assert 0 < best < len(x) - 1, "the best strength lies on the edge of its grid"
    near = slice(best - 1, best + 2)
    bend, slope, _ = np.polyfit(x[near], loss[near], 2)
    return -slope / (2 * bend)


def best_strengths(runs: pd.DataFrame) -> pd.DataFrame:
    """Logarithms of the best strengths of a method: a row a seed, a column a rate."""
    rates = runs["condition"].map(value_of).astype(float).rename("rate")
    return runs.groupby(["seed", rates]).apply(best_strength).unstack("rate")


def tables_of_separability(found: Found) -> Iterator[pd.DataFrame]:
    rows = []
    for (method,), runs in each(found.runs[found.runs["strength"] != ""], "method"):
        best = best_strengths(runs)
        row = {"method": method}
        for rate, mean in best.mean().items():
            row[f"best strength at rate {rate:g}"] = f"{10**mean:.2g}"
        shifts = np.polyfit(np.log10(best.columns), best.to_numpy().T, 1)[0]
        column = "decades of strength per decade of rate"
        row[column] = interval(mean_interval(shifts), 2)
        rows.append(row)
    yield pd.DataFrame(rows)


def draw_separability(found: Found, figure: Figure) -> None:
    methods = list(each(found.runs[found.runs["strength"] != ""], "method"))
    panels = figure.subplots(1, len(methods))
    for axes, ((method,), runs) in zip(panels, methods, strict=True):
        losses = runs.groupby(["strength", "condition"], sort=False)[VALIDATION_LOSS]
        table = losses.mean().unstack("condition", sort=False)
        table = table.rename(index=value_of, columns=value_of)
        heat_map(axes, table, 3, light=0.3, dark=0.7)
        for column, row in enumerate(table.to_numpy().argmin(0)):
            corner, edge = (column - 0.5, row - 0.5), COLORS[2]
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, ec=edge, linewidth=2))
        axes.set(title=method, xlabel="learning rate")
    panels[0].set_ylabel("strength")


BETA_1 = 0.9
ROTATION = [f"weights/update_ratio/{layer}" for layer in LAYERS]
SIZE = ["first_layer/live_pixels", *(f"weights/norm/{layer}" for layer in LAYERS[1:])]
WEIGHTS = (1, 64 * 64, 640)
"""In the norms of `SIZE`; that of the pixels is a root mean square already."""


def settled(found: Found) -> pd.DataFrame:
    """Size and rotation of each layer, predicted for noise and measured.

    Returns:
        A row for each method, learning rate, strength and layer; what is measured is
        the mean over the second half of the training.
    """
    late = found.curves[found.curves["epoch"] > found.curves["epoch"].max() / 2]
    late = late.sort_values("method", kind="stable")
    rows = []
    for (method, rate, strength), curve in each(
        late, "method", "condition", "strength"
    ):
        alpha, decay = float(value_of(rate)), float(value_of(strength))
        size = np.sqrt(alpha / 2 / decay)
        turn = np.sqrt(2 * alpha * decay * (1 - BETA_1) / (1 + BETA_1))
        for layer, tag, ratio, count in zip(
            LAYERS, SIZE, ROTATION, WEIGHTS, strict=True
        ):
            row = {"method": method, "rate": alpha, "strength": decay, "layer": layer}
            row |= {"size": (curve[tag] / np.sqrt(count)).mean(), "size_of_noise": size}
            row |= {"rotation": curve[ratio].mean(), "rotation_of_noise": turn}
            rows.append(row)
    return pd.DataFrame(rows)


def tables_of_equilibrium(found: Found) -> Iterator[pd.DataFrame]:
    for column in ("size", "rotation"):
        rows = []
        for (method, rate, strength), layers in each(
            settled(found), "method", "rate", "strength"
        ):
            row = {"method": method, "rate": rate, "strength": strength}
            noise = layers[f"{column}_of_noise"]
            row["predicted"] = f"{1e3 * noise.iloc[0]:.2f}"
            for layer, measured, ratio in zip(
                LAYERS, layers[column], layers[column] / noise, strict=True
            ):
                row[layer] = f"{1e3 * measured:.2f} ({ratio:.2f})"
            rows.append(row)
        yield pd.DataFrame(rows)


def draw_equilibrium(found: Found, figure: Figure) -> None:
    layers, panels = settled(found), figure.subplots(1, 2)
    labels = ("root mean square", "rotation in an update")
    for axes, column, label in zip(panels, ("size", "rotation"), labels, strict=True):
        noise = layers[f"{column}_of_noise"]
        ends = [noise.min(), noise.max()]
        axes.plot(ends, ends, ":", color=MUTED)
        for (method, layer), rows in each(layers, "method", "layer"):
            axes.plot(
                rows[f"{column}_of_noise"],
                rows[column],
                "o",
                color=COLORS[1 + LAYERS.index(layer)],
                fillstyle="full" if method == "plain" else "none",
                label=f"{method}, {layer}",
            )
        axes.set(xscale="log", yscale="log")
        axes.tick_params(which="minor", labelbottom=False, labelleft=False)
        axes.set(xlabel=f"{label}, predicted", ylabel="measured")
    panels[1].legend(
        frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5)
    )


@dataclass(frozen=True)
class Study:
    """What a page shows of a study's runs.

    Attributes:
        columns: What is kept of summary.csv.
        tables: The tables of the page, in its order.
        draw: Draws its figure.
        size: Width and height of the figure in inches.
        tags: What is kept of curves.csv.
        pairs: Whether pairs.csv is kept.
    """

    columns: Sequence[str]
    tables: Callable[[Found], Iterator[pd.DataFrame]]
    draw: Callable[[Found, Figure], None]
    size: tuple[float, float]
    tags: Sequence[str] = ()
    pairs: bool = False


STUDIES = {
    "random_labels": Study(
        ACCURACIES,
        tables_of_random_labels,
        draw_random_labels,
        (8, 3.2),
        ("accuracy/train",),
    ),
    "wrong_labels": Study(
        (*MEMORIZED, TEST_LOSS),
        tables_of_wrong_labels,
        draw_wrong_labels,
        (5, 4),
        pairs=True,
    ),
    "layer_norms": Study(
        (),
        tables_of_layer_norms,
        draw_layer_norms,
        (9.5, 3.2),
        tuple(f"weights/norm/{layer}" for layer in LAYERS),
    ),
    "double_descent": Study(
        (*ACCURACIES, TRAINED_LOSS),
        tables_of_double_descent,
        draw_double_descent,
        (9.5, 5.6),
    ),
    "grokking": Study(
        ACCURACIES,
        tables_of_grokking,
        draw_grokking,
        (9, 6.4),
        GROKKING,
    ),
    "our_table": Study(
        tuple(WORTH),
        tables_of_our_table,
        draw_our_table,
        (9.5, 5),
        pairs=True,
    ),
    "large_batches": Study(
        ACCURACIES,
        tables_of_large_batches,
        draw_large_batches,
        (6, 3.2),
    ),
    "dropout": Study(
        (*ACCURACIES, VALIDATION, TEST_LOSS),
        tables_of_dropout,
        draw_dropout,
        (6, 3.4),
        pairs=True,
    ),
    "separability": Study(
        (VALIDATION_LOSS,),
        tables_of_separability,
        draw_separability,
        (9.5, 3),
    ),
    "equilibrium": Study(
        (),
        tables_of_equilibrium,
        draw_equilibrium,
        (9, 3.4),
        (*SIZE, *ROTATION),
    ),
}


def keep(study: Study, comparisons: Sequence[Path]) -> Found:
    """What a study needs of the folders of its finished comparisons."""
    tables: tuple[list[pd.DataFrame], ...] = ([], [], [])
    for folder in comparisons:
        summary = read_csv(folder / "summary.csv")
        if (failed := summary["status"] != "completed").any():
            raise SystemExit(f"{folder}: {failed.sum()} runs have no result")
        methods = read_csv(folder / "figures" / "table-1.csv")
        names = methods.reindex(columns=IDENTITY[1:], fill_value="")
        own = set(map(tuple, names.to_numpy()))
        identities = summary[IDENTITY[1:]].to_numpy()
        chosen = [tuple(row) in own for row in identities]
        kept = [*IDENTITY[1:], "seed", *study.columns]
        tables[0].append(summary.reindex(columns=kept).assign(own_strength=chosen))
        curves = read_csv(folder / "curves.csv") if study.tags else pd.DataFrame()
        tables[1].append(means_over_seeds(curves, study.tags) if study.tags else curves)
        pairs = pd.DataFrame()
        if study.pairs:
            pairs = select(read_csv(folder / "pairs.csv"), moment="final")
            pairs = pairs.loc[pairs["measure"].str.startswith("test_"), PAIR]
        tables[2].append(pairs)
    names = [folder.name for folder in comparisons]
    return Found(
        *(
            pd.concat(parts, keys=names, names=["comparison"])
            .reset_index("comparison")
            .reset_index(drop=True)
            for parts in tables
        )
    )


def means_over_seeds(curves: pd.DataFrame, tags: Sequence[str]) -> pd.DataFrame:
    groups = curves.groupby([*IDENTITY[1:], "epoch", "step"], sort=False)
    return groups[list(tags)].mean().reset_index()


def write(found: Found, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in vars(found).items():
        if len(table):
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.5g")


def read(folder: Path) -> Found:
    tables = [folder / f"{name}.csv" for name in Found.__annotations__]
    return Found(*(read_csv(t) if t.exists() else pd.DataFrame() for t in tables))


def read_csv(path: Path) -> pd.DataFrame:
    """A table in which a run without condition or strength has an empty one."""
    table = pd.read_csv(path, dtype=dict.fromkeys(IDENTITY, str))
    return table.fillna({name: "" for name in IDENTITY if name in table})


def filled(page: str, tables: Iterator[pd.DataFrame]) -> str:
    """A page with these tables, each from `<!-- table-N -->` to `<!-- end -->`."""
    for number, table in enumerate(tables, start=1):
        head = [table.columns, ["---"] * len(table.columns)]
        rows = [*head, *table.itertuples(index=False)]
        text = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
        before, mark, rest = page.partition(f"<!-- table-{number} -->")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"expected a place for table {number} in the page")
        page = f"{before}{mark}\n{text}\n{end}{after}"
    return page


def publish(name: str, comparisons: Sequence[Path]) -> None:
    """Write the files, the figure and the tables of a study's page."""
    study, folder = STUDIES[name], PAGES / name
    write(keep(study, comparisons), folder)
    found = read(folder)
    with rc_context(fname=STYLE):
        figure = Figure(figsize=study.size)
        study.draw(found, figure)
        figure.savefig(folder / "figure.png", dpi=110, facecolor="white")
    page = PAGES / f"{name}.md"
    page.write_text(filled(page.read_text("utf-8"), study.tables(found)), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STUDIES))
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "studies")
    arguments = parser.parse_args()
    runs = arguments.runs.resolve()
    if unknown := set(arguments.names) - {*STUDIES}:
        parser.error(f"expected of {', '.join(STUDIES)}, received {', '.join(unknown)}")
    for name in arguments.names or STUDIES:
        files = sorted(CONFIGS.glob(f"{name}*.toml"))
        for file in files:
            command = [sys.executable, "compare.py", str(file), "--runs", str(runs)]
            subprocess.run(command, cwd=ROOT, check=True)
        publish(name, [runs / file.stem for file in files])


if __name__ == "__main__":
    main()
