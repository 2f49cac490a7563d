"""What TensorBoard shows of a comparison as a whole, besides its runs.

HParams has a row for each method and strength, Custom Scalars has charts of the means
over seeds at the chosen strengths, Text has the results.
"""

import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as layout_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from comparison.answer import Answer, Entry
from comparison.plan import Comparison
from comparison.results import describe_results
from comparison.workers import trial_of
from experiment.run_directory import below
from monitoring.hparams import describe_experiment
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

TOGETHER = 3
"""Methods in one chart: of both splits, six lines; the page has seven colors."""


def write_experiment(comparison: Comparison, directory: Path) -> None:
    """Tell HParams which columns its table has, before the first run.

    Args:
        comparison: What is asked.
        directory: Of the comparison.
    """
    write_events(directory, [(0, describe_columns(comparison))], time.time())


def write_board(answer: Answer, directory: Path, curves: pd.DataFrame) -> None:
    """Write all that TensorBoard shows of a comparison as a whole.

    Args:
        answer: To it.
        directory: Of the comparison.
        curves: From `comparison.summary.read_curves`.
    """
    chosen = [entry for entry in answer.entries if entry.choice]
    groups = [chosen[i : i + TOGETHER] for i in range(0, len(chosen), TOGETHER)]
    means = below(directory, Path(MEANS))
    shutil.rmtree(means, ignore_errors=True)
    before = first_event_time(directory) - 60
    for number, entries in enumerate(groups):
        for entry in entries:
            for split in LINES:
                folder = means / folder_of(entry, answer) / split
                events = mean_events(entry, split, curves, number)
                # Custom Scalars colors runs in the order of their first event: these
                # before all others.
                before += 1
                write_events(folder, sorted(events, key=step_of), before)
    root = [
        describe_columns(answer.comparison),
        describe_charts(groups),
        text_pb("card/comparison", describe_results(answer, views(directory))),
    ]
    write_events(directory, [(0, summary) for summary in root], time.time())


def describe_columns(comparison: Comparison) -> summary_pb2.Summary:
    return describe_experiment(map(trial_of, comparison.runs), METRICS)


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


def write_events(
    directory: Path, events: Iterable[tuple[int, summary_pb2.Summary]], at: float
) -> None:
    """Write a directory's only event file, under a new name.

    TensorBoard, if it runs, takes a file of the old name for the old file.

    Args:
        directory: Event files that lie in it are removed.
        events: Steps and what was found at them.
        at: Time of all of them, in seconds of the epoch.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("events.out.tfevents.*"):
        old.unlink()
    path = directory / f"events.out.tfevents.{time.time():.6f}.board"
    with open(path, "xb") as file:
        writer = RecordWriter(file)
        opening = event_pb2.Event(wall_time=at, file_version="brain.Event:2")
        writer.write(opening.SerializeToString())
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        fresh = event_pb2.Event(wall_time=at, step=0, session_log=start)
        writer.write(fresh.SerializeToString())
        for step, summary in events:
            event = event_pb2.Event(wall_time=at, step=step, summary=summary)
            writer.write(event.SerializeToString())


def first_event_time(directory: Path) -> float:
    """When the first of the runs was begun, as the name of its event file tells."""
    names = [path.name for path in directory.rglob("events.out.tfevents.*")]
    return min((int(name.split(".")[3]) for name in names), default=int(time.time()))
