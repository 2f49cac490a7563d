"""Reads pictures from the event files of the first seed of each method."""

import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.compat.proto import event_pb2

from comparison.answer import Answer
from comparison.plan import Trial
from experiment.run_directory import path_within
from monitoring import pictures

FILTERS, DIGITS = "first_layer/filters", "memorized/digits"
"""Tags of the pictures that are read: filters, and training images learned by heart."""

Pictures = dict[Trial, dict[int, bytes]]
"""PNG files by epoch."""


def read_pictures(answer: Answer, directory: Path) -> dict[str, Pictures]:
    """Read the pictures of the chosen trials; of pictures of filters, the first row.

    Args:
        answer: Answer of the comparison.
        directory: Directory of the comparison.

    Returns:
        The pictures by tag. Trials without pictures are left out.
    """
    found: dict[str, Pictures] = {FILTERS: {}, DIGITS: {}}
    for trial in answer.chosen:
        run, *_ = answer.comparison.runs_of(trial)
        folder = path_within(directory, run.path)
        for path in sorted(folder.glob("events.out.tfevents.*")):
            for event in read_events(path):
                for value in event.summary.value:
                    if value.tag in found:
                        png = value.tensor.string_val[2]
                        png = first_row(png) if value.tag == FILTERS else png
                        found[value.tag].setdefault(trial, {})[event.step] = png
    return found


def read_events(path: Path) -> Iterator[event_pb2.Event]:
    """Read the events of a file, up to the first incomplete one.

    (TensorBoard's own reader would load TensorFlow.)
    """
    content, start = path.read_bytes(), 0
    while start + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        record = content[start + 12 : start + 12 + length]
        if len(record) < length:
            break
        yield event_pb2.Event.FromString(record)
        start += 12 + length + 4


def first_row(sheet: bytes) -> bytes:
    image = Image.open(io.BytesIO(sheet))
    height = (image.height - 1) // pictures.FILTERS[0] + 1
    cut = io.BytesIO()
    image.crop((0, 0, image.width, height)).save(cut, "png", optimize=True)
    return cut.getvalue()


def draw_last_filters(filters: Mapping[Trial, Mapping[int, bytes]]) -> bytes:
    """Draw the final filters of all methods in one picture, as PNG."""
    figure = Figure(figsize=(5, 0.9 * len(filters)), dpi=120, layout="constrained")
    panels = figure.subplots(len(filters), squeeze=False)[:, 0]
    for axes, (trial, rows) in zip(panels, filters.items(), strict=True):
        image = Image.open(io.BytesIO(rows[max(rows)])).convert("RGB")
        axes.imshow(np.asarray(image), interpolation="nearest")
        axes.set_title(trial.title, loc="left")
        axes.axis("off")
    return pictures.render(figure)
