"""The command line of a comparison, with real worker processes."""

import contextlib
import csv
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import distributed
import pytest

from compare import inspect_runs
from comparison.plan import load_comparison
from experiment import fingerprint
from tests.processes import children, wait_for_end

ROOT = Path(__file__).parent.parent
METHODS = """
[methods.none]

[methods.l2]
vary.regularizer.l2 = [1e-3, 1e-2]
"""


EPOCHS = 60
"""Long enough to be killed within."""

BASE = """
data = {{name = "digits", validation_size = 200}}
model.name = "tiny"
training = {{epochs = {epochs}, jit_compile = false}}
monitoring.tensorboard = false
"""


def start(
    directory,
    *words,
    seeds="[0, 1]",
    epochs=3,
    methods=METHODS,
    project=ROOT,
):
    """Write a comparison into a directory and start it."""
    (directory / "base.toml").write_text(BASE.format(epochs=epochs))
    path = directory / "small.toml"
    path.write_text(f'base = "base.toml"\nseeds = {seeds}\n{methods}')
    command = ["-m", "tests.launch", "compare.py", path, "--runs", directory, *words]
    return subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project,
    )


@pytest.fixture
def begin(tmp_path):
    """Begin a comparison in `tmp_path`: `start` without its first argument."""
    return functools.partial(start, tmp_path)


@pytest.fixture
def compare(begin):
    """The same, to its end; returns its exit status and what it printed."""

    def run(*words, **parts):
        process = begin(*words, **parts)
        stdout, stderr = process.communicate(timeout=300)
        return process.returncode, stdout, stderr

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A comparison of `EPOCHS` that nothing happened to, and what it printed."""
    directory = tmp_path_factory.mktemp("made")
    process = start(directory, "--workers", "1", epochs=EPOCHS)
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (0, "")
    return directory, stdout


@pytest.fixture(scope="module")
def undisturbed(made):
    """Its summary."""
    return summary(made[0])


def summary(tmp_path):
    """The rows of summary.csv, times aside."""
    with open(tmp_path / "small/summary.csv", newline="") as file:
        return [row | {"seconds": ""} for row in csv.DictReader(file)]


def wait_for_results(directory, count, process):
    while len(list(directory.glob("**/result.json"))) < count:
        assert process.poll() is None
        time.sleep(0.05)


def test_a_comparison_goes_from_runs_to_findings_and_repeats_nothing(
    made, compare, tmp_path
):
    directory, stdout = made
    assert "0 finished before, 6 to make; in 1 worker process of" in stdout
    assert "2 seeds are too few to tell" in stdout
    words = " ".join(stdout.split())
    assert re.search(r"has the lowest test cross-entropy, \d\.\d{3} nats", words)
    assert "://" not in stdout.partition("report: ")[2]
    rows = summary(directory)
    assert [(row["method"], row["strength"], row["seed"]) for row in rows] == [
        ("none", "", "0"),
        ("none", "", "1"),
        ("l2", "l2=0.001", "0"),
        ("l2", "l2=0.001", "1"),
        ("l2", "l2=0.01", "0"),
        ("l2", "l2=0.01", "1"),
    ]
    assert all(row["status"] == "completed" for row in rows)

    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    assert "6 finished before, 0 to make" in compare(epochs=EPOCHS)[1]
    more = compare("--workers", "1", epochs=EPOCHS, seeds="[0, 1, 2]")[1]
    assert "6 finished before, 3 to make" in more
    assert summary(tmp_path)[:2] == rows[:2]
    changed = compare("training.batch_size=50", "--workers", "1")[1]
    assert "0 finished before, 6 to make, 6 of them in the place of stale" in changed
    assert summary(tmp_path)[0] != rows[0]


def test_a_grid_grows_past_runs_that_diverge_and_is_not_made_again(compare, tmp_path):
    """The best strength is the weakest, for all are far too strong."""
    methods = METHODS.replace("[1e-3, 1e-2]", "[10.0, 100.0, 1000.0, 1e38]")
    grow = {"methods": f"grow = 1\n{methods}"}
    status, stdout, _ = compare("--workers", "1", **grow)
    assert status == 0
    assert "l2: 2 runs diverged or without a result." in stdout
    assert "10/10 runs, 2 failed" in stdout
    assert "a grid grows: l2: regularizer.l2 = 1, for the best is 10\n" in stdout
    strengths = [(row["strength"], row["status"]) for row in summary(tmp_path)]
    names = ("", "l2=1.0", "l2=10.0", "l2=100.0", "l2=1000.0")
    expected = [(name, "completed") for name in names for _ in range(2)]
    assert strengths == [*expected, *[("l2=1e+38", "diverged")] * 2]
    status, stdout, _ = compare(**grow)
    assert "10 finished before, 0 to make" in stdout
    assert [(row["strength"], row["status"]) for row in summary(tmp_path)] == strengths
    assert "a grid grows" not in compare(methods=f"grow = 0\n{methods}")[1]


def test_against_itself_the_control_takes_every_place(compare, tmp_path):
    status, stdout, _ = compare("--against-itself", "--workers", "1")
    assert status == 0
    directory = tmp_path / "small_against_itself"
    configs = [path.read_text() for path in directory.glob("*/**/config.toml")]
    assert len(configs) == 6
    assert all("l2 = 0.0" in config for config in configs)
    assert not (tmp_path / "small").exists()


def test_what_a_grid_grows_by_is_made_and_kept_with_the_code_of_the_start(
    configure, tmp_path, monkeypatch
):
    """Worker processes hold it: their runs would be taken for those of later code."""
    configure(name="base")
    path = tmp_path / "small.toml"
    path.write_text(f'base = "base.toml"\n{METHODS}')
    comparison = load_comparison(path)
    before = inspect_runs(comparison, tmp_path)
    monkeypatch.setattr(fingerprint, "digest_of_modules", lambda paths: "of an edit")
    assert inspect_runs(comparison, tmp_path) == before


@pytest.mark.parametrize(
    "victim", ["worker", pytest.param("parent", marks=pytest.mark.faults)]
)
def test_killed_anywhere_it_ends_as_an_undisturbed_one(
    begin, undisturbed, tmp_path, victim
):
    with begin(epochs=EPOCHS) as process:
        wait_for_results(tmp_path / "small", 2, process)
        workers = children(process)
        assert len(workers) == 2
        if victim == "worker":
            os.kill(workers[0], signal.SIGKILL)
            process.communicate(timeout=300)
            assert process.returncode == 0
        else:
            process.kill()
            wait_for_end(workers)
            process.communicate()
    if victim == "parent":
        with begin(epochs=EPOCHS) as process:
            process.communicate(timeout=300)
            assert process.returncode == 0
    assert summary(tmp_path) == undisturbed


def test_an_interrupted_comparison_stops_soon_and_goes_on(begin, tmp_path):
    with begin(epochs=2000) as process:
        while not list((tmp_path / "small").glob("**/config.toml")):
            time.sleep(0.05)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "goes on where this stopped" in stdout
        assert "failed" not in stdout
        assert stderr == ""
    assert list((tmp_path / "small").glob("**/checkpoint/state.npz"))


def test_a_dry_run_lists_the_runs_and_makes_none(compare, tmp_path):
    status, stdout, _ = compare("--dry-run")
    assert status == 0
    assert len(stdout.splitlines()) == 9
    assert stdout.startswith("Data: ")
    assert re.search(
        "6 runs, 6 of them to make: about [0-9]+ minutes? in 2 worker processes",
        stdout,
    )
    assert stdout.endswith("lies on its edge, up to 2 values are added.\n")
    assert f"{tmp_path}/small/l2/l2=1e-03/seed=00" in stdout
    assert not (tmp_path / "small").exists()


def test_mistakes_are_one_line(compare):
    too_many = ["data.validation_size=60000"]  # Found before any worker starts.
    for words in (
        ["--workers", "0"],
        ["regularizer.l3=1"],
        ["--worker", "2"],
        too_many,
    ):
        status, stdout, stderr = compare(*words)
        assert (status, stdout) == (2, "")
        assert len(stderr.splitlines()) == 1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def started(module, *words, cwd=ROOT):
    launch = ["tests.launch"] if cwd == ROOT else []
    process = subprocess.Popen(
        [sys.executable, "-m", *launch, f"distributed.cli.{module}", *words],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler without workers."""
    port = str(free_port())
    options = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    with started("dask_scheduler", *options):
        yield f"tcp://127.0.0.1:{port}"


@contextlib.contextmanager
def workers(scheduler, count, cwd=ROOT):
    """Dask workers of one thread, in processes of their own."""
    options = ["--no-nanny", "--nthreads", "1"]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                started("dask_worker", scheduler, *options, "--no-dashboard", cwd=cwd)
            )
            for _ in range(count)
        ]
        with distributed.Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        yield processes


def test_a_cluster_gives_the_same_summary_also_when_a_worker_is_killed(
    begin, undisturbed, scheduler, tmp_path
):
    with workers(scheduler, 2) as (first, _):
        command = begin("--cluster", scheduler, epochs=EPOCHS)
        wait_for_results(tmp_path / "small", 2, command)
        os.kill(first.pid, signal.SIGKILL)
        stdout, stderr = command.communicate(timeout=300)
        assert (command.returncode, stderr) == (0, "")
        assert f"on the workers of {scheduler}" in stdout
        assert summary(tmp_path) == undisturbed


def test_a_cluster_that_could_not_do_the_same_is_refused(compare, scheduler, tmp_path):
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    for address, part in {
        "nonsense": "expected the address of a Dask scheduler",
        "tcp://127.0.0.1:http": "expected the address of a Dask scheduler",
        nowhere: "expected the address of a Dask scheduler",
        scheduler: "the scheduler has no workers",
    }.items():
        status, _, stderr = compare("--cluster", address)
        assert status == 2
        assert part in stderr
        assert len(stderr.splitlines()) == 1
    with workers(scheduler, 1, cwd=tmp_path):
        status, _, stderr = compare("--cluster", scheduler)
        assert status == 2
        assert "does not find the code of this folder" in stderr
