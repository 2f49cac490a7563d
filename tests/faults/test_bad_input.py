"""No input ends in a traceback, a hang or a silent default.

One line says what is meant, what was expected and what was received.
"""

import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiment.command_line import Parser
from experiment.config import load_config, parse_override
from experiment.run_directory import open_run
from system.errors import DamagedError, UserError
from tests.tiny import CONFIG
from train import train

SHIPPED = min(Path("configs").glob("*.toml"))

DIGITS = "9" * 5000
CONFIGS = [
    (b"[model", "expected TOML", "end of document"),
    (
        b"regularizer.l2 = 1e-3\nregularizer.l2 = 2e-3",
        "expected TOML",
        "Cannot overwrite",
    ),
    (b"\xff\xfe\x00", "expected TOML in UTF-8", "invalid start byte"),
    (b"a = " + b"[" * 5000, "expected TOML", ""),
    (b"x" * 2_000_000, "at most 1,000,000 bytes", "2,000,000"),
    (b"schema_version = 0", "written by another version", ""),
    (b"schema_version = 'one'", "written by another version", ""),
    (b"[modle]\nl2 = 1.0", "did you mean model?", "unknown setting modle"),
    (
        b"[regularizer]\nl3 = 1.0",
        "did you mean regularizer.l2?",
        "unknown setting regularizer.l3",
    ),
    (b"epochs = 5", "did you mean training.epochs?", "unknown setting epochs"),
    (b"model = 1", "model: expected a table [model]", "received 1"),
    (b"[[model]]", "model: expected a table [model]", "received [{}]"),
    (b"model = 'tiny'", "model: expected a table [model]", 'received "tiny"'),
    (b"[model]\nname = 3", "model.name: expected one of", "received 3"),
    (b"[model]\nname = 'vit'", "model.name: expected one of", '"vit"'),
    (b"[regularizer]\nl2 = 'much'", "regularizer.l2: expected a number >= 0", '"much"'),
    (b"[regularizer]\nl2 = -1e-9", "regularizer.l2: expected a number >= 0", "-1e-09"),
    (b"[regularizer]\nl2 = inf", "regularizer.l2: expected a number >= 0", "Infinity"),
    (
        b"[regularizer]\nl2 = 1e39",
        "regularizer.l2: expected 0 or a number from",
        "1e+39",
    ),
    (
        b"[regularizer]\nl2 = 1e-46",
        "regularizer.l2: expected 0 or a number from",
        "1e-46",
    ),
    (
        b"[regularizer]\nl2 = 2020-01-01",
        "regularizer.l2: expected a number",
        "2020-01-01",
    ),
    (
        b"[model]\nname = 'tiny'\ndropout = 1.0",
        "model.dropout: expected a number",
        "1.0",
    ),
    (b"[model]\nname = 'tiny'\nhidden_units = 8", "expected a list of", "received 8"),
    (b"[model]\nname = 'tiny'\nhidden_units = [8.0]", "expected a list of", "[8.0]"),
    (b"[model]\nname = 'tiny'\nhidden_units = [[8]]", "expected a list of", "[[8]]"),
    (b"[model]\nname = 'tiny'\nhidden_units = [-8]", "expected a list of", "[-8]"),
    (
        b"[model]\nname = 'tiny'\nbatch_normalization = 1",
        "expected true or false",
        "received 1",
    ),
    (b"[model]\nname = 'tiny'\nactivation = ''", "expected one of relu", '""'),
    (b"[training]\nepochs = 0", "training.epochs: expected an integer >= 1", "0"),
    (b"[training]\nepochs = 1.5", "training.epochs: expected an integer", "1.5"),
    (b"[training]\nepochs = true", "training.epochs: expected an integer", "true"),
    (f"[training]\nepochs = {DIGITS}".encode(), "expected TOML", "digits"),
    (b"[training]\nbatch_size = 0x" + b"f" * 5000, "at most 9223372036854775807", ""),
    (b"[training]\nbatch_size = -1", "training.batch_size: expected", "-1"),
    (b"[data]\nname = 'digits'\npath = 1", "data.path: expected a string", "1"),
    (b'[data]\nname = "digits"\npath = "a\\u0000"', "expected printable text", "a"),
    (b"[optimizer]\nlearning_rate = 0", "learning_rate: expected a number > 0", "0"),
    (b"[optimizer]\nema_momentum = 1", "expected a number > 0 and < 1", "1"),
    (b"[schedule]\nname = 'step'", "expected one of constant", '"step"'),
    (b"[schedule]\nwarmup_epochs = 101", "at most training.epochs = 100", "101"),
    (b"seed = -1", "seed: expected an integer >= 0", "-1"),
    (b"seed = 4294967296", "<= 4294967295", "4294967296"),
    (b"name = ''", "name: expected 1 to 100 of", '""'),
    (b"name = '/etc'", "name: expected 1 to 100 of", '"/etc"'),
    (b"name = '..'", "name: expected 1 to 100 of", '".."'),
    (b"name = ['x']", "name: expected a string", '["x"]'),
]


@pytest.fixture(autouse=True)
def noted(request, tried):
    """Count what is in a corpus for the table."""
    yield
    if "received" in request.fixturenames:
        fault = "a mistake or damage in a config, command, data file or run folder"
        tried(fault, 1, "one line says what was expected and received")


@pytest.mark.parametrize(("content", "expected", "received"), CONFIGS)
def test_bad_configs(tmp_path, content, expected, received):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    says(lambda: load_config(path), expected, received)


def says(action, *parts, kind=UserError):
    """Whether an action ends in one line with all the parts."""
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize(
    ("override", "expected", "received"),
    [
        ("", "expected CONFIG.toml or section.key=value", '""'),
        ("=", "expected CONFIG.toml or section.key=value", '"="'),
        (
            "regularizer.l2",
            "expected CONFIG.toml or section.key=value",
            '"regularizer.l2"',
        ),
        (
            "regularizer.l2.x=1",
            "expected CONFIG.toml or section.key=value",
            "regularizer.l2.x=1",
        ),
        (str(SHIPPED.with_suffix("")), f"did you mean {SHIPPED}?", ""),
        ("regularizer.l2=", "regularizer.l2: expected a TOML value", '""'),
        ("regularizer.l2='", "regularizer.l2: expected a TOML value", "'"),
        ("regularizer.l2=1\nseed=2", "regularizer.l2: expected one TOML value", "seed"),
        (f"training.epochs={DIGITS}", "training.epochs: expected an integer", "999"),
        ("data.path=\udcff", "data.path: expected printable text", ""),
    ],
)
def test_bad_overrides(override, expected, received):
    says(lambda: load_config(CONFIG, [override]), expected, received)


@given(
    st.text(), st.sampled_from(["regularizer.l2=", "data.path=", "seed=", "", "a.b="])
)
def test_any_override_is_understood_or_refused(text, key):
    try:
        parse_override(key + text)
    except UserError as error:
        assert str(error).isprintable()


@example(["--runs", "~nobody-has-this-name"])
@given(st.lists(st.text(max_size=8) | st.sampled_from(["--runs", "a=1", "x.toml"])))
def test_any_command_line_is_understood_or_refused(words):
    words = [word for word in words if word[:2] not in ("-h", "--h")]
    try:
        Parser("a command", CONFIG).parse_args(words)
    except (UserError, SystemExit) as error:
        assert not isinstance(error, SystemExit) or error.code == 0


def test_an_option_that_is_a_setting_is_named_with_its_value():
    parser = Parser("a command", CONFIG)
    for words, suggestion in {
        ("--epochs", "3"): "did you mean training.epochs=3?",
        ("--batch-size=7",): "did you mean training.batch_size=7?",
        ("--seed", "3"): "did you mean seed=3?",
        ("--name=mine",): "did you mean name=mine?",
        ("--rums", "x"): "did you mean --runs?",
        ("--resume",): "unknown option --resume; expected --help, --runs",
    }.items():
        says(
            lambda words=words: parser.parse_args(list(words)),
            f"unknown option {words[0].partition('=')[0]}",
            suggestion,
            "expected --help, --runs",
        )


def test_what_is_no_file(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    says(lambda: load_config(pipe), "expected a file, received a pipe or a device")
    says(lambda: load_config(tmp_path / "x" / "y.toml"), "o such file")
    (tmp_path / "folder.toml").mkdir()
    says(lambda: load_config(tmp_path / "folder.toml"), "Is a directory")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    says(
        lambda: load_config(tmp_path / "loop.toml"), "Too many levels of symbolic links"
    )
    says(lambda: load_config(tmp_path / f"{'x' * 300}.toml"), "File name too long")


def test_home_is_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Parser("", CONFIG).parse_args(["--runs=~/x"]).runs == tmp_path / "x"


def change_state(**values):
    """A change of a checkpoint: other values in its state."""

    def change(arrays):
        state = json.loads(arrays["state"].tobytes()) | values
        text = json.dumps({k: v for k, v in state.items() if v is not None})
        return arrays | {"state": np.frombuffer(text.encode(), np.uint8)}

    return change


def forget_best(arrays):
    state = json.loads(arrays["state"].tobytes())
    state["best"]["validation"]["cross_entropy"] = float("nan")
    return arrays | {"state": np.frombuffer(json.dumps(state).encode(), np.uint8)}


def drop_one(arrays):
    return {k: v for k, v in arrays.items() if k != "variable/9"}


CHECKPOINT = "checkpoint/state.npz"
RUNS = [
    (
        CHECKPOINT,
        lambda a: a | {"variable/0": a["variable/0"][:5]},
        "expected",
        "(5, 16)",
    ),
    (
        CHECKPOINT,
        lambda a: a | {"variable/0": a["variable/0"] * 1.0j},
        "float32",
        "complex",
    ),
    (
        CHECKPOINT,
        lambda a: a | {"variable/99": a["variable/0"]},
        "of this model",
        "variable/99",
    ),
    (CHECKPOINT, lambda a: a | {"variable/0": np.array([None])}, "damaged", "object"),
    (CHECKPOINT, drop_one, "expected the checkpoint of this model", "variable/9"),
    (CHECKPOINT, change_state(updates=10**9), "expected an unfinished run", "later"),
    (CHECKPOINT, change_state(updates=-1), "damaged", "updates"),
    (CHECKPOINT, change_state(updates="1"), "damaged", "updates"),
    (CHECKPOINT, change_state(updates=None), "damaged", "updates"),
    (CHECKPOINT, change_state(rate_factor=float("nan")), "damaged", "rate_factor"),
    (CHECKPOINT, change_state(best=[1, 2]), "damaged", "best"),
    (CHECKPOINT, forget_best, "damaged", "best: Value error, expected finite"),
    (CHECKPOINT, lambda a: a | {"state": np.zeros(3, np.uint8)}, "damaged", ""),
    (CHECKPOINT, b"", "damaged", "not a zip file"),
    (CHECKPOINT, b"PK\x05\x06" + b"\0" * 18, "damaged", "state"),
    (CHECKPOINT, b"cos\nsystem\n(S'true'\ntR.", "damaged", "not a zip file"),
    ("history.csv", b"", "damaged (no evaluation)", ""),
    ("history.csv", b"epoch,step\n0,0\n", "expected every row up to epoch 1", ""),
    ("history.csv", b"epoch,step\nzero,0\n", "damaged", "zero"),
    ("history.csv", b"step\n0\n", "damaged", "epoch"),
    ("history.csv", b"epoch,step,x\n0,0,1\n1,5,1\n", "unknown column x", ""),
    ("history.csv", b"epoch,step\n0,0,7\n", "damaged", ""),
    ("history.csv", b"\xff\xfe", "damaged", "utf-8"),
    ("history.csv", b'epoch,"' + b"x" * 200_000, "damaged", "field"),
    ("history.csv", None, "damaged", "No such file"),
]


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """An unfinished run of two epochs, stopped after one; its config and programs."""
    path = tmp_path_factory.mktemp("unfinished")
    (path / "bad.toml").write_text(
        """
        data = {name = "digits", train_size = 50}
        model = {name = "tiny", hidden_units = [16]}
        training = {epochs = 2, batch_size = 10, jit_compile = false}
        """
    )
    config = load_config(path / "bad.toml", ["data.validation_size=50"])
    asked = itertools.chain([False], itertools.repeat(True))
    programs = {}
    result = train(
        config, path / "run", should_stop=lambda: next(asked), programs=programs
    )
    assert result["status"] == "interrupted"
    return path / "run", config, programs


@pytest.mark.parametrize(("name", "damage", "expected", "received"), RUNS)
def test_bad_run_directories(tmp_path, unfinished, name, damage, expected, received):
    origin, config, programs = unfinished
    directory = tmp_path / "run"
    shutil.copytree(origin, directory)
    if callable(damage):
        with np.load(directory / name) as file:
            arrays = damage(dict(file))
        np.savez(directory / name, **arrays)
    elif damage is None:
        (directory / name).unlink()
    else:
        (directory / name).write_bytes(damage)
    parts = f"{name}: ", expected, received, "--overwrite starts anew"
    says(
        lambda: train(config, directory, resume=True, programs=programs),
        *parts,
        kind=DamagedError,
    )


def test_unreadable_events_stop_nobody(tmp_path, unfinished):
    origin, config, programs = unfinished
    directory = tmp_path / "run"
    shutil.copytree(origin, directory)
    for path in directory.glob("events.out.tfevents.*"):
        path.write_bytes(b"\xff" * 100)
    result = train(config, directory, resume=True, programs=programs)
    assert result["status"] == "completed"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected TOML"),
        (b"schema_version = 0\n", "written by another version"),
        (b"\xff", "expected TOML in UTF-8"),
        (b"[optimizer]\nname = 'lamb'\n", "expected one of"),
        (b"[training]\nwidth = 3\n", "unknown setting training.width"),
        (None, "expected a run or nothing"),
    ],
)
def test_runs_with_another_schema_are_not_continued(
    tmp_path, unfinished, content, expected
):
    origin, config, _ = unfinished
    directory = tmp_path / "run"
    shutil.copytree(origin, directory)
    if content is None:
        (directory / "config.toml").unlink()
    else:
        (directory / "config.toml").write_bytes(content or b"=")
    attempt = open_run(directory, config, {}, resume=True)
    with pytest.raises(UserError, match=expected), attempt:
        pass
