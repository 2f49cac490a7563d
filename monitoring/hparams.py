"""What TensorBoard's HParams page is told: its columns, and each run's place in it.

Written with the plugin's messages alone: its own functions load TensorFlow.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

STATUS = {
    "completed": api_pb2.STATUS_SUCCESS,
    "diverged": api_pb2.STATUS_FAILURE,
    "failed": api_pb2.STATUS_FAILURE,
}
"""Of a session; that of an interrupted run stays open."""


@dataclass(frozen=True)
class Trial:
    """One or more runs that differ in their seed alone: a row of the HParams table.

    Attributes:
        name: Of the row.
        hyperparameters: Method, conditions and strength, as text: a table in which one
            method lacks what another has would leave lines out of its plots.
    """

    name: str
    hyperparameters: Mapping[str, str]


def describe_experiment(
    trials: Iterable[Trial], metrics: Mapping[str, str]
) -> summary_pb2.Summary:
    """The columns of the table, for the root of the log directory.

    Args:
        trials: Their hyperparameters become columns, which can be filtered by value.
        metrics: Names of columns, by the tag whose last value they show.
    """
    columns: dict[str, list[str]] = {}
    for trial in trials:
        for name, value in trial.hyperparameters.items():
            values = columns.setdefault(name, [])
            if value not in values:
                values.append(value)
    experiment = api_pb2.Experiment(time_created_secs=time.time())
    for name, values in columns.items():
        column = experiment.hparam_infos.add(
            name=name, type=api_pb2.DATA_TYPE_STRING, differs=len(values) > 1
        )
        column.domain_discrete.extend(values)
    for tag, name in metrics.items():
        experiment.metric_infos.add(name=api_pb2.MetricName(tag=tag), display_name=name)
    return as_summary(
        metadata.EXPERIMENT_TAG,
        plugin_data_pb2.HParamsPluginData(experiment=experiment),
    )


def start_session(trial: Trial) -> summary_pb2.Summary:
    """That a run of a trial has begun."""
    session = plugin_data_pb2.SessionStartInfo(
        group_name=trial.name, start_time_secs=time.time()
    )
    for name, value in trial.hyperparameters.items():
        session.hparams[name].string_value = value
    return as_summary(
        metadata.SESSION_START_INFO_TAG,
        plugin_data_pb2.HParamsPluginData(session_start_info=session),
    )


def end_session(status: str) -> summary_pb2.Summary:
    """How a run has ended; `status` is a key of `STATUS`."""
    session = plugin_data_pb2.SessionEndInfo(
        status=STATUS[status], end_time_secs=time.time()
    )
    return as_summary(
        metadata.SESSION_END_INFO_TAG,
        plugin_data_pb2.HParamsPluginData(session_end_info=session),
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
