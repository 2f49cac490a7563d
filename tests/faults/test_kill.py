"""Killed at any moment and continued, a run ends as one that nothing disturbed."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.runs import arrays_of, finish, start, state_of
from tests.test_compare import children

EPOCHS = 40
EXACT = [
    f"{moment}:{name}:{number}"
    for number, name in enumerate(("state.npz", "history.csv"), start=1)
    for moment in ("open", "half", "written", "renamed")
]
TORN = ["half:events:2", "half:events:7", "written:events:4"]
ENDS = [
    "half:model.keras:1",
    "renamed:model.keras:1",
    "open:result.json:1",
    "half:result.json:1",
    "written:result.json:1",
    "renamed:result.json:1",
]
DRAWN = [f"time::{random.Random(n).uniform(0, 0.5):.3f}" for n in range(8)]
SOME = ["half:state.npz:2", "half:events:5", "half:result.json:1"]


@pytest.fixture(scope="module")
def undisturbed(few, tmp_path_factory):
    """An undisturbed run: what it left, and the state in which its training ended."""
    path = tmp_path_factory.mktemp("undisturbed")
    words = ["train.py", *few, f"training.epochs={EPOCHS}", "--runs", path]
    final = path / "final.npz"
    status, _, stderr = finish(start(*words, checkpoint_seconds=10, FINAL=final))
    assert (status, stderr) == (0, "")
    return state_of(only_run(path)), arrays_of(final)


def only_run(runs):
    (directory,) = runs.glob("*/seed=*")
    return directory


def kill_and_continue(few, path, undisturbed, faults):
    """Kill one run at each of several moments; it must end like the undisturbed."""
    words = ["train.py", *few, f"training.epochs={EPOCHS}", "--runs", path, "--resume"]
    final = path / "final.npz"
    for number, fault in enumerate(faults):
        spent = path / f"spent{number}"
        status, _, stderr = finish(start(*words, fault=fault, SPENT=spent, FINAL=final))
        assert (status, stderr) == (-9, ""), fault
    status, _, stderr = finish(start(*words, FINAL=final))
    assert (status, stderr) == (0, "")
    state, variables = undisturbed
    directory = only_run(path)
    assert state_of(directory) == state
    assert arrays_of(final) == variables


def test_killed_at_some_moments(few, tmp_path, undisturbed):
    kill_and_continue(few, tmp_path, undisturbed, SOME)


@pytest.mark.faults
def test_killed_at_25_moments(few, tmp_path, undisturbed, tried):
    faults = [*TORN, *EXACT, *DRAWN, *ENDS]
    assert len(faults) == 25
    kill_and_continue(few, tmp_path, undisturbed, faults)
    kept = "weights, optimizer state, history, events and result end bit for bit equal"
    tried("training killed inside the writing of a checkpoint or history", 8, kept)
    tried("training killed inside the writing of an event", 3, kept)
    tried("training killed inside the writing of the model or the result", 6, kept)
    tried("training killed at a moment drawn at random", 8, kept)


COMPARISON = """
base = "base.toml"
seeds = [0, 1]

[methods.none]

[methods.l2]
set.model.l2 = 1e-2
"""
IN_WORKERS = ["open:history.csv:1", *TORN, *EXACT[1:5], *EXACT[6:7], *ENDS[:3]]


@pytest.mark.faults
def test_a_comparison_killed_at_24_moments(few, tmp_path, tried):
    """In each of 12 rounds a worker dies inside a write, and then the parent."""
    (tmp_path / "base.toml").write_text("training.epochs = 60")
    path = tmp_path / "small.toml"
    path.write_text(COMPARISON)
    words = ["compare.py", path, *few, "--workers", "2", "--runs"]
    assert finish(start(*words, tmp_path / "whole"))[0] == 0
    delays = random.Random(0)
    dead = 0
    for number, fault in enumerate(IN_WORKERS):
        spent = tmp_path / f"spent{number}"
        with start(*words, tmp_path / "cut", fault=fault, SPENT=spent) as parent:
            while not spent.exists():
                time.sleep(0.05)
                assert parent.poll() is None, fault
            time.sleep(delays.uniform(0, 10))
            workers = children(parent)
            dead += 1 + (parent.poll() is None)
            parent.kill()
            while any(Path(f"/proc/{pid}/stat").exists() for pid in workers):
                time.sleep(0.1)
            parent.communicate()
    status, _, stderr = finish(start(*words, tmp_path / "cut"))
    assert (status, stderr) == (0, "")
    directories = list((tmp_path / "whole").glob("small/*/seed=*"))
    assert len(directories) == 4
    for directory in directories:
        other = tmp_path / "cut" / directory.relative_to(tmp_path / "whole")
        assert state_of(other) == state_of(directory)
    kept = "every run ends bit for bit equal; no worker outlives its parent"
    tried("a comparison's workers and parent killed", dead, kept)
