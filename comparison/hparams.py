"""What TensorBoard's HParams page is told: its columns, and each run's place in it.

A run knows nothing of its comparison, so the comparison tells this beside it, in an
event file of its own in the run's directory.

Written with the plugin's messages alone: its own functions load TensorFlow.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from comparison.plan import Comparison
from monitoring.events import write_events

STATUS = {
    "completed": api_pb2.STATUS_SUCCESS,
    "diverged": api_pb2.STATUS_FAILURE,
    "failed": api_pb2.STATUS_FAILURE,
}

SESSION_FILE = "events.out.tfevents.session"
"""TensorBoard reads it after the run's own, whose names go on with the time."""

Value = str | float


class Trial(NamedTuple):
    """One or more runs that differ in their seed alone: a row of the HParams table.

    Attributes:
        name: What the row is called.
        hyperparameters: What stands in the row, by column. Every row has every column,
            for the plots leave out a row that lacks one; a column holds numbers if it
            can, for text sorts 10 before 3.
    """

    name: str
    hyperparameters: dict[str, Value]


def list_trials(
    comparison: Comparison, chosen: Iterable[Path] | None = None
) -> dict[Path, Trial]:
    """The row of the table that each run belongs to, by the path of the run.

    A row's name is short, or the page cuts it off. Methods share the columns of their
    strengths: the first setting that each varies stands in the first, and so on, with
    0 for a method that varies fewer.

    Args:
        comparison: What is asked.
        chosen: The runs at the chosen strengths; None if they are not yet known.
    """
    chosen = None if chosen is None else set(chosen)
    most = max(len(run.varied) for run in comparison.runs)
    names = ["strength", *(f"strength {n}" for n in range(2, most + 1))]
    texts = {
        name
        for run in comparison.runs
        for name, value in zip(names, run.varied.values(), strict=False)
        if type(value) not in (int, float)
    }
    trials = {}
    for run in comparison.runs:
        columns: dict[str, Value] = {"method": run.method}
        if run.condition:
            columns["condition"] = run.condition
        values = [*run.varied.values(), *[0] * most]
        for name, value in zip(names, values, strict=False):
            columns[name] = str(value) if name in texts else value
        if chosen is not None:
            columns["chosen"] = "yes" if run.path in chosen else "no"
        words = [run.method, run.condition, *map(str, run.varied.values())]
        trials[run.path] = Trial(" ".join(filter(None, words)), columns)
    return trials


def describe_experiment(
    trials: Iterable[Trial], metrics: Mapping[str, str]
) -> summary_pb2.Summary:
    """The columns of the table, for the root of the log directory.

    Args:
        trials: Their hyperparameters become columns, which can be filtered by value.
        metrics: Names of columns, by the tag whose last value they show.
    """
    columns: dict[str, dict[Value, None]] = {}
    for trial in trials:
        for name, value in trial.hyperparameters.items():
            columns.setdefault(name, {})[value] = None
    experiment = api_pb2.Experiment()
    for name, values in columns.items():
        text = any(isinstance(value, str) for value in values)
        column = experiment.hparam_infos.add(
            name=name,
            type=api_pb2.DATA_TYPE_STRING if text else api_pb2.DATA_TYPE_FLOAT64,
            differs=len(values) > 1,
        )
        column.domain_discrete.extend(values if text else sorted(values))
    for tag, name in metrics.items():
        experiment.metric_infos.add(name=api_pb2.MetricName(tag=tag), display_name=name)
    return as_summary(metadata.EXPERIMENT_TAG, experiment=experiment)


def ensure_session(directory: Path, trial: Trial, result: Mapping[str, Any]) -> None:
    """Have a run stand in the table: write what is not yet so written.

    Args:
        directory: Directory of the run; one without event files is left alone, and so
            is one that was interrupted and will go on.
        trial: The row that the run belongs to.
        result: The contents of result.json; empty for a run that failed.
    """
    logs = [
        path.stat()
        for path in directory.glob("events.out.tfevents.*")
        if path.name != SESSION_FILE
    ]
    status = STATUS.get(result.get("status", "failed"))
    if not logs or status is None:
        return
    ended = max(log.st_mtime for log in logs)
    start = ended - (result.get("seconds") or 0)
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    summaries = (
        hparams_pb(trial.hyperparameters, trial.name, start),
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
