"""Starts runs that are to be disturbed, and reads back all that they leave."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)

DRIVER = Path(__file__).with_name("driver.py")
ROOT = DRIVER.parents[2]


def start(script, *words, fault="", checkpoint_seconds=0.0, **environment):
    """Start train.py or compare.py, if it was not deleted, to be killed at a moment."""
    if not (ROOT / script).exists():
        pytest.skip(f"there is no {script}")
    return subprocess.Popen(
        [sys.executable, str(DRIVER), script, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"FAULT": fault, "CHECKPOINT_SECONDS": str(checkpoint_seconds)}
        | {name: str(value) for name, value in environment.items()},
    )


def finish(process, timeout=300):
    """Wait for a process: its exit status, what it wrote, and its complaints."""
    stdout, stderr = process.communicate(timeout=timeout)
    return process.returncode, stdout, stderr


def state_of(directory, weights=True):
    """All that a run has left, times aside, so that `==` compares it bit for bit."""
    result = json.loads((directory / "result.json").read_text()) | {"seconds": 0}
    with open(directory / "history.csv", newline="") as file:
        history = [without_times(row) for row in csv.DictReader(file)]
    return {
        "files": sorted(
            path.name for path in directory.iterdir() if "tfevents" not in path.name
        ),
        "config": (directory / "config.toml").read_bytes(),
        "result": result,
        "history": history,
        "events": events_of(directory),
        "weights": weights_of(directory / "model.keras") if weights else None,
    }


def without_times(values):
    return {tag: v for tag, v in values.items() if not tag.startswith("time/")}


def events_of(directory):
    """What TensorBoard shows of a directory, steps and bytes by tag.

    The card tells times; the graph's attributes come in any order.
    """
    accumulator = EventAccumulator(str(directory), {"tensors": 0}).Reload()
    return without_times(
        {
            tag: [
                (event.step, event.tensor_proto.SerializeToString())
                for event in accumulator.Tensors(tag)
            ]
            for tag in accumulator.Tags()["tensors"]
            if not tag.startswith(("_hparams_", "__run_graph__", "card/"))
        }
    )


def weights_of(path):
    """The bytes of every array of a saved model, by name."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item[()].tobytes())

    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file:
        h5py.File(file).visititems(note)
    return found


def arrays_of(path):
    with np.load(path) as file:
        return {name: (file[name].dtype.str, file[name].tobytes()) for name in file}
