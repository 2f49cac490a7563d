"""What makes a run another run besides its settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiment import fingerprint as module
from experiment.config import OPTIONS, load_config
from experiment.fingerprint import (
    CHOICES,
    code_of,
    compute_fingerprint,
    digest_of_modules,
    read_module,
)
from train import BASELINE

ROOT = Path(__file__).parent.parent.parent

PROJECT = {
    "train.py": "from data import DATASETS, split\nimport training.fit\n",
    "training/__init__.py": "",
    "training/fit.py": "def fit():\n    from training import trainer\n",
    "training/trainer.py": "import numpy\nSECONDS = 1\n",
    "data/__init__.py": "from data.mnist import mnist\nDATASETS = {}\n",
    "data/split.py": "",
    "data/mnist.py": "",
    "models/__init__.py": "from models.mlp import mlp\nfrom models.mine import mine\n",
    "models/mlp.py": "",
    "models/mine.py": "from . import blocks\nfrom my_layers.gate import Gate\n",
    "models/blocks.py": "",
    "my_layers/__init__.py": "",
    "my_layers/gate.py": "from ..my_numbers import RATE\n",
    "my_numbers.py": "RATE = 0.5\n",
    "compare.py": "",
}
USED = {
    *("train.py", "training/__init__.py", "training/fit.py", "training/trainer.py"),
    *("data/split.py", "models/mine.py", "models/blocks.py"),
    *("my_layers/__init__.py", "my_layers/gate.py", "my_numbers.py"),
}
"""By a run of `mine`; `models` and `data` only list what could be chosen."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project in which a run of the model `mine` can be looked at."""
    for name, content in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    read_module.cache_clear()
    return tmp_path


def digest(project):
    read_module.cache_clear()
    return digest_of_modules([project / "train.py", project / "models/mine.py"])


@pytest.mark.parametrize("name", PROJECT)
def test_code_that_a_run_loads_counts_and_no_other(project, name):
    before = digest(project)
    (project / name).write_text(f"{PROJECT[name]}ADDED = 1\n")
    assert (digest(project) != before) == (name in USED)


def test_what_editors_leave_beside_a_module_does_not_count(project):
    before = digest(project)
    (project / "models/.#mine.py").symlink_to("user@machine.1234:1")  # An Emacs lock.
    checkpoints = project / "models/.ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "mine-checkpoint.py").write_text("ADDED = 1\n")
    assert digest(project) == before


def test_a_change_is_seen_by_the_same_process(project):
    paths = [project / "train.py"]
    before = digest_of_modules(paths)
    (project / "training/trainer.py").write_text("SECONDS = 2\n")
    assert digest_of_modules(paths) != before


BEFORE = """
def double(x):
    return 2 * x
"""


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ("# A remark.\n" + BEFORE, True),
        (BEFORE.replace("2 * x", "(2\n            * x)  # twice"), True),
        (BEFORE.replace("    return", '    """Twice a number."""\n    return'), True),
        ('"""A module."""\n' + BEFORE, True),
        (BEFORE.replace("2 * x", "3 * x"), False),
        (BEFORE.replace("return", "yield"), False),
        (BEFORE + "double = str\n", False),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(tmp_path, after, same):
    path = tmp_path / "module.py"
    digests = []
    for content in (BEFORE, after):
        path.write_text(content)
        read_module.cache_clear()
        digests.append(digest_of_modules([path]))
    assert (digests[0] == digests[1]) == same


def test_a_file_that_a_setting_names_counts(configure, tmp_path):
    """Whatever the setting: a checkpoint to start from is named like a data file."""
    file = tmp_path / "weights.keras"
    config = configure().with_settings("model", weights=str(file))
    without = compute_fingerprint(config, "d")
    assert without["data"] == "d"
    assert without.keys() > {"code", "python", "tensorflow", "keras", "numpy"}
    found = []
    for content in ("one", "other"):
        file.write_text(content)
        found.append(compute_fingerprint(config, "d"))
        assert found[-1] == without | {"files": found[-1]["files"]}
    assert found[0] != found[1]


def test_the_code_of_another_model_or_dataset_does_not_count(monkeypatch):
    """What is chosen does, and the list of what may be does not."""
    config = load_config(BASELINE)
    counted = set()

    def note(path, changed, read=read_module):
        counted.add(path.relative_to(ROOT).as_posix())
        return read(path, changed)

    monkeypatch.setattr(module, "read_module", note)
    code_of(config.functions)
    chosen = files_of([config.model.function, config.dataset.function])
    assert chosen | {"training/trainer.py"} <= counted
    assert not counted & {"models/__init__.py", "data/__init__.py", "compare.py"}
    assert not [name for name in counted if name.startswith(("comparison/", "tests/"))]


LOADED = """
import json, sys
from pathlib import Path
from experiment.config import load_config
from train import BASELINE, train
few = ["training.epochs=1", "data.train_size=100"]
config = load_config(BASELINE, few)
train(config, Path(sys.argv[1]))
root = Path.cwd()
files = [Path(m.__file__ or "") for m in sys.modules.values() if hasattr(m, "__file__")]
print(json.dumps([str(f.relative_to(root)) for f in files if f.is_relative_to(root)]))
"""


def test_all_modules_that_a_run_loads_count(tmp_path, monkeypatch):
    """But those that list what may be chosen, and what they list besides."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, tmp_path / "run"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    own = [name for name in json.loads(done.stdout) if not name.startswith(".venv")]
    counted = set()

    def note(path, changed, read=read_module):
        counted.add(path.relative_to(ROOT).as_posix())
        return read(path, changed)

    monkeypatch.setattr(module, "read_module", note)
    config = load_config(BASELINE)
    code_of(config.functions)
    lists = {f"{folder}/__init__.py" for folder in CHOICES}
    choices = [f for option in OPTIONS.values() for f in option.functions.values()]
    chosen = files_of(config.functions)
    assert {*own} - counted <= lists | (files_of(choices) - chosen)
    assert chosen <= counted


def files_of(functions):
    files = (Path(sys.modules[f.__module__].__file__) for f in functions)
    return {file.relative_to(ROOT).as_posix() for file in files}
