"""What TensorBoard shows of a comparison as a whole, besides its runs.

HParams has a row for each method and strength, Custom Scalars has charts of the means
over seeds at the chosen strengths, Text has the results.
"""

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as layout_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util import tensor_util

from comparison.answer import Answer, Entry
from comparison.hparams import describe_experiment, ensure_session, list_trials
from comparison.plan import Comparison
from comparison.tables import results_card
from experiment.run_directory import below
from monitoring.events import NEW, write_events
from monitoring.links import MEANS, views

METRICS = {
    "loss/validation": "val loss",
    "best/validation_loss": "best val loss",
    "accuracy/validation": "val accuracy",
    "gap/loss": "gap",
}
"""Columns of the HParams table: few and short, or the last ones are cut off."""

LINES = {
    "train": {"loss": "loss/train", "accuracy": "accuracy/train"},
    "validation": {"loss": "loss/validation", "accuracy": "accuracy/validation"},
}
"""The scalars of a mean run of each split; both splits have the same tags."""

BANDS = {"loss": "loss/validation", "gap": "gap/loss", "norm": "weights/norm"}
"""Scalars of the validation run with their lowest and highest seed."""

TITLES = {
    "mean/loss": "Cross-entropy, training and validation",
    "mean/accuracy": "Accuracy, training and validation",
    "band/loss": "Validation cross-entropy, lowest to highest seed",
    "band/gap": "Gap in cross-entropy, lowest to highest seed",
    "band/norm": "Norm of all kernels, lowest to highest seed",
}
"""Of the charts of means, in their order, by the beginning of their tags."""

OUR_FILES = "events.out.tfevents.*.board"

TOGETHER = 3
"""Methods in one chart: of both splits, six lines; the page has seven colors."""


def write_experiment(comparison: Comparison, directory: Path) -> None:
    """Tell HParams which columns its table has, before the first run.

    Args:
        comparison: What is asked.
        directory: Of the comparison.
    """
    trials = list_trials(comparison).values()
    rewrite(directory, [(0, describe_experiment(trials, METRICS))], time.time())


def write_board(
    answer: Answer,
    directory: Path,
    curves: pd.DataFrame,
    results: Mapping[Path, Mapping[str, Any]],
) -> None:
    """Write all that TensorBoard shows of a comparison as a whole.

    Args:
        answer: To it.
        directory: Of the comparison.
        curves: From `comparison.summary.read_curves`.
        results: The contents of result.json, by the path of the run.
    """
    chosen = [entry for entry in answer.entries if entry.choice]
    folders = {folder_of(entry, answer) for entry in chosen}
    runs = answer.comparison.runs
    trials = list_trials(
        answer.comparison, [run.path for run in runs if run.path.parent in folders]
    )
    for path, result in results.items():
        ensure_session(below(directory, path), trials[path], result)
    groups = [chosen[i : i + TOGETHER] for i in range(0, len(chosen), TOGETHER)]
    means = below(directory, Path(MEANS))
    remove_means(means)
    before = first_event_time(directory) - 60
    for number, entries in enumerate(groups):
        for entry in entries:
            for split in LINES:
                folder = means / folder_of(entry, answer) / split
                events = mean_events(entry, split, curves, number)
                # Custom Scalars colors runs in the order of their first event: these
                # before all others.
                before += 1
                rewrite(folder, sorted(events, key=step_of), before)
    root = [
        describe_experiment(trials.values(), METRICS),
        describe_charts(groups),
        text_pb("card/comparison", results_card(answer, views(directory))),
    ]
    rewrite(directory, [(0, summary) for summary in root], time.time())


def folder_of(entry: Entry, answer: Answer) -> Path:
    """Where the runs of an entry lie: `<method>[/<setting>=<value>]*`."""
    wanted = (entry.method, entry.condition, entry.strength)
    return next(
        run.path.parent
        for run in answer.comparison.runs
        if (run.method, run.condition, run.strength) == wanted
    )


def mean_events(
    entry: Entry, split: str, curves: pd.DataFrame, group: int
) -> list[tuple[int, summary_pb2.Summary]]:
    """The scalars of the run that is the mean of an entry's seeds.

    Both splits have the tags `mean/loss` and `mean/accuracy`, so that one chart shows
    both. That of validation has `band/<scalar>/<mean, low or high>` besides.
    """
    events = []
    for name, tag in LINES[split].items():
        curve = entry.curve(curves, tag)
        events += scalar_events(in_group(f"mean/{name}", group), curve["mean"])
    for name, tag in BANDS.items() if split == "validation" else ():
        curve = entry.curve(curves, tag)
        for part, column in (("mean", "mean"), ("low", "min"), ("high", "max")):
            events += scalar_events(
                in_group(f"band/{name}", group) + f"/{part}", curve[column]
            )
    return events


def in_group(tag: str, group: int) -> str:
    """A tag of a group of entries: a chart shows all runs that have its tag."""
    name, slash, rest = tag.partition("/")
    return f"{name}_{group + 1}{slash}{rest}" if group else tag


def describe_charts(groups: Sequence[Sequence[Entry]]) -> summary_pb2.Summary:
    """The charts of the means, three methods in each, in the order of TITLES.

    TensorBoard 2.21 shows charts of lines first, then charts with bands, and those in
    reverse.
    """
    layout = layout_pb2.Layout()
    for number, entries in enumerate(groups):
        labels = (f"{entry.label} {entry.strength}".strip() for entry in entries)
        category = layout.category.add(title=f"Means over seeds: {', '.join(labels)}")
        lines = [tag for tag in TITLES if tag.startswith("mean/")]
        for tag in lines:
            chart = category.chart.add(title=TITLES[tag])
            chart.multiline.tag.append(f"{in_group(tag, number)}$")
        for tag in reversed([tag for tag in TITLES if tag not in lines]):
            chart = category.chart.add(title=TITLES[tag])
            band = in_group(tag, number)
            chart.margin.series.add(
                value=f"{band}/mean", lower=f"{band}/low", upper=f"{band}/high"
            )
    summary = summary_pb2.Summary()
    summary.value.add(
        tag=layout_metadata.CONFIG_SUMMARY_TAG,
        metadata=layout_metadata.create_summary_metadata(),
        tensor=tensor_util.make_tensor_proto(layout.SerializeToString(), np.object_),
    )
    return summary


def scalar_events(tag: str, values: pd.Series):
    epochs = values.index.astype(int)
    return [(e, scalar_pb(tag, v)) for e, v in zip(epochs, values, strict=True)]


def step_of(event) -> int:
    return event[0]


def rewrite(
    directory: Path, events: Iterable[tuple[int, summary_pb2.Summary]], at: float
) -> None:
    """Write anew what a directory's file of ours holds, under a new name.

    TensorBoard, if it runs, takes a file of the old name for the old file.

    Args:
        directory: Where it lies.
        events: Steps and what was found at them.
        at: Time of all of them, in seconds of the epoch.
    """
    for old in directory.glob(OUR_FILES):
        old.unlink()
    contents = [{"session_log": NEW}, *({"step": s, "summary": e} for s, e in events)]
    write_events(
        directory / OUR_FILES.replace("*", f"{time.time():.6f}"),
        [event_pb2.Event(wall_time=at, **content) for content in contents],
    )


def remove_means(means: Path) -> None:
    """Remove the mean runs of an earlier report, and nothing that is not ours."""
    for old in list(means.rglob(OUR_FILES)):
        old.unlink()
        for folder in old.relative_to(means).parents:
            with contextlib.suppress(OSError):  # It holds something still.
                (means / folder).rmdir()


def first_event_time(directory: Path) -> float:
    """When the first of the runs was begun, as the name of its event file tells."""
    names = [path.name for path in directory.rglob("events.out.tfevents.[0-9]*")]
    return min((int(name.split(".")[3]) for name in names), default=int(time.time()))
