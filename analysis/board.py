"""What TensorBoard shows of a comparison as a whole: HParams, and means over seeds."""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from analysis.answer import Answer
from comparison import Comparison
from monitoring.hparams import describe_experiment
from run_directory import below
from workers import trial_of

MEANS = "mean"
"""Folder of the runs that are means over seeds."""

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


def write_experiment(comparison: Comparison, directory: Path) -> None:
    """Tell HParams which columns its table has, before the first run.

    Args:
        comparison: What is asked.
        directory: Of the comparison.
    """
    directory.mkdir(parents=True, exist_ok=True)
    experiment = describe_experiment(map(trial_of, comparison.runs), METRICS)
    write_events(directory, [(0, experiment)], time.time())


def write_means(answer: Answer, directory: Path, curves: pd.DataFrame) -> None:
    """Write a run for each method and split: the means over seeds.

    The runs are called `mean/<method>[/<condition>]/<train or validation>`. Both have
    the tags `mean/loss` and `mean/accuracy`, so that one chart shows both splits; that
    of validation has `band/<scalar>/<mean, low or high>` besides, for charts with a
    band from the lowest seed to the highest.

    Args:
        answer: Says at which strength.
        directory: Of the comparison.
        curves: From `analysis.summary.read_curves`.
    """
    means = below(directory, Path(MEANS))
    shutil.rmtree(means, ignore_errors=True)
    before = first_event_time(directory) - 60
    for number, entry in enumerate(answer.entries):
        if entry.choice is None:
            continue
        for split, lines in LINES.items():
            events = []
            for name, tag in lines.items():
                curve = entry.curve(curves, tag)
                events += scalar_events(f"mean/{name}", curve["mean"])
            for name, tag in BANDS.items() if split == "validation" else ():
                curve = entry.curve(curves, tag)
                for part, column in (("mean", "mean"), ("low", "min"), ("high", "max")):
                    events += scalar_events(f"band/{name}/{part}", curve[column])
            folder = means / entry.method / entry.condition / split
            # Custom Scalars colors runs in the order of their first event: these first.
            write_events(folder, sorted(events, key=step_of), before + number)


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
        for step, summary in events:
            event = event_pb2.Event(wall_time=at, step=step, summary=summary)
            writer.write(event.SerializeToString())


def first_event_time(directory: Path) -> float:
    """When the first of the runs was begun, as the name of its event file tells."""
    names = [path.name for path in directory.rglob("events.out.tfevents.*")]
    return min((int(name.split(".")[3]) for name in names), default=int(time.time()))
