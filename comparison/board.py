"""Writes what TensorBoard shows of a comparison as a whole, besides its runs.

On the Time Series page there is a run for each method that is the mean over its seeds
at the chosen strength. HParams has a row for each method and strength, Text the
results, and Images the filters of all methods.

Runs know nothing of their comparison, so their rows of the HParams table are in a
second event file in each run's directory.
"""

import functools
import itertools
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb

from comparison.answer import Answer, Curves, find_tags
from comparison.colors import colored_methods
from comparison.links import MEANS, Board
from comparison.pictures import Pictures, draw_last_filters
from comparison.plan import Comparison, Results, Trial
from comparison.tables import results_card
from experiment.run_directory import path_within
from monitoring.events import SESSION_START, VERSION, as_record, image_pb
from system.files import replacing

METRICS = {
    "loss/validation": "val loss",
    "best/validation_loss": "best val loss",
    "accuracy/validation": "val accuracy",
    "gap/loss": "gap",
}
"""Columns of the HParams table. They are few and short: the last are cut off."""

SESSION_FILE = "events.out.tfevents.session"
"""Name that TensorBoard sorts behind the run's own files, which have numbers here."""

OUR_FILES = "events.out.tfevents.*.board"

Row = dict[str, str | float]

MOST_LAYERS = 3
"""Most layers whose norms are on the front page."""

FILTERS = (
    "The first filters of each method at its chosen strength, at the end of the run of "
    "the first seed; one color is one weight in all of them."
)


def write_experiment(comparison: Comparison, directory: Path) -> dict[Trial, Row]:
    """Write the columns of the HParams table, before the first run.

    Args:
        comparison: The comparison.
        directory: Directory of the comparison.

    Returns:
        The row of each trial.
    """
    rows = list_rows(comparison)
    rewrite(directory, [(0, describe_experiment(rows))], time.time())
    return rows


def write_board(
    answer: Answer,
    directory: Path,
    curves: Curves,
    results: Results,
    filters: Pictures,
) -> None:
    """Write all that TensorBoard shows of a comparison as a whole.

    Args:
        answer: Answer of the comparison.
        directory: Directory of the comparison.
        curves: Curves that `comparison.answer.mean_curves` returned.
        results: Results of its runs.
        filters: Filters that `comparison.pictures.read_pictures` returned.
    """
    comparison = answer.comparison
    rows = list_rows(comparison, answer.chosen)
    for run in comparison.runs:
        if run.path in results:
            folder = path_within(directory, run.path)
            ensure_session(folder, run.trial, rows[run.trial], results[run.path])
    colored = colored_methods(answer)
    norms = find_tags(curves, "weights/norm/")
    folders = [comparison.runs_of(trial)[0].path.parent for trial in answer.chosen]
    board = Board(
        methods=colored,
        folders=[folder.as_posix() for folder in folders],
        layers=[tag.rpartition("/")[2] for tag in norms[:MOST_LAYERS]],
    )
    board.save(directory)
    means = path_within(directory, Path(MEANS))
    for old in [*means.rglob(OUR_FILES)]:
        old.unlink()
    # A TensorBoard without its fast loader goes by time, not by name.
    at = first_event_time(directory) - 60
    order = [*colored, *comparison.file.methods]
    for trial in sorted(curves, key=lambda trial: order.index(trial.method)):
        table = curves[trial].xs("mean", axis="columns", level=1)
        scalars = (
            (epoch, scalar_pb(tag, mean))
            for epoch, row in table.iterrows()
            for tag, mean in row.dropna().items()
        )
        rewrite(means / trial.title, scalars, at := at + 1)
    root = [
        describe_experiment(rows),
        text_pb("card/comparison", results_card(answer, board.links())),
    ]
    if filters:
        png = draw_last_filters(filters)
        root.append(image_pb("first_layer/filters_by_method", png, FILTERS))
    rewrite(directory, [(0, summary) for summary in root], time.time())


def rewrite(
    directory: Path, events: Iterable[tuple[int, summary_pb2.Summary]], at: float
) -> None:
    """Replace the event file of a comparison in a directory by one of a new name.

    (A running TensorBoard would not notice that a file of the same name is new.)

    Args:
        directory: Directory of the file.
        events: Pairs of a step and a summary.
        at: Time of all events, in seconds since 1970.
    """
    for old in directory.glob(OUR_FILES):
        old.unlink()
    path = directory / OUR_FILES.replace("*", f"{time.time():.6f}")
    event = functools.partial(event_pb2.Event, wall_time=at)
    found = [event(step=step, summary=summary) for step, summary in events]
    write_events(path, [event(session_log=SESSION_START), *found])


def write_events(path: Path, events: Iterable[event_pb2.Event]) -> None:
    """Write an event file, unless it already exists with the same contents."""
    opening = event_pb2.Event(file_version=VERSION)
    content = b"".join(map(as_record, [opening, *events]))
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(content)


def first_event_time(directory: Path) -> float:
    """Time at which the first run was begun, from the name of its event file."""
    names = [path.name for path in directory.rglob("events.out.tfevents.[0-9]*")]
    return min((int(name.split(".")[3]) for name in names), default=int(time.time()))


def list_rows(
    comparison: Comparison, chosen: Collection[Trial] | None = None
) -> dict[Trial, Row]:
    """The rows of the HParams table, by trial.

    Every row has every column, because plots leave out rows that lack one. Columns hold
    numbers where possible, because as text 10 comes before 3. Methods share the columns
    of their strengths: the first setting that a method varies is in the first, and so
    on, with 0 for a method that varies fewer.

    Args:
        comparison: The comparison.
        chosen: Trials at the chosen strengths; None if they are not known yet.
    """
    trials = list(dict.fromkeys(run.trial for run in comparison.runs))
    columns: dict[str, Sequence[Any]] = {"method": [t.method for t in trials]}
    if trials[0].condition:
        columns["condition"] = [trial.condition for trial in trials]
    varied = (trial.varied.values() for trial in trials)
    for number, values in enumerate(itertools.zip_longest(*varied, fillvalue=0), 1):
        numbers = all(type(value) in (int, float) for value in values)
        name = "strength" if number == 1 else f"strength {number}"
        columns[name] = values if numbers else list(map(str, values))
    if chosen is not None:
        columns["chosen"] = ["yes" if trial in chosen else "no" for trial in trials]
    rows = pd.DataFrame(columns).to_dict("records")
    return dict(zip(trials, rows, strict=True))


def describe_experiment(rows: Mapping[Trial, Row]) -> summary_pb2.Summary:
    """The summary for the root of the log directory that describes the columns of the
    HParams table, with the values that they can be filtered by."""
    experiment = api_pb2.Experiment()
    table = pd.DataFrame(list(rows.values()))
    for name, cells in table.items():
        values = cells.unique().tolist()
        text = isinstance(values[0], str)
        column = experiment.hparam_infos.add(
            name=str(name),
            type=api_pb2.DATA_TYPE_STRING if text else api_pb2.DATA_TYPE_FLOAT64,
            differs=len(values) > 1,
        )
        column.domain_discrete.extend(values if text else sorted(values))
    for tag, name in METRICS.items():
        experiment.metric_infos.add(name=api_pb2.MetricName(tag=tag), display_name=name)
    return as_summary(metadata.EXPERIMENT_TAG, experiment=experiment)


def ensure_session(
    directory: Path, trial: Trial, row: Row, result: Mapping[str, Any]
) -> None:
    """Write the row and the status of a run for HParams, in a second event file.

    Nothing is written for a run without event files, or one that was interrupted.

    Args:
        directory: Directory of the run.
        trial: Trial of the run.
        row: Row of the table for this trial.
        result: The contents of result.json; empty for a run that failed.
    """
    logs = [
        path.stat()
        for path in directory.glob("events.out.tfevents.*")
        if path.name != SESSION_FILE
    ]
    if not logs or result.get("status") == "interrupted":
        return
    completed = result.get("status") == "completed"
    ended = max(log.st_mtime for log in logs)
    start = ended - (result.get("seconds") or 0)
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS if completed else api_pb2.STATUS_FAILURE,
        end_time_secs=ended,
    )
    summaries = (
        hparams_pb(row, trial.title, start),
        as_summary(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    )
    write_events(
        directory / SESSION_FILE,
        [event_pb2.Event(wall_time=ended, summary=summary) for summary in summaries],
    )


def as_summary(tag: str, **content: Any) -> summary_pb2.Summary:
    data = plugin_data_pb2.HParamsPluginData(**content)
    summary = summary_pb2.Summary()
    summary.value.add(
        tag=tag,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return summary
