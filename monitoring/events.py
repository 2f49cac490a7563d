"""The event file of a run, which TensorBoard reads."""

import io
import os
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from system.files import name_file

VERSION = "brain.Event:2"

SESSION_START = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
"""At this event, TensorBoard drops what older files of the same directory hold of its
step and of later ones."""


class EventWriter:
    """Appends to a new event file, which opens with `SESSION_START`."""

    def __init__(self, directory: Path, descriptions: Mapping[str, str]):
        """
        Args:
            directory: Directory of the run; the file is made at the first event.
            descriptions: Description of each tag, for TensorBoard.
        """
        self._directory = directory
        self._still_to_describe = dict(descriptions)
        self._file: io.FileIO | None = None

    def add(self, step: int, **content) -> None:
        """Add an event with a `summary` or a `graph_def`, and flush it."""
        if self._file is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = io.FileIO(new_path(self._directory), "x")
            append(self._file, 0, file_version=VERSION)
            append(self._file, step, session_log=SESSION_START)
        append(self._file, step, **content)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of one step."""
        evaluation = summary_pb2.Summary()
        for tag, value in scalars.items():
            description = self._still_to_describe.pop(tag, None)
            evaluation.MergeFrom(scalar_pb(tag, value, description))
        self.add(step, summary=evaluation)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def append(file: io.FileIO, step: int, **content) -> None:
    """Append an event to a file, and flush it."""
    event = event_pb2.Event(wall_time=time.time(), step=step, **content)
    unwritten = as_record(event)
    try:
        while unwritten:
            unwritten = unwritten[file.write(unwritten) :]
    except OSError as error:
        raise name_file(Path(str(file.name)), error) from error


def as_record(event: event_pb2.Event) -> bytes:
    """The bytes of an event in a file, with its length and checksums."""
    record = io.BytesIO()
    RecordWriter(record).write(event.SerializeToString())
    return record.getvalue()


def new_path(directory: Path) -> Path:
    """A path for a new event file that TensorBoard reads after the existing ones.

    TensorBoard reads files in the order of their names, which hold the time in seconds;
    the clock may have been set back since the last file.
    """
    names = "\n".join(os.listdir(directory))
    earlier = re.findall(r"^events\.out\.tfevents\.(\d+)", names, re.MULTILINE)
    now = max([time.time(), *(int(seconds) + 1 for seconds in earlier)])
    return directory / (
        f"events.out.tfevents.{now:.6f}.{socket.gethostname()}.{os.getpid()}"
    )


def image_pb(tag: str, png: bytes, description: str) -> summary_pb2.Summary:
    """A picture for TensorBoard's Images page: width, height and PNG file."""
    width, height = Image.open(io.BytesIO(png)).size
    tensor = tensor_util.make_tensor_proto(
        [str(width).encode(), str(height).encode(), png], dtype=np.object_
    )
    metadata = image_metadata.create_summary_metadata(None, description)
    value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
    return summary_pb2.Summary(value=[value])
