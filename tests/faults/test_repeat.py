"""The same command gives the same bits, wherever and however it runs."""

import os
import subprocess
import sys

import pytest

from tests.faults.runs import DRIVER, finish, start, state_of

WIDE = ("model.hidden_units=[256, 256]", "training.epochs=2", "data.train_size=800")


AROUND = {
    "other hash seed, locale, time zone": {
        "env": {
            "PYTHONHASHSEED": "7",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0",
            "LC_ALL": "C",
            "TZ": "Asia/Kolkata",
        },
    },
    "other working directory": {"cwd": "/"},
    "as before": {},
}


def wide(few):
    """The settings of a network whose matrix products several threads would share."""
    changed = {word.partition("=")[0] for word in WIDE}
    return [word for word in few if word.partition("=")[0] not in changed] + [*WIDE]


@pytest.fixture(scope="module")
def repeat(few, tmp_path_factory):
    """Run the same command under some circumstances, and read what it left."""

    def run(**circumstances):
        runs = tmp_path_factory.mktemp("runs")
        words = wide(few)
        environment = os.environ | circumstances.pop("env", {})
        environment |= {"CHECKPOINT_SECONDS": "10"}
        subprocess.run(
            [sys.executable, DRIVER, "train.py", *words, "--runs", runs],
            check=True,
            capture_output=True,
            env=environment,
            **circumstances,
        )
        (directory,) = runs.glob("*/seed=*")
        return state_of(directory)

    return run


@pytest.fixture(scope="module")
def once(repeat):
    return repeat()


@pytest.mark.faults
def test_all_of_it_at_once_changes_nothing(repeat, once):
    circumstances = {key: v for around in AROUND.values() for key, v in around.items()}
    circumstances["env"] = AROUND["other hash seed, locale, time zone"]["env"]
    assert repeat(**circumstances) == once


@pytest.mark.faults
@pytest.mark.parametrize("around", AROUND)
def test_each_of_it_changes_nothing(repeat, once, around, tried):
    assert repeat(**AROUND[around]) == once
    tried(f"run repeated: {around}", 1, "the same bits")


@pytest.mark.faults
def test_one_worker_and_two_leave_the_same(few, tmp_path, tried):
    (tmp_path / "base.toml").write_text("")
    path = tmp_path / "small.toml"
    path.write_text('base = "base.toml"\nseeds = [0, 1]\n[methods.none]\n')
    states = []
    for workers in (1, 2):
        runs = tmp_path / str(workers)
        words = [path, *wide(few), "--workers", workers, "--runs", runs]
        assert finish(start("compare.py", *words))[0] == 0
        states.append([state_of(d) for d in sorted(runs.glob("small/none/seed=*"))])
    assert len(states[0]) == 2
    assert states[0] == states[1]
    tried("comparison made by one worker and by two", 1, "the same bits")
