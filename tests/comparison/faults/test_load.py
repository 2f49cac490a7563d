"""A thousand runs: memory is bounded, and as many files are open as at the start."""

import re
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from comparison.workers import MOST_GROWTH
from tests.faults.runs import finish, start
from tests.processes import children, is_alive

RUNS = 1000
COMPARISON = f"""
base = "base.toml"
seeds = {list(range(RUNS // 2))}
[methods.l2]
vary.regularizer.l2 = [1e-4, 1e-3]
"""
"""A setting for each worker: what a second one would have it compile is kept too."""


@pytest.fixture
def comparison(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(256, size=(60, 4, 4), dtype=np.uint8)
    labels = np.arange(60) % 3
    data = tmp_path / "data.npz"
    np.savez(data, x_train=images, y_train=labels, x_test=images, y_test=labels)
    (tmp_path / "base.toml").write_text(
        f"""
        data = {{name = "npz", path = "{data}", train_size = 30, validation_size = 30}}
        model = {{name = "tiny", hidden_units = [2]}}
        training = {{epochs = 1, batch_size = 30}}
        """
    )
    path = tmp_path / "many.toml"
    path.write_text(COMPARISON)
    return path


def megabytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.faults
def test_a_thousand_runs(comparison, tmp_path, tried):
    words = ["compare.py", comparison, "--workers", "2", "--runs", tmp_path]
    measured = []
    with start(*words, checkpoint_seconds=10) as parent:
        for share in (0.1, 0.9):
            done = 0
            while done < share * RUNS:
                assert parent.poll() is None
                time.sleep(0.5)
                done = len(list((tmp_path / "many").glob("**/result.json")))
            pids = [parent.pid, *children(parent)]
            assert len(pids) == 3
            measured.append([(megabytes(pid), open_files(pid)) for pid in pids])
        status, _, stderr = finish(parent, timeout=1200)
    assert (status, stderr) == (0, "")
    print(measured)
    for place, (before, after) in enumerate(zip(*measured, strict=True)):
        (memory, files), (memory_later, files_later) = before, after
        assert memory_later < 1.03 * memory + (MOST_GROWTH / 1e6 if place else 5)
        assert files_later <= files + 2  # Those of the runs being made.
    assert len(runs_in_tensorboard(tmp_path / "many")) >= RUNS
    tried("1,000 runs in a row", 1, f"{BOUND}; open files stay the same")


NETWORKS = 60
BOUND = "memory of a worker grows by 0.5 GB at most"


@pytest.mark.faults
def test_sixty_networks(comparison, tmp_path, tried):
    """TensorFlow keeps what it has compiled, until its process ends."""
    grid = [[units] for units in range(1, NETWORKS + 1)]
    comparison.write_text(
        f"""
        base = "base.toml"
        seeds = [0]
        [methods.none]
        vary.model.hidden_units = {grid}
        """
    )
    words = ["compare.py", comparison, "--workers", "1", "--runs", tmp_path]
    measured: dict[int, list[float]] = defaultdict(list)
    with start(*words, checkpoint_seconds=10) as parent:
        while parent.poll() is None:
            time.sleep(0.2)
            done = next((tmp_path / "many").glob("**/result.json"), None)
            for pid in filter(is_alive, children(parent) if done else ()):
                measured[pid].append(megabytes(pid))
        status, _, stderr = finish(parent)
    assert (status, stderr) == (0, "")
    first, *_ = next(iter(measured.values()))
    most = [max(of_process) for of_process in measured.values()]
    print(first, most)
    assert max(most) < 1.03 * first + MOST_GROWTH / 1e6
    tried("60 different networks in a row", 1, BOUND)


def runs_in_tensorboard(directory):
    """The names of all runs, as TensorBoard serves them once it has read them."""
    words = ["--logdir", str(directory), "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            for line in server.stderr:
                if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
                    break
            names = ""
            for _ in range(120):
                with urllib.request.urlopen(f"{address[0]}data/runs") as answer:
                    names = answer.read().decode()
                if names.count(",") >= RUNS:
                    break
                time.sleep(1)
            return names.split(",")
        finally:
            server.kill()
