"""What TensorBoard's HParams page is told: its columns, and each run's place in it.

A run knows nothing of its comparison, so the comparison tells this beside it, in an
event file of its own in the run's directory.

Written with the plugin's messages alone: its own functions load TensorFlow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

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


@dataclass(frozen=True)
class Trial:
    """One or more runs that differ in their seed alone: a row of the HParams table.

    Attributes:
        name: What the row is called.
        hyperparameters: What stands in the row, by column. Every row has every column,
            for the plots leave out a row that lacks one; a column holds numbers if it
            can, for text sorts 10 before 3.
    """

    name: str
    hyperparameters: Mapping[str, Value]


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
    names = [f"strength {n}".removesuffix(" 1") for n in range(1, most + 1)]
    texts = {
        name
        for run in comparison.runs
        for name, value in zip(names, run.varied.values(), strict=False)
        if isinstance(value, bool) or not isinstance(value, int | float)
    }
    trials = {}
    for run in comparison.runs:
        columns: dict[str, Value] = {"method": run.method}
        if run.condition:
            columns["condition"] = run.condition
        values = [*run.varied.values(), *[0] * len(names)]
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
    return as_summary(
        metadata.EXPERIMENT_TAG,
        plugin_data_pb2.HParamsPluginData(experiment=experiment),
    )


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
    status = result.get("status", "failed")
    if not logs or status not in STATUS:
        return
    ended = max(log.st_mtime for log in logs)
    start = plugin_data_pb2.SessionStartInfo(
        group_name=trial.name, start_time_secs=ended - (result.get("seconds") or 0)
    )
    for name, value in trial.hyperparameters.items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    end = plugin_data_pb2.SessionEndInfo(status=STATUS[status], end_time_secs=ended)
    contents = {
        metadata.SESSION_START_INFO_TAG: {"session_start_info": start},
        metadata.SESSION_END_INFO_TAG: {"session_end_info": end},
    }
    summaries = (
        as_summary(tag, plugin_data_pb2.HParamsPluginData(**content))
        for tag, content in contents.items()
    )
    write_events(
        directory / SESSION_FILE,
        [event_pb2.Event(wall_time=ended, summary=summary) for summary in summaries],
    )


def as_summary(
    tag: str, content: plugin_data_pb2.HParamsPluginData
) -> summary_pb2.Summary:
    summary = summary_pb2.Summary()
    summary.value.add(
        tag=tag,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary
