"""Files of strangers run nothing, and nothing is written outside of the runs."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console
from tensorboard.plugin_util import markdown_to_safe_html

from experiment.config import load_config
from experiment.run_directory import path_within
from monitoring.summary import write_card
from system.errors import UserError
from tests.tiny import CONFIG, DIGITS
from train import train

ROOT = Path(__file__).parent.parent.parent
KEPT = "it is refused, or taken for text"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def shared():
    return {}


class Payload:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_run_nothing(configure, tmp_path, shared, tried):
    ran = tmp_path / "ran"
    payload = np.array([Payload(ran)], dtype=object)
    config = configure("training.epochs=2")
    asked = iter([False, True, True, True])
    directory = tmp_path / "run"
    train(config, directory, should_stop=lambda: next(asked), programs=shared)
    checkpoint = directory / "checkpoint/state.npz"
    for content in (payload, None):
        if content is None:
            checkpoint.write_bytes(pickle.dumps(Payload(ran)))
        else:
            with np.load(checkpoint) as file:
                np.savez(checkpoint, **dict(file) | {"variable/0": content})
        with pytest.raises(UserError, match="damaged"):
            train(config, directory, resume=True, programs=shared)
    assert not ran.exists()
    tried("a file made to run code or to write elsewhere", 1, KEPT)


def test_a_saved_model_holds_no_code(configure, tmp_path, tried):
    """Keras loads it in its safe mode, without custom objects or lambdas."""
    train(configure("training.epochs=1", "model.dropout=0.2"), tmp_path / "run")
    path = tmp_path / "run/model.keras"
    with zipfile.ZipFile(path) as archive:
        assert {*archive.namelist()} == {
            "metadata.json",
            "config.json",
            "model.weights.h5",
        }
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    assert all(layer["module"] == "keras.layers" for layer in layers)
    assert keras.models.load_model(path, safe_mode=True).name == "tiny"
    tried("a file made to run code or to write elsewhere", 1, KEPT)


def test_nothing_in_the_project_unpickles_or_loads_unsafely():
    """Names that a config holds are looked up in dictionaries, never imported.

    Workers import by name what this project's own files import, and nothing else.
    """
    sources = [
        path
        for path in ROOT.rglob("*.py")
        if not {"tests", ".venv"} & set(path.relative_to(ROOT).parts)
    ]
    assert len(sources) > 30
    importing = [p.name for p in sources if "import_module" in p.read_text("utf-8")]
    assert importing == ["fingerprint.py"]
    for path in sources:
        text = path.read_text(encoding="utf-8")
        dangerous = r"\bimport pickle|allow_pickle=True|safe_mode|\bexec\("
        assert not re.search(dangerous, text), path


def test_html_in_a_setting_is_text_in_the_card(configure, tmp_path, tried):
    path = tmp_path / "<img src=x onerror=alert(1)> ``` [x](javascript:1).npz"
    shutil.copy(DIGITS, path)
    config = configure(f'data.path="{path}"', "training.epochs=1")
    result = train(config, tmp_path / "run")
    html = markdown_to_safe_html(write_card(result, tmp_path / "run"))
    assert "&lt;img src=x" in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    tried("a file made to run code or to write elsewhere", 1, KEPT)


@pytest.mark.parametrize("name", ["mean", "figures"])
def test_a_report_follows_no_link_out(tmp_path, name, tried):
    outside, directory = tmp_path / "outside", tmp_path / "comparison"
    outside.mkdir()
    directory.mkdir()
    (directory / name).symlink_to(outside)
    with pytest.raises(UserError, match="received a symbolic link"):
        path_within(directory, Path(name))
    tried("a file made to run code or to write elsewhere", 1, KEPT)


def test_no_name_of_a_config_climbs_out(tried):
    config = load_config(CONFIG, ["data.path=../../../x"])
    assert "/" not in config.name
    tried("a file made to run code or to write elsewhere", 1, KEPT)


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", "a b=c,d", "ünï"])
def test_names_that_a_terminal_would_interpret(
    configure, tmp_path, capsys, name, shared
):
    directory = tmp_path / name
    result = train(
        configure("training.epochs=1"),
        directory,
        resume=True,
        console=Console(),
        programs=shared,
    )
    assert result["status"] == "completed"
    assert name in capsys.readouterr().out


def test_names_that_the_terminal_cannot_encode(tmp_path):
    """In a process of its own, whose output is ASCII."""
    script = """
from system import processes
processes.begin_command()
print("ünï \\u2502")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (done.stderr, done.stdout) == (b"", b"\\xfcn\\xef \\u2502\n")


def test_tensorboard_listens_to_this_machine_alone():
    assert 'host="127.0.0.1"' in (ROOT / "view.py").read_text()
    for path in (ROOT / "Makefile", ROOT / "README.md"):
        assert "tensorboard --logdir" not in path.read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_may_not_write(path):
    text = path.read_text()
    for action in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
    assert "permissions:\n  contents: read\n" in text
