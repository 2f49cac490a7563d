"""What a change of the code does to a comparison that is running."""

import os
import shutil
import signal

import pytest

from tests.processes import children
from tests.test_compare import (
    EPOCHS,
    ROOT,
    start,
    summary,
    wait_for_results,
)

pytestmark = pytest.mark.faults


@pytest.fixture
def begin(tmp_path, project):
    """Begin a comparison in one process, with the code of `project`."""

    def begin():
        words = ("--workers", "1")
        return start(tmp_path, *words, epochs=EPOCHS, project=project)

    return begin


@pytest.fixture
def project(tmp_path):
    """A copy of this project that a test may edit."""
    path = tmp_path / "project"
    ignored = shutil.ignore_patterns(".*", "runs", "__pycache__", "docs")
    shutil.copytree(ROOT, path, ignore=ignored)
    return path


def test_a_comparison_keeps_to_the_code_that_it_began_with(
    begin, alone, project, tmp_path, tried
):
    """Also in the modules of which its next runs are the first to make use."""
    with begin() as process:
        wait_for_results(tmp_path / "small", 1, process)
        for name in ("tests/tiny.py", "optimizers/steps.py", "training/fit.py"):
            (project / name).write_text("this is no Python")
        _, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (0, "")
    assert summary(tmp_path) == alone
    tried(
        "code edited under a running comparison",
        1,
        "it ends the same, with the code that it began with",
    )


def test_a_process_that_has_to_start_anew_stops_a_comparison_of_changed_code(
    begin, project, tmp_path, tried
):
    """What is finished stays; the same command makes it anew, of the new code."""
    with begin() as process:
        wait_for_results(tmp_path / "small", 1, process)
        with open(project / "tests/tiny.py", "a") as file:
            file.write("\nADDED = 1\n")
        os.kill(children(process)[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2
    assert stderr == (
        "compare.py: code changed while the comparison was made; what is finished "
        "stays, and the same command goes on from it\n"
    )
    assert list((tmp_path / "small").glob("**/result.json"))
    tried(
        "code edited under a running comparison, and then a worker killed",
        1,
        "one line; what is finished stays",
    )
