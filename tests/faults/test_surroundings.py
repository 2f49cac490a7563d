"""What surrounds a run does not end it without a word, and does not change it.

Closed and full outputs, ways to start Python, Keras' own config file, filesystems that
lack a system call, too little memory.
"""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from experiment.command_line import exit_with_status
from models import MODELS
from system.errors import ExitError, say_once
from system.processes import REQUIRED, ROOT, load_keras
from tests.faults.runs import state_of
from train import train

FEW = (
    "data.train_size=100",
    "data.validation_size=50",
    "training.epochs=2",
    "training.jit_compile=false",
)


def shell(line, runs, *words, script=f"{ROOT}/train.py", cwd=ROOT, **environment):
    """Run train.py as a person would, with what surrounds it."""
    train = " ".join([script, *FEW, *words, "--runs", str(runs)])
    command = line.format(python=sys.executable, train=train)
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
    )


SLOW = pytest.mark.faults
NO_ROOM = f"train.py: standard output: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{python} -I {train} | head -1; exit ${{PIPESTATUS[0]}}", ""),
        ("{python} -W error {train} > /dev/full", NO_ROOM),
        pytest.param("{python} -P {train} >&- 2>&- <&-", "", marks=SLOW),
        pytest.param("COLUMNS=0 {python} {train} | grep -q completed", "", marks=SLOW),
    ],
)
def test_a_run_is_made_whatever_surrounds_it(tmp_path, line, said):
    done = shell(line, tmp_path / "runs", "name=x", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, said)
    result = json.loads((tmp_path / "runs/x/seed=00/result.json").read_text())
    assert result["status"] == "completed"


def test_settings_of_keras_outside_of_a_config_change_nothing(tmp_path):
    states = []
    for name, settings in {
        "plain": {},
        "other": {
            "floatx": "float64",
            "epsilon": 0.5,
            "image_data_format": "channels_first",
            "backend": "jax",
        },
    }.items():
        home = tmp_path / name
        home.mkdir()
        (home / "keras.json").write_text(json.dumps(settings))
        done = shell("{python} {train}", home, "name=x", KERAS_HOME=str(home))
        assert (done.returncode, done.stderr) == (0, "")
        states.append(state_of(home / "x/seed=00"))
    assert states[0] == states[1]


def test_settings_that_keras_refuses_are_one_line(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float99"}')
    done = shell("{python} {train}", tmp_path, KERAS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "train.py: Keras cannot read its keras.json: Invalid `floatx`" in done.stderr


@pytest.fixture(scope="module")
def programs():
    return {}


def test_what_a_model_function_sets_ends_with_its_run(
    configure, tmp_path, monkeypatch, programs
):
    train(configure(*FEW), tmp_path / "alone", programs=programs)

    def careless(image_shape, num_classes):
        keras.config.set_dtype_policy("bfloat16")
        keras.config.set_floatx("float16")
        keras.config.set_epsilon(0.1)
        keras.config.set_image_data_format("channels_first")
        images = keras.Input(image_shape)
        return keras.Model(images, keras.layers.Dense(num_classes)(images))

    monkeypatch.setitem(MODELS, "careless", careless)
    with pytest.raises(Exception):  # noqa: B017 (What it is does not matter.)
        train(configure("model.name=careless"), tmp_path / "careless")
    train(configure(*FEW), tmp_path / "after", programs={})
    assert state_of(tmp_path / "alone") == state_of(tmp_path / "after")


@pytest.mark.parametrize("code", ["", "0", "'enough'"])
def test_an_exit_in_a_callback_is_said(configure, tmp_path, capsys, programs, code):
    class Exits(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            sys.exit(*([eval(code)] if code else []))

    def run():
        train(configure(*FEW), tmp_path / "run", callbacks=[Exits()], programs=programs)

    assert exit_with_status(run) == ExitError.status == 1
    assert capsys.readouterr().err.endswith(
        f": expected a dataset, a model and callbacks that return, received "
        f"sys.exit({code})\n"
    )


@pytest.mark.parametrize("lacking", ["flock", "fsync"])
def test_a_filesystem_that_lacks_a_call_is_named_once(
    configure, tmp_path, monkeypatch, capsys, programs, lacking
):
    fsync = os.fsync

    def refuse(descriptor, *_):
        if lacking == "flock" or stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        fsync(descriptor)

    monkeypatch.setattr(f"{'fcntl' if lacking == 'flock' else 'os'}.{lacking}", refuse)
    say_once.cache_clear()
    for seed in (0, 1):
        config = configure(*FEW, f"seed={seed}")
        train(config, tmp_path / f"run{seed}", programs=programs)
    assert capsys.readouterr().err.count("this filesystem") == 1


def test_too_little_memory_for_a_model_is_one_line(tmp_path):
    done = shell(
        "ulimit -v 5000000; {python} {train}",
        tmp_path,
        "model.name=tiny",
        "model.hidden_units=[20000,20000]",
        "training.batch_size=10",
        script="-m tests.launch train.py",
    )
    assert done.returncode == 1
    assert done.stderr == (
        "train.py: not enough memory; OOM when allocating tensor with "
        "shape[20000,20000] and type float\n"
    )


def test_too_little_memory_for_tensorflow_is_one_line(tmp_path):
    done = shell("ulimit -v 1000000; {python} {train}", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("train.py: Keras cannot be imported: ")


@pytest.mark.parametrize("name", ["tensorflow", "pandas"])
def test_a_file_with_the_name_of_a_package_is_named(tmp_path, name):
    assert name in REQUIRED
    shutil.copy(ROOT / "train.py", tmp_path)
    shutil.copytree(ROOT / "system", tmp_path / "system")
    (tmp_path / f"{name}.py").write_text("")
    done = subprocess.run(
        [sys.executable, tmp_path / "train.py"], capture_output=True, text=True
    )
    assert done.stderr == (
        f"train.py: import {name}: expected the package {name}, received "
        f"{tmp_path}/{name}.py, which comes first on sys.path\n"
    )
    assert done.returncode == 2


def test_a_module_of_ones_own_with_a_name_of_this_project_is_named(tmp_path):
    (tmp_path / "models.py").write_text("")
    script = f"import sys; sys.path.append({str(ROOT)!r}); import train"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stderr.splitlines()[-1] == (
        f"system.errors.UserError: import models: expected {ROOT / 'models'}, received "
        f"{Path(tmp_path).resolve()}/models.py, which comes first on sys.path"
    )


@pytest.fixture(autouse=True, scope="module")
def _keras_as_it_was():
    yield
    load_keras(0)
