"""The command line: in this process, or where that matters as a person runs it."""

import json
import re
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from experiment.command_line import exit_with_status
from experiment.config import load_config
from monitoring.history import read_history
from system.errors import UserError
from train import BASELINE, main
from training.measures import measures_of

ROOT = Path(__file__).parent.parent
FEW = (
    "data.name=digits",
    "data.train_size=300",
    "data.validation_size=200",
    "model.name=tiny",
    "model.hidden_units=[8]",
)
SHORT = (*FEW, "training.epochs=2", "training.jit_compile=false")
FILES = {"config.toml", "history.csv", "model.keras", "result.json"}

Done = namedtuple("Done", ("returncode", "stdout", "stderr"))


def start(*words):
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.launch", "train.py", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture
def train(monkeypatch, capfd):
    """The command in this process; returns its status and what it printed."""
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)

    def run(*words, cwd=ROOT):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, words)])
        capfd.readouterr()
        try:
            status = exit_with_status(main)
        except SystemExit as end:
            status = end.code
        return Done(status, *capfd.readouterr())

    return run


def test_options_and_settings_come_in_any_order(train, tmp_path):
    done = train("--runs", tmp_path, BASELINE, *SHORT, "--overwrite", "seed=2")
    assert done.returncode == 0
    assert only_run(tmp_path).name == "seed=02"


def only_run(runs):
    (directory,) = runs.glob("*/seed=*")
    return directory


def test_a_run_writes_the_files_of_the_contract_and_ends_with_a_table(tmp_path):
    with start(*SHORT, "seed=1", "--runs", tmp_path) as process:
        stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, "")
    directory = only_run(tmp_path)
    assert directory.name == "seed=01"
    assert directory.parent.name.startswith(f"{BASELINE.stem},data.name=digits,")
    events, *others = sorted(
        directory.iterdir(), key=lambda p: "tfevents" not in p.name
    )
    assert re.match(r"events\.out\.tfevents\.\d+", events.name)
    assert {path.name for path in others} == FILES
    result = json.loads((directory / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["seed"] == 1
    for moment in ("final", "best"):
        for part in ("train", "validation", "test"):
            assert result[moment][part].keys() == {
                *measures_of("classification"),
                "loss",
            }
        assert result[moment].keys() >= {"penalty", "generalization_gap", "weight_norm"}
    for part in ("train", "validation", "test"):
        value = result["final"][part]["cross_entropy"]
        assert re.search(rf"{part} cross-entropy \(nats\) +{value:.3f} ", stdout)
    assert "norm of hidden_1" in stdout
    assert f"python view.py {tmp_path}" in stdout


def test_a_finished_run_is_shown_again_and_its_config_repeats_it(train, tmp_path):
    train(*SHORT, "--runs", tmp_path)
    directory = only_run(tmp_path)
    result = (directory / "result.json").read_bytes()
    again = train(*SHORT, "--runs", tmp_path)
    assert again.returncode == 0
    assert "finished before" in again.stdout
    assert (directory / "result.json").read_bytes() == result
    elsewhere = tmp_path / "elsewhere"
    saved = directory / "config.toml"
    assert train(saved, "--runs", elsewhere, cwd=tmp_path).returncode == 0
    repeated = only_run(elsewhere)
    assert repeated.parent.name == directory.parent.name
    assert comparable(directory) == comparable(repeated)


def test_a_run_is_repeated_in_its_place(train, tmp_path):
    """On its own config.toml; other files and settings of its name are left alone."""
    train(*SHORT, "--runs", tmp_path)
    directory = only_run(tmp_path)
    before = comparable(directory)
    (directory / "result.json").write_text("damaged")
    (directory / "notes.txt").write_text("mine")
    saved = (directory / "config.toml").read_bytes()
    done = train(directory / "config.toml", "--overwrite", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert only_run(tmp_path) == directory
    assert comparable(directory) == before
    assert (directory / "config.toml").read_bytes() == saved
    assert (directory / "notes.txt").read_text() == "mine"


def test_a_run_of_other_settings_is_set_aside_in_one_line(train, tmp_path):
    words = (*SHORT, "name=mine", "--runs", tmp_path)
    train(*words)
    done = train(*words, "training.batch_size=50")
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[0]
    assert "training.batch_size (100 there, 50 here); it lies in seed=00.1 now" in first
    sizes = [
        load_config(tmp_path / "mine" / name / "config.toml").training.settings
        for name in ("seed=00.1", "seed=00")
    ]
    assert [settings["batch_size"] for settings in sizes] == [100, 50]


def test_what_is_left_to_be_decided_is_saved_as_decided(run, configure):
    """By the first run: with another number of threads it would differ."""
    assert configure().training.settings["threads"] == "auto"
    _, directory = run("training.epochs=1", "training.jit_compile=auto")
    settings = load_config(directory / "config.toml").training.settings
    assert (settings["threads"], settings["jit_compile"]) == (1, True)
    again, _ = run("training.epochs=1", "training.jit_compile=auto")
    assert again == json.loads((directory / "result.json").read_text())


def test_a_run_is_continued_across_a_change_of_code_and_says_so(
    run, configure, monkeypatch
):
    asked = iter([False, True, True])
    run(should_stop=lambda: next(asked, True))
    monkeypatch.setattr("experiment.fingerprint.code_of", lambda config: "other")
    with pytest.raises(UserError, match="--resume-changed continues it"):
        run(resume=True)
    result, directory = run(resume_changed=True)
    assert result["status"] == "completed"
    assert result["changed_before_resume"] == ["code"]
    saved = json.loads((directory / "result.json").read_text())
    assert saved["changed_before_resume"] == ["code"]


@pytest.mark.parametrize(
    "words",
    [
        ["tests/tiny.toml", "regularizer.l3=1"],
        ["decay.strenght=1"],
        ["training.epochs=ten"],
        ["missing.toml"],
        ["--overwite"],
        ["--resume", "--overwrite"],
        ["--resume", "--resume-changed"],
        ["tests/tiny.toml", "tests/tiny.toml"],
        ["tests/tiny.toml", "data.train_size=60000"],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line_and_exit_status_2(train, tmp_path, words):
    done = train(*words, "--runs", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("train.py: ")


def test_help_fits_a_screen_and_lists_the_settings_of_a_section(train):
    done = train("--help")
    assert done.returncode == 0
    assert "--resume" in done.stdout
    assert len(done.stdout.splitlines()) <= 40
    section = train("--help", "model").stdout
    assert "hidden_units: a list of" in section
    assert "strength: a number >= 0 = 0.004" in train("--help", "decay").stdout
    assert "did you mean decay?" in train("--help", "decai").stderr


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.faults)]
)
def test_signals_leave_a_checkpoint_to_continue_from(train, tmp_path, number):
    settings = (*FEW, "training.epochs=400", "training.threads=1")
    words = (*settings, "--runs", tmp_path)
    with start(*words) as process:
        assert process.stdout.readline().startswith("Data: ")
        assert "epoch 0/" in process.stdout.readline()
        assert "epoch 40/" in process.stdout.readline()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert stderr == ""
    directory = only_run(tmp_path)
    assert (directory / "checkpoint" / "state.npz").exists()
    assert (
        json.loads((directory / "result.json").read_text())["status"] == "interrupted"
    )
    advice = re.search(r"continue: +\S+ train\.py (.*)", stdout)
    refused = train(*words)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = train(*advice[1].split())
    assert resumed.returncode == 0
    undisturbed = tmp_path / "undisturbed"
    train(*settings, "--runs", undisturbed)
    assert comparable(directory) == comparable(only_run(undisturbed))


def comparable(directory):
    """Result and history of a run, times aside."""
    result = json.loads((directory / "result.json").read_text()) | {"seconds": 0}
    rows = read_history(directory / "history.csv")
    return result, [row | {"time/epoch_seconds": 0} for row in rows]


def test_divergence_has_a_status_of_its_own(train, tmp_path):
    words = (*SHORT, "optimizer.learning_rate=3e38", "--runs", tmp_path)
    done = train(*words)
    assert done.returncode == 3
    assert "diverged" in done.stdout
    assert train(*words).returncode == 3


def test_a_runs_folder_that_cannot_be_written(train, tmp_path):
    (tmp_path / "file").write_text("")
    done = train(*SHORT, "--runs", tmp_path / "file")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
