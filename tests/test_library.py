"""`run` of train.py, as a notebook or a program of one's own calls it."""

import importlib
import io
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

from system.errors import UserError
from tests.tiny import CONFIG, DIGITS
from train import BASELINE, run

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def programs():
    return {}


@pytest.fixture
def settings():
    return {
        "data": {"name": "digits", "train_size": 230, "validation_size": 200},
        "model.name": "tiny",
        "training": {"epochs": 2, "jit_compile": False},
    }


def test_a_dict_makes_a_run_with_its_history_and_its_model(
    settings, tmp_path, programs
):
    done = run(settings | {"name": "mine"}, tmp_path, programs=programs)
    assert done.directory == tmp_path / "mine/seed=00"
    assert done.result["status"] == "completed"
    history = done.history
    assert list(history["epoch"]) == [0, 1, 2]
    final = done.result["final"]["validation"]["cross_entropy"]
    assert history["loss/validation"].iloc[-1] == pytest.approx(final, rel=1e-6)
    with np.load(DIGITS) as file:
        images, labels = file["x_test"] / 255, file["y_test"]
    right = done.model.predict(images, verbose=0).argmax(axis=-1) == labels
    # Float32: an image on the border between two classes may go either way.
    assert right.mean() == pytest.approx(
        done.result["final"]["test"]["accuracy"], abs=0.01
    )


def test_a_dict_is_known_by_what_it_changes_and_a_file_by_its_name(
    settings, tmp_path, programs
):
    done = run(settings | {"seed": 3}, tmp_path, programs=programs)
    assert done.directory.name == "seed=03"
    assert done.directory.parent.name.startswith(f"{BASELINE.stem},data.name=digits,")
    path = Path(shutil.copy(CONFIG, tmp_path / "other.toml"))
    from_file = run(path, tmp_path)
    assert from_file.directory == tmp_path / "other/seed=00"
    based = run({"base": path, "training.epochs": 1}, str(tmp_path))
    assert based.directory.parent.name == "other,training.epochs=1"
    assert based.result["final"]["epoch"] == 1


def test_a_config_of_the_project_is_found_from_any_directory(
    settings, tmp_path, monkeypatch, programs
):
    monkeypatch.chdir(tmp_path)
    base = BASELINE.relative_to(ROOT)
    done = run(settings | {"base": base}, "here", programs=programs)
    assert done.directory.parent.parent == Path("here")


def test_an_installation_is_refused():
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    with pytest.raises(SystemExit, match="expected a clone to run from"):
        importlib.import_module(backend["build-backend"])


def test_mistakes_are_named(settings, tmp_path):
    for mistake, message in {
        "model.l7": "unknown setting model.l7",
        "epochs": "did you mean training.epochs",
    }.items():
        with pytest.raises(UserError, match=message):
            run(settings | {mistake: 1}, tmp_path)


class Halving(keras.callbacks.Callback):
    """Multiplies the weights after the last epoch."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def on_train_end(self, logs=None):
        self.model.set_weights([self.factor * w for w in self.model.get_weights()])


def test_no_result_of_other_callbacks_is_shown(settings, tmp_path, programs):
    def norm(*callbacks, **how):
        console = Console(file=io.StringIO(), width=1000)
        how |= {"callbacks": callbacks, "console": console, "programs": programs}
        done = run(settings | {"name": "x"}, tmp_path, **how)
        return done.result["final"]["weight_norm"], console.file.getvalue()

    whole, _ = norm()
    half, said = norm(Halving(0.5))
    assert half == pytest.approx(whole / 2, rel=1e-6)
    assert "differs in the callbacks it was made with; it lies in seed=00.1" in said
    quarter, said = norm(Halving(0.25))
    assert quarter == pytest.approx(whole / 4, rel=1e-6)
    assert "was made with callbacks, which these may differ from" in said
    assert norm(Halving(0.25), resume=True)[0] == quarter
    assert norm()[0] == whole
    assert len(list((tmp_path / "x").iterdir())) == 4


CELLS = """
import sys
sys.path.append(ROOT)
import tests.tiny
from models import MODELS
from train import run

def mine(image_shape, num_classes, *, units: int = UNITS):
    import keras
    images = keras.Input(image_shape)
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(images))
    return keras.Model(images, keras.layers.Dense(num_classes)(x))

MODELS["mine"] = mine
done = run(SETTINGS | {"model.name": "mine", "name": "x"})
print(done.model.count_params(), done.directory)
"""


def test_a_model_of_a_notebook_in_any_directory_is_known_by_its_code(
    settings, tmp_path
):
    """Executed as a notebook executes its cells: without a file, with their source."""
    given = {"ROOT": str(ROOT), "SETTINGS": settings}
    runner = f"""
import linecache
for units in (3, 3, 4):
    cell = {CELLS!r}.replace("UNITS", str(units))
    linecache.cache["<cell>"] = (len(cell), None, cell.splitlines(True), "<cell>")
    exec(compile(cell, "<cell>", "exec"), globals() | {given})
"""
    done = subprocess.run(
        [sys.executable, "-c", runner], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stderr == ""
    counts = [int(line.split()[0]) for line in done.stdout.splitlines()]
    assert counts == [784 * u + u + u * 10 + 10 for u in (3, 3, 4)]
    places = sorted(path.name for path in (tmp_path / "runs/x").iterdir())
    assert places == ["seed=00", "seed=00.1"]
    saved = json.loads((tmp_path / "runs/x/seed=00/result.json").read_text())
    assert saved["status"] == "completed"
