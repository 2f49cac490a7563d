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
DEFAULTS = {"data.mnist", "model.mlp"}
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
    if entry == "model.mlp":
        (root / "configs/baseline.toml").write_text("# A baseline.\nmodel.width = 8\n")
        return f"{entry}:residual_mlp"
    if entry == "data.mnist":
        (root / "data/own.py").write_text(OWN)
        listing = root / "data/__init__.py"
        named = listing.read_text().replace('    "npz"', '    "own": own,\n    "npz"')
        listing.write_text(f"from data.own import own\n{named}")
        return f"{entry}:own"
    return entry


@pytest.mark.docs
def test_all_can_go_that_nothing_is_made_of(project):
    delete_all(project, *(entry for entry in ENTRIES if entry not in DEFAULTS))
    collect(project)
    run(project, "-m", "pytest", "tests/experiment", "tests/models", "tests/callbacks")


@pytest.mark.faults
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_goes_with_what_is_about_it(project, entry):
    """And the quick tests that name it pass, or are skipped."""
    delete_all(project, with_heir(project, entry))
    collect(project)
    name = entry.rpartition(".")[2]
    named = re.compile(rf"""["'=]{name}["'.]|name={name}\b""")
    naming = [
        str(path)
        for path in (project / "tests").rglob("test_*.py")
        if named.search(path.read_text())
        and not any(word in path.name for word in SLOW)
    ]
    run(project, "-m", "pytest", "tests/experiment", *naming)


@pytest.mark.docs
def test_what_is_left_without_comparisons_still_imports(project):
    delete_row(project, "comparisons")
    view = (project / "view.py").read_text()
    view = view.replace(
        "comparison.links import views", "monitoring.links import OF_RUNS"
    )
    view = view.replace("views(arguments.directory)", "OF_RUNS")
    (project / "view.py").write_text(view)
    collect(project)
    run(project, "view.py", "--help")
