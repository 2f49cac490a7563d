"""What docs/adapting.md says can be deleted is deleted; the tests of the rest go on."""

import re
import subprocess
import sys

import pytest

from tests.deleting import ROOT, choices, copy_project, delete_all, delete_paths

PAGE = (ROOT / "docs/adapting.md").read_text()
((kept,),) = [re.findall(r"These stay[^:]*: (.*?)\.\n", PAGE, re.S)]
KEPT = set(re.findall(r"`(\w+)`", kept))
ENTRIES = [entry for entry in choices() if entry.rpartition(".")[2] not in KEPT]
HEIRS = {"data.mnist": "own", "model.mlp": "residual_mlp", "optimizer.adam": "sgd"}
"""What takes the place of defaults."""

OWN = """
import numpy as np
from data.arrays import Arrays

def own():
    random = np.random.default_rng(0)
    images = random.integers(256, size=(14_000, 8, 8), dtype=np.uint8)
    labels = np.arange(14_000) % 10
    return Arrays(images, labels, images[:100], labels[:100])
"""
SLOW = ("trajectories", "oracles", "browser", "compare", "pages", "deleting")


@pytest.fixture
def project(tmp_path):
    """A copy of the project, without the studies, which choose much of what it has."""
    copy_project(tmp_path)
    delete_row(tmp_path, "the studies")
    return tmp_path


def delete_row(root, name):
    """Delete the files that a row of the table names."""
    (row,) = re.findall(rf"^\| {name} \| (.*?) \|", PAGE, re.M)
    delete_paths(root, re.findall(r"`([\w/.]+)`", row))


def run(root, *arguments):
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def collect(root):
    """Import all tests, those that are marked too."""
    run(root, "-m", "pytest", "--collect-only", "-m", "")


def with_heir(root, entry):
    """Have another take the place of what is a default."""
    if entry not in HEIRS:
        return entry
    if entry == "data.mnist":
        (root / "data/own.py").write_text(OWN)
        listing = root / "data/__init__.py"
        named = listing.read_text().replace('    "npz"', '    "own": own,\n    "npz"')
        listing.write_text(f"from data.own import own\n{named}")
    else:
        (root / "configs/baseline.toml").write_text("# A baseline.\n")
    return f"{entry}:{HEIRS[entry]}"


@pytest.mark.docs
def test_all_can_go_that_nothing_is_made_of(project):
    delete_all(project, *(entry for entry in ENTRIES if entry not in HEIRS))
    collect(project)
    run(project, "-m", "pytest", "tests/experiment", "tests/models", "tests/callbacks")


@pytest.mark.faults
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_goes_with_what_is_about_it(project, entry):
    """And the quick tests that name it pass, or are skipped."""
    delete_all(project, with_heir(project, entry))
    name = entry.rpartition(".")[2]
    run_tests_of(project, rf"""["'=]{name}["'.]|name={name}\b""")


def run_tests_of(root, pattern):
    """Import all tests, and run those of configs and of files that hold a pattern."""
    paths = (root / "tests").rglob("test_*.py")
    names = [path.stem for path in paths if re.search(pattern, path.read_text())]
    quick = [name for name in names if not any(word in name for word in SLOW)]
    run(root, "-m", "pytest", "tests", "-k", " or ".join(["test_config", *quick]))


@pytest.mark.faults
def test_all_configs_go_for_those_of_ones_own(project):
    delete_paths(project, ["configs"])
    (project / "configs/comparisons").mkdir(parents=True)
    (project / "configs/mine.toml").write_text("# A config.\n")
    for name, default in {"train": "baseline", "compare": "compare"}.items():
        path = project / f"{name}.py"
        path.write_text(path.read_text().replace(f'"{default}.toml"', '"mine.toml"'))
    run_tests_of(project, 'BASELINE|"configs')


@pytest.mark.docs
def test_what_is_left_without_comparisons_still_imports(project):
    delete_comparisons(project)
    collect(project)
    run(project, "view.py", "--help")


@pytest.mark.faults
def test_what_is_left_without_comparisons_passes_its_tests(project):
    delete_comparisons(project)
    run(project, "-m", "pytest", "tests")


def delete_comparisons(root):
    delete_row(root, "comparisons")
    view = (root / "view.py").read_text()
    view = view.replace(
        "comparison.links import views", "monitoring.links import OF_RUNS"
    )
    view = view.replace("views(arguments.directory)", "OF_RUNS")
    (root / "view.py").write_text(view)
