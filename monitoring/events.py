"""The event file of a run, which TensorBoard reads."""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from monitoring.hparams import STATUS, Trial, end_session, start_session


class EventWriter:
    """Appends evaluations to a new event file.

    The file opens with SessionLog.START at the first step it holds: TensorBoard then
    drops what older files of the same directory say of that step and later ones.
    """

    def __init__(
        self,
        directory: Path,
        descriptions: Mapping[str, str],
        trial: Trial | None = None,
    ):
        """
        Args:
            directory: Of the run; the file is made when there is something to write.
            descriptions: What TensorBoard shows beside each tag.
            trial: Of a comparison that the run is a part of.
        """
        self._directory, self._trial = directory, trial
        self._still_to_describe = dict(descriptions)
        self._writer: EventFileWriter | None = None

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of one step, and see them on disk."""
        if self._writer is None:
            self._writer = EventFileWriter(str(self._directory))
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(stamped(step, session_log=start))
            if self._trial:
                session = start_session(self._trial)
                self._writer.add_event(stamped(step, summary=session))
        evaluation = summary_pb2.Summary()
        for tag, value in scalars.items():
            description = self._still_to_describe.pop(tag, None)
            evaluation.MergeFrom(scalar_pb(tag, value, description))
        self._writer.add_event(stamped(step, summary=evaluation))
        self._writer.flush()

    def end(self, status: str) -> None:
        """Tell HParams how the run has ended."""
        if self._writer is not None and self._trial and status in STATUS:
            self._writer.add_event(stamped(0, summary=end_session(status)))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def stamped(step: int, **content) -> event_pb2.Event:
    return event_pb2.Event(wall_time=time.time(), step=step, **content)
