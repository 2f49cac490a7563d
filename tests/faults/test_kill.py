"""Killed at any moment and continued, a run ends as one that nothing disturbed."""

import random
import signal
import time

import pytest

from monitoring.events import EventWriter
from tests.faults.runs import arrays_of, events_of, finish, start, state_of
from tests.processes import children, is_alive

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


def test_killed_inside_the_writing_of_a_checkpoint(few, tmp_path, undisturbed):
    kill_and_continue(few, tmp_path, undisturbed, ["half:state.npz:2"])


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
set.regularizer.l2 = 1e-2
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
    whole = list((tmp_path / "whole").glob("small/*/seed=*"))
    assert len(whole) == 4
    for number, fault in enumerate(IN_WORKERS):
        cut, spent = tmp_path / f"cut{number}", tmp_path / f"spent{number}"
        with start(*words, cut, fault=fault, SPENT=spent) as parent:
            while not spent.exists():
                time.sleep(0.05)
                assert parent.poll() is None, fault
            time.sleep(delays.uniform(0, 10))
            workers = children(parent)
            dead += 1 + (parent.poll() is None)
            parent.kill()
            while any(map(is_alive, workers)):
                time.sleep(0.1)
            parent.communicate()
        status, _, stderr = finish(start(*words, cut))
        assert (status, stderr) == (0, ""), fault
        for directory in whole:
            other = cut / directory.relative_to(tmp_path / "whole")
            assert state_of(other) == state_of(directory), fault
    kept = "every run ends bit for bit equal; no worker outlives its parent"
    tried("a comparison's workers and parent killed", dead, kept)


def test_a_torn_tail_of_events_is_never_shown(tmp_path):
    """Cut at any byte of its last record, a file shows the records before it."""
    writer = EventWriter(tmp_path, {"loss": "A loss."})
    for step in range(3):
        writer.write(step, {"loss": step / 3})
    writer.close()
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    shown = events_of(tmp_path)["loss"]
    assert [step for step, _ in shown] == [0, 1, 2]
    path.write_bytes(content[:-1])
    last = len(content) - content.rindex(b"loss") + 40
    for cut in range(1, last):
        path.write_bytes(content[:-cut])
        torn = events_of(tmp_path)["loss"]
        assert torn == shown[: len(torn)]
        assert len(torn) < 3


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_full_size_ends_a_run_within_five_seconds(tmp_path, number, tried):
    large = [
        "data.train_size=none",
        "model.hidden_units=[1024,1024]",
        "model.dropout=0.5",
    ]
    words = ["train.py", *large, "--runs", tmp_path]
    with start(*words, checkpoint_seconds=10, FINAL=tmp_path / "final") as process:
        assert "epoch 0/" in process.stdout.readline()
        time.sleep(3)
        process.send_signal(number)
        sent = time.monotonic()
        _, stderr = process.communicate()
        seconds = time.monotonic() - sent
    assert (process.returncode, stderr) == (128 + number, "")
    assert (only_run(tmp_path) / "checkpoint/state.npz").exists()
    assert seconds < 5
    tried(
        f"{signal.Signals(number).name} in a run of 784-1024-1024-10 on 50,000 images",
        1,
    )


@pytest.mark.faults
def test_a_second_interrupt_loses_what_came_since_the_last_checkpoint(
    few, tmp_path, undisturbed, tried
):
    words = ["train.py", *few, f"training.epochs={EPOCHS}", "--runs", tmp_path]
    final = tmp_path / "final.npz"
    with start(*words, FINAL=final) as process:
        assert "epoch 0/" in process.stdout.readline()
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate()
    assert process.returncode == 130
    assert finish(start(*words, "--resume", FINAL=final))[0] == 0
    state, variables = undisturbed
    assert state_of(only_run(tmp_path)) == state
    assert arrays_of(final) == variables
    tried("Ctrl-C twice", 1, "what the last checkpoint holds; the run ends the same")
