"""The command line, as a person runs it: in a process of its own."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiment.config import load_config
from monitoring.history import read_history
from system.errors import UserError
from training.measures import measures_of

ROOT = Path(__file__).parent.parent
SHORT = "training.epochs=2"
FILES = {"config.toml", "history.csv", "model.keras", "result.json"}


def command(*words):
    return [sys.executable, str(ROOT / "train.py"), *map(str, words)]


def train(*words, cwd=ROOT):
    return subprocess.run(command(*words), capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def few(digits):
    """Settings of a run of seconds."""
    return (
        "data.name=npz",
        f"data.path={digits}",
        "data.train_size=300",
        "data.validation_size=200",
        "model.hidden_units=[8]",
    )


def test_options_and_settings_come_in_any_order(tmp_path, few):
    done = train(
        "--runs",
        tmp_path,
        "configs/baseline.toml",
        *few,
        "--overwrite",
        SHORT,
        "seed=2",
    )
    assert done.returncode == 0
    assert only_run(tmp_path).name == "seed=02"


def only_run(runs):
    (directory,) = runs.glob("*/seed=*")
    return directory


def test_a_run_writes_the_files_of_the_contract_and_ends_with_a_table(tmp_path, few):
    done = train(*few, SHORT, "seed=1", "--runs", tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    directory = only_run(tmp_path)
    assert directory.name == "seed=01"
    assert directory.parent.name.startswith("baseline,data.name=npz,data.path=")
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
        assert re.search(rf"{part} cross-entropy \(nats\) +{value:.3f} ", done.stdout)
    assert "norm of hidden_1" in done.stdout
    assert f"python view.py {tmp_path}" in done.stdout


def test_a_finished_run_is_shown_again_and_its_config_repeats_it(tmp_path, few):
    train(*few, SHORT, "--runs", tmp_path)
    directory = only_run(tmp_path)
    result = (directory / "result.json").read_bytes()
    again = train(*few, SHORT, "--runs", tmp_path)
    assert again.returncode == 0
    assert "finished before" in again.stdout
    assert (directory / "result.json").read_bytes() == result
    elsewhere = tmp_path / "elsewhere"
    saved = directory / "config.toml"
    assert train(saved, "--runs", elsewhere, cwd=tmp_path).returncode == 0
    repeated = only_run(elsewhere)
    assert repeated.parent.name == directory.parent.name
    assert comparable(directory) == comparable(repeated)


def test_a_run_is_repeated_in_its_place(tmp_path, few):
    """On its own config.toml; other files and settings of its name are left alone."""
    train(*few, SHORT, "--runs", tmp_path)
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


def test_a_run_of_other_settings_is_set_aside_in_one_line(tmp_path, few):
    words = (*few, "name=mine", "--runs", tmp_path)
    train(*words, SHORT)
    done = train(*words, "training.epochs=3")
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[0]
    assert "training.epochs (2 there, 3 here); it lies in seed=00.1 now." in first
    epochs = [
        json.loads((tmp_path / "mine" / name / "result.json").read_text())["final"][
            "epoch"
        ]
        for name in ("seed=00.1", "seed=00")
    ]
    assert epochs == [2, 3]


def test_what_is_left_to_be_decided_is_saved_as_decided(run, configure):
    """By the first run: with another number of threads it would differ."""
    assert configure().training.settings["threads"] == "auto"
    _, directory = run("training.epochs=1")
    settings = load_config(directory / "config.toml").training.settings
    assert (settings["threads"], settings["jit_compile"]) == (1, True)
    again, _ = run("training.epochs=1")
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
        ["configs/baseline.toml", "regularizer.l3=1"],
        ["decay.strenght=1"],
        ["training.epochs=ten"],
        ["missing.toml"],
        ["--overwite"],
        ["--resume", "--overwrite"],
        ["--resume", "--resume-changed"],
        ["configs/baseline.toml", "configs/baseline.toml"],
        ["data.name=npz", "data.path=missing.npz"],
        ["data.train_size=60000"],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line_and_exit_status_2(tmp_path, words):
    done = train(*words, "--runs", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("train.py: ")


def test_help_fits_a_screen_and_lists_the_settings_of_a_section():
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
def test_signals_leave_a_checkpoint_to_continue_from(tmp_path, few, number):
    words = [*few, "training.epochs=1000", "--runs", tmp_path]
    with subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "epoch 0/" in process.stdout.readline()
        assert "epoch 100/" in process.stdout.readline()
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
    train(*few, "training.epochs=1000", "--runs", undisturbed)
    assert comparable(directory) == comparable(only_run(undisturbed))


def comparable(directory):
    """Result and history of a run, times aside."""
    result = json.loads((directory / "result.json").read_text()) | {"seconds": 0}
    rows = read_history(directory / "history.csv")
    return result, [row | {"time/epoch_seconds": 0} for row in rows]


def test_divergence_has_a_status_of_its_own(tmp_path, few):
    words = ["optimizer.name=sgd", "optimizer.learning_rate=1e6"]
    baseline = tmp_path / "diverging.toml"
    baseline.write_text("loss.name = 'mean_squared_error'")
    done = train(baseline, *few, SHORT, *words, "--runs", tmp_path)
    assert done.returncode == 3
    assert "diverged" in done.stdout
    assert train(baseline, *few, SHORT, *words, "--runs", tmp_path).returncode == 3


def test_a_runs_folder_that_cannot_be_written(tmp_path, few):
    (tmp_path / "file").write_text("")
    done = train(*few, SHORT, "--runs", tmp_path / "file")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
