"""No input ends in a traceback, a hang or a silent default.

One line says what is meant, what was expected and what was received.
"""

import io
import itertools
import json
import os
import shutil
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import npz, split
from experiment.command_line import Parser
from experiment.config import load_config, parse_override
from experiment.run_directory import open_run
from system.errors import DamagedError, UserError
from system.files import unpack
from train import BASELINE, train

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
    (b"model = 'mlp'", "model: expected a table [model]", 'received "mlp"'),
    (b"[model]\nname = 3", "model.name: expected one of mlp", "received 3"),
    (b"[model]\nname = 'vit'", "model.name: expected one of mlp", '"vit"'),
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
    (b"[model]\ndropout = 1.0", "model.dropout: expected a number", "1.0"),
    (b"[model]\nhidden_units = 8", "expected a list of", "received 8"),
    (b"[model]\nhidden_units = [8.0]", "expected a list of", "[8.0]"),
    (b"[model]\nhidden_units = [[8]]", "expected a list of", "[[8]]"),
    (b"[model]\nhidden_units = [-8]", "expected a list of", "[-8]"),
    (b"[model]\nbatch_normalization = 1", "expected true or false", "received 1"),
    (b"[model]\nactivation = ''", "expected one of relu", '""'),
    (b"[training]\nepochs = 0", "training.epochs: expected an integer >= 1", "0"),
    (b"[training]\nepochs = 1.5", "training.epochs: expected an integer", "1.5"),
    (b"[training]\nepochs = true", "training.epochs: expected an integer", "true"),
    (f"[training]\nepochs = {DIGITS}".encode(), "expected TOML", "digits"),
    (b"[training]\nbatch_size = 0x" + b"f" * 5000, "at most 9223372036854775807", ""),
    (b"[training]\nbatch_size = -1", "training.batch_size: expected", "-1"),
    (b"[data]\nname = 'npz'", "data.path: data npz needs it; expected a string", ""),
    (b"[data]\nname = 'npz'\npath = 1", "data.path: expected a string", "1"),
    (b'[data]\nname = "npz"\npath = "a\\u0000"', "expected printable text", "a"),
    (b"[data]\npath = 'x.npz'", "data.name = npz or folders", "data.path"),
    (b"[optimizer]\nlearning_rate = 0", "learning_rate: expected a number > 0", "0"),
    (b"[optimizer]\nbeta_1 = 1", "beta_1: expected a number >= 0 and < 1", "1"),
    (b"[schedule]\nname = 'step'", "expected one of constant, cosine", '"step"'),
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
        (
            "configs/baseline",
            "did you mean configs/baseline.toml?",
            '"configs/baseline"',
        ),
        ("regularizer.l2=", "regularizer.l2: expected a TOML value", '""'),
        ("regularizer.l2='", "regularizer.l2: expected a TOML value", "'"),
        ("regularizer.l2=1\nseed=2", "regularizer.l2: expected one TOML value", "seed"),
        (f"training.epochs={DIGITS}", "training.epochs: expected an integer", "999"),
        ("data.path=\udcff", "unknown setting data.path", ""),
    ],
)
def test_bad_overrides(override, expected, received):
    says(lambda: load_config(BASELINE, [override]), expected, received)


@given(
    st.text(), st.sampled_from(["regularizer.l2=", "data.path=", "seed=", "", "a.b="])
)
def test_any_override_is_understood_or_refused(text, key):
    try:
        parse_override(key + text)
    except UserError as error:
        assert str(error).isprintable()


@given(st.lists(st.text(max_size=8) | st.sampled_from(["--runs", "a=1", "x.toml"])))
def test_any_command_line_is_understood_or_refused(words):
    words = [word for word in words if word[:2] not in ("-h", "--h")]
    try:
        Parser("a command", BASELINE).parse_args(words)
    except (UserError, SystemExit) as error:
        assert not isinstance(error, SystemExit) or error.code == 0


def test_an_option_that_is_a_setting_is_named_with_its_value():
    parser = Parser("a command", BASELINE)
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


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(shape="(2, 3)", descr="'|u1'", body=b"\0" * 6, version=b"\x01\x00") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return (
        b"\x93NUMPY"
        + version
        + len(header).to_bytes(2, "little")
        + (header.encode() + body)
    )


def dataset(**changes) -> bytes:
    members = {"x_train": npy(), "x_test": npy()}
    labels = npy("(2,)", body=b"\0\1")
    return archive(**members | {"y_train": labels, "y_test": labels} | changes)


def zeros(count: int) -> bytes:
    """An array file of so many zero bytes, which says so."""
    return npy(f"({count // 1000}, 1000)", body=b"\0" * count)


PICKLE = b"cos\nsystem\n(S'touch pickled'\ntR."
WHOLE = dataset()
NO_NPZ = "expected an .npz file of the numeric arrays x_train, y_train"
DATA = [
    (b"", NO_NPZ, "BadZipFile"),
    (b"PK\x03\x04", NO_NPZ, "BadZipFile"),
    (b"x_train,y_train\n", NO_NPZ, "BadZipFile"),
    (b"\x80\x04N.", NO_NPZ, "BadZipFile"),
    (npy(), NO_NPZ, "BadZipFile"),
    (WHOLE[:-1], NO_NPZ, ""),
    (WHOLE[: len(WHOLE) // 2], NO_NPZ, "BadZipFile"),
    (WHOLE[200:], NO_NPZ, ""),
    (archive(), NO_NPZ, "x_train.npy' in the archive"),
    (archive(x=npy()), NO_NPZ, "no item named 'x_train"),
    (dataset(x_train=b""), NO_NPZ, "ValueError"),
    (dataset(x_train=b"text"), NO_NPZ, "ValueError"),
    (dataset(x_train=npy(version=b"\x09\x00")), NO_NPZ, ""),
    (dataset(x_train=npy("(2, 3")), NO_NPZ, "TokenError"),
    (dataset(x_train=npy("(2, -3)")), NO_NPZ, "(2, -3)"),
    (dataset(x_train=npy("(2, 4)")), NO_NPZ, "(2, 4)"),
    (dataset(x_train=npy("(10**6,)")), NO_NPZ, "ValueError"),
    (dataset(x_train=npy("(99999999999999,)")), NO_NPZ, "(99999999999999,)"),
    (dataset(x_train=npy(descr="'|O'")), NO_NPZ, "object"),
    (dataset(x_train=npy(descr="'|O'", body=PICKLE)), NO_NPZ, "object"),
    (dataset(x_train=npy(descr="'<U1'", body=b"\0" * 24)), "expected uint8", "<U1"),
    (dataset(x_train=npy(descr="'<i8'", body=b"\0\1" * 24)), "from 0 to 255", "72"),
    (dataset(x_train=npy(descr="[('a', '|u1')]")), "expected uint8", "('a'"),
    (
        dataset(x_train=npy(descr="'<f4'", body=b"\0\0\xc0\x7f" * 6)),
        "expected finite",
        "nan",
    ),
    (
        dataset(x_train=npy(descr="'<f4'", body=b"\0\0\x80\x7f" * 6)),
        "expected finite",
        "inf",
    ),
    (dataset(x_train=npy("(6,)")), "expected images (n, ...)", "received (6,)"),
    (dataset(x_train=npy("()", body=b"\0")), "expected images (n, ...)", "received ()"),
    (dataset(x_train=npy("(0, 3)", body=b"")), "expected images", "received (0, 3)"),
    (dataset(x_test=npy("(3, 2)")), "of shape (3,) each", "received (3, 2)"),
    (dataset(y_train=npy("(3,)", body=b"\0" * 3)), "expected 2 labels", "(3,)"),
    (
        dataset(y_train=npy("(2,)", "'<f4'", b"\0\0\0?" * 2)),
        "class numbers",
        "from 0 to 1",
    ),
    (dataset(y_train=npy("(2,)", "'|i1'", b"\0\xff")), "class numbers", "from -1"),
    (dataset(y_train=npy("(2,)", "'<i2'", b"\0\0\xff\x7f")), "below 10000", "to 32767"),
]


@pytest.mark.parametrize(("content", "expected", "received"), DATA)
def test_bad_data_files(tmp_path, content, expected, received):
    path = tmp_path / "bad data=ä,1.npz"
    path.write_bytes(content)
    says(lambda: split(npz(path=str(path)), 0, validation_size=1), expected, received)
    assert not (tmp_path / "pickled").exists()


def test_the_corpus_is_as_large_as_it_says():
    assert len(CONFIGS) + len(DATA) + len(RUNS) >= 80


@pytest.mark.parametrize("limit", [10**6, 10**7])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, limit):
    path = tmp_path / "bomb.npz"
    path.write_bytes(dataset(x_train=zeros(20_000_000)))
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(sys.modules["data.files"], "most_bytes", lambda: limit)
    monkeypatch.setattr(
        "system.files.zipfile.ZipFile.open", None
    )  # Nothing is unpacked.
    says(lambda: npz(path=str(path)), f"at most {limit:,} bytes", "20,000,")


def test_a_file_that_says_to_unpack_to_less_is_not_believed():
    content = bytearray(dataset(x_train=zeros(100_000)))
    size = len(zeros(100_000)).to_bytes(4, "little")
    assert content.count(size) == 2
    small = bytes(content.replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        unpack(small, 10**6, ["x_train"])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused_or_harmless(tmp_path_factory, place, change):
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    content = bytearray(WHOLE)
    content[place] ^= change
    path.write_bytes(content)
    try:
        assert npz(path=str(path)).x_train.shape == (2, 3)
    except UserError as error:
        assert "expected" in str(error)


@pytest.mark.parametrize("load", [npz, load_config])
def test_what_is_no_file(tmp_path, load):
    def read(path):
        return npz(path=str(path)) if load is npz else load(path)

    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    says(lambda: read(pipe), "expected a file, received a pipe or a device")
    says(lambda: read(tmp_path / "x" / "y.toml"), "o such file")
    (tmp_path / "folder.toml").mkdir()
    says(lambda: read(tmp_path / "folder.toml"), "Is a directory")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    says(lambda: read(tmp_path / "loop.toml"), "Too many levels of symbolic links")
    says(lambda: read(tmp_path / f"{'x' * 300}.toml"), "File name too long")


def test_home_is_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.npz").write_bytes(WHOLE)
    assert npz(path="~/mine.npz").x_train.shape == (2, 3)
    assert Parser("", BASELINE).parse_args(["--runs=~/x"]).runs == tmp_path / "x"


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
    (CHECKPOINT, PICKLE, "damaged", "not a zip file"),
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
def unfinished(tmp_path_factory, digits):
    """An unfinished run of two epochs, stopped after one; its config and programs."""
    path = tmp_path_factory.mktemp("unfinished")
    (path / "bad.toml").write_text(
        f"""
        data = {{name = "npz", path = "{digits}", train_size = 50}}
        model.hidden_units = [16]
        training = {{epochs = 2, batch_size = 10}}
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
        (b"[model]\nwidth = 3\n", "unknown setting model.width"),
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
