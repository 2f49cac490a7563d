"""The event file of a run, which TensorBoard reads."""

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from monitoring.hparams import STATUS, Trial, end_session, start_session
from training.files import about


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
        self._file: io.FileIO | None = None

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of one step, for a reader to see at once."""
        if self._file is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = io.FileIO(new_path(self._directory), "x")
            append(self._file, stamped(0, file_version="brain.Event:2"))
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            append(self._file, stamped(step, session_log=start))
            if self._trial:
                opening = start_session(self._trial)
                append(self._file, stamped(step, summary=opening))
        evaluation = summary_pb2.Summary()
        for tag, value in scalars.items():
            description = self._still_to_describe.pop(tag, None)
            evaluation.MergeFrom(scalar_pb(tag, value, description))
        append(self._file, stamped(step, summary=evaluation))

    def end(self, status: str) -> None:
        """Tell HParams how the run has ended."""
        if self._file is not None and self._trial and status in STATUS:
            append(self._file, stamped(0, summary=end_session(status)))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def append(file: io.FileIO, event: event_pb2.Event) -> None:
    """Write an event, so that a reader sees it at once."""
    record = io.BytesIO()
    RecordWriter(record).write(event.SerializeToString())
    unwritten = record.getvalue()
    try:
        while unwritten:
            unwritten = unwritten[file.write(unwritten) :]
    except OSError as error:
        raise about(Path(str(file.name)), error) from error


def new_path(directory: Path) -> Path:
    """Of an event file that TensorBoard reads after those that are there."""
    name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
    return directory / name


def stamped(step: int, **content) -> event_pb2.Event:
    return event_pb2.Event(wall_time=time.time(), step=step, **content)
