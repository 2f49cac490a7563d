"""The event file of a run, which TensorBoard reads."""

import io
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

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

    def add(self, step: int, **content) -> None:
        """Add an event: a `summary`, or a `graph_def`, serialized."""
        if self._writer is None:
            self._writer = EventFileWriter(str(self._directory))
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(stamped(step, session_log=start))
            if self._trial:
                self.add(step, summary=start_session(self._trial))
        self._writer.add_event(stamped(step, **content))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of one step, and see all that was added on disk."""
        evaluation = summary_pb2.Summary()
        for tag, value in scalars.items():
            description = self._still_to_describe.pop(tag, None)
            evaluation.MergeFrom(scalar_pb(tag, value, description))
        self.add(step, summary=evaluation)
        if self._writer is not None:
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


def image_pb(tag: str, png: bytes, description: str) -> summary_pb2.Summary:
    """A picture as TensorBoard's Images page reads it: width, height, PNG."""
    width, height = Image.open(io.BytesIO(png)).size
    tensor = tensor_util.make_tensor_proto(
        [str(width).encode(), str(height).encode(), png], dtype=np.object_
    )
    metadata = image_metadata.create_summary_metadata(None, description)
    value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
    return summary_pb2.Summary(value=[value])
