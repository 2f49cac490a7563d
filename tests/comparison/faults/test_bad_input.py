"""No comparison file ends in a traceback, a hang or a silent default."""

import os
from pathlib import Path

import pytest

from comparison.plan import load_comparison
from experiment.config import load_config
from tests.faults.test_bad_input import says

COMPARISON = """
base = "base.toml"
seeds = [0, 1]
[methods.none]
[methods.l2]
vary.regularizer.l2 = [1e-3, 1e-2]
"""
COMPARISONS = [
    ('name = "../../x"', "name: expected 1 to 100 of", "../../x"),
    ('name = "/etc"', "name: expected 1 to 100 of", "/etc"),
    ("name = 5", "name: expected a string", "received 5"),
    ("base = 5", "base: expected a string", "received 5"),
    ('base = ""', "directory", ""),
    ('base = "missing.toml"', "no such file", "missing.toml"),
    ("seeds = [1.5]", "seeds.0: expected an integer", "received 1.5"),
    ("seeds = [-1]", "seeds.0: expected greater than or equal to 0", "received -1"),
    ("control = 3", "control: expected a string", "received 3"),
    ("control = 'l3'", "control: expected one of none, l2", '"l3"'),
    ("select = 1", "select: expected a table", "received 1"),
    ("set = 4", "set: expected", "4"),
    ("set.training = 4", "set.training: expected a table, whose settings", "4"),
    ("set.training.epochs = 0", "training.epochs: expected an integer >= 1", "0"),
    ("conditions = 4", "conditions: expected a list", "4"),
    ("conditions = [4]", "conditions.0: expected a table", "received 4"),
    ("conditions = [{}, {}]", "differ in their first setting", "[{}, {}]"),
    ("methods = 4", "methods: expected a table", "received 4"),
    ("methods = {}", "methods: expected at least 1 item", "received {}"),
    ("methods.x = 4", "methods.x: expected a table", ""),
    ("methods.x.vary = 4", "methods.x.vary: expected", "4"),
    (
        "methods.x.vary.regularizer.l2 = 4",
        "vary.regularizer.l2: expected a list",
        "received 4",
    ),
    (
        "methods.x.vary.regularizer.l2 = []",
        "vary.regularizer.l2: expected at least 1 item",
        "received []",
    ),
    ("methods.x.vary.regularizer.l2 = [[]]", "regularizer.l2: expected a number", "[]"),
    ("methods.x.vary.regularizer.l2 = [nan]", "l2: expected a number >= 0", "NaN"),
    ("methods.x.vary.regularizer.l2 = [1, inf]", "expected a number", "Infinity"),
    ("methods.x.vary.l2 = [1]", "vary.l2: expected a table, whose settings", "[1]"),
    ("methods.x.set.model = 'tiny'", "settings are named section.key", '"tiny"'),
    ("set.name = 'x'", "set.name: expected a table, whose settings", '"x"'),
    ("set.seed = 3", "set.seed: expected a table, whose settings", "received 3"),
    ("methods.x.set.modle.l2 = 1", "did you mean model?", "unknown setting modle"),
    (
        "methods.m.vary.model.activation = ['relu', '../x']",
        "expected one of relu",
        "../x",
    ),
    ("sedes = 4", "did you mean seeds?", "unknown setting sedes"),
]


@pytest.mark.parametrize(("line", "expected", "received"), COMPARISONS)
def test_bad_comparisons(tmp_path, line, expected, received):
    (tmp_path / "base.toml").write_text("model.name = 'tiny'")
    key = line.partition(" =")[0]
    lines = COMPARISON.splitlines()
    kept = [text for text in lines if not text.startswith(f"{key} =")]
    if key == "methods":
        kept = [text for text in kept if "method" not in text and "vary" not in text]
    path = tmp_path / "bad.toml"
    path.write_text("\n".join([line, *kept]))
    says(lambda: load_comparison(path), expected, received)


def test_a_comparison_and_a_run_are_taken_for_what_they_are(tmp_path):
    comparison, run = (str(tmp_path / f"{name}.toml") for name in ("some", "base"))
    Path(comparison).write_text(COMPARISON)
    Path(run).write_text("model.name = 'tiny'")
    says(
        lambda: load_config(comparison),
        f"{comparison}: expected one run, received a comparison",
        f"python compare.py {comparison}",
    )
    says(
        lambda: load_comparison(Path(run)),
        f"{run}: expected a comparison, received one run: python train.py {run}",
    )
    twice = ["training.epochs=1", "training.epochs=2"]
    for load in (load_config, load_comparison):
        path = Path(run if load is load_config else comparison)
        says(lambda load=load, path=path: load(path, twice), "expected one value")


def test_what_is_no_file(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    says(lambda: load_comparison(pipe), "expected a file, received a pipe or a device")
    says(lambda: load_comparison(tmp_path / "x" / "y.toml"), "o such file")
