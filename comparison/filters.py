"""The filters of each method, as its run of the first seed has drawn them."""

import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.compat.proto import event_pb2

from comparison.answer import Answer, Entry
from comparison.figures import name_of
from experiment.run_directory import path_within
from monitoring.pictures import FILTERS, render

TAG = "first_layer/filters"


def read_filters(answer: Answer, directory: Path) -> dict[Entry, dict[int, bytes]]:
    """The first row of filters of each method's chosen strength, as PNG by epoch.

    Args:
        answer: To the comparison; its entries without pictures are left out.
        directory: Directory of the comparison.
    """
    found = {}
    for entry in answer.chosen():
        (run,) = (
            run
            for run in answer.comparison.runs
            if run.pictures
            and (run.method, run.condition, run.strength)
            == (entry.method, entry.condition, entry.strength)
        )
        rows = {
            event.step: first_row(value.tensor.string_val[2])
            for path in sorted(
                path_within(directory, run.path).glob("events.out.tfevents.*")
            )
            for event in read_events(path)
            for value in event.summary.value
            if value.tag == TAG
        }
        if rows:
            found[entry] = rows
    return found


def read_events(path: Path) -> Iterator[event_pb2.Event]:
    """The events of a file, up to one that is not whole.

    TensorBoard's own reader loads TensorFlow.
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
    height = (image.height - 1) // FILTERS[0] + 1
    cut = io.BytesIO()
    image.crop((0, 0, image.width, height)).save(cut, "png", optimize=True)
    return cut.getvalue()


def draw_last_filters(filters: Mapping[Entry, Mapping[int, bytes]]) -> bytes:
    """The filters of all methods at the end, one picture, as PNG."""
    figure = Figure(figsize=(5, 0.9 * len(filters)), dpi=120, layout="constrained")
    panels = figure.subplots(len(filters), squeeze=False)[:, 0]
    for axes, (entry, rows) in zip(panels, filters.items(), strict=True):
        image = Image.open(io.BytesIO(rows[max(rows)])).convert("RGB")
        axes.imshow(np.asarray(image), interpolation="nearest")
        axes.set_title(f"{name_of(entry)} {entry.condition}".rstrip(), loc="left")
        axes.axis("off")
    return render(figure)
