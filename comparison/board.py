"""What TensorBoard shows of a comparison as a whole, besides its runs.

Time Series opens on a run for each method that is the mean of its seeds at the chosen
strength, HParams has a row for each method and strength, Text has the results, Images
the filters of all methods.
"""

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb

from comparison.answer import Answer, Entry
from comparison.colors import colored_methods
from comparison.hparams import describe_experiment, ensure_session, list_trials
from comparison.pictures import Pictures, draw_last_filters
from comparison.plan import Comparison
from comparison.tables import results_card
from experiment.run_directory import path_within
from monitoring.events import NEW, image_pb, write_events
from monitoring.links import MEANS, Board

METRICS = {
    "loss/validation": "val loss",
    "best/validation_loss": "best val loss",
    "accuracy/validation": "val accuracy",
    "gap/loss": "gap",
}
"""Columns of the HParams table: few and short, or the last ones are cut off."""

MOST_LAYERS = 3
"""Norms of layers on the front page."""

FILTERS = (
    "The first filters of each method at its chosen strength, at the end of the run of "
    "the first seed; one color is one weight in all of them."
)
OUR_FILES = "events.out.tfevents.*.board"


def write_experiment(comparison: Comparison, directory: Path) -> None:
    """Tell HParams which columns its table has, before the first run.

    Args:
        comparison: What is asked.
        directory: Directory of the comparison.
    """
    trials = list_trials(comparison).values()
    rewrite(directory, [(0, describe_experiment(trials, METRICS))], time.time())


def write_board(
    answer: Answer,
    directory: Path,
    curves: pd.DataFrame,
    results: Mapping[Path, Mapping[str, Any]],
    filters: Pictures,
) -> None:
    """Write all that TensorBoard shows of a comparison as a whole.

    Args:
        answer: To it.
        directory: Directory of the comparison.
        curves: From `comparison.summary.read_curves`.
        results: The contents of result.json, by the path of the run.
        filters: From `comparison.pictures.read_pictures`.
    """
    entries = answer.chosen()
    chosen = [run.path for entry in entries for run in entry.runs]
    trials = list_trials(answer.comparison, chosen)
    for path, result in results.items():
        ensure_session(path_within(directory, path), trials[path], result)
    colored = colored_methods(answer)
    norms = [tag for tag in curves.columns if tag.startswith("weights/norm/")]
    board = Board(
        methods=colored,
        folders=[entry.runs[0].path.parent.as_posix() for entry in entries],
        layers=[tag.rpartition("/")[2] for tag in norms[:MOST_LAYERS]],
    )
    board.save(directory)
    means = path_within(directory, Path(MEANS))
    remove_means(means)
    # A TensorBoard without its fast loader goes by time, not by name.
    at = first_event_time(directory) - 60
    order = [*colored, *answer.comparison.methods]
    for entry in sorted(entries, key=lambda entry: order.index(entry.method)):
        folder = means / trials[entry.runs[0].path].name
        rewrite(folder, mean_events(entry, curves), at := at + 1)
    root = [
        describe_experiment(trials.values(), METRICS),
        text_pb("card/comparison", results_card(answer, board.links())),
    ]
    if filters:
        png = draw_last_filters(filters)
        root.append(image_pb("first_layer/filters_by_method", png, FILTERS))
    rewrite(directory, [(0, summary) for summary in root], time.time())


def mean_events(
    entry: Entry, curves: pd.DataFrame
) -> list[tuple[int, summary_pb2.Summary]]:
    """Every scalar of an entry, as the mean of its seeds, in order of steps."""
    events = [
        (int(epoch), scalar_pb(tag, mean))
        for tag in curves.columns
        if "/" in tag
        for epoch, mean in entry.curve(curves, tag)["mean"].items()
    ]
    return sorted(events, key=lambda event: event[0])


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
